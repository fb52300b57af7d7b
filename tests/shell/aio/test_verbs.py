"""
Every verb once, told to `Mesh` and to `AsyncMesh`: the same answers, the same journals.

A story speaks through `Speaker`, which awaits whatever has to be awaited, so that
there is one story for both.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from squidmesh import (
    ActionRegistry,
    AsyncMesh,
    Deadline,
    Mesh,
    Refused,
    Retries,
    Run,
    Workflow,
    approval,
    manual,
    pause,
    receive,
    signals,
    step,
)
from support.aio import async_mesh
from support.stage import EPOCH, Stage

pytestmark = pytest.mark.asyncio

Kind = Literal["sync", "async"]


@dataclass(frozen=True)
class Placed:
    """An order."""

    sku: str


@dataclass(frozen=True)
class Settlement:
    """The bank's word."""

    cents: int


def pack(sku: str) -> str:
    """Pack a parcel."""
    return f"box of {sku}"


def unpack(box: str) -> None:
    """Put it back."""


async def ship(box: str, cents: int) -> str:
    """Ship what is paid."""
    return f"{box} for {cents}"


class Order(Workflow, name="aio.Order"):
    """Pack, ask, wait for the bank, count, ship."""

    placed = manual(Placed)
    sku = placed.payload.sku
    packed = step(pack, retry=Retries(3)).takes(sku).undo(unpack)
    ask = approval("Ship it?", deadline=Deadline("1h"))
    settled = receive(Settlement, correlation=sku)
    count = pause("Count the boxes")
    shipped = step(ship).takes(packed.out, settled.out.cents)
    refused = step(pack, action="aio.refuse").takes(sku)
    packed.then(ask).then(settled).then(count).then(shipped)
    ask.on_reject(refused)


class Speaker:
    """One of the two meshes, spoken to in one way."""

    def __init__(self, mesh: Mesh | AsyncMesh) -> None:
        self._mesh = mesh
        #: The verbs that were used.
        self.used: set[str] = set()

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[Any]]:
        async def speak(*args: object, **options: object) -> object:
            self.used.add(verb)
            said = getattr(self._mesh, verb)(*args, **options)
            if isinstance(said, AsyncIterator):
                return [one async for one in said]
            if isinstance(said, Iterator):
                return list(said)
            return await said if inspect.isawaitable(said) else said

        return speak


@asynccontextmanager
async def spoken_to(stage: Stage, kind: Kind) -> AsyncIterator[Speaker]:
    """A mesh of a kind that knows `Order`."""
    if kind == "sync":
        yield Speaker(stage.mesh(Order))
    else:
        async with async_mesh(stage, Order) as mesh:
            yield Speaker(mesh)


