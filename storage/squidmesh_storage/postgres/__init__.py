"""
The PostgreSQL adapter: journals in a database that many hosts share.

    journal.py      the verbs; start here
    scripts.py      what a verb is made of      driving.py    carrying it out
    appending.py    appends and index rows      changes.py    which rows change
    claiming.py     what may be claimed         claims.py     what to remember of it
    lanes.py        the same of queues with limits
    loading.py      reading journals            listing.py    pages of runs
    upkeep.py       changes beside appends      surveying.py  how all stands
    listening.py    hints from other processes  telling.py    hints to them
    aio.py          the verbs for event loops   joined.py     in one transaction with the host
    clock.py        the database's time         borrowing.py  and the host in one of ours
    pool.py         connections of a process    connecting.py one of them
    schema.py       tables and migrations       statements.py the SQL, and whose tables
    rows.py         records as rows             adapting.py   values as they travel
    errors.py       what the driver's errors mean
"""

from squidmesh_storage.postgres.journal import PostgresJournal
from squidmesh_storage.postgres.schema import MIGRATIONS, migrate, plan, script

__all__ = ["MIGRATIONS", "PostgresJournal", "migrate", "plan", "script"]
