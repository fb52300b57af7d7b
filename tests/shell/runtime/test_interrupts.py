"""Ctrl-C in a verb: whatever it meets, the locks of the mesh are free and it can be closed."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from squidmesh import Mesh
from squidmesh.ports import Ports, Site
from squidmesh.workers.claim import Claim
from squidmesh.workers.heartbeat import Heartbeats
from squidmesh.workers.line import StepSignals
from squidmesh.workers.places import Places
from squidmesh.workers.slots import Slots
from squidmesh.workers.timelimits import TimeLimits
from squidmesh_core.protocol.commands import Offer
from support.held import PATIENCE
from support.interrupts import interrupted_everywhere
from support.stage import Stage, begin, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a"))
TWO = chain(step("a"), step("b"))
#: More than there are at which an act is in a lock.
MOMENTS = 40


def by_another_thread(act: Callable[[], object]) -> None:
    """Somebody else does this, without waiting for a lock that nobody gives back."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(PATIENCE)

    assert not thread.is_alive(), "a lock was left behind"


def test_an_interrupt_leaves_no_lease_and_no_lock_of_heartbeats_behind(stage: Stage) -> None:
    """Else the thread that beats would wait for ever, and `close` for that thread."""
    mesh = stage.mesh()
    begin(mesh, SPEC, a=lambda: 1)
    claim = claimed(mesh)
    beats = Heartbeats(mesh.door, lease_ms=60_000)

    def keep() -> None:
        with beats.keeping(claim, StepSignals()):
            pass

    interrupted_everywhere(keep, lambda: by_another_thread(beats.beat_due))
    beats.stop()


def test_an_interrupt_leaves_no_lock_of_time_limits_behind(stage: Stage) -> None:
    """They strike on a thread of their own."""
    limits = TimeLimits(stage.mesh().door.ports.monotonic)

    def limit() -> None:
        with limits.limiting(StepSignals(), 60_000, lambda: None):
            pass

    interrupted_everywhere(limit, lambda: by_another_thread(limits.strike_due))
    limits.stop()


def test_an_interrupt_leaves_no_lock_of_places_behind() -> None:
    """A start takes one on the host's own thread."""
    places = Places(lambda: None)
    places.open(MOMENTS)

    interrupted_everywhere(places.reserve, lambda: by_another_thread(places.free))


def test_an_interrupt_leaves_no_lock_of_slots_behind(stage: Stage) -> None:
    """A start begins the claim it made on the host's own thread."""
    mesh = stage.mesh()
    actions = does(a=lambda: 1)
    for _ in range(MOMENTS):
        mesh.start_spec(SPEC, "placed", {}, actions=actions)
    claims = [claimed(mesh) for _ in range(MOMENTS)]
    crew = mesh.engine.crew(("default",), "60s")
    places = Places(lambda: None)
    slots = [Slots(crew, 1, lambda: False, places) for _ in claims]

    interrupted_everywhere(
        lambda: slots[-1].begin(claims.pop()), lambda: by_another_thread(slots.pop().close)
    )


class Slot:
    """One slot of a worker that does nothing."""

    def __init__(self, mesh: Mesh) -> None:
        self._crew = mesh.engine.crew(("default",), "60s")
        self.filled: list[Claim | None] = []

    def reserve(self, queue: str) -> tuple[Offer, str]:
        """Take it."""
        del queue
        return self._crew.offer()

    def fill(self, claim: Claim | None) -> None:
        """See what it is to be filled with."""
        self.filled.append(claim)

    def stop(self) -> None:
        """Nothing runs."""

    def waits_for_caller(self) -> bool:
        """Nobody calls."""
        return False


def interrupted_at(site: Site) -> Ports:
    """Ports of a host whose user presses Ctrl-C when this place is first reached."""
    struck = list[Site]()

    def strike(here: Site) -> None:
        if here == site and not struck:
            struck.append(here)
            raise KeyboardInterrupt

    return Ports(site=strike)


def test_an_interrupted_start_leaves_no_claim_behind(stage: Stage) -> None:
    """The run is there, claimed in the same append for a slot that never hears of it."""
    actions = does(a=lambda: 1)
    mesh = stage.mesh(ports=interrupted_at("append.after"))
    slot = Slot(mesh)
    mesh.engine.enlist(slot)
    with pytest.raises(KeyboardInterrupt):
        mesh.start_spec(SPEC, "placed", {}, actions=actions)
    other = stage.mesh(actions=actions)

    assert ([None], 1) == (slot.filled, other.drain())


@pytest.mark.parametrize("verb", ["drain", "execute_next"])
@pytest.mark.parametrize(
    "site", ["claim.before", "claim.after", "settle.before", "append.after", "settle.after"]
)
def test_an_interrupted_verb_leaves_no_claim_behind(stage: Stage, site: Site, verb: str) -> None:
    """Whoever comes next takes what is left at once; what was performed stays so."""
    performed = list[str]()
    actions = {name: partial(performed.append, name) for name in ("a", "b")}
    run = begin(stage.mesh(), TWO, **actions)
    mesh = stage.mesh(actions=does(**actions), ports=interrupted_at(site))
    with pytest.raises(KeyboardInterrupt):
        getattr(mesh, verb)()
    other = stage.mesh(actions=does(**actions))
    other.drain()

    assert ("completed", ["a", "b"]) == (other.inspect(run).status, performed)
