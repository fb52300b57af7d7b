"""
Where journals are kept: the contract, its conformance suite, the adapters.

    api.py          what every adapter promises; start here
    conformance/    the same promises as tests, for any adapter's author
    memory.py       the reference model: dicts, and obviously right
    sqlite/         the embedded default: one file, the standard library's driver

    problems.py     what every adapter says no with, in the same words
    committer.py    merges the appends of many threads into few transactions
    hosts.py        the host's own connections, whichever library holds them
    wakeups.py      hints of new work between the threads of one process

An adapter stores rows and judges revisions; it decides nothing about workflows.
"""
