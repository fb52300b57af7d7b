"""
What squidmesh costs, measured.

    __main__.py     the command: rounds, medians, ratios, tables
    five_steps.py   the workflow that everything is measured with
    throughput.py   steps per second, squidmesh and DBOS alike
    costs.py        what does not depend on the machine: commits, statements, bytes
    depth.py        long journals, deep queues, many runs
    start_up.py     the price of the import

Each measurement is a process of its own, so that its memory and its imports are
its own.
"""
