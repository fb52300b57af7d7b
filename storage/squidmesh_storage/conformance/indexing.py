# ruff: noqa: S101 (a test suite that ships with the package)
"""What `rows_of`, `index` and `quarantine` promise."""

from datetime import timedelta

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import Committed, Conflict, Journal, Quarantine, RunFilter
from squidmesh_storage.conformance.kit import (
    Clock,
    Promises,
    attempt,
    commit,
    correlation,
    first,
    key,
    keys_of,
    look,
    look_and_tell,
    puts,
    records_of,
    run_id,
    run_row,
    then,
)

SECOND = timedelta(seconds=1)
DAMAGED = Quarantine(revision=Revision(1), reason="row 1 does not fit")


class IndexPromises(Promises):
    """The index may be rebuilt at any time, and a damaged run taken out of it."""

    def test_an_unknown_run_has_no_rows(self, journal: Journal) -> None:
        """Null, and none."""
        assert journal.rows_of(run_id(1)) == IndexRows()

    def test_index_puts_rows_in_the_place_of_all_others(self, journal: Journal) -> None:
        """Unclaimed, held and listed ones; other runs keep theirs."""
        now = journal.now()
        old = RowChanges(
            run=run_row(run_id(1), tags=("old",)),
            put=(attempt(run_id(1), step="a"), attempt(run_id(1), step="b", held_until=now)),
            correlations=(correlation(run_id(1), "old"),),
        )
        other = RowChanges(
            run=run_row(run_id(2)),
            put=(attempt(run_id(2)),),
            correlations=(correlation(run_id(2), "old"),),
        )
        commit(journal, first(run_id(1), entries=2, rows=old), first(run_id(2), rows=other))
        new = IndexRows(
            run=run_row(run_id(1), tags=("new",)),
            attempts=(attempt(run_id(1), step="c"),),
            correlations=(correlation(run_id(1), "new"),),
        )

        assert journal.index(run_id(1), Revision(2), new)

        assert new == journal.rows_of(run_id(1))
        assert _rows(other) == journal.rows_of(run_id(2))
        assert journal.runs(RunFilter(tag="old"), None, 5).items == ()
        assert (correlation(run_id(2), "old"),) == journal.correlated("orders", "settled", "old")

    def test_no_rows_can_take_the_place_of_all(self, journal: Journal) -> None:
        """The run is not listed, found or claimed any more; its journal is there."""
        rows = RowChanges(
            run=run_row(run_id(1), tags=("red",)),
            put=(attempt(run_id(1)),),
            correlations=(correlation(run_id(1)),),
        )
        commit(journal, first(run_id(1), rows=rows))

        assert journal.index(run_id(1), Revision(1), IndexRows())

        assert journal.rows_of(run_id(1)) == IndexRows()
        assert journal.runs(RunFilter(), None, 5).items == ()
        assert look(journal) == ()
        assert (run_id(1),) == journal.run_ids(None, 5)

    def test_index_changes_nothing_when_the_head_is_elsewhere(self, journal: Journal) -> None:
        """The rows were computed from a state that has moved on, or never was."""
        rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        begun = first(run_id(1), rows=rows)
        commit(journal, begun)
        commit(journal, then(begun))

        assert not journal.index(run_id(1), Revision(1), IndexRows())
        assert not journal.index(run_id(1), Revision(3), IndexRows())
        assert not journal.index(run_id(2), Revision(0), IndexRows(run=run_row(run_id(2))))
        assert _rows(rows) == journal.rows_of(run_id(1))
        assert journal.rows_of(run_id(2)) == IndexRows()

    def test_indexed_attempts_are_claimed_and_delayed_like_appended_ones(
        self, journal: Journal, clock: Clock
    ) -> None:
        """The adapter tells due from delayed."""
        now = journal.now()
        commit(journal, first(run_id(1), at=now))
        rows = (
            attempt(run_id(1), step="a", visible_at=now),
            attempt(run_id(1), step="b", visible_at=now + SECOND),
            attempt(run_id(1), step="c", held_until=now + 2 * SECOND),
        )
        journal.index(run_id(1), Revision(1), IndexRows(run=run_row(run_id(1)), attempts=rows))

        assert (key(run_id(1), "a"),) == keys_of(look(journal))
        self.time_passes(clock, 1)
        assert (key(run_id(1), "a"), key(run_id(1), "b")) == keys_of(look(journal))

    def test_a_quarantined_run_has_no_candidates(self, journal: Journal) -> None:
        """Waiting, delayed or held; its journal can be read, and shows the mark."""
        now = journal.now()
        for number in (1, 2):
            rows = puts(
                attempt(run_id(number), step="a"),
                attempt(run_id(number), step="b", visible_at=now + number * SECOND),
                attempt(run_id(number), step="c", held_until=now + number * SECOND),
                attempt(run_id(number), step="d", held_until=now - SECOND, priority=1),
            )
            commit(journal, first(run_id(number), at=now, rows=rows))

        journal.quarantine(run_id(1), DAMAGED)

        seen, told = look_and_tell(journal)
        assert (key(run_id(2), "a"), key(run_id(2), "d")) == keys_of(seen)
        assert now + 2 * SECOND == told.next_due
        assert journal.load(run_id(1)).quarantined == DAMAGED
        assert journal.load(run_id(2)).quarantined is None

    def test_quarantine_is_lifted_with_null(self, journal: Journal) -> None:
        """And the last reason is the one that is shown."""
        rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        commit(journal, first(run_id(1), rows=rows))
        journal.quarantine(run_id(1), DAMAGED)
        journal.quarantine(run_id(1), Quarantine(revision=None, reason="two"))
        (listed,) = journal.runs(RunFilter(), None, 5).items
        assert listed.quarantined == Quarantine(revision=None, reason="two")

        journal.quarantine(run_id(1), None)
        journal.quarantine(run_id(1), None)

        (listed,) = journal.runs(RunFilter(), None, 5).items
        assert listed.quarantined is None
        assert (key(run_id(1)),) == keys_of(look(journal))

    def test_nothing_is_appended_to_a_quarantined_run(self, journal: Journal) -> None:
        """It is a conflict at the head; the others of the call are written."""
        begun = first(run_id(1))
        commit(journal, begun, first(run_id(2)))
        journal.quarantine(run_id(1), DAMAGED)
        refused = Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(1))

        outcomes = journal.append((then(begun), first(run_id(3))))

        assert (refused, Committed(run_id=run_id(3), revision=Revision(1))) == outcomes
        assert records_of(begun) == journal.load(run_id(1)).records
        journal.quarantine(run_id(1), None)
        commit(journal, then(begun))

    def test_a_group_falls_with_a_quarantined_run(self, journal: Journal) -> None:
        """All are decided afresh, and whoever looks sees the mark."""
        begun = first(run_id(1))
        commit(journal, begun)
        journal.quarantine(run_id(1), DAMAGED)

        outcomes = journal.append((first(run_id(2), group="g"), then(begun, group="g")))

        assert (
            Conflict(run_id=run_id(2), expected=Revision(0), actual=Revision(0)),
            Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(1)),
        ) == outcomes
        assert (run_id(1),) == journal.run_ids(None, 5)

    def test_a_quarantined_run_can_be_indexed(self, journal: Journal) -> None:
        """What is mended may be rebuilt before the mark is lifted."""
        commit(journal, first(run_id(1)))
        journal.quarantine(run_id(1), DAMAGED)
        rows = IndexRows(run=run_row(run_id(1)))

        assert journal.index(run_id(1), Revision(1), rows)

        assert rows == journal.rows_of(run_id(1))


def _rows(changes: RowChanges) -> IndexRows:
    """The rows of a run whose only append changed these."""
    return IndexRows(run=changes.run, attempts=changes.put, correlations=changes.correlations or ())
