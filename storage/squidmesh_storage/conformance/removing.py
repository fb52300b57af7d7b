# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised about runs that have ended: finding them and forgetting them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from squidmesh_core.errors import RunNotFound
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import (
    AppendRecord,
    Batch,
    Checkpoint,
    Committed,
    Conflict,
    Journal,
    Loaded,
    Quarantine,
    RunFilter,
)
from squidmesh_storage.conformance.concurrency import THREADS, at_once
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Promises,
    attempt,
    commit,
    correlation,
    first,
    head_of,
    look,
    records_of,
    run_id,
    run_row,
    then,
)

SECOND = timedelta(seconds=1)


def _grown(journal: Journal, number: int = 1) -> tuple[Batch, Batch]:
    """A run with a bit of everything that is kept of one."""
    run = run_id(number)
    begun = first(run, entries=3)
    more = then(
        begun,
        rows=RowChanges(
            run=run_row(run, status="completed", tags=("red",), ended_at=EPOCH),
            put=(
                attempt(run, step="a"),
                attempt(run, step="b", held_until=EPOCH + SECOND),
            ),
            correlations=(correlation(run),),
        ),
    )
    commit(journal, begun)
    commit(journal, more)
    journal.put_checkpoint(run, _covering(begun))
    return begun, more


def _covering(batch: Batch) -> Checkpoint:
    record = batch.record
    return Checkpoint(revision=record.last, hash=record.hash, codec_version=1, body="{}")


def _tombstone(number: int = 1) -> AppendRecord:
    return first(run_id(number), body='[{"gone":1}]').record


