"""Hints between the threads of one process, where both adapters ring the same bell."""

from collections.abc import Callable, Iterator

import pytest

from squidmesh_storage.api import Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal

ADAPTERS: list[Callable[[], Journal]] = [MemoryJournal, lambda: SqliteJournal(":memory:")]


@pytest.fixture(params=ADAPTERS, ids=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    journal: Journal = request.param()
    yield journal
    journal.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda journal: journal.put_record("queue", "default", "{}"),
        lambda journal: journal.drop_record("queue", "default"),
    ],
    ids=["put", "dropped"],
)
def test_a_change_of_settings_wakes_who_waits_for_that_queue(
    journal: Journal, change: Callable[[Journal], object]
) -> None:
    """A queue that is resumed, or whose limit was raised, is looked at now and not at the poll."""
    with journal.listen(("default",)) as wakeups, journal.listen(("mail",)) as others:
        change(journal)

        assert (True, False) == (wakeups.wait(0), others.wait(0))


def test_other_records_wake_nobody(journal: Journal) -> None:
    """What a claim leaves in its lane, above all: it would wake itself."""
    with journal.listen(("default",)) as wakeups:
        journal.put_record("lane", "default", "{}")
        journal.drop_record("worker", "default")

        assert not wakeups.wait(0)


def test_hints_of_one_process_are_believed_for_five_seconds(journal: Journal) -> None:
    """Another process may have work to tell of, and rings nobody here."""
    with journal.listen(("default",)) as wakeups:
        assert 5.0 == wakeups.longest
