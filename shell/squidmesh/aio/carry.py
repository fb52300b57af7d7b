"""
Carrying a claim on an event loop: the `slot_loop` of `squidmesh.workers.loop`, awaited.

An async step is a task of the host's loop, so that what it does to its task, and
what its lease does to it, ends with it; a sync step runs on a thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar, assert_never

from attrs import Factory, frozen

from squidmesh.aio.door import AsyncDoor
from squidmesh.door.handle import Handled
from squidmesh.door.requests import Appending
from squidmesh.results import Defer
from squidmesh.workers import settling as on_threads
from squidmesh.workers.calling import Call, call_of, perform_call
from squidmesh.workers.claim import Claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.eventloop import Ending, caught
from squidmesh.workers.loop import LetGo, Perform, Settle, SlotRequest, slot_loop
from squidmesh.workers.perform import Outcome, Performed, Settled, performing
from squidmesh.workers.places import Place
from squidmesh.workers.settling import claims_in, command_for, following, handing_back
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Command
from squidmesh_storage.api import Batch

T = TypeVar("T")

#: Seconds for which one that is cancelled tries to give back its claim; then its lease runs out.
GIVING_BACK: Final = 5.0


@frozen(kw_only=True)
class Hands:
    """What it takes to work on claims on an event loop."""

    crew: Crew
    door: AsyncDoor
    #: Where sync steps run.
    threads: Executor
    #: Reads the limits of queues again.
    look: Callable[[], Awaitable[None]]
    #: The steps that are being performed, by the task that waits for them.
    calls: dict["asyncio.Task[object] | None", Call] = Factory(dict)
    #: What ends whatever becomes of who asked; the mesh is not closed before.
    unheard: set["asyncio.Future[Any]"] = Factory(set)

    def is_performing(self, task: object) -> bool:
        """Whether a task is that of a step."""
        return any(call.signals.task is task for call in self.calls.values())

    def ignored(self) -> Mapping["asyncio.Task[object] | None", Call]:
        """The steps that were interrupted and go on, by the task that waits for them."""
        return {task: call for task, call in self.calls.items() if call.signals.ignored}

    async def in_any_case(self, giving_back: Coroutine[object, object, None]) -> None:
        """
        Give claims back for one who is cancelled, and wait for it if that can be.

        A task of its own: anyio's scopes cancel whoever waits in them again and again.
        """
        with suppress(asyncio.CancelledError):
            await asyncio.shield(self.keep(asyncio.create_task(_in_time(giving_back))))

    def keep(self, ending: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Have this end before the mesh is closed, whoever hears of it."""
        self.unheard.add(ending)
        ending.add_done_callback(self.unheard.discard)
        return ending


async def carry(
    hands: Hands, claim: Claim, stopping: Callable[[], bool], place: Place | None = None
) -> int:
    """
    Work on a claim and what follows it in its run; how many attempts were performed.

    Args:
        hands: Who works.
        claim: Where to begin.
        stopping: Whether to settle what runs and take nothing more.
        place: Left once no more than the commit of the last settlement is waited for.
    """
    door = hands.crew.door
    loop = slot_loop(claim, stopping, door.ports.monotonic, door.has_outgrown)
    try:
        request = next(loop)
        while True:
            request = loop.send(await act(hands, request, place))
            if place is not None:
                place.stay()
    except StopIteration as stop:
        performed: int = stop.value
        return performed


async def act(
    hands: Hands, request: SlotRequest, place: Place | None = None
) -> Performed | Claim | None:
    """Do what a slot loop asks for; the reply."""
    match request:
        case Perform(claim=claim, go_on=go_on):
            return await perform_claim(hands, claim, go_on)
        case Settle() if place is None:  # on a task of the host's, which it may cancel
            settling = settle(hands, request)
            return await to_its_end(hands, settling, lambda claim: (claim,) if claim else ())
        case Settle():
            return await settle(hands, request, place)
        case LetGo(claim=claim):
            await hands.door.aside(hands.crew.door.leave_checkpoint, claim.run_id)
            return None
    assert_never(request)


async def perform_claim(hands: Hands, claim: Claim, go_on: Callable[[], bool]) -> Performed:
    """
    Call the claimed step, its lease kept alive meanwhile.

    Args:
        hands: Who works.
        claim: What to call.
        go_on: See `Perform`.

    Raises:
        LookupError: Its action is not registered with this mesh.
        StorageError: The run cannot be read.
        asyncio.CancelledError: The host stops; an async step was cancelled and given back,
            a sync one ends on its thread and is settled there.
    """
    on_thread: Future[Performed] | None = None
    mine = asyncio.current_task()
    try:
        known = await hands.door.known(claim.run_id)
        call = hands.calls[mine] = call_of(hands.crew, claim, known, go_on)
        # The connection of a transaction blocks, whoever uses it.
        if call.transactional or not call.action.signature.is_async:
            on_thread = hands.threads.submit(perform_call, call)
            return await asyncio.wrap_future(on_thread)
        with call.attended():
            outcome = await _perform(call)
    except asyncio.CancelledError:
        if on_thread is None or on_thread.cancelled():
            await hands.in_any_case(hand_back(hands, claim))
        else:
            loop = asyncio.get_running_loop()
            settled = hands.keep(loop.create_future())
            tell = partial(loop.call_soon_threadsafe, settled.set_result, None)
            on_thread.add_done_callback(partial(_settle_there, hands.crew, claim, tell))
        raise
    finally:
        hands.calls.pop(mine, None)
    return call.judged(outcome)


