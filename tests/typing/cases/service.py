"""A host with an event loop: the verbs of `Mesh`, awaited, with the same types."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import assert_type

from squidmesh import (
    Actor,
    AsyncMesh,
    Claim,
    Hook,
    JournalEntry,
    Notice,
    OpenGate,
    Page,
    ReplayPlan,
    Run,
    Snapshot,
)

from orders import OrderFulfilment, OrderPlaced, Payment, ReviewForm, Settlement

mesh = AsyncMesh.open("postgresql://shop@localhost/shop", workflows=[OrderFulfilment])


@asynccontextmanager
async def lifespan(app: object) -> AsyncGenerator[None]:
    async with mesh, mesh.worker(concurrency=16, queues=["default", "slow"]):
        yield


@mesh.on("run_failed")
async def alert(notice: Notice) -> None:
    assert_type(notice.attempt, int)


@mesh.on("deadline_overdue", name="remind")
def remind(notice: Notice) -> str:
    return notice.run_id


mesh.on("deadline_escalated", remind)


async def place(order: OrderPlaced) -> dict[str, str]:
    run = await mesh.start(OrderFulfilment.placed, order, key=f"order:{order.order_id}", tags=["web"])
    assert_type(run, Run)
    return {"run": run.id}


async def place_with(db: object, order: OrderPlaced) -> Run:
    return await mesh.using(db).start(OrderFulfilment.placed, order)


async def steer(run: Run, who: Actor) -> None:
    await mesh.approve(run, by=who, node=OrderFulfilment.review, form=ReviewForm(waive_fee=True))
    await mesh.send(run, OrderFulfilment.settled, Settlement("pay_1", 900))
    assert_type(await mesh.replay(run, simulate=True), ReplayPlan)
    assert_type(await mesh.replay(run, by=who), Run)


async def who_is_told() -> None:
    assert_type(await mesh.hooks(), tuple[Hook, ...])


async def look(run: Run) -> Payment:
    done = await mesh.inspect(run)
    assert_type(done, Snapshot)
    assert_type(await mesh.approvals(), Page[OpenGate])
    async for entry in mesh.journal(run):
        assert_type(entry, JournalEntry)
    return done.out(OrderFulfilment.charge)


async def execute() -> None:
    claim = await mesh.claim(owner="mine")
    assert_type(claim, Claim | None)
    if claim is not None:
        assert_type(await mesh.complete(claim, {"done": True}), Run)
