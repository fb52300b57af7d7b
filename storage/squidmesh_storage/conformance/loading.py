# ruff: noqa: S101 (a test suite that ships with the package)
"""What `load`, `find`, `run_ids` and `listed_ids` promise."""

import pytest
from attrs import evolve

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Checkpoint, Journal, Loaded, Quarantine
from squidmesh_storage.conformance.kit import (
    Promises,
    commit,
    first,
    head_of,
    records_of,
    run_id,
    run_row,
    then,
)


class LoadPromises(Promises):
    """Loading: in order, without gaps, with the head."""

    def test_a_run_without_an_append_is_not_found(self, journal: Journal) -> None:
        """At whatever revision one asks."""
        commit(journal, first(run_id(1)))

        for after in (Revision(0), Revision(3)):
            with pytest.raises(RunNotFound) as caught:
                journal.load(run_id(2), after)
            assert ("not_found", {"run_id": run_id(2)}) == (
                caught.value.code,
                caught.value.details,
            )

    def test_load_returns_all_appends_in_order(self, journal: Journal) -> None:
        """With the head that the next append must follow."""
        one = first(run_id(1), entries=2)
        two = then(one, entries=3)
        three = then(two)
        commit(journal, first(run_id(2)))
        for batch in (one, two, three):
            commit(journal, batch)

        expected = Loaded(records=records_of(one, two, three), head=head_of(three))

        assert expected == journal.load(run_id(1))

    def test_load_after_a_revision_returns_what_is_new(self, journal: Journal) -> None:
        """Whoever knows the beginning reads the rest only."""
        one = first(run_id(1), entries=2)
        two = then(one, entries=3)
        three = then(two)
        for batch in (one, two, three):
            commit(journal, batch)

        assert Loaded(records=records_of(two, three), head=head_of(three)) == journal.load(
            run_id(1), Revision(2)
        )
        assert Loaded(records=(), head=head_of(three)) == journal.load(run_id(1), Revision(6))

    def test_load_past_the_end_returns_the_head_that_is_there(self, journal: Journal) -> None:
        """A reader who knows more than the journal learns so from the head."""
        begun = first(run_id(1), entries=2)
        commit(journal, begun)

        assert Loaded(records=(), head=head_of(begun)) == journal.load(run_id(1), Revision(9))

    def test_load_after_a_revision_inside_an_append_is_refused(self, journal: Journal) -> None:
        """No reader can have stood there: what it knows is not in this journal."""
        commit(journal, first(run_id(1), entries=3))

        with pytest.raises(StorageError) as caught:
            journal.load(run_id(1), Revision(2))
        assert caught.value.code == "run_quarantined"

    def test_several_runs_are_loaded_as_each_alone(self, journal: Journal) -> None:
        """Whole, after a revision, from a checkpoint, marked: as `load` has them."""
        batches = [first(run_id(number), entries=2) for number in range(1, 6)]
        for one in batches:
            commit(journal, one)
            commit(journal, then(one))
        for number, one in ((3, batches[2]), (4, batches[3])):
            kept = Checkpoint(
                revision=one.record.last, hash=one.record.hash, codec_version=1, body="{}"
            )
            journal.put_checkpoint(run_id(number), kept)
        journal.quarantine(run_id(5), Quarantine(revision=Revision(2), reason="torn"))
        wanted = {
            run_id(5): Revision(0),
            run_id(4): Revision(2),
            run_id(3): Revision(0),
            run_id(2): Revision(3),
            run_id(1): Revision(0),
        }

        alone = {run: journal.load(run, after) for run, after in wanted.items()}

        assert alone == journal.load_many(wanted)
        assert journal.load_many({}) == {}
        assert [run_id(3)] == [run for run, one in alone.items() if one.checkpoint is not None]

    def test_runs_that_cannot_be_loaded_are_left_out(self, journal: Journal) -> None:
        """Those that are not there, or damaged: of the others all is told."""
        batches = [first(run_id(number), entries=3) for number in (1, 3)]
        commit(journal, *batches)
        wanted = {run_id(1): Revision(2), run_id(2): Revision(0), run_id(3): Revision(0)}

        assert {run_id(3): journal.load(run_id(3))} == journal.load_many(wanted)

    def test_stored_appends_come_a_page_at_a_time(self, journal: Journal) -> None:
        """In order, after a revision; none of a run that is not there."""
        one = first(run_id(1), entries=2)
        two = then(one, entries=3)
        three = then(two)
        for batch in (one, two, three):
            commit(journal, batch)

        assert records_of(one, two) == journal.stored(run_id(1), Revision(0), 2)
        assert records_of(three) == journal.stored(run_id(1), Revision(5), 2)
        assert journal.stored(run_id(1), Revision(6), 2) == ()
        assert journal.stored(run_id(2), Revision(0), 2) == ()

    def test_stored_appends_are_not_judged(self, journal: Journal) -> None:
        """Whoever looks for damage wants to see it."""
        one = first(run_id(1))
        two = then(one)
        for batch in (one, two):
            commit(journal, batch)
        torn = (one.record, evolve(two.record, body="torn", hash="00" * 32))
        self.rewrite(journal, run_id(1), torn)

        assert torn == journal.stored(run_id(1), Revision(0), 9)

    def test_find_returns_the_last_revision_of_an_append(self, journal: Journal) -> None:
        """By run and append id; null if the run has no such append."""
        one = first(run_id(1), entries=2)
        two = then(one, entries=3)
        for batch in (one, two):
            commit(journal, batch)

        assert Revision(2) == journal.find(run_id(1), one.record.append_id)
        assert Revision(5) == journal.find(run_id(1), two.record.append_id)
        assert journal.find(run_id(1), AppendId("nobody's")) is None
        assert journal.find(run_id(2), one.record.append_id) is None

    def test_run_ids_walks_all_runs_in_order(self, journal: Journal) -> None:
        """In pages, each run once, however many appends it has."""
        for number in (3, 1, 2):
            begun = first(run_id(number))
            commit(journal, begun)
            commit(journal, then(begun))

        assert (run_id(1), run_id(2)) == journal.run_ids(None, 2)
        assert (run_id(3),) == journal.run_ids(run_id(2), 2)
        assert journal.run_ids(run_id(3), 2) == ()

    @pytest.mark.parametrize("typed", ["0", "00000000-", "00000000-0000-0000-0000-00000000000"])
    def test_run_ids_begins_with_the_first_that_begins_so(
        self, journal: Journal, typed: str
    ) -> None:
        """People name a run by the beginning of its id."""
        ids = (run_id(1), run_id(2), RunId("01a1ffc7-afcb-7000-8000-000000000000"))
        for one in ids:
            commit(journal, first(one))

        assert ids == journal.run_ids(RunId(typed), 5)
        for length in range(3, 36):
            assert ids[2:] == journal.run_ids(RunId(ids[2][:length]), 5)
        assert journal.run_ids(RunId("01a1ffc8"), 5) == ()

    def test_the_url_says_where_the_journal_is(self, journal: Journal) -> None:
        """As one would open it."""
        assert "://" in journal.url

    def test_listed_ids_walks_what_the_index_lists(self, journal: Journal) -> None:
        """In order, a page at a time, whatever became of the journals."""
        for number in (3, 1, 2):
            listed = RowChanges(run=run_row(run_id(number)))
            commit(journal, first(run_id(number), rows=listed))
        commit(journal, first(run_id(4)))
        self.rewrite(journal, run_id(2), ())

        assert (run_id(1), run_id(2)) == journal.listed_ids(None, 2)
        assert (run_id(3),) == journal.listed_ids(run_id(2), 2)
        assert journal.listed_ids(run_id(3), 2) == ()
        assert (run_id(1), run_id(3), run_id(4)) == journal.run_ids(None, 5)
