"""
What a journal adds up to: `fold` turns entries into a `RunState`.

    fold         the reducer: which entry changes what
    run          the state of a run                 RunState, Anomaly
    attempt      the machine of one attempt
    gates, mail, saga   people, messages, compensation
    inputs       what an attempt is given
    draft        a state while entries are taken in
    checkpoint   a state as text
    contradiction   entries that no decider writes, found where a stored journal is read

The fold believes: it accepts any history and never raises; what does not fit
becomes an `Anomaly` and changes nothing else.  Open `run` first, then `fold`.
"""
