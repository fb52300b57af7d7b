"""Which paths can hold a journal, and what a host is told about the others."""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from squidmesh_core.errors import StorageError
from squidmesh_storage.conformance.kit import commit, first, run_id
from squidmesh_storage.sqlite import SqliteJournal
from squidmesh_storage.sqlite.files import NETWORK, file_system_of
from support.processes import start


def _refusal(open_it: Callable[[], object]) -> StorageError:
    with pytest.raises(StorageError) as caught:
        open_it()
    assert "storage_error" == caught.value.code
    return caught.value


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """With the advice to name a file."""
    assert "name a file in it" in str(_refusal(lambda: SqliteJournal(tmp_path)))


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """Reading it would wait for ever; a device is as little of a file."""
    pipe = tmp_path / "journal.db"
    os.mkfifo(pipe)

    assert "ordinary file" in str(_refusal(lambda: SqliteJournal(pipe)))
    assert "ordinary file" in str(_refusal(lambda: SqliteJournal(Path(os.devnull))))


def test_a_missing_directory_is_refused_and_not_created(tmp_path: Path) -> None:
    """A typing error must not begin an empty journal somewhere."""
    file = tmp_path / "missing" / "journal.db"

    refusal = _refusal(lambda: SqliteJournal(file))

    assert "create it first" in str(refusal)
    assert {"path": str(file)} == refusal.details
    assert not file.parent.exists()


def test_a_log_whose_file_is_gone_is_refused_and_kept(tmp_path: Path) -> None:
    """A new file in its place would make SQLite throw away what the log holds."""
    path = tmp_path / "journal.db"
    log = tmp_path / "journal.db-wal"
    journal = SqliteJournal(path)
    commit(journal, first(run_id(1)))
    written = log.read_bytes()
    path.unlink()

    assert "its -wal lies there" in str(_refusal(lambda: SqliteJournal(path)))
    assert (False, written) == (path.exists(), log.read_bytes())
    journal.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    """Not a byte of it changes."""
    file = tmp_path / "notes.txt"
    file.write_bytes(b"dear diary, " * 1000)

    refusal = _refusal(lambda: SqliteJournal(file))

    assert "no SQLite database" in str(refusal)
    assert b"dear diary, " * 1000 == file.read_bytes()


def test_a_damaged_database_is_refused_and_kept(tmp_path: Path) -> None:
    """It begins like one, and goes on with nonsense."""
    file = tmp_path / "journal.db"
    damaged = b"SQLite format 3\x00" + b"nonsense" * 1000
    file.write_bytes(damaged)

    _refusal(lambda: SqliteJournal(file))

    assert damaged == file.read_bytes()


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """At open, and not at the first append; the data is untouched."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()
    file.chmod(0o444)
    before = file.read_bytes()

    if os.geteuid() == 0:  # root may write to everything: ask as somebody else
        for folder in (tmp_path, *tmp_path.parents):
            if Path(tempfile.gettempdir()) in folder.parents:
                folder.chmod(0o755)
        _, errors = start("open-as-nobody", file).communicate(timeout=60)
        assert "change their owner or mode" in errors
    else:
        refusal = _refusal(lambda: SqliteJournal(file))
        assert "change their owner or mode" in str(refusal)

    assert before == file.read_bytes()


def test_a_database_with_tables_of_its_host_is_shared(tmp_path: Path) -> None:
    """Ours come beside them, under names of our own."""
    file = tmp_path / "host.db"
    host = sqlite3.connect(file)
    host.execute("create table journal (note text)")
    host.execute("insert into journal values ('mine')")
    host.commit()

    journal = SqliteJournal(file)
    commit(journal, first(run_id(1)))
    journal.close()

    assert [("mine",)] == host.execute("select note from journal").fetchall()
    host.close()


def test_a_directory_that_may_not_be_entered_is_refused(tmp_path: Path) -> None:
    """As nobody's own, and not as a traceback."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:  # see above
        _, told = start("open-as-nobody", folder / "journal.db").communicate(timeout=60)
    else:
        folder.chmod(0o600)
        told = str(_refusal(lambda: SqliteJournal(folder / "journal.db")))
        folder.chmod(0o700)

    assert "may not look into its directory" in told


