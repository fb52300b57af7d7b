"""Places: a start and the worker's loop share the slots."""

import threading
from threading import TIMEOUT_MAX

import pytest

from squidmesh.workers.places import LONGEST_PAUSE, Place, Places
from support.held import PATIENCE


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


def reserves_at_once(slots: Places) -> bool:
    """Whether a start has a slot; it must not have waited for it."""
    reserved = list[bool]()
    start = threading.Thread(
        target=lambda: reserved.append(slots.reserve(patience=TIMEOUT_MAX)), daemon=True
    )
    start.start()
    start.join(PATIENCE)
    assert not start.is_alive()
    return reserved[0]


def test_a_start_does_not_wait_for_a_slot_that_is_at_work() -> None:
    """It may take hours; the run is left to be claimed."""
    slots = places(1)
    assert slots.reserve()

    assert not reserves_at_once(slots)


def test_a_start_does_not_wait_for_a_loop_that_came_too_late_for_a_slot() -> None:
    """It looks for no work then, and gives nothing back."""
    slots = places(1)
    assert slots.reserve()
    assert (0, 0) == slots.seize(1)

    assert not reserves_at_once(slots)


class Loop:
    """A worker's loop of so many slots: how often it was rung, and what its clock says."""

    def __init__(self, count: int) -> None:
        self.rings = 0
        self.time = 1.0
        self.places = Places(self._ring, lambda: self.time)
        self.places.open(count)

    def _ring(self) -> None:
        self.rings += 1

    def claims(self, *, took: float) -> None:
        """Claim for all slots, which takes so long, and then wait for one of them."""
        slots, _ = self.places.seize(self.places.free())
        self.time += took
        self.places.give_back(0)
        assert slots
        assert 0 == self.places.free()

    def lets_go(self, *, after: float = 0.0) -> None:
        """A slot is done after so long."""
        self.time += after
        self.places.let_go()


def test_a_loop_waits_for_company_as_long_as_a_claim_takes() -> None:
    """One claim for many slots costs what one for a single slot costs."""
    loop = Loop(3)
    loop.claims(took=0.004)

    loop.lets_go(after=0.01)

    assert 1 == loop.rings
    assert pytest.approx(0.004) == loop.places.pause()


def test_a_loop_is_rung_again_once_all_slots_are_free() -> None:
    """There is nothing left to wait for."""
    loop = Loop(3)
    loop.claims(took=0.004)

    rings = []
    for _ in range(3):
        loop.lets_go()
        rings.append(loop.rings)

    assert [1, 1, 2] == rings
    assert 0 == loop.places.pause()


def test_a_loop_that_has_claimed_again_waits_for_nobody() -> None:
    """The next slot that is let go may be the first of many again, or the only one."""
    loop = Loop(2)
    loop.claims(took=0.004)
    loop.lets_go()

    loop.places.seize(1)

    assert 0 == loop.places.pause()


def test_a_loop_that_came_too_late_for_a_slot_is_rung_for_the_next() -> None:
    """Starts took all of them since it looked; what waits in the queue is not to wait longer."""
    loop = Loop(1)
    assert 1 == loop.places.free()
    assert loop.places.reserve()
    assert (0, 0) == loop.places.seize(1)

    loop.lets_go()

    assert 1 == loop.rings


def test_a_loop_with_a_slot_to_spare_is_not_rung() -> None:
    """It has found the queue empty: looking again after every run would cost more than a step."""
    loop = Loop(2)
    assert loop.places.reserve()
    assert 1 == loop.places.free()

    loop.lets_go()

    assert 0 == loop.rings


@pytest.mark.parametrize("after", [0.0161, 5.0])
def test_slots_with_slow_work_are_not_waited_for(after: float) -> None:
    """A slot that stands idle would cost more than a claim."""
    loop = Loop(3)
    loop.claims(took=0.004)

    loop.lets_go(after=after)

    assert (1, 0) == (loop.rings, loop.places.pause())


