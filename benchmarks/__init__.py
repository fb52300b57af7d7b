"""
What squidmesh costs, measured.

    __main__.py          the command
    groups.py            the groups of rows;  rounds.py, who takes turns, and what is told
    probe.py             one measurement, in a process of its own
    postgres/            the same on PostgreSQL: begin at its own page
    seeing/              looks, lists, and what they cost the workers, on both
    five_steps.py        the workflow that is measured
    clients.py           who starts runs and waits for them
    throughput.py        steps per second;  throughput_dbos.py, the same of DBOS
    least_engine.py      the same steps with nothing around them but the core
    journal_alone.py     the same appends with nothing around them
    answers.py           approvals and messages: from the answer to the next step
    rollback.py          steps that are undone
    waiting.py           many runs that wait
    costs.py             what no machine changes: appends, commits, statements, bytes
    depth.py             long journals, deep queues, many runs
    checker.py           the offline checker
    start_up.py          the price of the import
    tracing.py           counts instead of times;  samples.py, what is told of times

Each measurement is a process of its own, so that its memory and its imports are
its own.
"""
