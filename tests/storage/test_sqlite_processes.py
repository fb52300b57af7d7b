"""Several processes on one file: side by side, killed, and forked."""

import signal
from pathlib import Path

import pytest

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Revision
from squidmesh_storage.conformance.kit import commit, first, key, keys_of, look, run_id
from squidmesh_storage.sqlite import SqliteJournal
from support.processes import finish, start


def test_two_processes_share_one_file(tmp_path: Path) -> None:
    """Both win their appends, on one unbroken chain, and nothing is lost."""
    file = tmp_path / "journal.db"
    journal = SqliteJournal(file)
    commit(journal, first(run_id(1)))

    for process in [start("race", file, 2), start("race", file, 3)]:
        finish(process)

    assert Revision(201) == journal.load(run_id(1)).head.revision
    assert (run_id(1), run_id(2), run_id(3)) == journal.run_ids(None, 5)
    journal.close()


def test_a_killed_writer_loses_no_acknowledged_append(tmp_path: Path) -> None:
    """What it said it had written is there, and the index with it."""
    file = tmp_path / "journal.db"
    process = start("grow", file)
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()  # also what was read ahead, which `communicate` would leave
    process.communicate(timeout=60)
    acknowledged = [50 * 2 - 1, *(int(line) for line in rest.split())][-1]

    journal = SqliteJournal(file)
    loaded = journal.load(run_id(1))

    assert acknowledged <= loaded.head.revision <= acknowledged + 2
    newest = key(run_id(1), f"s{len(loaded.records) - 1}")
    assert (newest,) == keys_of(look(journal))
    journal.close()


def test_a_forked_process_opens_connections_of_its_own(tmp_path: Path) -> None:
    """Both sides go on with the journal that was opened before the fork."""
    output = finish(start("fork", tmp_path / "journal.db"))

    assert "0 3" == output.strip()


def test_a_journal_in_memory_stays_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child would have a copy, and nobody would ever see what it wrote."""
    journal = SqliteJournal(":memory:")
    with monkeypatch.context() as child:
        child.setattr("os.getpid", lambda: -1)

        with pytest.raises(StorageError, match="open another one after a fork"):
            commit(journal, first(run_id(1)))

    commit(journal, first(run_id(1)))
    journal.close()


def test_two_processes_may_begin_one_file_at_the_same_moment(tmp_path: Path) -> None:
    """One creates the tables, the others find them."""
    file = tmp_path / "journal.db"

    for process in [start("open", file) for _ in range(3)]:
        finish(process)

    journal = SqliteJournal(file)
    assert () == journal.run_ids(None, 1)
    journal.close()