def test_a_worker_of_one_slot_never_waits_for_another() -> None:
    """All its slots are free at once."""
    loop = Loop(1)
    loop.claims(took=0.004)

    loop.lets_go()

    assert (1, 0) == (loop.rings, loop.places.pause())


def test_a_slow_storage_does_not_keep_slots_idle_for_long() -> None:
    """A claim that took a second, or failed and was rested after, is no measure."""
    loop = Loop(3)
    loop.claims(took=1.0)

    loop.lets_go()

    assert LONGEST_PAUSE == loop.places.pause()


def test_a_slot_that_is_let_go_beside_free_ones_is_not_waited_for() -> None:
    """Limits hold work back, and this slot may be the one that they wait for."""
    loop = Loop(3)
    loop.places.seize(2)
    loop.time += 0.004
    loop.places.give_back(0)
    loop.places.wait_for_one(0)

    loop.lets_go()

    assert (1, 0) == (loop.rings, loop.places.pause())


# -- places that are left before what was done in them is durable


def all_filled(count: int) -> Places:
    """So many slots, each of them with a claim: more work may wait."""
    slots = places(count)
    slots.seize(count)
    slots.give_back(0)
    return slots


def test_a_place_that_is_left_early_is_free_once() -> None:
    """The loop may claim while the settlement is on its way; its end frees nothing more."""
    slots = all_filled(2)
    place = Place(slots)

    place.leave()
    place.leave()
    early = slots.free()
    place.end()

    assert (1, 1) == (early, slots.free())


@pytest.mark.parametrize("given_back", [1, 2])
def test_no_place_is_left_early_while_the_queue_is_empty(given_back: int) -> None:
    """A loop that looked for work would be in the way of whoever starts a run next."""
    slots = places(2)
    slots.seize(2)
    slots.give_back(given_back)
    for _ in range(given_back):
        slots.reserve()
    place = Place(slots)

    place.leave()
    early = slots.free()
    place.end()

    assert (0, 1) == (early, slots.free())


def test_a_place_that_was_not_left_is_free_at_its_end() -> None:
    """Most settlements of a run are followed by its next step."""
    slots = all_filled(2)
    place = Place(slots)

    place.stay()
    before = slots.free()
    place.end()

    assert (0, 1) == (before, slots.free())


def test_a_place_that_was_left_too_early_is_owed() -> None:
    """Decided afresh, the run goes on: nothing is claimed until two places are free again."""
    slots = all_filled(1)
    first = Place(slots)
    first.leave()
    slots.seize(1)
    second = Place(slots)

    first.stay()
    owed = [slots.free(), slots.reserve(), slots.seize(1)]
    second.end()
    still = slots.free()
    first.end()

    assert [0, False, (0, 0)] == owed
    assert (0, 1) == (still, slots.free())


def test_a_loop_that_waits_for_a_slot_is_rung_when_one_is_left() -> None:
    """Nothing else of the settlement matters to it, its commit least of all."""
    loop = Loop(1)
    loop.claims(took=0.004)
    place = Place(loop.places)

    place.leave()
    early = loop.rings
    place.end()

    assert (1, 1) == (early, loop.rings)


def test_a_loop_that_limits_hold_back_is_rung_when_a_claim_is_settled() -> None:
    """What was left is still held until then: whoever looked now would find it so."""
    loop = Loop(2)
    loop.claims(took=0.004)
    place, other = Place(loop.places), Place(loop.places)
    other.leave()
    _, settled = loop.places.seize(1)
    loop.places.wait_for_one(settled)
    rung = loop.rings

    place.leave()
    early = loop.rings - rung
    place.end()

    assert (0, 1) == (early, loop.rings - rung)


def test_what_is_settled_while_the_loop_looks_is_not_missed() -> None:
    """The claim was refused for a limit that let go before anybody waited for it."""
    loop = Loop(2)
    loop.claims(took=0.004)
    place = Place(loop.places)
    place.leave()
    _, settled = loop.places.seize(1)
    place.end()
    loop.places.give_back(1)
    before = loop.rings

    loop.places.wait_for_one(settled)

    assert before + 1 == loop.rings
