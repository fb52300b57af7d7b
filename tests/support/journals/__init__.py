"""
Journals written by hand, for what reads journals without the runtime.

    writing     a run's journal, page by page; a page is an append
    plain       histories of steps, waits and joins
    people      histories of gates, holds, messages and time-outs
    sagas       histories of runs that are undone
    families    histories of runs that belong together
"""
