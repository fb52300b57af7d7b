"""What the picture of a run of 200 nodes costs, in CPU time."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import Final

from benchmarks.samples import spread
from squidmesh import ActionRegistry, Mesh, Spec

#: Drawings of which the figures are taken, after the first.
TIMES: Final = 40
NODES: Final = 200
_ENTRY: Final = "s000"
_HANDLER: Final = "handler"


def drawing() -> dict[str, float]:
    """Milliseconds of a graph, and of what is drawn of it, a quarter of the way down."""
    actions = ActionRegistry()
    actions.add("do", lambda: 1)
    with Mesh.open("memory://") as mesh:
        run = mesh.start_spec(workflow(), "placed", {}, actions=actions)
        mesh.drain(limit=NODES // 4)
        graph = mesh.graph(run)
        return {
            "graph_ms": median(_milliseconds(lambda: mesh.graph(run))),
            **spread("svg_ms", _milliseconds(graph.to_svg)),
            "ascii_ms": median(_milliseconds(graph.to_ascii)),
            "svg_kb": len(graph.to_svg().encode()) / 1024,
        }


def workflow() -> Spec:
    """Blocks of ten: a choice, two branches that meet, a loop, and errors to one handler."""
    names = [f"s{i:03}" for i in range(NODES - 1)]
    return Spec.from_dict(
        {
            "workflow": "benchmarks.Large",
            "triggers": [{"name": "placed", "type": "manual", "payload": []}],
            "steps": [
                {"name": name, "kind": "step", "action": "do", "input": {}, "max_visits": 3}
                for name in [*names, _HANDLER]
            ],
            "transitions": [*_routes(names), _route(_HANDLER, "complete")],
            "entry_steps": [_ENTRY],
        }
    )


def _routes(names: list[str]) -> Iterator[dict[str, object]]:
    for i, (name, following) in enumerate(pairwise([*names, "complete"])):
        place = i % 10
        if place == 2 and i + 3 < len(names):
            yield _route(name, names[i + 3], condition=_is(name, 2))
        if place == 8:
            yield _route(name, names[i - 2], condition=_is(name, 3))
        yield _route(name, following)
        if place in {3, 7}:
            yield _route(name, _HANDLER, on="error")


def _route(source: str, target: str, **others: object) -> dict[str, object]:
    return {"from": source, "on": "ok", "to": target, **others}


def _is(name: str, value: int) -> dict[str, object]:
    return {"path": [name], "equals": value}


def _milliseconds(draw: Callable[[], object]) -> list[float]:
    draw()
    samples = []
    for _ in range(TIMES):
        began = time.process_time()
        draw()
        samples.append((time.process_time() - began) * 1e3)
    return samples
