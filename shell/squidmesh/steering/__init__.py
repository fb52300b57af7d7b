"""
Steering: the verbs with which people and systems move runs.

`verbs` has them for threads, `squidmesh.aio.steering` for event loops; `asking` says for
both what is asked for, as values that are ready for the door.  `many` has the verbs for
many runs at once, and `bulk` does what these ask.
"""
