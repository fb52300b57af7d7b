"""
Ctrl-C in a verb that starts, claims or settles: nobody knows whether the append was made.

So both is done again where that is harmless, and what was claimed is given back: a lease
would keep everybody else waiting for a host that has gone.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from attrs import evolve

from squidmesh.door.door import Door
from squidmesh_core.errors import SquidmeshError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Complete, Defer, Fail, Held, Offer
from squidmesh_core.protocol.entries import AttemptClaimed

#: Why a claim that nobody has begun is given back.
STOPPING: Final[Mapping[str, object]] = {"message": "worker_stopping"}


def give_back(
    door: Door, run_id: RunId, claimed: AttemptClaimed, now: datetime | None = None
) -> None:
    """Give a claim back, if it was made; if that fails its lease runs out."""
    held = Held(
        attempt_key=claimed.attempt_key,
        claim_id=claimed.claim_id,
        claim_token_hash=claimed.claim_token_hash,
    )
    later = Defer(held=held, reason=STOPPING, delay_ms=0)
    with suppress(SquidmeshError):
        door.handle(run_id, later, now=now)


def settle_again(
    door: Door, run_id: RunId, command: Complete | Fail | Defer, now: datetime | None = None
) -> None:
    """Settle an attempt, if it is not settled yet, and give back what was claimed with that."""
    with suppress(SquidmeshError):
        door.handle(run_id, evolve(command, offer=None), now=now)
    if command.offer is not None:
        give_back_offer(door, run_id, command.offer, now)


def give_back_offer(door: Door, run_id: RunId, offer: Offer, now: datetime | None = None) -> None:
    """Give back what a run was claimed for on this offer, if anything was."""
    with suppress(SquidmeshError):
        for attempt in door.fresh(run_id).state.live.values():
            if attempt.claim is not None and attempt.claim.claim_id == offer.claim_id:
                give_back(door, run_id, attempt.claim, now)
