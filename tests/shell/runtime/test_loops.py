"""The loops of a worker as pure generators: policy without a thread or a clock."""

from collections.abc import Generator, Iterator

import pytest

from squidmesh.workers.claim import Claim
from squidmesh.workers.loop import (
    LONGEST_STRAND,
    LOOK,
    Begin,
    LetGo,
    Look,
    Perform,
    Rest,
    Settle,
    Take,
    WorkerRequest,
    slot_loop,
    worker_loop,
)
from squidmesh.workers.perform import Succeeded
from squidmesh.workers.taking import Taken
from support.stage import Stage, begin, claimed
from support.workflows import chain, step

NOTHING = Taken()


@pytest.fixture
def claim() -> Iterator[Claim]:
    """Some claim."""
    stage = Stage(None)
    mesh = stage.mesh()
    begin(mesh, chain(step("a")), a=lambda: 1)
    yield claimed(mesh)
    stage.close()


class Played:
    """A worker loop, its free slots, its longest rest, and whether it is to stop."""

    def __init__(self, *, free: int = 4, draw: float = 0.5) -> None:
        self.free, self.stopping, self.longest = free, False, 5.0
        self.loop: Generator[WorkerRequest, Taken | None, None] = worker_loop(
            lambda: self.free, lambda: self.stopping, lambda: self.longest, lambda: draw
        )

    def answer(self, reply: Taken | None) -> WorkerRequest:
        """The next request."""
        return self.loop.send(reply)


def test_a_worker_claims_as_many_as_it_has_free_slots(claim: Claim) -> None:
    """In one transaction; then it begins them and asks again."""
    play = Played(free=4)

    assert Take(limit=4) == next(play.loop)
    assert Begin(claims=(claim,)) == play.answer(Taken(claims=(claim,), appends=1))
    play.free = 3
    assert Take(limit=3) == play.answer(None)


def test_a_worker_without_a_free_slot_claims_nothing() -> None:
    """It sees what waits, again and again, until a slot rings."""
    play = Played(free=0)

    assert Look() == next(play.loop)
    assert Rest(seconds=LOOK) == play.answer(None)
    assert Look() == play.answer(None)
    play.longest = LOOK / 2
    assert Rest(seconds=LOOK / 2) == play.answer(None)
    play.free = 1
    assert Take(limit=1) == play.answer(None)


def test_rests_grow_to_the_longest_and_start_over_with_work() -> None:
    """1 s, 2 s, 4 s, then 5 s; an append that made no claim counts as work."""
    play = Played()
    next(play.loop)
    rests = []
    for _ in range(5):
        rests.append(play.answer(NOTHING))
        play.answer(None)
    again = play.answer(Taken(appends=1))
    after = play.answer(NOTHING)

    assert [Rest(seconds=s) for s in (1.0, 2.0, 4.0, 5.0, 5.0)] == rests
    assert (Take(limit=4), Rest(seconds=1.0)) == (again, after)


def test_the_storage_says_how_long_a_rest_may_be() -> None:
    """Longer while its hints come, and at once no longer than that when they do not."""
    play = Played()
    play.longest = 30.0
    next(play.loop)
    rests = []
    for _ in range(6):
        rests.append(play.answer(NOTHING))
        play.answer(None)
    play.longest = 5.0

    assert [Rest(seconds=s) for s in (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)] == rests
    assert Rest(seconds=5.0) == play.answer(NOTHING)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 0.75), (0.999999, 1.25)])
def test_rests_are_jittered(draw: float, seconds: float) -> None:
    """By a quarter each way, so that many workers spread out."""
    play = Played(draw=draw)
    next(play.loop)
    rest = play.answer(NOTHING)

    assert isinstance(rest, Rest)
    assert seconds == pytest.approx(rest.seconds, abs=1e-5)


@pytest.mark.parametrize(("due_in", "seconds"), [(0.3, 0.3), (99.0, 1.0), (0.0, 0.0)])
def test_a_rest_ends_when_something_is_due(due_in: float, seconds: float) -> None:
    """A delayed attempt or a lease that ends is met on time, not at the next poll."""
    play = Played()
    next(play.loop)

    assert Rest(seconds=seconds) == play.answer(Taken(due_in=due_in))


def test_a_claim_that_failed_is_followed_by_a_rest() -> None:
    """The storage is not asked in a tight loop."""
    play = Played()
    next(play.loop)

    assert Rest(seconds=1.0) == play.answer(None)


def test_a_stopping_worker_claims_nothing_more() -> None:
    """The loop ends at its next turn."""
    play = Played()
    next(play.loop)
    play.stopping = True
    play.answer(NOTHING)

    with pytest.raises(StopIteration):
        play.answer(None)


def test_a_slot_performs_settles_and_goes_on(claim: Claim) -> None:
    """Until there is no successor; it says how many it performed."""
    done = Succeeded(output=1)
    slot = slot_loop(claim, lambda: False, lambda: 0.0)

    assert Perform(claim=claim, go_on=bool) == next(slot)
    assert Settle(claim=claim, outcome=done, go_on=True) == slot.send(done)
    assert Perform(claim=claim, go_on=bool) == slot.send(claim)
    slot.send(done)
    with pytest.raises(StopIteration) as ended:
        slot.send(None)
    assert 2 == ended.value.value


@pytest.mark.parametrize(
    ("stopping", "seconds", "go_on"),
    [(False, LONGEST_STRAND - 0.1, True), (False, LONGEST_STRAND, False), (True, 0.0, False)],
)
def test_a_slot_lets_go_of_a_long_run_and_when_stopping(
    claim: Claim, stopping: bool, seconds: float, go_on: bool
) -> None:
    """So that no run starves the others, and a drain ends."""
    clock = iter([0.0, seconds])
    slot = slot_loop(claim, lambda: stopping, lambda: next(clock))
    next(slot)

    settle = slot.send(Succeeded())

    assert isinstance(settle, Settle)
    assert go_on == settle.go_on


def test_a_slot_lets_go_of_a_run_that_got_long_at_its_end(claim: Claim) -> None:
    """Not between steps: its last settlement is durable, and nobody waits."""
    done = Succeeded(output=1)
    slot = slot_loop(claim, lambda: False, lambda: 0.0, lambda run_id: run_id == claim.run_id)
    next(slot)
    slot.send(done)

    assert Perform(claim=claim, go_on=bool) == slot.send(claim)
    slot.send(done)
    assert LetGo(claim=claim) == slot.send(None)
    with pytest.raises(StopIteration) as ended:
        slot.send(None)
    assert 2 == ended.value.value


@pytest.mark.parametrize("wrong", [True, False])
def test_a_driver_that_answers_wrongly_is_told(claim: Claim, wrong: bool) -> None:
    """A claim is no outcome, and nothing is none either."""
    slot = slot_loop(claim, lambda: False, lambda: 0.0)
    next(slot)

    with pytest.raises(TypeError, match="as an outcome"):
        slot.send(claim if wrong else None)
