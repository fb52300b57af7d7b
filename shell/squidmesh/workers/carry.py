"""Carrying a claim: perform it, settle it, and go on with its run; one thread, one `slot_loop`."""

from collections.abc import Callable
from typing import assert_never

from squidmesh.workers.calling import perform_claim
from squidmesh.workers.claim import Claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.loop import LetGo, Perform, Settle, SlotRequest, slot_loop
from squidmesh.workers.perform import Performed
from squidmesh.workers.settling import hand_back, settle_all


def carry(crew: Crew, claim: Claim, stopping: Callable[[], bool]) -> int:
    """
    Work on a claim and what follows it in its run; how many attempts were performed.

    Args:
        crew: Who works.
        claim: Where to begin.
        stopping: Whether to settle what runs and take nothing more.
    """
    loop = slot_loop(claim, stopping, crew.door.ports.monotonic, crew.door.has_outgrown)
    try:
        request = next(loop)
        while True:
            request = loop.send(act(crew, request))
    except StopIteration as stop:
        performed: int = stop.value
        return performed


def act(crew: Crew, request: SlotRequest) -> Performed | Claim | None:
    """Do what a slot loop asks for; the reply."""
    match request:
        case Perform(claim=claim, go_on=go_on):
            try:
                return perform_claim(crew, claim, go_on)
            except KeyboardInterrupt:
                hand_back(crew, claim)  # the host ends, which is no failure of the step
                raise
        case Settle():
            return settle_all(crew, [request])[0]
        case LetGo(claim=claim):
            crew.door.leave_checkpoint(claim.run_id)
            return None
    assert_never(request)
