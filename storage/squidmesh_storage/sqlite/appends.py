"""Writing appends and index rows, inside a transaction that somebody else began."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import (
    AttemptRow,
    CorrelationRow,
    Head,
    IndexRows,
    RowChanges,
)
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome, Unknown
from squidmesh_storage.problems import sound_beginning
from squidmesh_storage.sqlite import facts
from squidmesh_storage.sqlite.rows import (
    attempt_values,
    correlation_values,
    head_from,
    micros,
    record_from,
    record_values,
    run_values,
)
from squidmesh_storage.sqlite.statements import SQL

#: What forgets each thing that is kept of one run.
_ALL_OF_A_RUN: Final = (
    "clear_journal",
    "clear_waiting",
    "clear_held",
    "clear_tags",
    "clear_correlations",
    "drop_run",
    "drop_checkpoint",
    "drop_quarantine",
)


def write(
    connection: sqlite3.Connection, batches: Sequence[Batch], stored_at: datetime
) -> tuple[Outcome, ...]:
    """Append each batch whose expected revision is the head; answer each on its own."""
    stamp = micros(stored_at)
    fallen = _fallen_groups(connection, batches)
    return tuple(_write_one(connection, batch, stamp, fallen) for batch in batches)


def head_of(connection: sqlite3.Connection, run_id: RunId) -> Head | None:
    """Where a journal stands; null: there is none."""
    row = connection.execute(SQL["head"], (run_id,)).fetchone()
    return None if row is None else head_from(row)


def heads_of(connection: sqlite3.Connection, runs: Collection[RunId]) -> dict[RunId, Head]:
    """Where some journals stand; a run without one is left out."""
    rows = connection.execute(SQL["heads"], (json.dumps(list(runs)),))
    return {RunId(run_id): head_from((last, digest, at)) for run_id, last, digest, at in rows}


def begun_of(connection: sqlite3.Connection, runs: Collection[RunId]) -> dict[RunId, AppendRecord]:
    """The appends of those journals that are one append, and sound."""
    rows = connection.execute(SQL["begun"], (json.dumps(list(runs)),))
    records = (record_from(RunId(run_id), row) for run_id, *row in rows)
    return {one.run_id: one for one in map(sound_beginning, records) if one is not None}


def replace_rows(
    connection: sqlite3.Connection, run_id: RunId, revision: Revision, rows: IndexRows
) -> bool:
    """Put these rows in the place of all rows of a run, if that is its head."""
    head = head_of(connection, run_id)
    if head is None or head.revision != revision:
        return False
    for statement in ("clear_waiting", "clear_held", "clear_tags", "drop_run"):
        connection.execute(SQL[statement], (run_id,))
    changes = RowChanges(run=rows.run, put=rows.attempts, correlations=rows.correlations)
    _change(connection, run_id, changes, head.at)
    return True


def remove(
    connection: sqlite3.Connection,
    run_id: RunId,
    revision: Revision,
    tombstone: AppendRecord | None,
    stored_at: datetime,
) -> bool:
    """Forget a run if that is its head, and put the tombstone in its journal's place."""
    head = head_of(connection, run_id)
    if head is None or head.revision != revision:
        return False
    for statement in _ALL_OF_A_RUN:
        connection.execute(SQL[statement], (run_id,))
    if tombstone is not None:
        values = record_values(tombstone, micros(stored_at))
        connection.execute(SQL["append"], (*values, CODEC_VERSION, BEGINNING, run_id, run_id))
    return True


def in_doubt(outcomes: Sequence[Outcome], batches: Sequence[Batch]) -> tuple[Outcome, ...]:
    """The same answers when COMMIT broke: nobody knows whether what was written is durable."""
    return tuple(
        Unknown(run_id=outcome.run_id, append_id=batch.record.append_id)
        if isinstance(outcome, Committed)
        else outcome
        for outcome, batch in zip(outcomes, batches, strict=True)
    )


def _fallen_groups(connection: sqlite3.Connection, batches: Sequence[Batch]) -> frozenset[str]:
    # The write lock is held, so a head that is right now stays right until COMMIT.
    return frozenset(
        batch.group
        for batch in batches
        if batch.group is not None and not _follows(connection, batch)
    )


def _write_one(
    connection: sqlite3.Connection, batch: Batch, stored_at: int, fallen: Collection[str]
) -> Outcome:
    record = batch.record
    if batch.group not in fallen:
        must_follow = (record.first - 1, record.run_id, record.run_id)
        values = (*record_values(record, stored_at), batch.codec, *must_follow)
        written = connection.execute(SQL["append"], values).rowcount
        if written:
            _change(connection, record.run_id, batch.rows, record.at)
            facts.keep(connection, batch.notices)
            return Committed(run_id=record.run_id, revision=record.last)
    actual = _revision(connection, record.run_id)
    return Conflict(run_id=record.run_id, expected=batch.expected, actual=actual)


def _follows(connection: sqlite3.Connection, batch: Batch) -> bool:
    run_id = batch.record.run_id
    marked = connection.execute(SQL["quarantine"], (run_id,)).fetchone() is not None
    return not marked and _revision(connection, run_id) == batch.expected


def _revision(connection: sqlite3.Connection, run_id: RunId) -> Revision:
    head = head_of(connection, run_id)
    return Revision(0) if head is None else head.revision


def _change(connection: sqlite3.Connection, run_id: RunId, rows: RowChanges, at: datetime) -> None:
    """Change the index as an append at this instant implies: drops before puts."""
    run = rows.run
    if run is not None:
        connection.execute(SQL["put_run"], run_values(run))
        connection.execute(SQL["clear_tags"], (run_id,))
        for tag in run.tags:
            connection.execute(SQL["put_tag"], (run_id, tag))
    if rows.correlations is not None:
        _correlate(connection, run_id, rows.correlations)
    if _moved(connection, rows):
        return
    for key in rows.drop:
        # It is in one of the two, most often that of the claimed.
        if not connection.execute(SQL["drop_held"], (run_id, key)).rowcount:
            connection.execute(SQL["drop_waiting"], (run_id, key))
    for row in rows.put:
        _put(connection, row, at)


def _correlate(
    connection: sqlite3.Connection, run_id: RunId, rows: Sequence[CorrelationRow]
) -> None:
    connection.execute(SQL["clear_correlations"], (run_id,))
    for row in rows:
        connection.execute(SQL["put_correlation"], correlation_values(row))


def _moved(connection: sqlite3.Connection, rows: RowChanges) -> bool:
    """
    Whether one statement did it all: a slot goes on from one attempt to another.

    Nearly every step does; the statements one by one cost 4 % more CPU.
    """
    if len(rows.drop) != 1 or len(rows.put) != 1:
        return False
    (key,), (row,) = rows.drop, rows.put
    if row.held_until is None:
        return False
    run_id, *columns = attempt_values(row)
    found = (run_id, key, run_id, row.attempt_key)
    values = (*columns, micros(row.held_until), *found)
    return bool(connection.execute(SQL["move_held"], values).rowcount)


def _put(connection: sqlite3.Connection, row: AttemptRow, at: datetime) -> None:
    values, key = attempt_values(row), (row.run_id, row.attempt_key)
    if row.held_until is None:
        connection.execute(SQL["drop_held"], key)
        connection.execute(SQL["put_waiting"], (*values, row.visible_at <= at))
    else:
        connection.execute(SQL["drop_waiting"], key)
        connection.execute(SQL["put_held"], (*values, micros(row.held_until)))
