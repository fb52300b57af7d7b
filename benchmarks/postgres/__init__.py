"""
What squidmesh costs on PostgreSQL, measured on a server that syncs to disk.

    groups.py       the groups of rows, each beside its peers
    probe.py        one measurement, in a process of its own
    server.py       the server, fresh databases, and what is read from them
    tracing.py      statements of this process
    limit.py        the limit: one-row commits of pgbench
    steps.py        five steps: how many a second, and what each of them writes
    on_loop.py      the same runs on an event loop;  on_loop_dbos.py, those of DBOS
    workers.py      worker processes
    queueing.py     many runs of one step, enqueued and drained
    queueing_dbos.py  queueing_procrastinate.py  the same of peers
    jobs.py         what the worker processes perform
    latency.py      from the start to the result, with the worker elsewhere
    depth.py        claims and pages when there is a lot;  copying.py makes the lot
    idle.py         a worker that has nothing to do
    fan.py          a run of two thousand parallel steps
    memory.py       what a worker holds on to
"""
