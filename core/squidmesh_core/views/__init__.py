"""
What one can ask of a run.  Views only read.

    index        the rows that adapters store beside a journal
    inspection   one run at one instant: a snapshot
    steps, waiting, deadlines, history, reason   the parts of a snapshot
    explanation  why a run is where it is, and what may be done
    graph        its definition with its progress, as data and pictures
    diff         how two snapshots differ
    effects      what a command does to a run
    notices      what hooks are told of an append
    board, counts, bulk, hooks                   records about many runs
    visibility   who may see which member of all this
    plain, given, words, schemas                 what views are written with

Open `inspection` first.
"""