@pytest.mark.parametrize("kind", sorted(NETWORK))
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """Before SQLite touches anything; the text names the kind and the way out."""
    file = tmp_path / "journal.db"

    refusal = _refusal(lambda: SqliteJournal(file, file_system_of=lambda _: kind))

    assert f"network file system ({kind})" in str(refusal)
    assert "PostgreSQL" in str(refusal)
    assert not file.exists()


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "overlay", "fuse.virtiofs", None])
def test_a_local_or_unknown_file_system_is_used(tmp_path: Path, kind: str | None) -> None:
    """Doubt is no reason to refuse."""
    file = tmp_path / "journal.db"

    SqliteJournal(file, file_system_of=lambda _: kind).close()

    assert file.exists()


def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path: Path) -> None:
    """By whole path parts, escapes undone, the last of equal mount points on top."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
        "2 1 0:40 / /srv rw - xfs /dev/sdb rw\n"
        "3 2 0:41 / /srv/share rw,nosuid shared:7 master:2 - nfs4 host:/x rw\n"
        "4 1 0:42 / /mnt/with\\040space rw - cifs //host/x rw\n"
        "5 1 0:43 / /srv rw - btrfs /dev/sdc rw\n"
    )

    found = {
        path: file_system_of(Path(path), mounts)
        for path in (
            "/home/a.db",
            "/srv/a.db",
            "/srv/share/deep/a.db",
            "/srv/shared/a.db",
            "/mnt/with space/a.db",
        )
    }

    assert {
        "/home/a.db": "ext4",
        "/srv/a.db": "btrfs",
        "/srv/share/deep/a.db": "nfs4",
        "/srv/shared/a.db": "btrfs",
        "/mnt/with space/a.db": "cifs",
    } == found


def test_without_a_mount_table_the_file_system_is_unknown(tmp_path: Path) -> None:
    """Other systems have none."""
    assert file_system_of(tmp_path, tmp_path / "missing") is None


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    """A local name for a file on a share is no local file."""
    (tmp_path / "share").mkdir()
    link = tmp_path / "journal.db"
    link.symlink_to(tmp_path / "share" / "journal.db")

    def kind(path: Path) -> str:
        return "nfs" if path.is_relative_to((tmp_path / "share").resolve()) else "ext4"

    assert "network" in str(_refusal(lambda: SqliteJournal(link, file_system_of=kind)))


@pytest.mark.parametrize("end", ["", "-wal", "-shm"], ids=["the file", "its log", "its memory"])
def test_what_was_taken_away_is_not_written_to(tmp_path: Path, end: str) -> None:
    """SQLite would go on with what it has open, which nobody finds once the process has ended."""
    file = tmp_path / "journal.db"
    gone, away = Path(f"{file}{end}"), tmp_path / "away"
    journal = SqliteJournal(file)
    commit(journal, first(run_id(1)))
    gone.rename(away)

    refusal = _refusal(lambda: commit(journal, first(run_id(2))))
    gone.write_bytes(b"")
    assert "stop every process" in str(_refusal(lambda: commit(journal, first(run_id(2)))))
    away.rename(gone)
    commit(journal, first(run_id(2)))
    journal.close()

    assert {"path": str(file)} == refusal.details
    again = SqliteJournal(file)
    assert {run_id(1), run_id(2)} == set(again.run_ids(None, 10))
    again.close()


def test_the_url_names_the_file(tmp_path: Path) -> None:
    """As one would open it."""
    file = SqliteJournal(tmp_path / "journal.db")
    memory = SqliteJournal(":memory:")

    assert f"sqlite:///{tmp_path}/journal.db" == file.url
    assert "sqlite:///:memory:" == memory.url
    file.close()
    memory.close()
