# ruff: noqa: S101 (a test suite that ships with the package)
"""What `append` promises."""

from datetime import timedelta

import pytest

from squidmesh_core.errors import RunNotFound
from squidmesh_core.ids import BEGINNING, Revision
from squidmesh_core.protocol.rows import Head, IndexRows, RowChanges
from squidmesh_storage.api import Batch, Committed, Conflict, Journal
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Promises,
    attempt,
    commit,
    drops,
    first,
    key,
    on,
    puts,
    records_of,
    run_id,
    run_row,
    then,
)


class AppendPromises(Promises):
    """Appending: all or nothing, and only to the expected head."""

    def test_an_append_at_the_head_is_committed(self, journal: Journal) -> None:
        """The answer names the run and the last revision written."""
        begun = first(run_id(1), entries=3)

        assert (Committed(run_id=run_id(1), revision=Revision(3)),) == journal.append((begun,))
        assert (Committed(run_id=run_id(1), revision=Revision(5)),) == journal.append(
            (then(begun, entries=2),)
        )

    def test_an_append_of_nothing_answers_nothing(self, journal: Journal) -> None:
        """No batches, no outcomes."""
        assert journal.append(()) == ()

    def test_an_append_behind_the_head_is_a_conflict(self, journal: Journal) -> None:
        """Somebody was first: the answer says where the head is, and nothing changes."""
        begun = first(run_id(1))
        commit(journal, begun)
        commit(journal, then(begun))

        (outcome,) = journal.append((then(begun, body="[]"),))

        assert Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(2)) == outcome
        assert len(journal.load(run_id(1)).records) == 2

    def test_an_expected_revision_that_is_too_high_is_a_conflict(self, journal: Journal) -> None:
        """Else a worker of yesterday would write into a pruned run."""
        ahead = on(run_id(1), Head(revision=Revision(7), hash="ab" * 32, at=EPOCH))

        (outcome,) = journal.append((ahead,))

        assert Conflict(run_id=run_id(1), expected=Revision(7), actual=BEGINNING) == outcome
        with pytest.raises(RunNotFound):
            journal.load(run_id(1))

    def test_an_expected_revision_inside_an_append_is_a_conflict(self, journal: Journal) -> None:
        """Entries of one append are never seen apart."""
        commit(journal, first(run_id(1), entries=3))
        inside = on(run_id(1), Head(revision=Revision(2), hash="ab" * 32, at=EPOCH))

        (outcome,) = journal.append((inside,))

        assert Conflict(run_id=run_id(1), expected=Revision(2), actual=Revision(3)) == outcome

    def test_a_second_start_of_a_run_is_a_conflict(self, journal: Journal) -> None:
        """A run begins once."""
        commit(journal, first(run_id(1), entries=2))

        (outcome,) = journal.append((first(run_id(1)),))

        assert Conflict(run_id=run_id(1), expected=BEGINNING, actual=Revision(2)) == outcome

    def test_the_same_append_again_is_a_conflict_and_is_found_by_its_id(
        self, journal: Journal
    ) -> None:
        """Whoever never saw the answer can send again without harm, and then learn it."""
        begun = first(run_id(1))
        commit(journal, begun)

        (outcome,) = journal.append((begun,))

        assert Conflict(run_id=run_id(1), expected=BEGINNING, actual=Revision(1)) == outcome
        assert Revision(1) == journal.find(run_id(1), begun.record.append_id)
        assert len(journal.load(run_id(1)).records) == 1

    def test_each_batch_of_a_call_gets_its_own_answer(self, journal: Journal) -> None:
        """A conflict in one batch does not touch the others."""
        commit(journal, first(run_id(2)))

        outcomes = journal.append((first(run_id(1)), first(run_id(2)), first(run_id(3))))

        assert (
            Committed(run_id=run_id(1), revision=Revision(1)),
            Conflict(run_id=run_id(2), expected=BEGINNING, actual=Revision(1)),
            Committed(run_id=run_id(3), revision=Revision(1)),
        ) == outcomes

    def test_one_conflict_undoes_its_whole_group(self, journal: Journal) -> None:
        """Batches of a group fall together; those outside it do not."""
        commit(journal, first(run_id(2)))

        outcomes = journal.append(
            (
                first(run_id(1), group="g"),
                first(run_id(2), group="g"),
                first(run_id(3), group="h"),
                first(run_id(4)),
            )
        )

        assert (
            Conflict(run_id=run_id(1), expected=BEGINNING, actual=BEGINNING),
            Conflict(run_id=run_id(2), expected=BEGINNING, actual=Revision(1)),
            Committed(run_id=run_id(3), revision=Revision(1)),
            Committed(run_id=run_id(4), revision=Revision(1)),
        ) == outcomes
        assert (run_id(2), run_id(3), run_id(4)) == journal.run_ids(None, 10)

    def test_a_group_without_a_conflict_stands_together(self, journal: Journal) -> None:
        """All of it is written."""
        begun = first(run_id(1))
        commit(journal, begun)

        commit(journal, then(begun, group="g"), first(run_id(2), group="g"))

        assert len(journal.load(run_id(1)).records) == 2
        assert len(journal.load(run_id(2)).records) == 1

    def test_a_fallen_group_changes_no_index_row(self, journal: Journal) -> None:
        """Rows follow their entries, and entries their group."""
        commit(journal, first(run_id(2)))
        rows = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))

        journal.append((first(run_id(1), rows=rows, group="g"), first(run_id(2), group="g")))

        assert journal.rows_of(run_id(1)) == IndexRows()

    def test_two_batches_for_one_run_are_refused(self, journal: Journal) -> None:
        """Which of them would be first?  Nothing is written."""
        begun = first(run_id(1))

        with pytest.raises(ValueError, match="same run"):
            journal.append((begun, then(begun)))
        assert journal.run_ids(None, 10) == ()

    def test_rows_change_with_the_append_that_implies_them(self, journal: Journal) -> None:
        """Entries and rows become visible together."""
        rows = RowChanges(
            run=run_row(run_id(1), tags=("red", "blue"), workflow_key="k"),
            put=(attempt(run_id(1), step="b"), attempt(run_id(1), step="a", partition_key="p")),
        )
        commit(journal, first(run_id(1), rows=rows))

        expected = IndexRows(run=rows.run, attempts=(rows.put[1], rows.put[0]))

        assert expected == journal.rows_of(run_id(1))

    def test_rows_of_a_conflicting_append_are_not_stored(self, journal: Journal) -> None:
        """Not the run's, no put, no drop."""
        kept = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        commit(journal, first(run_id(1), rows=kept))
        late = RowChanges(
            run=run_row(run_id(1), status="failed"),
            put=(attempt(run_id(1), step="other"),),
            drop=(key(run_id(1)),),
        )

        journal.append((first(run_id(1), rows=late),))

        assert IndexRows(run=kept.run, attempts=kept.put) == journal.rows_of(run_id(1))

    def test_a_row_that_is_null_stays_as_it_was(self, journal: Journal) -> None:
        """An append that lists nothing new leaves the listed facts alone."""
        begun = first(run_id(1), rows=RowChanges(run=run_row(run_id(1))))
        commit(journal, begun)

        commit(journal, then(begun))

        assert IndexRows(run=run_row(run_id(1))) == journal.rows_of(run_id(1))

    def test_drops_come_before_puts(self, journal: Journal) -> None:
        """A key in both is stored anew."""
        begun = first(run_id(1), rows=puts(attempt(run_id(1), priority=1)))
        commit(journal, begun)
        anew = attempt(run_id(1), priority=2)

        commit(journal, then(begun, rows=RowChanges(put=(anew,), drop=(key(run_id(1)),))))

        assert IndexRows(attempts=(anew,)) == journal.rows_of(run_id(1))

    @pytest.mark.parametrize("before", ["unknown", "unclaimed", "held"])
    @pytest.mark.parametrize("dropped", ["unknown", "unclaimed", "held"])
    def test_a_held_attempt_takes_the_place_of_another(
        self, journal: Journal, before: str, dropped: str
    ) -> None:
        """Whatever was known of both; a slot goes on like this at every step."""
        now = journal.now()
        known = [
            attempt(run_id(1), step=step, held_until=now if status == "held" else None)
            for step, status in (("a", dropped), ("b", before))
            if status != "unknown"
        ]
        other = attempt(run_id(1), step="c", held_until=now)
        begun = first(run_id(1), rows=puts(*known, other))
        commit(journal, begun)
        taken = attempt(run_id(1), step="b", held_until=now + timedelta(seconds=60))

        commit(journal, then(begun, rows=RowChanges(put=(taken,), drop=(key(run_id(1), "a"),))))

        assert (taken, other) == journal.rows_of(run_id(1)).attempts

    def test_dropping_an_unknown_attempt_is_fine(self, journal: Journal) -> None:
        """It may have been rebuilt away."""
        commit(journal, first(run_id(1), rows=drops(key(run_id(1)))))

        assert journal.rows_of(run_id(1)) == IndexRows()

    def test_a_terminal_append_that_drops_all_attempts_leaves_none(self, journal: Journal) -> None:
        """Neither unclaimed nor held."""
        held = attempt(run_id(1), step="b", held_until=EPOCH)
        begun = first(run_id(1), rows=puts(attempt(run_id(1), step="a"), held))
        commit(journal, begun)
        ended = run_row(run_id(1), status="completed", ended_at=begun.record.at)

        end = RowChanges(run=ended, drop=(key(run_id(1), "a"), key(run_id(1), "b")))
        commit(journal, then(begun, rows=end))

        assert IndexRows(run=ended) == journal.rows_of(run_id(1))

    def test_any_text_comes_back_as_it_was(self, journal: Journal) -> None:
        """Bodies are text to an adapter: no number, key order or character changes."""
        body = '[{"b":1e16,"a":"\\u0001 \U0001f991 ß 中","n":0.1,"empty":""}]'
        begun = first(run_id(1), body=body)
        commit(journal, begun)

        assert records_of(begun) == journal.load(run_id(1)).records

    def test_a_batch_that_does_not_begin_after_its_expected_revision_cannot_be_built(self) -> None:
        """Build it valid or not at all."""
        begun = first(run_id(1))

        with pytest.raises(ValueError, match="begins at"):
            Batch(record=begun.record, expected=Revision(4), rows=begun.rows)
