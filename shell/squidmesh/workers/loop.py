"""
The two loops of a worker, as generators that yield requests.

    worker_loop   Take ─▶ Begin ─▶ … ─▶ Rest       one per worker
                  Look ─▶ Rest                     while no slot is free
    slot_loop     Perform ─▶ Settle ─▶ Perform …   one per claimed attempt
                  LetGo                            at the end, of a run that got long

They hold the policy (how many to claim, when to rest and how long, when to let
go of a run) and do nothing themselves: threads, an event loop or a simulation
drive them.
"""

from collections.abc import Callable, Generator
from typing import Final

from attrs import field, frozen

from squidmesh.workers.claim import Claim
from squidmesh.workers.perform import Performed
from squidmesh.workers.taking import Taken
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.making import quick

#: Seconds between polls: the first while idle, doubled up to what the storage thinks fit.
SHORTEST_REST: Final = 1.0
#: A slot lets go of its run after so long, so that long runs starve nobody.
LONGEST_STRAND: Final = 1.0
#: Seconds between looks at what waits while no slot is free.
LOOK: Final = 0.25


@frozen(kw_only=True)
class Take:
    """Claim up to so many attempts."""

    limit: int


@frozen(kw_only=True)
class Begin:
    """Hand these claims to free slots."""

    claims: tuple[Claim, ...]


@frozen(kw_only=True)
class Look:
    """See what waits, so that slots let go of their runs for what is more urgent."""


@frozen(kw_only=True)
class Rest:
    """Wait for a hint of new work or a free slot, at most so long."""

    seconds: float


WorkerRequest = Take | Begin | Look | Rest


@quick
@frozen(kw_only=True)
class Perform:
    """Call the claimed step; the reply is what came of it."""

    claim: Claim
    #: Whether this slot would take the run's next attempt, asked when the step has ended.
    go_on: Callable[[], bool] = field(eq=False)


@quick
@frozen(kw_only=True)
class Settle:
    """Record what came of the step; the reply is the claimed successor, if any."""

    claim: Claim
    outcome: Performed
    #: Whether this slot would take the run's next attempt.
    go_on: bool


@frozen(kw_only=True)
class LetGo:
    """
    Leave a checkpoint of a run that has outgrown its last one.

    Its last settlement is durable and nobody waits: whoever is next to work it may already.
    """

    claim: Claim


SlotRequest = Perform | Settle | LetGo
#: One strand: it asks for these, gets outcomes and claims, and counts its attempts.
SlotLoop = Generator[SlotRequest, Performed | Claim | None, int]


def worker_loop(
    free_slots: Callable[[], int],
    stopping: Callable[[], bool],
    longest: Callable[[], float],
    draw: Callable[[], float],
) -> Generator[WorkerRequest, Taken | None, None]:
    """
    Claim in batches of free slots; rest when there is nothing to do.

    Args:
        free_slots: How many claims could begin right now.
        stopping: Whether the worker is being drained: nothing more is claimed.
        longest: The longest rest in seconds, as things are now (`Wakeups.longest`).
        draw: A number 0 ≤ x < 1; rests are jittered so that workers spread out.
    """
    rest = SHORTEST_REST
    while not stopping():
        free = free_slots()
        if free == 0:
            yield Look()
            yield Rest(seconds=min(longest(), LOOK))
            continue
        taken = yield Take(limit=free)
        if taken is None or not taken.appends:
            due_in = taken.due_in if taken is not None else None
            rest = min(rest, longest())
            jittered = rest * (0.75 + draw() / 2)
            yield Rest(seconds=jittered if due_in is None else min(jittered, due_in))
            rest *= 2
            continue
        rest = SHORTEST_REST
        if taken.claims:
            yield Begin(claims=taken.claims)


def slot_loop(
    claim: Claim,
    stopping: Callable[[], bool],
    monotonic: Callable[[], float],
    outgrown: Callable[[RunId], bool] = lambda _: False,
) -> SlotLoop:
    """
    Perform an attempt, settle it, and go on with the run while that is fair.

    Returns how many attempts were performed.

    Args:
        claim: Where to begin.
        stopping: Whether the worker is being drained.
        monotonic: Seconds that only grow.
        outgrown: Whether a run has grown far beyond its last checkpoint.
    """
    began, performed = monotonic(), 0

    def is_fair() -> bool:
        return not stopping() and monotonic() - began < LONGEST_STRAND

    following: Claim | None = claim
    while following is not None:
        claim = following
        outcome = yield Perform(claim=claim, go_on=is_fair)
        performed += 1
        if outcome is None or isinstance(outcome, Claim):
            raise TypeError(f"whoever drives this slot gave {outcome!r} as an outcome")
        settled = yield Settle(claim=claim, outcome=outcome, go_on=is_fair())
        following = settled if isinstance(settled, Claim) else None
    if outgrown(claim.run_id):
        yield LetGo(claim=claim)
    return performed
