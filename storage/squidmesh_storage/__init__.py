"""
Where journals are kept: the contract, its conformance suite, the adapters.

    api/            what every adapter promises; start here
    conformance/    the same promises as tests, for any adapter's author
    memory/         the reference model: dicts, and obviously right
    sqlite/         the embedded default: one file, the standard library's driver
    postgres/       a database that many hosts share

    aio.py          the contract for event loops, and any journal driven from one
    problems.py     what every adapter says no with, in the same words
    committer.py    merges the appends of many threads into few transactions
    lanes.py        what a claim is offered of a queue with limits
    hosts.py        the host's own connections, whichever library holds them
    lending.py      connections of ours that hosts use for a while
    wakeups.py      hints of new work between the threads of one process
    records.py      the kinds of records that an adapter knows
    migrations.py   numbered changes of tables, and which of them a database lacks

An adapter stores rows and judges revisions; it decides nothing about workflows.
"""
