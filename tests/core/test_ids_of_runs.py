"""Ids of runs that are made of runs: the same for ever, because tombstones are found by them."""

from squidmesh_core.ids import RunId, is_drawn, replay_run_id, retry_run_id, uuid7

SOURCE = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")


def test_a_retry_has_one_id() -> None:
    """Whoever takes a run's leftovers up finds the run that did so before."""
    assert "13bf09b8-9719-5637-8d60-76c476e8bf30" == retry_run_id(SOURCE)


def test_a_keyed_replay_has_the_id_of_its_key() -> None:
    """The same key finds the same replay."""
    assert "5666e10a-f75d-5adf-8f9f-0fafadaa97b8" == replay_run_id(SOURCE, "again")
    assert replay_run_id(SOURCE, "again") != replay_run_id(SOURCE, "once more")


def test_drawn_ids_are_told_from_derived_ones() -> None:
    """By their version."""
    assert is_drawn(uuid7(1_767_225_600_000, bytes(10)))
    assert not is_drawn(retry_run_id(SOURCE))
