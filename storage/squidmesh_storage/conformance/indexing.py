# ruff: noqa: S101 (a test suite that ships with the package)
"""What `rows_of`, `index` and `quarantine` promise."""

from datetime import timedelta

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Journal, RunFilter
from squidmesh_storage.conformance.kit import (
    Clock,
    Promises,
    attempt,
    commit,
    first,
    key,
    keys_of,
    look,
    look_and_tell,
    puts,
    run_id,
    run_row,
    then,
)

SECOND = timedelta(seconds=1)


class IndexPromises(Promises):
    """The index may be rebuilt at any time, and a damaged run taken out of it."""

    def test_an_unknown_run_has_no_rows(self, journal: Journal) -> None:
        """Null, and none."""
        assert journal.rows_of(run_id(1)) == (None, ())

    def test_index_puts_rows_in_the_place_of_all_others(self, journal: Journal) -> None:
        """Unclaimed, held and listed ones; other runs keep theirs."""
        now = journal.now()
        old = RowChanges(
            run=run_row(run_id(1), tags=("old",)),
            put=(attempt(run_id(1), step="a"), attempt(run_id(1), step="b", held_until=now)),
        )
        other = RowChanges(run=run_row(run_id(2)), put=(attempt(run_id(2)),))
        commit(journal, first(run_id(1), entries=2, rows=old), first(run_id(2), rows=other))
        new, rows = run_row(run_id(1), tags=("new",)), (attempt(run_id(1), step="c"),)

        assert journal.index(run_id(1), Revision(2), new, rows)

        assert (new, rows) == journal.rows_of(run_id(1))
        assert (other.run, other.put) == journal.rows_of(run_id(2))
        assert journal.runs(RunFilter(tag="old"), None, 5).items == ()

    def test_index_changes_nothing_when_the_head_is_elsewhere(self, journal: Journal) -> None:
        """The rows were computed from a state that has moved on, or never was."""
        rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        begun = first(run_id(1), rows=rows)
        commit(journal, begun)
        commit(journal, then(begun))

        assert not journal.index(run_id(1), Revision(1), run_row(run_id(1)), ())
        assert not journal.index(run_id(1), Revision(3), run_row(run_id(1)), ())
        assert not journal.index(run_id(2), Revision(0), run_row(run_id(2)), ())
        assert (rows.run, rows.put) == journal.rows_of(run_id(1))
        assert journal.rows_of(run_id(2)) == (None, ())

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
        journal.index(run_id(1), Revision(1), run_row(run_id(1)), rows)

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

        journal.quarantine(run_id(1), "row 1 does not fit")

        seen, told = look_and_tell(journal)
        assert (key(run_id(2), "a"), key(run_id(2), "d")) == keys_of(seen)
        assert now + 2 * SECOND == told.next_due
        assert journal.load(run_id(1)).quarantined == "row 1 does not fit"
        assert journal.load(run_id(2)).quarantined is None

    def test_quarantine_is_lifted_with_null(self, journal: Journal) -> None:
        """And the last reason is the one that is shown."""
        rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        commit(journal, first(run_id(1), rows=rows))
        journal.quarantine(run_id(1), "one")
        journal.quarantine(run_id(1), "two")
        (listed,) = journal.runs(RunFilter(), None, 5).items
        assert listed.quarantined == "two"

        journal.quarantine(run_id(1), None)
        journal.quarantine(run_id(1), None)

        (listed,) = journal.runs(RunFilter(), None, 5).items
        assert listed.quarantined is None
        assert (key(run_id(1)),) == keys_of(look(journal))
