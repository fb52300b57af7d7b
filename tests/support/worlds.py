"""
Orders in a journal where nothing is left to chance, each brought to wherever a test wants it.

Two worlds in which the same was done are alike, down to the last token.
"""

import threading
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final

from attrs import evolve, frozen

from squidmesh import (
    ActionRegistry,
    Deadline,
    Retries,
    Run,
    Workflow,
    approval,
    manual,
    pause,
    receive,
    step,
)
from squidmesh.ports import Ports
from squidmesh.workers.claim import Claim
from support.damage import forged, rewrite
from support.stage import EPOCH, Stage, claimed


@frozen
class Placed:
    """An order."""

    sku: str


@frozen
class Wish:
    """What whoever approves may add."""

    colour: str = "white"


@frozen
class Settlement:
    """The bank's word."""

    cents: int


#: The threads that were there before.
OTHERS: Final[list[threading.Thread]] = []


def pack(sku: str) -> dict[str, object]:
    """Pack a parcel, and tell who keeps the lease meanwhile."""
    begun = [thread for thread in threading.enumerate() if thread not in OTHERS]
    return {"box": sku, "kept": "squidmesh-heartbeat" in {thread.name for thread in begun}}


def unpack(box: dict[str, object]) -> None:
    """Put it back."""


def ship() -> str:
    """Ship it, for good."""
    return "shipped"


class Order(Workflow, name="aio.keywords.Order"):
    """Pack, ask, wait for the bank, count, ship."""

    version = "1"

    placed = manual(Placed)
    packed = step(pack, retry=Retries(3)).takes(placed.payload.sku).undo(unpack)
    asked = approval("Ship it?", form=Wish, deadline=Deadline("1h", due_soon="59m"))
    settled = receive(Settlement, correlation=placed.payload.sku)
    counted = pause("Count the boxes")
    shipped = step(ship, irreversible=True)
    refused = step(ship, action="aio.keywords.refuse")
    packed.then(asked).then(settled).then(counted).then(shipped)
    asked.on_reject(refused)


class Gates(Workflow, name="aio.keywords.Gates"):
    """Two of each kind at once."""

    opened = manual()
    begun = step(ship)
    first = approval("This?", after=[begun])
    second = approval("That?", after=[begun])
    third = pause("Here?", after=[begun])
    fourth = pause("There?", after=[begun])


RUN_ID: Final = "0192f0c0-0000-7000-8000-{:012}"


def at(seconds: float) -> datetime:
    """So long after the world began."""
    return EPOCH + timedelta(seconds=seconds)


class World:
    """A journal, and a mesh that brings orders somewhere."""

    def __init__(self) -> None:
        self.stage = Stage(None)
        self.mesh = self.stage.mesh(Order, Gates, ports=ports(1))
        self._numbers = count(1)

    def placed(self) -> Run:
        """An order that nobody has begun with."""
        run_id = RUN_ID.format(next(self._numbers))
        return self.mesh.start(Order.placed, Placed("mug"), run_id=run_id)

    def claimed(self) -> Claim:
        """The same, and somebody packs."""
        self.placed()
        return claimed(self.mesh)

    def asked(self) -> Run:
        """Packed."""
        run = self.placed()
        self.mesh.drain()
        return run

    def waiting(self) -> Run:
        """Approved."""
        return self.mesh.approve(self.asked(), by="ana")

    def counting(self) -> Run:
        """Paid."""
        return self.mesh.send(self.waiting(), Order.settled, Settlement(500))

    def held(self) -> Run:
        """Packed, and stopped."""
        return self.mesh.pause(self.asked())

    def completed(self) -> Run:
        """Counted and shipped."""
        run = self.mesh.resume(self.counting(), by="ana")
        self.mesh.drain()
        return run

    def outdated(self) -> Run:
        """An order of an older definition, which has ended."""
        older, actions = evolve(Order.spec, version="0"), ActionRegistry()
        actions.add_workflow(Order)
        run = self.mesh.start_spec(older, "placed", {"sku": "mug"}, actions=actions)
        self.mesh.drain()
        self.mesh.reject(run, by="ana")
        self.mesh.drain()
        return run

    def undoing(self) -> Run:
        """Packed, and to be unpacked."""
        return self.mesh.cancel(self.asked(), compensate=True)

    def abandoned(self) -> Run:
        """Packed, and never unpacked."""
        return self.mesh.cancel(self.undoing(), abandon=True)

    def gates(self) -> Run:
        """Four that wait at once."""
        run = self.mesh.start(Gates.opened, run_id=RUN_ID.format(next(self._numbers)))
        self.mesh.drain()
        return run

    def forged(self) -> Claim:
        """Packed under a claim whose heartbeat names another."""
        claim = self.claimed()
        self.mesh.heartbeat(claim)
        journal = self.stage.journal()
        records = journal.load(claim.run_id, whole=True).records
        body = records[2].body.replace('"claim_id":"', '"claim_id":"0')
        rewrite(self.stage, journal, claim.run_id, forged(records, 2, body=body))
        return claim

    def kept(self) -> object:
        """All that is in the journals, and of the queues."""
        seen = self.stage.mesh()
        entries = {
            run.id: [(one.type, one.at, one.data) for one in seen.journal(run)]
            for run in seen.runs().items
        }
        return entries, seen.queues()


def ports(seed: int) -> Ports:
    """Nothing is left to chance."""
    chance = Random(seed)
    return Ports(random_bytes=chance.randbytes, draw=chance.random)
