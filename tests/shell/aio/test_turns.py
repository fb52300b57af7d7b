"""Commands on one run take turns, and go together, whoever of those who ask is cancelled."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from squidmesh.aio.turns import MOST, Asked, Turns
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.ports import Ports
from squidmesh_core.decide import Refusal
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Cancel, Receipted
from squidmesh_core.state.run import RunState
from squidmesh_storage.conformance.kit import run_id
from squidmesh_storage.memory import MemoryJournal
from support.held import PATIENCE
from support.stage import Clock
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

RUN = run_id(1)
LATER = Clock()()


def cancel(name: str) -> Cancel:
    """A command that can be told from others."""
    return Cancel(said=Receipted(comment=name), digest=name)


class Line:
    """Turns, and what was carried out in each."""

    def __init__(self) -> None:
        self.turns = Turns(self.carry_out)
        self.rounds: list[list[str]] = []
        #: Raised instead of the next answers.
        self.error: Exception | None = None

    async def carry_out(
        self, _run_id: RunId, company: Sequence[Asked]
    ) -> Sequence[Handled | Exception]:
        """Note what goes together; each is told its own name."""
        commands = [asked.command for asked in company]
        names = [one.digest for one in commands if isinstance(one, Cancel)]
        self.rounds.append(names)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return [_told(name) for name in names]

    async def ask(self, name: str, *, start: bool = False, now: datetime | None = None) -> str:
        """Wait for one's turn with the run; what one was told."""
        begin = Door(MemoryJournal(), Ports()).beginning(RUN, chain(step("a"))) if start else None
        handled = await self.turns.wait(RUN, cancel(name), begin=begin, now=now)
        return handled.answer.code if isinstance(handled.answer, Refusal) else ""

    async def asked(self, *names: str) -> list[asyncio.Task[str]]:
        """Some who wait while somebody is at the run."""
        assert not self.turns.taken(RUN)
        tasks = [asyncio.create_task(self.ask(name)) for name in names]
        await asyncio.sleep(0)
        return tasks


def _told(name: str) -> Handled | Exception:
    if name == "bug":
        return RuntimeError("a decider wrote an entry that does not fit")
    return Handled(answer=Refusal(code=name, message=""), state=RunState(run_id=RUN))


async def test_what_waited_goes_together_and_each_is_told_its_own() -> None:
    """Another run is nobody's business; nothing is kept once all are through."""
    line = Line()
    tasks = await line.asked("a", "b", "bug", "c")
    assert line.turns.taken(RUN)
    assert not line.turns.taken(run_id(2))
    line.turns.pass_on(RUN)
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [["a", "b", "bug", "c"]] == line.rounds
    assert ["a", "b", "c"] == [one for one in told if isinstance(one, str)]
    assert isinstance(told[2], RuntimeError)
    assert not line.turns.taken(RUN)
    assert not line.turns._tasks


async def test_what_comes_during_a_turn_waits_for_the_next() -> None:
    """The order is that in which they were asked for."""
    line = Line()
    (first,) = await line.asked("a")
    line.turns.pass_on(RUN)
    others = [asyncio.create_task(line.ask(name)) for name in ("b", "c")]
    await asyncio.gather(first, *others)

    assert [["a"], ["b", "c"]] == line.rounds


async def test_what_cannot_be_decided_in_one_go_takes_a_turn_each() -> None:
    """A start is tried without reading, and what names an instant is decided at that one."""
    line = Line()
    assert not line.turns.taken(RUN)
    asked = [line.ask("a"), line.ask("b", start=True), line.ask("c"), line.ask("d", now=LATER)]
    tasks = [asyncio.create_task(one) for one in asked]
    await asyncio.sleep(0)
    line.turns.pass_on(RUN)
    await asyncio.gather(*tasks)

    assert [["a"], ["b"], ["c"], ["d"]] == line.rounds


async def test_no_turn_takes_more_than_an_append_should_hold() -> None:
    """Each of them may bring an output."""
    line = Line()
    tasks = await line.asked(*map(str, range(MOST + 1)))
    line.turns.pass_on(RUN)
    await asyncio.gather(*tasks)

    assert [MOST, 1] == [len(names) for names in line.rounds]


async def test_what_goes_wrong_for_all_is_told_to_all() -> None:
    """A storage that is away is away for each; the run is free afterwards."""
    line = Line()
    line.error = OSError("away")
    tasks = await line.asked("a", "b")
    line.turns.pass_on(RUN)
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [line.error, line.error] == told
    assert not line.turns.taken(RUN)


@pytest.mark.parametrize("turn_has_come", [False, True])
async def test_who_is_cancelled_while_waiting_holds_nobody_up(turn_has_come: bool) -> None:
    """Before one's turn nothing is done; afterwards it is done, and told to nobody."""
    line = Line()
    tasks = await line.asked("a", "b", "c")
    if turn_has_come:
        line.turns.pass_on(RUN)
        await asyncio.sleep(0)
        tasks[0].cancel()
    else:
        tasks[0].cancel()
        await asyncio.sleep(0)
        line.turns.pass_on(RUN)
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(told[0], asyncio.CancelledError)
    assert ["b", "c"] == told[1:]
    assert [["a", "b", "c"] if turn_has_come else ["b", "c"]] == line.rounds
    assert not line.turns.taken(RUN)


async def test_all_who_wait_may_be_cancelled() -> None:
    """Then nothing is carried out, and the run is free."""
    line = Line()
    tasks = await line.asked("a", "b")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    line.turns.pass_on(RUN)
    await asyncio.sleep(0)

    assert [] == line.rounds
    assert not line.turns.taken(RUN)


async def test_whoever_waits_hears_of_it_when_turns_end_with_their_loop() -> None:
    """The turn itself is cancelled then: those in it and those after it wait for nothing."""
    line = Line()
    tasks = await line.asked("a")
    line.turns.pass_on(RUN)
    tasks.append(asyncio.create_task(line.ask("b")))
    await asyncio.sleep(0)
    (turn,) = line.turns._tasks

    turn.cancel()
    async with asyncio.timeout(PATIENCE):
        told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [asyncio.CancelledError] * 2 == [type(one) for one in told]
    assert not line.turns.taken(RUN)
