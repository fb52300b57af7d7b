# ruff: noqa: S101 (a test suite that ships with the package)
"""What `runs` promises."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RowChanges, RunRow
from squidmesh_storage.api import Journal, Listed, ListPage, RunFilter
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Promises,
    commit,
    first,
    head_of,
    run_id,
    run_row,
    then,
)

MINUTE = timedelta(minutes=1)


def _store(journal: Journal, *rows: RunRow) -> None:
    commit(journal, *(first(row.run_id, rows=RowChanges(run=row)) for row in rows))


def _pages(journal: Journal, where: RunFilter, limit: int) -> Iterator[tuple[RunId, ...]]:
    cursor: tuple[datetime, RunId] | None = None
    while True:
        page = journal.runs(where, cursor, limit)
        yield tuple(item.row.run_id for item in page.items)
        if page.next is None:
            return
        cursor = page.next


class ListPromises(Promises):
    """Listing: pages by key, newest first."""

    def test_nothing_is_listed_in_an_empty_journal(self, journal: Journal) -> None:
        """One empty page, the last."""
        assert ListPage(items=(), next=None) == journal.runs(RunFilter(), None, 10)

    def test_a_listed_run_has_its_row_and_its_head(self, journal: Journal) -> None:
        """The head is today's, even if the row is older."""
        row = run_row(
            run_id(1),
            version="7",
            tags=("red",),
            workflow_key="order 9",
            ended_at=EPOCH + MINUTE,
            parent=run_id(2),
            error="Timeout: no answer",
            status="failed",
        )
        begun = first(run_id(1), rows=RowChanges(run=row))
        moved = then(begun, entries=4)
        commit(journal, begun)
        commit(journal, moved)

        expected = ListPage(items=(Listed(row=row, head=head_of(moved)),), next=None)

        assert expected == journal.runs(RunFilter(), None, 10)

    def test_pages_go_from_the_newest_to_the_oldest(self, journal: Journal) -> None:
        """Each run once; the last page says so, even if it is full."""
        _store(
            journal,
            *(run_row(run_id(n), created_at=EPOCH + n * MINUTE) for n in (2, 4, 1, 3)),
        )

        expected = [(run_id(4), run_id(3)), (run_id(2), run_id(1))]

        assert expected == list(_pages(journal, RunFilter(), 2))

    def test_pages_keep_apart_runs_of_the_same_instant(self, journal: Journal) -> None:
        """By run id: nothing is shown twice, nothing left out."""
        _store(journal, *(run_row(run_id(n)) for n in range(1, 6)))

        expected = [(run_id(5), run_id(4)), (run_id(3), run_id(2)), (run_id(1),)]

        assert expected == list(_pages(journal, RunFilter(), 2))

    def test_a_run_that_starts_between_two_pages_moves_nothing(self, journal: Journal) -> None:
        """Keys, not offsets."""
        _store(journal, *(run_row(run_id(n)) for n in (1, 2, 3)))
        page = journal.runs(RunFilter(), None, 2)
        _store(journal, run_row(run_id(9), created_at=EPOCH + MINUTE))

        rest = journal.runs(RunFilter(), page.next, 2)

        assert (run_id(1),) == tuple(item.row.run_id for item in rest.items)

    @pytest.mark.parametrize(
        "where",
        [
            RunFilter(workflow="mail"),
            RunFilter(version="2"),
            RunFilter(status="paused"),
            RunFilter(queue="slow"),
            RunFilter(tag="red"),
            RunFilter(parent=run_id(70)),
            RunFilter(since=EPOCH + MINUTE),
            RunFilter(text="ai"),
            RunFilter(text="0000-0000-0000-000000000007"),
            RunFilter(text="der 9"),
            RunFilter(text="100%_"),
            RunFilter(workflow="mail", status="paused", tag="red", queue="slow"),
            RunFilter(text="mail", since=EPOCH, parent=run_id(70), version="2"),
        ],
    )
    def test_each_filter_finds_its_run(self, journal: Journal, where: RunFilter) -> None:
        """And all filters together."""
        wanted = run_row(
            run_id(7),
            workflow="mail",
            version="2",
            status="paused",
            queue="slow",
            tags=("blue", "red"),
            workflow_key="order 9",
            created_at=EPOCH + MINUTE,
            parent=run_id(70),
            error="Full: 100%_",
        )
        _store(
            journal,
            run_row(run_id(1)),
            wanted,
            run_row(run_id(3), version="1", tags=("reddish",), parent=run_id(71)),
            run_row(run_id(4), error="Full: 100 per cent", created_at=EPOCH - MINUTE),
        )

        found = journal.runs(where, None, 10)

        assert (wanted,) == tuple(item.row for item in found.items)
        assert found.next is None

    def test_since_is_inclusive_and_until_is_not(self, journal: Journal) -> None:
        """So that neighbouring spans share no run."""
        _store(journal, *(run_row(run_id(n), created_at=EPOCH + n * MINUTE) for n in (1, 2, 3)))
        span = RunFilter(since=EPOCH + MINUTE, until=EPOCH + 3 * MINUTE)

        assert [(run_id(2), run_id(1))] == list(_pages(journal, span, 5))

    def test_text_tells_upper_from_lower_case(self, journal: Journal) -> None:
        """Databases disagree about case beyond ASCII; so nobody folds it."""
        _store(journal, run_row(run_id(1), error="Ärger"), run_row(run_id(2), error="ärger"))

        assert [(run_id(2),)] == list(_pages(journal, RunFilter(text="är"), 5))

    def test_filtered_pages_follow_each_other(self, journal: Journal) -> None:
        """The limit counts what is shown."""
        _store(
            journal,
            *(
                run_row(run_id(n), status="failed" if n % 2 else "running", tags=("t",))
                for n in range(1, 8)
            ),
        )
        where = RunFilter(status="failed", tag="t")

        expected = [(run_id(7), run_id(5)), (run_id(3), run_id(1))]

        assert expected == list(_pages(journal, where, 2))

    def test_a_changed_row_is_listed_as_it_is_now(self, journal: Journal) -> None:
        """And found by its new facts only."""
        begun = first(run_id(1), rows=RowChanges(run=run_row(run_id(1), tags=("old",))))
        commit(journal, begun)
        now = run_row(run_id(1), status="completed", tags=("new",))
        commit(journal, then(begun, rows=RowChanges(run=now)))

        assert list(_pages(journal, RunFilter(tag="old"), 5)) == [()]
        assert list(_pages(journal, RunFilter(status="running"), 5)) == [()]
        assert [(run_id(1),)] == list(_pages(journal, RunFilter(tag="new"), 5))
