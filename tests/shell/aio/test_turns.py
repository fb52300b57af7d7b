"""Commands on one run take turns, whoever of them is cancelled."""

import asyncio

import pytest

from squidmesh.aio.turns import Turns
from squidmesh_storage.conformance.kit import run_id

pytestmark = pytest.mark.asyncio

RUN = run_id(1)


async def take(turns: Turns, done: list[int], number: int) -> None:
    """Do something with the run, in a turn of one's own."""
    if turns.taken(RUN):
        await turns.wait(RUN)
    try:
        await asyncio.sleep(0)
        done.append(number)
    finally:
        turns.pass_on(RUN)


async def test_turns_come_in_the_order_they_were_asked_for() -> None:
    """Another run is nobody's business; nothing is kept once all are through."""
    turns, done = Turns(), list[int]()
    await asyncio.gather(*(take(turns, done, number) for number in range(5)))

    assert ([0, 1, 2, 3, 4], False) == (done, turns.taken(run_id(2)))
    assert not turns.taken(RUN)


@pytest.mark.parametrize("turn_has_come", [False, True])
async def test_who_is_cancelled_while_waiting_holds_nobody_up(turn_has_come: bool) -> None:
    """Not even if the turn had come already."""
    turns, done = Turns(), list[int]()
    assert not turns.taken(RUN)
    tasks = [asyncio.create_task(take(turns, done, number)) for number in range(3)]
    await asyncio.sleep(0)
    if turn_has_come:
        turns.pass_on(RUN)
        tasks[0].cancel()
    else:
        tasks[0].cancel()
        await asyncio.sleep(0)
        turns.pass_on(RUN)
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert ([1, 2], True) == (done, isinstance(ended[0], asyncio.CancelledError))
    assert not turns.taken(RUN)