async def settle(hands: Hands, request: Settle, place: Place | None = None) -> Claim | None:
    """
    Record what came of a step; the claim of its run's next attempt, if one was made.

    What settles in one turn of the loop is one append.  A refusal is normal life: the
    lease was lost or the run ended, and what the step returned is dropped.
    """
    if isinstance(request.outcome, Settled):
        return request.outcome.following
    crew, claim = hands.crew, request.claim
    ports, offer = crew.door.ports, None
    if request.go_on:
        if crew.lanes.due:
            await hands.look()
        offer = crew.offer(settled=claim.queue)
    command = command_for(claim, request.outcome, ports.draw, offer and offer[0])
    ports.site("settle.before")

    def appending(batch: Batch) -> None:
        if place is not None and not claims_in(batch):
            place.leave()

    handled = await _insist(hands, claim.run_id, command, appending)
    ports.site("settle.after")
    return following(request, handled, offer)


async def to_its_end(
    hands: Hands,
    claiming: Coroutine[object, object, T],
    claims: Callable[[T], Sequence[Claim]],
) -> T:
    """
    What comes of something that claims: it ends, whatever becomes of who asked.

    Args:
        hands: Who works.
        claiming: What claims.
        claims: The claims in what comes of it.

    Raises:
        asyncio.CancelledError: Whoever asked was cancelled; what it claimed was given back.
    """
    task = asyncio.ensure_future(claiming)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:

        async def give_back() -> None:
            for claim in claims(await task):
                await hand_back(hands, claim)

        await hands.in_any_case(give_back())
        raise


async def hand_back(hands: Hands, claim: Claim) -> None:
    """Give a claim back before it was begun: somebody else takes it at once."""
    await settle(hands, handing_back(claim))


async def _in_time(giving_back: Coroutine[object, object, None]) -> None:
    with suppress(Exception):  # then these leases run out
        await asyncio.wait_for(giving_back, GIVING_BACK)


def _settle_there(
    crew: Crew, claim: Claim, tell: Callable[[], object], performed: "Future[Performed]"
) -> None:
    """Settle a step that nobody waits for any more, on its own thread; nothing follows it."""
    try:
        if performed.exception() is None:
            done = Settle(claim=claim, outcome=performed.result(), go_on=False)
            (claimed,) = on_threads.settle_all(crew, [done])
            if claimed is not None:
                on_threads.hand_back(crew, claimed)
    finally:
        with suppress(RuntimeError):  # the loop is closed: nobody waits on it any more
            tell()


async def _perform(call: Call) -> Outcome:
    """Call an async step as a task of its own, and interpret what it answers."""
    trip = performing(call.action, call.claim, call.context, undoes=call.undoes)
    try:
        coroutine = next(trip)
        while True:
            try:
                ending = await _ended(asyncio.create_task(caught(coroutine, call.signals)))
            except BaseException:
                with suppress(StopIteration):  # else it would say that its step has raised
                    _ = trip.throw(Defer("given back", for_="0s"))
                raise
            finally:
                coroutine.close()  # one that was cancelled before it began
            if ending.error is None:
                coroutine = trip.send(ending.value)
            else:
                coroutine = trip.throw(ending.error)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome


async def _ended(step: asyncio.Task[Ending]) -> Ending:
    """
    How a step ended.

    Raises:
        asyncio.CancelledError: Whoever waits here was cancelled; the step has ended too.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    ending = await step
    # The host stops, which is no failure of the step: it has taken our cancellation for
    # its own, ended with it, and left us none the wiser.
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return ending


async def _insist(
    hands: Hands, run_id: RunId, command: Command, appending: Appending
) -> Handled | Exception:
    """Ask again while the storage is away, for as long as the lease could live."""
    crew = hands.crew
    monotonic = crew.door.ports.monotonic
    began = monotonic()
    while True:
        try:
            return await hands.door.handle(run_id, command, now=crew.now, appending=appending)
        except StorageUnavailable as error:
            if (monotonic() - began) * 1000 >= crew.lease_ms:
                return error
        except Exception as error:  # a bug that one run trips over is no matter of the others
            return error
        await asyncio.sleep(on_threads.BETWEEN_TRIES)
