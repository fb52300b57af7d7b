"""
Settling: what came of steps is recorded, and the runs' next attempts are claimed with it.

Both are one append, so the steady path costs one commit per step.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from squidmesh.door.handle import Handled
from squidmesh.door.requests import Appending
from squidmesh.workers.claim import Claim, claim_in
from squidmesh.workers.crew import Crew
from squidmesh.workers.interrupted import STOPPING, settle_again
from squidmesh.workers.loop import Settle
from squidmesh.workers.perform import (
    Deferred,
    Failed,
    Performed,
    Settled,
    Succeeded,
    is_timed_out,
)
from squidmesh_core.decide import Refusal
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Command, Complete, Defer, Fail, Offer
from squidmesh_storage.api import Batch

LOG: Final = logging.getLogger("squidmesh.worker")
#: Settlements of one run that share an append, which each may fill with an output.
MOST_TOGETHER: Final = 32
#: Seconds between tries to settle while the storage is away.
BETWEEN_TRIES: Final = 0.25


def _nobody_hears(place: int) -> None:
    """Whoever has no slot to leave."""


def settle_all(
    crew: Crew, requests: Sequence[Settle], leaving: Callable[[int], object] = _nobody_hears
) -> list[Claim | None]:
    """
    Record what came of steps; for each the claim of its run's next attempt, if one was made.

    What belongs to one run is one append, and all of them travel together.  A refusal is
    normal life: the lease was lost or the run ended, and what the step returned is dropped.
    While the storage is away it is asked again until the leases are past; any other
    storage error leaves the claim to run out.

    Args:
        crew: Who works.
        requests: What is to be settled.
        leaving: Told, before anything is durable, which of them will bring no claim unless
            they have to be decided afresh.
    """
    followed = [
        one.outcome.following if isinstance(one.outcome, Settled) else None for one in requests
    ]
    left: Sequence[tuple[int, Settle]] = [
        one for one in enumerate(requests) if not isinstance(one[1].outcome, Settled)
    ]
    while left:
        wave, left = _wave(left)
        for place, claim in _settled(crew, wave, leaving):
            followed[place] = claim
    return followed


def _wave(
    requests: Sequence[tuple[int, Settle]],
) -> tuple[Sequence[tuple[int, Settle]], Sequence[tuple[int, Settle]]]:
    """What is settled now, not too much of any run, and what is left."""
    if len(requests) <= MOST_TOGETHER:
        return requests, ()
    wave, left, of_run = list[tuple[int, Settle]](), list[tuple[int, Settle]](), Counter[RunId]()
    for one in requests:
        run_id = one[1].claim.run_id
        of_run[run_id] += 1
        (wave if of_run[run_id] <= MOST_TOGETHER else left).append(one)
    return wave, left


def _settled(
    crew: Crew, requests: Sequence[tuple[int, Settle]], leaving: Callable[[int], object]
) -> Iterator[tuple[int, Claim | None]]:
    if any(request.go_on for _, request in requests):
        crew.lanes.look()
    offers = [
        crew.offer(settled=request.claim.queue) if request.go_on else None
        for _, request in requests
    ]
    commands = [
        (
            request.claim.run_id,
            command_for(request.claim, request.outcome, crew.door.ports.draw, offer and offer[0]),
        )
        for (_, request), offer in zip(requests, offers, strict=True)
    ]
    of_run: dict[RunId, list[int]] = {}
    for place, request in requests:
        of_run.setdefault(request.claim.run_id, []).append(place)

    def appending(batch: Batch) -> None:
        for place in of_run[batch.record.run_id][claims_in(batch) :]:
            leaving(place)

    try:
        crew.door.ports.site("settle.before")
        handled = _insist(crew, commands, appending)
        crew.door.ports.site("settle.after")
    except KeyboardInterrupt:  # the host ends, and may have settled and claimed
        for run_id, command in commands:
            settle_again(crew.door, run_id, command, crew.now)
        raise
    for (place, request), offer, one in zip(requests, offers, handled, strict=True):
        yield place, following(request, one, offer)


def claims_in(batch: Batch) -> int:
    """How many claims settling makes: no other attempt's row is touched that is held then."""
    return sum(row.held_until is not None for row in batch.rows.put)


def _insist(
    crew: Crew, commands: Sequence[tuple[RunId, Command]], appending: Appending
) -> list[Handled | Exception]:
    """Ask again while the storage is away, for as long as the leases could live."""
    ports = crew.door.ports
    handled = crew.door.handle_all(commands, now=crew.now, appending=appending)
    began = ports.monotonic()
    while (ports.monotonic() - began) * 1000 < crew.lease_ms:
        away = [place for place, one in enumerate(handled) if isinstance(one, StorageUnavailable)]
        if not away:
            break
        ports.pause(BETWEEN_TRIES)
        again = crew.door.handle_all([commands[place] for place in away], now=crew.now)
        for place, one in zip(away, again, strict=True):
            handled[place] = one
    return handled


def following(
    request: Settle, handled: Handled | Exception, offer: tuple[Offer, str] | None
) -> Claim | None:
    """The claim of the run's next attempt, if settling this one has made it."""
    if isinstance(handled, Exception):
        LOG.error("%s could not be settled: %s", request.claim.attempt_key, handled)
        LOG.debug("this is where it came from", exc_info=handled)
        return None
    if isinstance(handled.answer, Refusal):
        # Whatever keeps the time limit has failed the attempt already, and said so.
        level = logging.DEBUG if is_timed_out(request.outcome) else logging.WARNING
        LOG.log(level, "%s", handled.answer.message)
        return None
    if offer is None:
        return None
    return claim_in(handled.state, handled.entries, *offer)


def hand_back(crew: Crew, claim: Claim) -> None:
    """Give a claim back before it was begun: somebody else takes it at once."""
    settle_all(crew, [handing_back(claim)])


def handing_back(claim: Claim) -> Settle:
    """What settles a claim that nobody has begun."""
    later = Deferred(reason=STOPPING, delay_ms=0)
    return Settle(claim=claim, outcome=later, go_on=False)


def command_for(
    claim: Claim, outcome: Performed, draw: Callable[[], float], offer: Offer | None
) -> Complete | Fail | Defer:
    """The command that settles a claim with an outcome."""
    match outcome:
        case Succeeded():
            return Complete(held=claim.held, output=outcome.output, offer=offer)
        case Failed():
            return Fail(
                held=claim.held,
                error=outcome.error,
                retryable=outcome.retryable,
                kinds=outcome.kinds,
                retry_after_ms=outcome.retry_after_ms,
                jitter=draw(),
                offer=offer,
            )
        case Deferred():
            return Defer(
                held=claim.held,
                reason=outcome.reason,
                delay_ms=outcome.delay_ms,
                until=outcome.until,
                offer=offer,
            )
        case Settled():
            raise TypeError(f"{claim.attempt_key} was settled already, by its own transaction")
