"""A state to explain: the run, when it is looked at, and what is around it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import Field, ManualTrigger, Node, Spec, Transition
from squidmesh_core.views.explanation import (
    Explanation,
    Line,
    Surroundings,
    WorkerAt,
    explain,
)
from support.features.told import PLACED, Told, order, row
from support.scenario import EPOCH, Scenario

__all__ = ["Explained", "around", "begun", "explained", "order", "row", "worker"]

#: What a test that names no payload starts with.
ORDER: Final[Mapping[str, object]] = {"order_id": "A-1", "total": 4990}

#: An explanation, ready to be read.
Explained = Explanation


def begun(*nodes: Node, routes: tuple[Transition, ...] = ()) -> Told:
    """A run of these nodes that was just started: by routes, or in a row."""
    run = Told(order(*nodes, routes=routes) if routes or _by_dependencies(nodes) else row(*nodes))
    run.start(ORDER)
    return run


def explained(
    run: Scenario, *, after: timedelta = timedelta(seconds=5), around: Surroundings | None = None
) -> Explained:
    """Why a run is where it is, some time after its last command."""
    return explain(run.state, run.spec, run.now + after, around)


def around(*workers: WorkerAt, **lines: Line) -> Surroundings:
    """Somebody looked: these workers there are, and these queues."""
    return Surroundings(workers=workers, lines=lines)


def worker(
    owner: str,
    *actions: str,
    queue: str = "default",
    takes_work: bool = True,
    seen: timedelta = timedelta(0),
) -> WorkerAt:
    """A worker that performs these actions."""
    return WorkerAt(
        owner=owner,
        queues=frozenset({queue}),
        actions=frozenset(actions),
        seen_at=EPOCH + seen,
        takes_work=takes_work,
    )


def secret(*nodes: Node) -> Spec:
    """A row of nodes that is started with a card, which nobody may see."""
    fields = (Field(name="order_id", type="string"), Field(name="card", type="string"))
    spec = row(*nodes)
    return evolve(
        spec,
        triggers=(ManualTrigger(name=PLACED.name, payload=fields),),
        sensitive=(("card",),),
    )


def _by_dependencies(nodes: tuple[Node, ...]) -> bool:
    return any(node.after for node in nodes)
