"""When a commit counts, when nobody knows, and how the log is kept short."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from squidmesh_core.errors import OutcomeUnknown, StorageError, StorageUnavailable
from squidmesh_core.ids import Fingerprint, Revision
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import Batch, Choice, Committed, Conflict, Outcome, Unknown
from squidmesh_storage.conformance.kit import (
    EPOCH,
    attempt,
    commit,
    first,
    key,
    keys_of,
    look,
    on,
    puts,
    records_of,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.sqlite import SqliteJournal, appends
from squidmesh_storage.sqlite.database import Writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(file)
    yield journal
    journal.close()


class _BreaksAtCommit(sqlite3.Connection):
    """The disk fails while COMMIT is written, before or after it took effect."""

    takes_effect = False

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql != "commit":
            return super().execute(sql, *values)  # type: ignore[arg-type]  # passed through
        super().execute("commit" if self.takes_effect else "rollback")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error


class _BreaksAfterCommit(_BreaksAtCommit):
    takes_effect = True


def _break(journal: SqliteJournal, file: Path, factory: type[sqlite3.Connection]) -> None:
    writer = journal._process.writer
    writer.connection.close()
    writer._connection = sqlite3.connect(
        file, factory=factory, isolation_level=None, check_same_thread=False
    )
    writer._files = None  # with the last connection its log went, and there is another one


# -- settings


def test_every_connection_is_fully_durable_and_checkpoints_by_itself_never(
    journal: SqliteJournal,
) -> None:
    """WAL, synchronous=FULL, no automatic checkpoint, a busy timeout of 10 s."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0}
    wanted["busy_timeout"] = 10_000

    def settings(connection: sqlite3.Connection) -> dict[str, object]:
        return {name: connection.execute(f"pragma {name}").fetchone()[0] for name in wanted}

    assert wanted == settings(journal._process.writer.connection)
    with journal._process.readers.snapshot() as reader:
        assert wanted == settings(reader)


def test_readers_cannot_write(journal: SqliteJournal) -> None:
    """All writes go through the one writer."""
    with (
        pytest.raises(StorageError, match="may not be written"),
        journal._process.readers.snapshot() as reader,
    ):
        reader.execute("delete from squidmesh_journal")


# -- one transaction for an append and its rows


def _transactions(journal: SqliteJournal, act: Callable[[], object]) -> list[list[str]]:
    """The first words of each statement, by transaction."""
    connection = journal._process.writer.connection
    seen: list[list[str]] = []

    def note(statement: str) -> None:
        if statement.startswith("begin"):
            seen.append([statement])
        else:
            seen[-1].append(" ".join(statement.split()[:3]).lower())

    connection.set_trace_callback(note)
    try:
        act()
    finally:
        connection.set_trace_callback(None)
    return seen


def _check_one_transaction(journal: SqliteJournal) -> None:
    rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
    begun = first(run_id(1), rows=rows)

    (statements,) = _transactions(journal, lambda: commit(journal, begun))

    assert "begin immediate" == statements[0]
    assert "commit" == statements[-1]
    assert {
        "insert into squidmesh_journal",
        "insert into squidmesh_runs",
        "insert into squidmesh_waiting",
    } <= set(statements)


def test_an_append_and_its_rows_are_one_transaction(journal: SqliteJournal) -> None:
    """No crash can part them."""
    _check_one_transaction(journal)


