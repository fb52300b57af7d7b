"""
The graph of a workflow: edges, roots, cycles and reachability.

Every walk is iterative and linear in nodes and edges, because definitions come
from outside too.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from typing import assert_never

from squidmesh_core.canonical import encode, storable
from squidmesh_core.definition.spec import COMPLETE, Node, Outcome, Spec, Transition
from squidmesh_core.ids import NodeName
from squidmesh_core.values import AllOf, AnyOf, Compare, Condition, Not, condition_to_json


def with_ids(transitions: Iterable[Transition]) -> Iterator[tuple[str, Transition]]:
    """
    Routes with their ids: `<from>:<on>:<to>`, and twelve hex digits of the condition.

    The digits are of what is compared how, not of what with: who sees a graph may not see
    that, and could confirm a guess.  Routes that differ in nothing else are counted.
    """
    alike: Counter[str] = Counter()
    for transition in transitions:
        own = route_id(transition.source, transition.on, transition.target)
        if transition.condition is not None:
            shape = encode(_shape(transition.condition))
            alike[own + shape] += 1
            own = f"{own}:condition:{_digits(f'{shape}{alike[own + shape]}')}"
        yield own, transition


def route_id(source: NodeName, on: Outcome, target: NodeName) -> str:
    """The id of a route without a condition."""
    return f"{source}:{on}:{target}"


def dependency_id(earlier: NodeName, later: NodeName) -> str:
    """The id of the edge that an `after` is."""
    return f"{earlier}:dependency:{later}"


def condition_digest(transition: Transition) -> str:
    """Twelve hex digits that tell conditions apart."""
    condition = transition.condition
    data = None if condition is None else condition_to_json(condition)
    return _digits(encode(storable(data)))


def _shape(condition: Condition) -> list[object]:
    """A condition without what is compared with."""
    match condition:
        case AllOf(conditions=parts):
            return ["all", *map(_shape, parts)]
        case AnyOf(conditions=parts):
            return ["any", *map(_shape, parts)]
        case Not(condition=inner):
            return ["not", _shape(inner)]
        case Compare(path=path, operator=operator):
            return [operator, *path]
    assert_never(condition)


def _digits(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def derived_entry_steps(
    steps: Sequence[Node], transitions: Iterable[Transition]
) -> tuple[NodeName, ...]:
    """
    Where a run begins.

    With dependencies: every node without any.  With routes: the first node
    that no route leads to, or the first of all if loops lead back to each.
    """
    if any(node.after for node in steps):
        return tuple(node.name for node in steps if not node.after)
    targets = {transition.target for transition in transitions}
    roots = [node.name for node in steps if node.name not in targets]
    return tuple((roots or [node.name for node in steps])[:1])


def dependency_cycle(spec: Spec) -> tuple[NodeName, ...]:
    """
    The nodes of a cycle in `after`, in order; empty if there is none.

    A node that waits for itself is not meant: that is a problem of its own.
    """
    return _cycle(
        {node.name: [name for name in node.after if name != node.name] for node in spec.steps}
    )


def unbounded_cycle(spec: Spec) -> tuple[NodeName, ...]:
    """The nodes of a loop of routes that no `max_visits` ends; empty if there is none."""
    endless = [node.name for node in spec.steps if getattr(node, "max_visits", None) is None]
    before: dict[NodeName, list[NodeName]] = {name: [] for name in endless}
    for transition in spec.transitions:
        if transition.source in before and transition.target in before:
            before[transition.target].append(transition.source)
    return _cycle(before)


def reachable(spec: Spec) -> set[NodeName]:
    """The nodes that some sequence of routes leads to from the entry."""
    return _after(spec, spec.entry_steps)


def _after(spec: Spec, begin: Iterable[NodeName]) -> set[NodeName]:
    """These nodes, and all that some sequence of routes leads to from them."""
    following: dict[NodeName, list[NodeName]] = {node.name: [] for node in spec.steps}
    for transition in spec.transitions:
        following.get(transition.source, []).append(transition.target)
    seen = set(begin)
    open_ends = deque(seen)
    while open_ends:
        for target in following.get(open_ends.popleft(), ()):
            if target not in seen:
                seen.add(target)
                open_ends.append(target)
    return seen - {COMPLETE}


def most_visits(spec: Spec, node: Node) -> int | None:
    """How often a run can enter a node; null: only other nodes of its loops bound it."""
    most = 1 if spec.by_dependencies else getattr(node, "max_visits", None)
    if most is not None:
        return int(most)
    return None if node.name in _after(spec, [t.target for t in _routes_from(spec, node)]) else 1


def _routes_from(spec: Spec, node: Node) -> list[Transition]:
    return [transition for transition in spec.transitions if transition.source == node.name]


def _cycle(before: Mapping[NodeName, Iterable[NodeName]]) -> tuple[NodeName, ...]:
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib names the first node again at the end.
        found: list[NodeName] = error.args[1]
        return tuple(found[:-1])
    return ()
