"""
What a journal adds up to: `fold` turns entries into a `RunState`.

`attempt` holds the machine of one attempt, `run` the state of a run, `fold`
the reducer, `checkpoint` a state as text.  The fold believes: it accepts any history and never raises; what
does not fit becomes an `Anomaly` and changes nothing else.
"""
