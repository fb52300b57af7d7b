# ruff: noqa: S101 (a test suite that ships with the package)
"""What the hash chain promises: damage is found, named, and stays with its run."""

from collections.abc import Sequence

import pytest
from attrs import evolve

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Batch, Checkpoint, Journal
from squidmesh_storage.conformance.kit import (
    Promises,
    attempt,
    commit,
    first,
    keys_of,
    look,
    puts,
    records_of,
    run_id,
    run_row,
    then,
)


def _three(run: RunId) -> tuple[Batch, Batch, Batch]:
    """Revisions 1 and 2; 3; 4 to 6."""
    one = first(run, entries=2, rows=puts(attempt(run)))
    two = then(one)
    return one, two, then(two, entries=3)


class ChainPromises(Promises):
    """A row that does not fit the chain quarantines its run, and no other."""

    def damage(
        self, journal: Journal, run: RunId, rows: Sequence[AppendRecord], after: Revision
    ) -> object:
        """Store a damaged journal; the revision that `load` then names."""
        self.rewrite(journal, run, rows)
        with pytest.raises(StorageError) as caught:
            journal.load(run, after)
        assert caught.value.code == "run_quarantined"
        assert run == caught.value.details["run_id"]
        return caught.value.details["revision"]

    def test_an_altered_body_is_found(self, journal: Journal) -> None:
        """At the first revision of its append."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)

        altered = evolve(two.record, body='[{"n":99}]')

        assert (
            self.damage(journal, run_id(1), (one.record, altered, three.record), Revision(0)) == 3
        )

    def test_an_altered_body_is_found_by_a_reader_who_knows_what_came_before(
        self, journal: Journal
    ) -> None:
        """The first row is checked against its predecessor."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)

        altered = evolve(two.record, body='[{"n":99}]')

        assert (
            self.damage(journal, run_id(1), (one.record, altered, three.record), Revision(2)) == 3
        )

    def test_a_missing_append_is_found(self, journal: Journal) -> None:
        """Whether one reads from the start or from where it was."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)
        kept = (one.record, three.record)

        assert self.damage(journal, run_id(1), kept, Revision(0)) == 3
        assert self.damage(journal, run_id(1), kept, Revision(3)) == 3

    def test_a_missing_beginning_is_found(self, journal: Journal) -> None:
        """A journal begins at revision 1."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)

        assert self.damage(journal, run_id(1), (two.record, three.record), Revision(0)) == 1

    def test_appends_in_another_order_are_found(self, journal: Journal) -> None:
        """Each row is bound to the one before it."""
        one, two, three = _three(run_id(1))
        four = then(three, entries=3, body='[{"n":4}]')
        for batch in (one, two, three, four):
            commit(journal, batch)
        third, fourth = three.record, four.record
        swapped = (
            evolve(third, body=fourth.body, hash=fourth.hash),
            evolve(fourth, body=third.body, hash=third.hash),
        )

        assert self.damage(journal, run_id(1), (one.record, two.record, *swapped), Revision(0)) == 4

    def test_altered_revisions_are_found(self, journal: Journal) -> None:
        """A row that claims more entries than it has pushes the next one away."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)
        longer = evolve(one.record, last=Revision(3))
        rest = (two.record, three.record)

        assert self.damage(journal, run_id(1), (longer, *rest), Revision(0)) == 4
        assert self.damage(journal, run_id(1), (longer, *rest), Revision(2)) == 3

    def test_an_altered_hash_is_found(self, journal: Journal) -> None:
        """The stored hash is compared, not believed."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)
        forged = evolve(one.record, hash="00" * 32)

        assert self.damage(journal, run_id(1), (forged, two.record, three.record), Revision(0)) == 1

    def test_appends_of_another_run_are_found(self, journal: Journal) -> None:
        """The chain begins with the run id."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)
        foreign = tuple(evolve(batch.record, run_id=run_id(1)) for batch in _three(run_id(2)))

        assert self.damage(journal, run_id(1), foreign, Revision(0)) == 1

    def test_a_run_without_any_row_left_is_not_found(self, journal: Journal) -> None:
        """Its index rows alone are no journal, and no candidate."""
        for batch in _three(run_id(1)):
            commit(journal, batch)

        self.rewrite(journal, run_id(1), ())

        with pytest.raises(RunNotFound):
            journal.load(run_id(1))
        assert look(journal) == ()

    def test_a_listed_run_without_any_row_left_is_damaged(self, journal: Journal) -> None:
        """Somebody took its journal away: that is no run that never was, whoever asks."""
        listed = RowChanges(run=run_row(run_id(1)), put=(attempt(run_id(1)),))
        begun, other = first(run_id(1), rows=listed), first(run_id(2))
        commit(journal, begun, other)

        assert self.damage(journal, run_id(1), (), Revision(0)) == 1
        assert self.damage(journal, run_id(1), (), Revision(1)) == 1
        assert [run_id(2)] == [*journal.load_many({run_id(1): BEGINNING, run_id(2): BEGINNING})]
        assert look(journal) == ()
        self.rewrite(journal, run_id(1), (begun.record,))
        assert records_of(begun) == journal.load(run_id(1)).records

    def test_damage_leaves_other_runs_alone(self, journal: Journal) -> None:
        """They load, append and are claimed as ever."""
        one, two, three = _three(run_id(1))
        other = _three(run_id(2))
        for batch in (one, two, three, *other):
            commit(journal, batch)

        self.damage(journal, run_id(1), (one.record, evolve(two.record, body="[]")), Revision(0))

        assert records_of(*other) == journal.load(run_id(2)).records
        commit(journal, then(other[-1]))
        assert attempt(run_id(2)).attempt_key in keys_of(look(journal))

    def test_a_checkpoint_does_not_hide_damage_after_it(self, journal: Journal) -> None:
        """What is returned is checked from the checkpoint on."""
        one, two, three = _three(run_id(1))
        for batch in (one, two, three):
            commit(journal, batch)
        stored = Checkpoint(revision=Revision(2), hash=one.record.hash, codec_version=1, body="{}")
        journal.put_checkpoint(run_id(1), stored)

        altered = evolve(three.record, body="[]")

        assert self.damage(journal, run_id(1), (one.record, two.record, altered), Revision(0)) == 4
