# ruff: noqa: S101 (a test suite that ships with the package)
"""What `deadlines` promises, and `runs` filtered by them."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, get_args

import pytest
from attrs import evolve

from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.rows import IndexRows, RowChanges, RunRow
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds
from squidmesh_storage.api import Journal, ListPage, RunFilter, Tally
from squidmesh_storage.conformance.kit import EPOCH, Promises, commit, first, run_id, run_row, then

MINUTE: Final = timedelta(minutes=1)
STATUSES: Final[tuple[DeadlineStatus, ...]] = get_args(DeadlineStatus)


def due(minutes: int, *, soon: int | None = None, late: int | None = None) -> Thresholds:
    """A deadline so many minutes after the epoch; `soon` before it, escalated `late` after it."""
    due_at = EPOCH + minutes * MINUTE
    return Thresholds(
        due_at=due_at,
        due_soon_at=None if soon is None else due_at - soon * MINUTE,
        escalated_at=None if late is None else due_at + late * MINUTE,
    )


#: One run for each thing that a row can say.
ROWS: Final = tuple(
    run_row(run_id(number), created_at=EPOCH - number * MINUTE, deadline=deadline)
    for number, deadline in enumerate(
        (
            due(10),
            due(10, soon=5),
            due(10, late=5),
            due(10, soon=5, late=5),
            due(5, soon=0, late=0),
            due(12, soon=12, late=3),
            None,
        ),
        start=1,
    )
)


class DeadlinePromises(Promises):
    """Runs by their deadlines: which stand how at an instant, and which are due first."""

    def test_a_row_keeps_its_deadline(self, journal: Journal) -> None:
        """To the microsecond, and whatever of it there is."""
        odd = Thresholds(due_at=EPOCH + timedelta(microseconds=1))
        rows = (*ROWS, run_row(run_id(99), deadline=odd))
        _store(journal, *rows)

        assert rows == tuple(journal.rows_of(row.run_id).run for row in rows)

    @pytest.mark.parametrize("status", STATUSES)
    def test_runs_are_found_by_how_their_deadline_stands(
        self, journal: Journal, status: DeadlineStatus
    ) -> None:
        """At any instant each run with a deadline is in one of the four lists."""
        _store(journal, *ROWS)
        for minutes in (0, 4, 5, 9, 10, 11, 14, 15, 20):
            now = EPOCH + minutes * MINUTE
            where = RunFilter(deadline=status, deadline_at=now)
            meant = [row for row in ROWS if row.deadline and row.deadline.status(now) == status]
            soonest = sorted(meant, key=lambda row: (_due_at(row), row.run_id))

            assert [row.run_id for row in meant] == _ids(journal.runs(where, None, 50))
            assert [row.run_id for row in soonest] == _ids(journal.deadlines(where, None, 50))

    def test_the_first_due_comes_first(self, journal: Journal) -> None:
        """By run id where they are due together; runs without a deadline are not there."""
        _store(journal, *ROWS)

        expected = [(run_id(5), run_id(1)), (run_id(2), run_id(3)), (run_id(4), run_id(6))]

        assert expected == list(_pages(journal, RunFilter(), 2))

    def test_deadlines_go_on_from_a_run_that_is_gone(self, journal: Journal) -> None:
        """A cursor is a place, not a run."""
        _store(journal, *ROWS)
        page = journal.deadlines(RunFilter(), (EPOCH + 10 * MINUTE, run_id(2)), 2)

        assert [run_id(3), run_id(4)] == _ids(page)
        assert (EPOCH + 10 * MINUTE, run_id(4)) == page.next

    def test_filters_hold_together_with_a_deadline(self, journal: Journal) -> None:
        """Both in the order of starts and in that of deadlines."""
        wanted = run_row(run_id(30), workflow="mail", tags=("red",), deadline=due(3))
        _store(
            journal,
            *ROWS,
            wanted,
            evolve(wanted, run_id=run_id(31), workflow="orders"),
            evolve(wanted, run_id=run_id(32), tags=()),
            evolve(wanted, run_id=run_id(33), deadline=due(9)),
        )
        where = RunFilter(
            workflow="mail", tag="red", deadline="overdue", deadline_at=EPOCH + 3 * MINUTE
        )

        assert [run_id(30)] == _ids(journal.runs(where, None, 5))
        assert [run_id(30)] == _ids(journal.deadlines(where, None, 5))

    def test_of_a_run_that_is_over_no_deadline_runs(self, journal: Journal) -> None:
        """Whatever its row says: an older process ends a run and leaves the instants there."""
        _store(journal, run_row(run_id(1), ended_at=EPOCH, status="failed", deadline=due(-5)))
        where = RunFilter(deadline="overdue", deadline_at=EPOCH)

        assert _ids(journal.runs(where, None, 5)) == []
        assert _ids(journal.deadlines(RunFilter(), None, 5)) == []

    def test_a_deadline_moves_and_goes_with_its_row(self, journal: Journal) -> None:
        """By appends and by a rebuild."""
        begun = first(run_id(1), rows=RowChanges(run=run_row(run_id(1), deadline=due(5))))
        commit(journal, begun)
        row = run_row(run_id(1), deadline=due(8, soon=1))
        moved = then(begun, rows=RowChanges(run=row))
        commit(journal, moved)
        (listed,) = journal.deadlines(RunFilter(), None, 5).items
        assert row == listed.row

        commit(journal, then(moved, rows=RowChanges(run=run_row(run_id(1)))))
        assert ListPage(items=(), next=None) == journal.deadlines(RunFilter(), None, 5)

        journal.index(run_id(1), Revision(3), IndexRows(run=row))
        assert [run_id(1)] == _ids(journal.deadlines(RunFilter(), None, 5))

    def test_runs_are_counted_by_how_they_stand(self, journal: Journal) -> None:
        """By workflow: status, and the most urgent deadline where one runs; zero is not said."""
        _store(
            journal,
            *ROWS,
            run_row(run_id(30), workflow="mail", status="paused", deadline=due(3)),
            run_row(run_id(31), workflow="mail", status="failed", ended_at=EPOCH, deadline=due(3)),
        )
        for minutes in (0, 5, 10, 15):
            now = EPOCH + minutes * MINUTE
            standing = Counter(
                ("orders", row.deadline.status(now)) for row in ROWS if row.deadline
            ) + Counter([("mail", due(3).status(now))])
            expected = Tally(
                runs={("orders", "running"): 7, ("mail", "paused"): 1, ("mail", "failed"): 1},
                deadlines=standing,
            )

            assert expected == journal.tally(now)

    def test_nothing_is_counted_in_an_empty_journal(self, journal: Journal) -> None:
        """No workflow is known there."""
        assert Tally() == journal.tally(EPOCH)

    def test_how_a_deadline_stands_is_asked_of_an_instant(self) -> None:
        """A filter without one is built by mistake."""
        with pytest.raises(ValueError, match="deadline_at"):
            RunFilter(deadline="overdue")


def _store(journal: Journal, *rows: RunRow) -> None:
    commit(journal, *(first(row.run_id, rows=RowChanges(run=row)) for row in rows))


def _ids(page: ListPage) -> list[RunId]:
    return [item.row.run_id for item in page.items]


def _pages(journal: Journal, where: RunFilter, limit: int) -> Iterator[tuple[RunId, ...]]:
    cursor: tuple[datetime, RunId] | None = None
    while True:
        page = journal.deadlines(where, cursor, limit)
        yield tuple(_ids(page))
        if page.next is None:
            return
        cursor = page.next


def _due_at(row: RunRow) -> datetime:
    return EPOCH if row.deadline is None else row.deadline.due_at
