"""Appends of one loop travel together, one call at a time, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import evolve

from squidmesh.aio.committer import Committer
from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_storage.api import Batch, Committed, Outcome, Unknown
from squidmesh_storage.conformance.kit import first, run_id, then

pytestmark = pytest.mark.asyncio


class Storage:
    """Takes note of the calls; each one waits to be let through."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.let = asyncio.Semaphore(0)
        self.poison: set[int] = set()
        self.away = False
        self.at_once = 0

    async def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append when told to, unless a batch is poison."""
        self.calls.append([number(batch) for batch in batches])
        self.at_once += 1
        assert 1 == self.at_once
        await self.let.acquire()
        self.at_once -= 1
        if self.away:
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        if self.poison.intersection(self.calls[-1]):
            raise StorageError("poison; nothing was written", "storage_error", {})
        return tuple(
            Committed(run_id=one.record.run_id, revision=one.record.last) for one in batches
        )

    def open(self) -> None:
        """Let everything through from now on."""
        for _ in range(99):
            self.let.release()


def number(batch: Batch) -> int:
    """Which run a batch is of."""
    return int(batch.record.run_id.replace("-", ""), 16)


def batch(of: int, *, group: str | None = None) -> Batch:
    """The first append of the n-th run."""
    return evolve(first(run_id(of)), group=group)


async def turns(count: int = 3) -> None:
    """Let the loop go on for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """Which runs were answered, and how."""
    return [f"{type(one).__name__} {int(one.run_id.replace('-', ''), 16)}" for one in outcomes]


async def test_what_comes_in_one_turn_travels_in_one_call() -> None:
    """And each request hears of its own batches, in their order."""
    storage = Storage()
    storage.open()
    committer = Committer(storage.append)

    one, two = await asyncio.gather(
        committer.append([batch(1), batch(2)]), committer.append([batch(3)])
    )

    assert [[1, 2, 3]] == storage.calls
    assert (["Committed 1", "Committed 2"], ["Committed 3"]) == (told(one), told(two))


async def test_what_comes_meanwhile_travels_in_the_next_call() -> None:
    """One call is in flight at a time."""
    storage = Storage()
    committer = Committer(storage.append)
    appends = [asyncio.create_task(committer.append([batch(1)]))]
    await turns()
    for of in (2, 3):
        appends.append(asyncio.create_task(committer.append([batch(of)])))
        await turns()
    assert [[1]] == storage.calls
    storage.open()
    await asyncio.gather(*appends)

    assert [[1], [2, 3]] == storage.calls


async def test_a_run_is_in_a_call_once_and_a_group_is_a_call_of_its_own() -> None:
    """The others keep their order."""
    storage = Storage()
    storage.open()
    committer = Committer(storage.append)
    later = then(batch(1))

    await asyncio.gather(
        *(
            committer.append(batches)
            for batches in (
                [batch(1)],
                [later],
                [batch(2, group="g"), batch(3, group="g")],
                [batch(4)],
                [batch(5, group="h")],
            )
        )
    )

    assert [[1, 4], [1], [2, 3], [5]] == storage.calls


async def test_a_call_has_its_limit() -> None:
    """More would make the others wait for no gain."""
    storage = Storage()
    storage.open()
    committer = Committer(storage.append, most=2)

    await asyncio.gather(*(committer.append([batch(of)]) for of in (1, 2, 3)))

    assert [[1, 2], [3]] == storage.calls


async def test_only_the_poison_one_fails() -> None:
    """The others are appended without it."""
    storage = Storage()
    storage.open()
    storage.poison = {3}
    committer = Committer(storage.append)

    outcomes = await asyncio.gather(
        *(committer.append([batch(of)]) for of in (1, 2, 3, 4)), return_exceptions=True
    )

    assert [True, True, False, True] == [isinstance(one, Sequence) for one in outcomes]
    assert "poison; nothing was written" == str(outcomes[2])


async def test_while_the_storage_is_away_nobody_tries_in_halves() -> None:
    """Each half would wait as long once more."""
    storage = Storage()
    storage.open()
    storage.away = True
    committer = Committer(storage.append)

    outcomes = await asyncio.gather(
        *(committer.append([batch(of)]) for of in (1, 2)), return_exceptions=True
    )

    assert ([[1, 2]], [StorageUnavailable] * 2) == (storage.calls, [type(one) for one in outcomes])


async def test_who_is_cancelled_before_its_round_has_written_nothing() -> None:
    """Who is cancelled in it does not stop it for the others."""
    storage = Storage()
    committer = Committer(storage.append)
    going = [asyncio.create_task(committer.append([batch(of)])) for of in (1, 2)]
    await turns()
    waiting = [asyncio.create_task(committer.append([batch(of)])) for of in (3, 4)]
    await turns()
    going[0].cancel()
    waiting[0].cancel()
    storage.open()
    ended = await asyncio.gather(*going, *waiting, return_exceptions=True)

    assert [[1, 2], [4]] == storage.calls
    assert [True, False, True, False] == [isinstance(one, asyncio.CancelledError) for one in ended]


async def test_a_round_that_is_broken_off_is_unknown_to_its_requests() -> None:
    """Its loop is being ended: nobody may guess, and nobody is left waiting."""
    storage = Storage()
    committer = Committer(storage.append)
    going = asyncio.create_task(committer.append([batch(1)]))
    await turns()
    waiting = asyncio.create_task(committer.append([batch(2)]))
    await turns()
    leader = committer._leader
    assert leader is not None
    leader.cancel()
    ended = await asyncio.gather(going, waiting, leader, return_exceptions=True)

    record = batch(1).record
    assert isinstance(ended[0], tuple)
    (unknown,) = ended[0]
    assert (Unknown, record.run_id) == (type(unknown), unknown.run_id)
    assert [asyncio.CancelledError] * 2 == [type(one) for one in ended[1:]]
