"""
What seeing costs: looks at one long run, lists of many, and what both cost the workers.

    groups.py       the groups of rows, on SQLite and on PostgreSQL
    probe.py        one measurement, in a process of its own
    looking.py      `inspect`, `explain`, `graph` and their redaction, where there is a lot to see
    listing.py      pages of 100,000 runs, and the whole command that prints one
    watched.py      steps per second while others look;  readers.py, the others
"""
