# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised about checkpoints and definitions."""

from collections.abc import Callable

import pytest
from attrs import evolve

from squidmesh_core.ids import Fingerprint, Revision
from squidmesh_storage.api import Batch, Checkpoint, Journal
from squidmesh_storage.conformance.kit import (
    Promises,
    commit,
    first,
    head_of,
    records_of,
    run_id,
    then,
)


def _two(journal: Journal) -> tuple[Batch, Batch]:
    one = first(run_id(1), entries=2)
    two = then(one, entries=2)
    commit(journal, one)
    commit(journal, two)
    return one, two


def _covering(batch: Batch) -> Checkpoint:
    return Checkpoint(
        revision=batch.record.last, hash=batch.record.hash, codec_version=3, body='{"s":"ü"}'
    )


class KeepingPromises(Promises):
    """What lies beside the journals: losing a checkpoint changes nothing but time."""

    def test_a_checkpoint_comes_back_as_it_was_put(self, journal: Journal) -> None:
        """The last one; null if there is none."""
        one, two = _two(journal)
        assert journal.checkpoint(run_id(1)) is None

        journal.put_checkpoint(run_id(1), _covering(one))
        journal.put_checkpoint(run_id(1), _covering(two))

        assert _covering(two) == journal.checkpoint(run_id(1))

    def test_a_deleted_checkpoint_is_gone(self, journal: Journal) -> None:
        """Deleting none is fine."""
        one, _ = _two(journal)
        journal.put_checkpoint(run_id(1), _covering(one))

        journal.delete_checkpoint(run_id(1))
        journal.delete_checkpoint(run_id(1))

        assert journal.checkpoint(run_id(1)) is None

    def test_load_begins_at_a_usable_checkpoint(self, journal: Journal) -> None:
        """The appends it covers are left out."""
        one, two = _two(journal)

        journal.put_checkpoint(run_id(1), _covering(one))
        loaded = journal.load(run_id(1))
        assert (_covering(one), records_of(two)) == (loaded.checkpoint, loaded.records)

        journal.put_checkpoint(run_id(1), _covering(two))
        loaded = journal.load(run_id(1))
        assert (_covering(two), ()) == (loaded.checkpoint, loaded.records)
        assert head_of(two) == loaded.head

    def test_a_whole_load_leaves_the_checkpoint_aside(self, journal: Journal) -> None:
        """Verifying and explaining want every append."""
        one, two = _two(journal)
        journal.put_checkpoint(run_id(1), _covering(one))

        loaded = journal.load(run_id(1), whole=True)

        assert (None, records_of(one, two)) == (loaded.checkpoint, loaded.records)

    def test_the_whole_journal_is_there_behind_a_checkpoint(self, journal: Journal) -> None:
        """Whoever asks for all appends gets them, and the checkpoint stays."""
        one, two = _two(journal)
        journal.put_checkpoint(run_id(1), _covering(two))

        loaded = journal.load(run_id(1), whole=True)

        assert (None, records_of(one, two)) == (loaded.checkpoint, loaded.records)
        assert _covering(two) == journal.checkpoint(run_id(1))

    def test_load_after_a_revision_brings_no_checkpoint(self, journal: Journal) -> None:
        """Who knows a state needs none."""
        one, two = _two(journal)
        journal.put_checkpoint(run_id(1), _covering(one))

        loaded = journal.load(run_id(1), one.record.last)

        assert (None, records_of(two)) == (loaded.checkpoint, loaded.records)

    @pytest.mark.parametrize(
        "garbled",
        [
            pytest.param(lambda one: evolve(one, hash="00" * 32), id="of another history"),
            pytest.param(lambda one: evolve(one, hash="garbled"), id="with no hash at all"),
            pytest.param(lambda one: evolve(one, revision=Revision(1)), id="inside an append"),
            pytest.param(lambda one: evolve(one, revision=Revision(4)), id="of another revision"),
            pytest.param(lambda one: evolve(one, revision=Revision(9)), id="from the future"),
            pytest.param(lambda one: evolve(one, revision=Revision(0)), id="of nothing"),
        ],
    )
    def test_a_checkpoint_that_does_not_fit_is_never_used(
        self, journal: Journal, garbled: Callable[[Checkpoint], Checkpoint]
    ) -> None:
        """All appends are returned, as if there were none."""
        one, two = _two(journal)
        journal.put_checkpoint(run_id(1), garbled(_covering(one)))

        loaded = journal.load(run_id(1))

        assert (None, records_of(one, two)) == (loaded.checkpoint, loaded.records)

    def test_a_checkpoint_of_another_run_is_never_used(self, journal: Journal) -> None:
        """Hashes begin with the run id."""
        one, two = _two(journal)
        other = first(run_id(2), entries=2)
        commit(journal, other)

        journal.put_checkpoint(run_id(1), _covering(other))

        loaded = journal.load(run_id(1))
        assert (None, records_of(one, two)) == (loaded.checkpoint, loaded.records)

    def test_a_definition_is_stored_once_under_its_fingerprint(self, journal: Journal) -> None:
        """Again is fine; unknown is null; the first text stays."""
        fingerprint = Fingerprint("ab" * 32)
        assert journal.definition(fingerprint) is None

        journal.define(fingerprint, '{"name":"ü"}')
        journal.define(fingerprint, '{"name":"other"}')

        assert journal.definition(fingerprint) == '{"name":"ü"}'
        assert journal.definition(Fingerprint("cd" * 32)) is None