@pytest.fixture(params=get_args(Kind))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which mesh."""
    found: Kind = request.param
    return found


def at(seconds: float) -> datetime:
    """So long after the story began."""
    return EPOCH + timedelta(seconds=seconds)


async def an_order_is_shipped(mesh: Speaker) -> Run:
    """Started, packed, approved, paid, counted, shipped."""
    run = await mesh.start(Order.placed, Placed("mug"), key="order:1", tags=["gift"])
    again = await mesh.start(Order.placed, Placed("mug"), key="order:1")
    assert (run.id, False, True) == (again.id, run.duplicate, again.duplicate)
    assert 1 == await mesh.drain()
    assert ["ask"] == [one.gate.node for one in (await mesh.approvals()).items]
    assert [("ask", "on_time")] == [
        (one.deadline.node, one.deadline.status) for one in (await mesh.deadlines(now=EPOCH)).items
    ]
    counts = await mesh.counts(now=EPOCH)
    assert ({"paused": 1}, {"on_time": 1}) == (counts.runs, counts.deadlines)
    assert [run.id] == [one.id for one in (await mesh.runs(deadline="on_time")).items]
    assert [] == list((await mesh.runs(reason="attempt_visible")).items)
    await mesh.approve(run, by="ana", node=Order.ask, note="fine")
    await mesh.pause(run, by="op")
    await mesh.resume(run, by="op")
    await mesh.deliver(Order.settled, "mug", Settlement(500))
    await mesh.resume(run, node=Order.count, by="bo")
    ended: Run = await mesh.execute_next()
    assert "completed" == ended.status == (await mesh.wait_for(run, timeout="1s")).status
    return ended


async def orders_end_otherwise(mesh: Speaker) -> None:
    """Rejected, cancelled and undone."""
    asked = signals.start(Order.placed, Placed("cup"), occurred_at=EPOCH, idempotency_key="cup")
    rejected = await mesh.apply_signal(asked)
    assert (rejected.id, True) == ((again := await mesh.apply_signal(asked)).id, again.duplicate)
    cancelled = await mesh.start(Order.placed, Placed("jug"))
    await mesh.drain()
    await mesh.reject(rejected, by="ana", note="no")
    await mesh.cancel(cancelled, by="op", compensate=True)
    await mesh.drain()
    assert "cancelled" == (await mesh.inspect(cancelled)).status
    with pytest.raises(Refused) as caught:
        await mesh.retry_compensation(cancelled)
    assert "invalid_transition" == caught.value.code
    with pytest.raises(Refused) as caught:
        await mesh.send(cancelled, Order.settled, Settlement(1))
    assert "invalid_transition" == caught.value.code


async def an_executor_of_ones_own(mesh: Speaker) -> None:
    """Claims, beats, defers, fails, completes."""
    run = await mesh.start(Order.placed, Placed("pot"))
    claim = await mesh.claim(owner="mine", lease="10s")
    beaten = await mesh.heartbeat(claim, progress={"done": 1}, now=at(5))
    assert at(15) == beaten.lease_until
    await mesh.defer(claim, "no box", for_="1s", now=at(5))
    claim = await mesh.claim(owner="mine", now=at(6))
    await mesh.fail(claim, "torn", retry_after="0s", now=at(6))
    claim = await mesh.claim(owner="mine", now=at(7))
    await mesh.complete(claim, "box of pot", now=at(7))
    assert ("ask",) == (await mesh.inspect(run)).waiting_on


async def finished_runs_are_repeated(mesh: Speaker, run: Run) -> None:
    """Planned, then done."""
    plan = await mesh.replay(run, simulate=True)
    new = await mesh.replay(run, by="op", key="again")
    again = await mesh.apply_signal(signals.replay(run.id, by="op", idempotency_key="again"))
    assert (run.id, new.id) == (new.replayed_from, again.id)
    assert "shipped" in plan.again


async def many_are_steered_at_once(mesh: Speaker) -> None:
    """Planned, cancelled, and replayed under a key."""
    runs = [await mesh.start(Order.placed, Placed(sku), tags=["bulk"]) for sku in ("tin", "can")]
    assert (await mesh.cancel_all({"tag": "bulk"}, plan=True)).planned
    told = await mesh.cancel_all({"tag": "bulk"}, by="op", limit=1)
    assert [("done", "cancelled")] == [(one.outcome, one.after) for one in told.items]
    rest = await mesh.cancel_all({"tag": "bulk"}, by="op", cursor=told.next)
    assert {run.id for run in runs} == {one.id for one in (*told.items, *rest.items)}
    first = await mesh.replay_all(runs, key="all-again")
    again = await mesh.replay_all(runs, key="all-again")
    assert [one.begun for one in first.items] == [one.begun for one in again.items]
    assert {"already"} == {one.outcome for one in again.items}


async def everything_is_kept_in_order(mesh: Speaker, run: Run) -> None:
    """Listed, read, verified, and pruned at last."""
    assert run.id in {one.id for one in (await mesh.runs(status="completed")).items}
    kinds = [one.type for one in await mesh.journal(run)]
    assert (run.revision, "run_terminal") == (len(kinds), kinds[-1])
    assert (True, None) == ((await mesh.verify(checker=True)).clean, (await mesh.health()).problem)
    assert 1 == await mesh.reindex(run)
    assert "completed" == (await mesh.graph(run)).nodes[0].status
    spec, actions = Order.spec, ActionRegistry()
    actions.add_workflow(Order)
    await mesh.start_spec(spec, "placed", {"sku": "pan"}, actions=actions)
    pruned = await mesh.prune(run=run)
    assert 1 == pruned.runs


async def runs_are_watched_and_filed(mesh: Speaker, run: Run, folder: Path) -> None:
    """Told entry by entry, compared, written into files, and found again there."""
    told = await mesh.watch(run)
    assert run.revision == told[-1].revision
    assert "completed" == told[-1].snapshot().status
    assert "terminal" == (await mesh.explain(run)).reason
    assert not await mesh.diff(run, run)
    assert "running" == (await mesh.diff((run, 3), run)).facts[0].before
    file = await mesh.bundle(run, folder / "one.sqm")
    assert (run.id, True) == ((loaded := await mesh.load(file)).id, loaded.duplicate)
    assert 0 < await mesh.export(folder / "all.jsonl")
    assert 0 == await mesh.restore(folder / "all.jsonl")


async def queues_are_set_up(mesh: Speaker) -> None:
    """Limited, stopped, let go on; nobody works for them here."""
    assert 2 == (await mesh.set_queue("slow", concurrency=2)).concurrency
    assert "op" == (await mesh.pause_queue("slow", by="op")).paused.by
    assert (await mesh.resume_queue("slow")).paused is None
    assert "slow" in {one.name for one in await mesh.queues()}
    assert () == await mesh.workers()


async def hooks_are_given_and_looked_at(mesh: Speaker) -> None:
    """Without a worker nobody says that they are there."""
    assert pack is await mesh.on("run_failed", pack, name="told")
    assert () == await mesh.hooks()
    assert () == await mesh.forget_hook("told")


async def test_every_verb_says_the_same(stage: Stage, kind: Kind, tmp_path: Path) -> None:
    """The whole story, on each mesh and on each adapter; no verb is left out."""
    async with spoken_to(stage, kind) as mesh:
        run = await an_order_is_shipped(mesh)
        await orders_end_otherwise(mesh)
        await an_executor_of_ones_own(mesh)
        await finished_runs_are_repeated(mesh, run)
        await runs_are_watched_and_filed(mesh, run, tmp_path)
        await many_are_steered_at_once(mesh)
        await queues_are_set_up(mesh)
        await hooks_are_given_and_looked_at(mesh)
        await everything_is_kept_in_order(mesh, run)

        verbs = {name for name in dir(Mesh) if inspect.isfunction(getattr(Mesh, name))}
        others = {"open", "close", "redact", "using", "worker"}
        assert {name for name in verbs if not name.startswith("_")} - others == mesh.used
