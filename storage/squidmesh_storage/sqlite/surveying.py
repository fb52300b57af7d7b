"""How things stand, as a whole: the one place where whole tables are walked."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Depth, Survey, Tally
from squidmesh_storage.lanes import earliest
from squidmesh_storage.sqlite.rows import instant, micros, quarantine_from
from squidmesh_storage.sqlite.statements import SQL

#: Settings that durability and speed rest on.
_PRAGMAS: Final = ("journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout", "page_size")


def survey(connection: sqlite3.Connection, path: Path | None, now: datetime) -> Survey:
    """Count and look; from a snapshot that the caller holds."""
    asked = {"now": micros(now), "codec": CODEC_VERSION}
    (schema,) = connection.execute(SQL["survey_schema"]).fetchone()
    queues = {
        queue: _depth(*row) for queue, *row in connection.execute(SQL["survey_queues"], asked)
    }
    return Survey(
        schema=schema,
        runs=dict(connection.execute(SQL["survey_runs"]).fetchall()),
        quarantined={
            RunId(run_id): quarantine_from(revision, reason)
            for run_id, revision, reason in connection.execute(SQL["survey_quarantined"])
        },
        newer=tuple(
            RunId(run_id)
            for (run_id,) in connection.execute(SQL["survey_newer"], {"codec": CODEC_VERSION})
        ),
        actions=dict(connection.execute(SQL["survey_actions"]).fetchall()),
        queues=queues,
        waiting_since=earliest(*(depth.since for depth in queues.values())),
        facts=_facts(connection, path),
    )


def tally(connection: sqlite3.Connection, at: datetime) -> Tally:
    """How many runs there are; from a snapshot that the caller holds."""
    runs = connection.execute(SQL["tally_runs"])
    deadlines = connection.execute(SQL["tally_deadlines"], {"at": micros(at)})
    return Tally(
        runs={(workflow, status): number for workflow, status, number in runs},
        deadlines={(workflow, due): number for workflow, due, number in deadlines},
    )


def _depth(waiting: int, delayed: int, held: int, since: int | None) -> Depth:
    return Depth(
        waiting=waiting,
        delayed=delayed,
        held=held,
        since=None if since is None else instant(since),
    )


def _facts(connection: sqlite3.Connection, path: Path | None) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"sqlite": sqlite3.sqlite_version}
    for name in _PRAGMAS:
        (facts[name],) = connection.execute(f"pragma {name}").fetchone()
    if path is not None:
        log = path.with_name(path.name + "-wal")
        facts["file_bytes"] = path.stat().st_size
        facts["log_bytes"] = log.stat().st_size if log.exists() else 0
    return facts
