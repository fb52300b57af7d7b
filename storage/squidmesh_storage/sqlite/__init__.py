"""
The SQLite adapter: journals in one local file, with full durability.

    journal.py      the verbs; start here
    database.py     one writer connection, some readers; transactions, checkpoints
    appends.py      appends and index rows, in one transaction
    claims.py       what may be claimed, and when next
    lanes.py        the same of queues with limits
    facts.py        records outside runs
    loading.py      reading one run         listing.py    pages of runs
    surveying.py    how things stand        statements.py the SQL
    schema.py       tables and migrations   files.py      may this path be used?
    joined.py       sharing a transaction with a host
    connection.py   settings; errors        rows.py       records as rows
"""

from squidmesh_storage.migrations import Migration, Plan
from squidmesh_storage.sqlite.journal import SqliteJournal
from squidmesh_storage.sqlite.schema import MIGRATIONS, migrate, plan, script

__all__ = ["MIGRATIONS", "Migration", "Plan", "SqliteJournal", "migrate", "plan", "script"]
