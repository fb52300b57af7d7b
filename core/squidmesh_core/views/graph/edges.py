"""
The edges of a run: its routes or dependencies, and whether it went them.

A route is `selected` when a persisted decision names it, `pending` while its
node is at work or can still be reached, and `skipped` once that is over.  So a
rejected approval selects its error route, and a whole branch that was not
taken is skipped.  A dependency is `selected` once its node completed, also
while the run is undone, and `blocked` when it failed for good.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from squidmesh_core.definition.graph import dependency_id, route_id, with_ids
from squidmesh_core.definition.spec import COMPLETE, Outcome, Spec, Transition
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Decided
from squidmesh_core.state.run import RunState
from squidmesh_core.values import condition_to_json, paths_of
from squidmesh_core.values.condition import same
from squidmesh_core.views.given import given
from squidmesh_core.views.graph.records import EdgeStatus, GraphEdge
from squidmesh_core.views.steps import StepStatus, step_status

#: Where a route leads from, for which outcome, and where to.
_Place = tuple[NodeName, Outcome, NodeName]

#: How far a node is → how its dependants stand, where that alone says it.
_MET: Final[Mapping[StepStatus, EdgeStatus]] = {"completed": "selected", "failed": "blocked"}


@frozen(kw_only=True)
class RunEdges:
    """The edges, and what was decided at them."""

    edges: tuple[GraphEdge, ...]
    #: Node → id of the edge that its latest finished visit took.
    decisions: Mapping[str, str]


def run_edges(state: RunState, spec: Spec, begin: str) -> RunEdges:
    """The edges of a run, those from its trigger first, then in the definition's order."""
    ahead = _ahead(state, spec)
    entries = tuple(_entry(state, begin, name, ahead) for name in spec.entry_steps)
    if spec.by_dependencies:
        return RunEdges(edges=entries + tuple(_dependencies(state, spec)), decisions={})
    taken = _Taken(state, spec)
    routes = tuple(_route(*named, spec, taken, ahead) for named in with_ids(_routes(spec)))
    return RunEdges(edges=entries + routes, decisions=taken.latest)


def _routes(spec: Spec) -> Iterator[Transition]:
    """All routes; a node without any ok-route ends its strand (plan.routes)."""
    routes: dict[NodeName, list[Transition]] = {name: [] for name in spec.nodes}
    for route in spec.transitions:
        routes[route.source].append(route)
    for name, mine in routes.items():
        yield from mine
        if (name, "ok") not in spec.routes:
            yield Transition(source=name, on="ok", target=COMPLETE)


class _Taken:
    """What the journal says of routes that were taken."""

    def __init__(self, state: RunState, spec: Spec) -> None:
        #: Edge → how often.
        self.times: Counter[str] = Counter()
        #: Node → edge of its latest decision.
        self.latest: dict[str, str] = {}
        #: Edge → the values that it was last taken by; node and outcome → those of the last
        #: decision there, which are why other edges were not.
        self.by: dict[str, Mapping[str, object]] = {}
        self.last: dict[tuple[NodeName, Outcome], Mapping[str, object]] = {}
        named = _Named(spec)
        for applied in state.applied.values():
            decided = applied.transition
            if decided is not None:
                taken = named.edge_of(decided)
                self.times[taken] += 1
                self.latest[decided.source] = taken
                self.by[taken] = self.last[decided.source, decided.on] = decided.values


class _Named:
    """The routes of a definition, and their ids: made once, however often a run went them."""

    def __init__(self, spec: Spec) -> None:
        self._routes: dict[_Place, list[tuple[Mapping[str, object] | None, str]]] = {}
        for own, route in with_ids(spec.transitions):
            place = (route.source, route.on, route.target)
            self._routes.setdefault(place, []).append((_condition(route), own))

    def edge_of(self, decided: Decided) -> str:
        place = (decided.source, decided.on, decided.target)
        for condition, own in self._routes.get(place, ()):
            if same(condition, decided.condition):
                return own
        return route_id(*place)


def _condition(route: Transition) -> Mapping[str, object] | None:
    return None if route.condition is None else condition_to_json(route.condition)


def _route(
    own: str, route: Transition, spec: Spec, taken: _Taken, ahead: set[NodeName]
) -> GraphEdge:
    condition = route.condition
    siblings = spec.routes.get((route.source, route.on), ())
    conditional = any(sibling.condition is not None for sibling in siblings)
    values = taken.by.get(own, taken.last.get((route.source, route.on), {}))
    if condition is not None:
        read = {".".join(path) for path in paths_of(condition)}
        values = {path: value for path, value in values.items() if path in read}
    times = taken.times[own]
    return GraphEdge(
        id=own,
        source=route.source,
        target=route.target,
        type="transition",
        outcome=route.on,
        condition=_condition(route),
        otherwise=condition is None and conditional,
        values=given(values) or None,
        recovery=route.recovery,
        status="selected" if times else "pending" if route.source in ahead else "skipped",
        times=times,
    )


def _entry(state: RunState, begin: str, name: NodeName, ahead: set[NodeName]) -> GraphEdge:
    entered = bool(state.visits.get(name))
    return GraphEdge(
        id=f"{begin}:start:{name}",
        source=begin,
        target=name,
        type="start",
        status="selected" if entered else "pending" if name in ahead else "skipped",
        times=int(entered),
    )


def _dependencies(state: RunState, spec: Spec) -> Iterator[GraphEdge]:
    """One for each `after`, and one to the end from each node that none waits for."""
    awaited = {name for node in spec.steps for name in node.after}
    statuses = {name: step_status(state, name) for name in spec.nodes}
    otherwise: EdgeStatus = "pending" if _goes_forward(state) else "skipped"
    ends = [(node.name, COMPLETE) for node in spec.steps if node.name not in awaited]
    for earlier, later in [*((a, node.name) for node in spec.steps for a in node.after), *ends]:
        status = _MET.get(statuses[earlier], otherwise)
        yield GraphEdge(
            id=dependency_id(earlier, later),
            source=earlier,
            target=later,
            type="dependency",
            status=status,
            times=int(status == "selected"),
        )


def _ahead(state: RunState, spec: Spec) -> set[NodeName]:
    """The nodes that are at work, and those that can still be reached from there."""
    if not _goes_forward(state):
        return set()
    at_work = [attempt.intent.step for attempt in state.live.values()]
    at_work += [gate.step for gate in state.gates.open.values() if gate.step is not None]
    at_work += [entry.step for entry in state.mail.awaited.values()]
    found = {*at_work, *state.owed} if state.visits else set(spec.entry_steps)
    open_ends = deque(found)
    while open_ends:
        name = open_ends.popleft()
        for on in ("ok", "error", "timeout"):
            for route in spec.routes.get((name, on), ()):
                if route.target not in found:
                    found.add(route.target)
                    open_ends.append(route.target)
    return found


def _goes_forward(state: RunState) -> bool:
    return state.terminal is None and state.saga.started is None
