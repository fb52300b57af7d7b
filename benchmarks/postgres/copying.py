"""
A lot of runs that nobody will touch: copies of one that is there, made by the server.

What is claimed is never a copy: those lie behind what was really started.
"""

from datetime import datetime
from typing import Final

import psycopg

#: Copies of one statement.
AT_ONCE: Final = 100_000
_JOURNAL: Final = "first, last, at, stored_at, codec, append_id, hash, body, packed"
_RUNS: Final = (
    'workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,'
    " partition_key, ended_at, parent, replayed_from, forked_at, error"
)
_WAITING: Final = "priority, due, attempt_key, queue, action, partition_key"
_COPY: Final = f"""
with ids as materialized (
    select gen_random_uuid() as id, %(since)s::timestamptz + i * interval '1 millisecond' as at
    from generate_series(%(first)s::integer, %(last)s::integer) i
), journals as (
    insert into squidmesh.journal (run_id, {_JOURNAL})
    select id, {_JOURNAL.replace(" at,", " journal.at,")}
    from ids, squidmesh.journal where run_id = %(run)s::uuid
), listed as (
    insert into squidmesh.runs (run_id, created_at, {_RUNS})
    select id, ids.at, {_RUNS} from ids, squidmesh.runs where run_id = %(run)s::uuid
)
insert into squidmesh.waiting (run_id, visible_at, {_WAITING})
select id, case when due then ids.at else visible_at end, {_WAITING}
from ids, squidmesh.waiting where run_id = %(run)s::uuid
"""


def copy(url: str, run_id: str, count: int, since: datetime) -> None:
    """Put so many copies of a run beside it, created one millisecond after another."""
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count) - 1
            values = {"run": run_id, "first": first, "last": last, "since": since}
            connection.execute(_COPY.encode(), values)
        # What autovacuum would do soon, and then in the middle of a measurement.
        connection.execute("vacuum analyze")