class RemovePromises(Promises):
    """A finished run is found by its end, and forgotten altogether."""

    @pytest.mark.parametrize("buried", [False, True])
    def test_nothing_is_left_of_a_removed_run(self, journal: Journal, buried: bool) -> None:
        """No row, no mark, no checkpoint; a tombstone is no run that anything is known of."""
        begun, more = _grown(journal)
        journal.quarantine(run_id(1), Quarantine(revision=None, reason="damaged"))
        tombstone = _tombstone() if buried else None

        assert journal.remove(run_id(1), more.record.last, tombstone)

        assert IndexRows() == journal.rows_of(run_id(1))
        assert journal.runs(RunFilter(), None, 5).items == ()
        assert journal.runs(RunFilter(tag="red"), None, 5).items == ()
        assert journal.finished(EPOCH + SECOND, 5) == ()
        assert journal.correlated("orders", "settled", "order-7") == ()
        assert journal.checkpoint(run_id(1)) is None
        assert journal.find(run_id(1), begun.record.append_id) is None
        assert look(journal) == ()
        survey = journal.survey()
        assert (survey.runs, survey.quarantined, survey.actions) == ({}, {}, {})

    def test_a_removed_run_is_not_found(self, journal: Journal) -> None:
        """As if it had never been."""
        _, more = _grown(journal)

        assert journal.remove(run_id(1), more.record.last, None)

        with pytest.raises(RunNotFound):
            journal.load(run_id(1))
        assert journal.stored(run_id(1), BEGINNING, 5) == ()
        assert journal.run_ids(None, 5) == ()
        assert not journal.remove(run_id(1), more.record.last, None)

    def test_a_tombstone_is_what_is_loaded(self, journal: Journal) -> None:
        """It is the journal now, from its first revision to its last."""
        _, more = _grown(journal)
        tombstone = first(run_id(1), entries=2)

        assert journal.remove(run_id(1), more.record.last, tombstone.record)

        assert Loaded(records=records_of(tombstone), head=head_of(tombstone)) == journal.load(
            run_id(1)
        )
        assert records_of(tombstone) == journal.stored(run_id(1), BEGINNING, 5)
        assert Revision(2) == journal.find(run_id(1), tombstone.record.append_id)
        assert (run_id(1),) == journal.run_ids(None, 5)

    def test_who_still_works_on_a_removed_run_meets_a_conflict(self, journal: Journal) -> None:
        """The expected revision is too high now, and nothing is written."""
        for number, tombstone, actual in ((1, None, 0), (2, _tombstone(2), 1)):
            _, more = _grown(journal, number)
            journal.remove(run_id(number), more.record.last, tombstone)

            outcomes = journal.append((then(more),))

            conflict = Conflict(
                run_id=run_id(number), expected=more.record.last, actual=Revision(actual)
            )
            assert (conflict,) == outcomes
        assert (run_id(2),) == journal.run_ids(None, 5)

    def test_nothing_begins_where_a_tombstone_is(self, journal: Journal) -> None:
        """The id is taken for good."""
        _, more = _grown(journal)
        journal.remove(run_id(1), more.record.last, _tombstone())

        outcomes = journal.append((first(run_id(1)),))

        assert (Conflict(run_id=run_id(1), expected=BEGINNING, actual=Revision(1)),) == outcomes

    def test_without_a_tombstone_the_id_is_free(self, journal: Journal) -> None:
        """A run that begins under it finds nothing of the old one."""
        _, more = _grown(journal)
        journal.remove(run_id(1), more.record.last, None)
        again = first(run_id(1))

        commit(journal, again)

        assert Loaded(records=records_of(again), head=head_of(again)) == journal.load(run_id(1))

    @pytest.mark.parametrize("behind", [-1, 1])
    def test_a_run_that_went_on_is_not_removed(self, journal: Journal, behind: int) -> None:
        """Whoever decided it has seen another head; all stays as it is."""
        begun, more = _grown(journal)
        rows = journal.rows_of(run_id(1))
        seen = Revision(more.record.last + behind)

        assert not journal.remove(run_id(1), seen, _tombstone())

        assert records_of(begun, more) == journal.load(run_id(1), whole=True).records
        assert rows == journal.rows_of(run_id(1))
        assert _covering(begun) == journal.checkpoint(run_id(1))

    @pytest.mark.parametrize("revision", [0, 1])
    def test_a_run_that_never_was_is_not_removed(self, journal: Journal, revision: int) -> None:
        """And gets no tombstone."""
        assert not journal.remove(run_id(1), Revision(revision), _tombstone())

        assert journal.run_ids(None, 5) == ()

    def test_other_runs_do_not_notice(self, journal: Journal) -> None:
        """Nothing of them is forgotten."""
        _, more = _grown(journal, 1)
        begun, other = _grown(journal, 2)
        rows = journal.rows_of(run_id(2))

        journal.remove(run_id(1), more.record.last, _tombstone())

        assert records_of(begun, other) == journal.load(run_id(2), whole=True).records
        assert rows == journal.rows_of(run_id(2))
        assert _covering(begun) == journal.checkpoint(run_id(2))
        assert [run_id(2)] == _listed(journal, RunFilter(tag="red"))
        assert len(journal.correlated("orders", "settled", "order-7")) == 1

    def test_removing_races_with_appending_and_one_wins(self, journal: Journal) -> None:
        """Either the run went on, or it is gone; never both."""
        for number in range(1, 6):
            begun = first(run_id(number))
            commit(journal, begun)
            tombstone = first(run_id(number), entries=7).record

            def go_on(begun: Batch = begun) -> bool:
                return isinstance(journal.append((then(begun),))[0], Committed)

            def remove(begun: Batch = begun, tombstone: AppendRecord = tombstone) -> bool:
                record = begun.record
                return journal.remove(record.run_id, record.last, tombstone)

            won = at_once([go_on, remove] * (THREADS // 2))

            assert sum(won) == 1
            removed = any(won[1::2])
            assert (7 if removed else 2) == journal.load(run_id(number)).head.revision

    def test_finished_runs_come_by_their_end(self, journal: Journal) -> None:
        """The oldest end first, then by run id; those that go on are not among them."""
        _ends(journal, {1: 30, 2: 10, 3: 20, 4: 10, 5: None})

        assert [run_id(number) for number in (2, 4, 3, 1)] == _finished(journal, 99, 9)
        assert [run_id(2), run_id(4)] == _finished(journal, 99, 2)

    def test_an_end_at_the_bound_is_not_before_it(self, journal: Journal) -> None:
        """The instant itself is kept, to the microsecond."""
        _ends(journal, {1: 10, 2: 20})

        assert [run_id(1)] == _finished(journal, 20, 9)
        assert [run_id(1), run_id(2)] == _finished(journal, 20.000_001, 9)
        assert _finished(journal, 10, 9) == []

    def test_finished_runs_are_walked_in_pages(self, journal: Journal) -> None:
        """Beyond a given end and run id, whether a run with these exists or not."""
        _ends(journal, {1: 10, 2: 10, 3: 10, 4: 20})
        ten, fifteen = EPOCH + 10 * SECOND, EPOCH + 15 * SECOND
        before = EPOCH + 99 * SECOND

        pages = [
            [row.run_id for row in journal.finished(before, 2, after=after)]
            for after in ((ten, run_id(1)), (ten, run_id(3)), (fifteen, run_id(1)))
        ]

        assert [[run_id(2), run_id(3)], [run_id(4)], [run_id(4)]] == pages

    def test_a_finished_run_comes_with_its_row(self, journal: Journal) -> None:
        """Whoever prunes needs to know which workflow it was, and marked runs are runs too."""
        row = run_row(run_id(1), status="failed", ended_at=EPOCH, tags=("red",), error="no")
        commit(journal, first(run_id(1), rows=RowChanges(run=row)))
        journal.quarantine(run_id(1), Quarantine(revision=None, reason="damaged"))

        assert (row,) == journal.finished(EPOCH + SECOND, 5)

    def test_a_run_without_any_row_left_is_not_finished(self, journal: Journal) -> None:
        """Its index row alone is nothing that could be removed, again and again."""
        _, more = _grown(journal)

        self.rewrite(journal, run_id(1), ())

        assert journal.finished(EPOCH + SECOND, 5) == ()
        assert not journal.remove(run_id(1), more.record.last, None)


def _ends(journal: Journal, ends: dict[int, int | None]) -> None:
    """Runs by number, and how many seconds after the epoch each one ended."""
    for number, seconds in ends.items():
        ended = None if seconds is None else EPOCH + seconds * SECOND
        row = run_row(run_id(number), ended_at=ended)
        commit(journal, first(run_id(number), rows=RowChanges(run=row)))


def _finished(journal: Journal, seconds: float, limit: int) -> list[RunId]:
    before = EPOCH + timedelta(seconds=seconds)
    return [row.run_id for row in journal.finished(before, limit)]


def _listed(journal: Journal, where: RunFilter) -> Sequence[RunId]:
    return [one.row.run_id for one in journal.runs(where, None, 5).items]