class _IndexesAfterwards(SqliteJournal):
    """The planted bug: the index is changed in a transaction of its own."""

    def _write(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        bare = [Batch(record=b.record, expected=b.expected, rows=RowChanges()) for b in batches]
        outcomes = super()._write(bare)
        with self._process.writer.transaction() as connection:
            for batch in batches:
                appends._change(connection, batch.record.run_id, batch.rows, batch.record.at)
        return outcomes


def test_an_index_changed_outside_the_append_is_caught(file: Path) -> None:
    """The test above sees the planted bug, although every answer looks right."""
    planted = _IndexesAfterwards(file)

    with pytest.raises(ValueError, match="too many values"):
        _check_one_transaction(planted)

    assert IndexRows(run=run_row(run_id(1)), attempts=(attempt(run_id(1)),)) == planted.rows_of(
        run_id(1)
    )
    planted.close()


def test_the_steady_path_reads_nothing_else(journal: SqliteJournal) -> None:
    """One append: its insert, and the rows it changes; no SELECT of its own."""
    begun = first(run_id(1), rows=puts(attempt(run_id(1), step="a", held_until=EPOCH)))
    commit(journal, begun)
    row = attempt(run_id(1), step="b", held_until=begun.record.at)
    step = then(begun, rows=RowChanges(put=(row,), drop=(key(run_id(1), "a"),)))

    (statements,) = _transactions(journal, lambda: commit(journal, step))

    assert [
        "begin immediate",
        "insert into squidmesh_journal",
        "update or replace",
        "commit",
    ] == statements


def test_a_poll_of_an_empty_queue_takes_no_write_lock(file: Path, journal: SqliteJournal) -> None:
    """An idle worker disturbs nobody, and is not disturbed."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")

    assert () == look(journal)
    other.execute("rollback")
    other.close()


# -- broken commits


def test_a_commit_that_broke_before_it_took_effect_is_unknown_and_not_found(
    file: Path, journal: SqliteJournal
) -> None:
    """Not found: the identical append may be sent again."""
    _break(journal, file, _BreaksAtCommit)
    begun = first(run_id(1))

    outcomes = journal.append((begun,))

    assert (Unknown(run_id=run_id(1), append_id=begun.record.append_id),) == outcomes
    assert journal.find(run_id(1), begun.record.append_id) is None
    commit(journal, begun)


def test_a_commit_that_broke_after_it_took_effect_is_unknown_and_found(
    file: Path, journal: SqliteJournal
) -> None:
    """Found: it is committed, and sending it again does no harm."""
    commit(journal, first(run_id(2)))
    _break(journal, file, _BreaksAfterCommit)
    begun = first(run_id(1))

    outcomes = journal.append((begun, first(run_id(2))))

    assert (
        Unknown(run_id=run_id(1), append_id=begun.record.append_id),
        Conflict(run_id=run_id(2), expected=Revision(0), actual=Revision(1)),
    ) == outcomes
    assert Revision(1) == journal.find(run_id(1), begun.record.append_id)
    assert isinstance(journal.append((begun,))[0], Conflict)
    assert records_of(begun) == journal.load(run_id(1)).records


def test_a_claim_whose_commit_broke_is_unknown(file: Path, journal: SqliteJournal) -> None:
    """Nobody performs it until the append has been found."""
    commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))
    _break(journal, file, _BreaksAtCommit)

    claimed = journal.claimable(
        ("default",),
        ("act",),
        1,
        lambda offered: Choice(batches=[on(run_id(1), offered.candidates[0].head)]),
    )

    assert [Unknown] == [type(one) for one in claimed.outcomes]
    assert (key(run_id(1)),) == keys_of(look(journal))


def test_a_definition_whose_commit_broke_says_so(file: Path, journal: SqliteJournal) -> None:
    """Define again: once is enough."""
    _break(journal, file, _BreaksAtCommit)

    with pytest.raises(OutcomeUnknown):
        journal.define(Fingerprint("ab" * 32), "{}")
    journal.define(Fingerprint("ab" * 32), "{}")

    assert "{}" == journal.definition(Fingerprint("ab" * 32))


# -- a database that says no


def test_a_full_disk_is_said_and_leaves_nothing_half(journal: SqliteJournal) -> None:
    """Reads go on, and appends as soon as there is room."""
    connection = journal._process.writer.connection
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count = {pages}")
    large = first(run_id(1), body=f'["{"x" * 50_000}"]', rows=puts(attempt(run_id(1))))

    with pytest.raises(StorageError, match="disk is full") as caught:
        journal.append((large,))

    assert "storage_error" == caught.value.code
    assert IndexRows() == journal.rows_of(run_id(1))
    connection.execute("pragma max_page_count = 1000000")
    commit(journal, large)


def test_a_database_that_stays_locked_is_unavailable(file: Path, journal: SqliteJournal) -> None:
    """After the timeout, with nothing written; and goes on when the lock is gone."""
    journal._process.writer.connection.execute("pragma busy_timeout = 0")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")

    with pytest.raises(StorageUnavailable) as caught:
        journal.append((first(run_id(1)),))

    assert "storage_unavailable" == caught.value.code
    other.execute("rollback")
    other.close()
    commit(journal, first(run_id(1)))


# -- the write-ahead log


def _grow(file: Path, checkpoint_rows: int) -> int:
    """The largest size of the log during some appends."""
    writer = Writer(file, checkpoint_rows=checkpoint_rows)
    largest = 0
    for number in range(200):
        with writer.transaction() as connection:
            appends.write(connection, [first(run_id(number))], EPOCH)
        largest = max(largest, file.with_name(file.name + "-wal").stat().st_size)
    writer.close()
    return largest


def test_the_log_begins_anew_after_a_checkpoint(tmp_path: Path) -> None:
    """It stays short, however much is written; without checkpoints it does not."""
    kept_short, grown = tmp_path / "short.db", tmp_path / "grown.db"
    for file in (kept_short, grown):
        SqliteJournal(file).close()

    assert _grow(kept_short, 20) * 5 < _grow(grown, 10_000)


def test_a_reader_may_put_a_checkpoint_off_but_not_fail_an_append(
    file: Path, journal: SqliteJournal
) -> None:
    """The log is written back another time."""
    writer = Writer(file, checkpoint_rows=1)
    with journal._process.readers.snapshot() as reader:
        reader.execute("select count(*) from squidmesh_journal").fetchone()
        with writer.transaction() as connection:
            written = appends.write(connection, [first(run_id(2))], EPOCH)

        assert (Committed(run_id=run_id(2), revision=Revision(1)),) == written
        assert not writer.checkpoint()
    assert writer.checkpoint()
    assert (10_000,) == writer.connection.execute("pragma busy_timeout").fetchone()
    writer.close()


def test_no_checkpoint_overlaps_a_transaction_of_another_process(
    file: Path, journal: SqliteJournal
) -> None:
    """SQLite before 3.51.3 may damage the file then: it waits for the write lock, or is left."""
    commit(journal, first(run_id(1)))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    before = file.read_bytes()

    assert not journal._process.writer.checkpoint()

    assert before == file.read_bytes()
    other.execute("rollback")
    other.close()
    assert journal._process.writer.checkpoint()
    assert before != file.read_bytes()


def test_closing_leaves_one_file(file: Path, journal: SqliteJournal) -> None:
    """The log is written back: the file alone is the whole journal."""
    commit(journal, first(run_id(1)))
    journal.close()

    assert [file] == list(file.parent.iterdir())
