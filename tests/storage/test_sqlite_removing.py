"""A removed run leaves no row behind, in any table, whether a reader would see it or not."""

import sqlite3
from collections.abc import Iterator

import pytest

from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Checkpoint, Quarantine
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Clock,
    attempt,
    commit,
    correlation,
    first,
    run_id,
    run_row,
)
from squidmesh_storage.sqlite import SqliteJournal


@pytest.fixture
def journal() -> Iterator[SqliteJournal]:
    journal = SqliteJournal(":memory:", clock=Clock())
    yield journal
    journal.close()


def rows_of_runs(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has that belong to a run."""
    tables = connection.execute(
        "select m.name from sqlite_schema as m join pragma_table_info(m.name) as c "
        "on c.name = 'run_id' where m.type = 'table' order by m.name"
    ).fetchall()
    return {
        name: connection.execute(f"select count(*) from {name}").fetchone()[0] for (name,) in tables
    }


@pytest.mark.parametrize("buried", [False, True])
def test_a_removed_run_leaves_no_row_in_any_table(journal: SqliteJournal, buried: bool) -> None:
    """But for the tombstone, which any process of this version can read."""
    rows = RowChanges(
        run=run_row(run_id(1), tags=("red",)),
        put=(attempt(run_id(1), step="a"), attempt(run_id(1), step="b", held_until=EPOCH)),
        correlations=(correlation(run_id(1)),),
    )
    begun = first(run_id(1), rows=rows)
    commit(journal, begun)
    record = begun.record
    journal.put_checkpoint(
        run_id(1),
        Checkpoint(revision=record.last, hash=record.hash, codec_version=1, body="{}"),
    )
    journal.quarantine(run_id(1), Quarantine(revision=None, reason="damaged"))
    connection = journal._process.writer.connection
    before = rows_of_runs(connection)
    tombstone = first(run_id(1)).record if buried else None

    assert journal.remove(run_id(1), record.last, tombstone)

    assert dict.fromkeys(before, 1) == before
    assert {**dict.fromkeys(before, 0), "squidmesh_journal": int(buried)} == rows_of_runs(
        connection
    )
    codecs = connection.execute("select codec from squidmesh_journal").fetchall()
    assert [(CODEC_VERSION,)] * buried == codecs
