"""
Routes: which successor an outcome leads to (specs/protocol.md §4).

Conditional routes are tried in the order written and the first true one wins;
otherwise the first unconditional one, wherever it stands.
"""

from collections.abc import Mapping
from typing import Literal

from squidmesh_core.definition.spec import COMPLETE, Outcome, Spec, Transition
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Decided
from squidmesh_core.values import condition_to_json, holds, lookup, paths_of

#: Why there is no way on; these are also the kinds of the failure that follows.
NoRoute = Literal["unknown_transition", "no_matching_transition"]


def choose(
    spec: Spec, node: NodeName, on: Outcome, context: Mapping[str, object]
) -> Decided | NoRoute:
    """
    The route taken from a node on an outcome, with the values that decided it.

    A node without any ok-route ends its strand: that is a route to `complete`.
    """
    routes = spec.routes.get((node, on), ())
    if not routes:
        if on == "ok":
            return Decided(source=node, on=on, target=COMPLETE)
        return "unknown_transition"
    for route in routes:
        if route.condition is not None and holds(route.condition, context):
            return _decided(route, routes, context)
    for route in routes:
        if route.condition is None:
            return _decided(route, routes, context)
    return "no_matching_transition"


def _decided(
    route: Transition, routes: tuple[Transition, ...], context: Mapping[str, object]
) -> Decided:
    values: dict[str, object] = {}
    for candidate in routes:
        if candidate.condition is not None:
            for path in paths_of(candidate.condition):
                found, value = lookup(context, path)
                if found:
                    values[".".join(path)] = value
    return Decided(
        source=route.source,
        on=route.on,
        target=route.target,
        condition=None if route.condition is None else condition_to_json(route.condition),
        recovery=route.recovery,
        values=values,
    )
