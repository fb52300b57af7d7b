"""Transitions, dependencies, loops and reachability."""

from collections.abc import Iterator

from squidmesh_core.definition import graph
from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.spec import (
    COMPLETE,
    ApprovalNode,
    LogNode,
    Node,
    Outcome,
    PauseNode,
    ReceiveNode,
    Spec,
    Transition,
    WaitNode,
)
from squidmesh_core.ids import NodeName


def problems(spec: Spec) -> Iterator[Problem]:
    """What is wrong with the order of the nodes."""
    yield from _dependency_problems(spec)
    yield from _transition_problems(spec)
    if spec.by_dependencies:
        if spec.transitions:
            yield Problem(
                path=("transitions",),
                code="dependency_transitions",
                message="a workflow has routes, or nodes with after; this one has both",
            )
    else:
        yield from _loop_problems(spec)
        for i, node in enumerate(spec.steps):
            yield from _route_problems(spec, i, node)
    yield from _entry_problems(spec)


def _dependency_problems(spec: Spec) -> Iterator[Problem]:
    for i, node in enumerate(spec.steps):
        for j, earlier in enumerate(node.after):
            if earlier == node.name:
                yield Problem(
                    path=("steps", i, "after", j),
                    code="self_step_dependency",
                    message=f"{node.name!r} waits for itself",
                )
            elif earlier not in spec.nodes:
                yield Problem(
                    path=("steps", i, "after", j),
                    code="unknown_step_dependency",
                    message=f"there is no node named {earlier!r}",
                )
    if cycle := graph.dependency_cycle(spec):
        yield Problem(
            path=("steps",),
            code="dependency_cycle",
            message=f"these wait for each other: {_shown(cycle)}",
        )


def _transition_problems(spec: Spec) -> Iterator[Problem]:
    seen: set[tuple[NodeName, Outcome, str | None]] = set()
    for i, route in enumerate(spec.transitions):
        digest = None if route.condition is None else graph.condition_digest(route)
        key = (route.source, route.on, digest)
        if key in seen:
            yield Problem(
                path=("transitions", i),
                code="duplicate_transition",
                message=f"{route.source!r} already has this route on {route.on}",
                hint="One route per outcome may be without a condition; conditions must differ.",
            )
        seen.add(key)
        if route.source not in spec.nodes:
            yield _unknown("source", ("transitions", i, "from"), route.source)
        else:
            yield from _outcome_problems(i, route, spec.nodes[route.source])
        if route.target not in spec.nodes and route.target != COMPLETE:
            yield _unknown("target", ("transitions", i, "to"), route.target)
        if route.recovery and route.on != "error":
            yield Problem(
                path=("transitions", i, "recovery"),
                code="invalid_transition_recovery",
                message="only a route on error can be a recovery",
            )


def _unknown(end: str, path: tuple[str | int, ...], name: str) -> Problem:
    return Problem(
        path=path,
        code=f"unknown_transition_{end}",
        message=f"there is no node named {name!r}",
    )


def _outcome_problems(i: int, route: Transition, node: Node) -> Iterator[Problem]:
    never = ""
    if route.on == "error" and isinstance(node, WaitNode | LogNode):
        never = "it cannot fail"
    if route.on == "timeout":
        if not isinstance(node, PauseNode | ApprovalNode | ReceiveNode):
            never = "only pause, approval and receive have this outcome"
        elif node.timeout_ms is None:
            never = "it has no timeout_ms"
    if never:
        yield Problem(
            path=("transitions", i, "on"),
            code="invalid_transition_outcome",
            message=f"{node.name!r} never ends with {route.on}: {never}",
        )
    if route.condition and isinstance(node, PauseNode | ApprovalNode):
        yield Problem(
            path=("transitions", i, "condition"),
            code="manual_step_transition_condition",
            message=f"the route out of {node.name!r} is a person's choice",
            hint="Put the condition on the routes of the next node.",
        )


def _loop_problems(spec: Spec) -> Iterator[Problem]:
    if cycle := graph.unbounded_cycle(spec):
        yield Problem(
            path=("transitions",),
            code="transition_cycle",
            message=f"nothing ends this loop: {_shown(cycle)}",
            hint="Give one of its nodes max_visits.",
        )


def _route_problems(spec: Spec, i: int, node: Node) -> Iterator[Problem]:
    ok = spec.routes.get((node.name, "ok"), ())
    if isinstance(node, ApprovalNode) and not (ok and spec.routes.get((node.name, "error"))):
        yield Problem(
            path=("steps", i),
            code="missing_approval_transitions",
            message=f"{node.name!r} must say what follows a yes (ok) and a no (error)",
            hint=f"Write {node.name}.on_reject(…).",
        )
    if ok and all(route.condition for route in ok):
        yield Problem(
            path=("steps", i),
            code="missing_fallback",
            message=f"if no condition out of {node.name!r} holds, the run fails",
            hint="Add a route without a condition.",
            severity="warning",
        )


def _entry_problems(spec: Spec) -> Iterator[Problem]:
    for i, name in enumerate(spec.entry_steps):
        if name not in spec.nodes:
            yield Problem(
                path=("entry_steps", i),
                code="unknown_entry_step",
                message=f"there is no node named {name!r}",
            )
    derived = graph.derived_entry_steps(spec.steps, spec.transitions)
    if spec.entry_steps != derived:
        yield Problem(
            path=("entry_steps",),
            code="invalid_entry_steps",
            message=f"the graph begins at {list(derived)}, not at {list(spec.entry_steps)}",
            hint="Leave entry_steps out: it is derived.",
        )
    elif not spec.by_dependencies:
        reached = graph.reachable(spec)
        # Who wrote no route at all may have meant them side by side.
        other = "" if spec.transitions else ", or after=[…] on the nodes that need others"
        for i, node in enumerate(spec.steps):
            if node.name not in reached:
                yield Problem(
                    path=("steps", i),
                    code="unreachable_step",
                    message=f"no route leads to {node.name!r}",
                    hint=f"Write .then({node.name}) on the node before it{other}.",
                )


def _shown(cycle: tuple[NodeName, ...]) -> str:
    names = [*cycle, cycle[0]] if len(cycle) <= 8 else [*cycle[:8], NodeName("…")]
    return " → ".join(names)
