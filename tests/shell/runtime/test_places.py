"""Places: a start and the worker's loop share the slots."""

import threading

from squidmesh.workers.places import Places


def places(count: int) -> Places:
    """So many free slots of a worker that nobody rings."""
    made = Places(lambda: None)
    made.open(count)
    return made


def test_a_start_waits_for_the_slot_that_the_loop_looks_for_work_with() -> None:
    """The look finds nothing, mostly; then the start has the slot after all."""
    slots, reserved = places(1), list[bool]()
    assert (1, 0) == slots.seize(1)
    start = threading.Thread(target=lambda: reserved.append(slots.reserve(patience=30)))
    start.start()

    slots.give_back(1)
    start.join()

    assert [True] == reserved


def test_a_start_does_not_wait_for_work_that_the_loop_has_found() -> None:
    """A look that comes back with a claim gives nothing back."""
    slots, reserved = places(1), list[bool]()
    slots.seize(1)
    start = threading.Thread(target=lambda: reserved.append(slots.reserve(patience=30)))
    start.start()

    slots.give_back(0)
    start.join()

    assert [False] == reserved


def test_a_start_does_not_wait_for_a_slot_that_is_at_work() -> None:
    """It may take hours; the run is left to be claimed."""
    slots = places(1)
    assert slots.reserve()

    assert not slots.reserve(patience=30)
