"""
The one door, and what it stands on: every change of a run passes through here.

    handle     load → decide → append, as a generator of requests
    requests   what it asks of the storage
    door       the thread that answers them; `Door.handle` is what others call
    recall     reading a run, known what this process has read or written already
    mint       what must be drawn: ids, claims, tokens
    outcomes   answers as hosts meet them: a `Run`, or an exception

Begin at `handle.py`.  Nothing else of the shell is imported here but the ports.
"""
