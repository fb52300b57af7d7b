"""Small workflows: a few written in one line, and strategies for random ones."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal, assert_never

from attrs import evolve
from hypothesis import strategies as st

from squidmesh_core.definition.graph import derived_entry_steps
from squidmesh_core.definition.spec import (
    COMPLETE,
    ApprovalNode,
    Field,
    LogNode,
    ManualTrigger,
    Node,
    Outcome,
    PauseNode,
    ReceiveNode,
    RecoveryMarker,
    Spec,
    StepNode,
    Transition,
    WaitNode,
)
from squidmesh_core.ids import NodeName
from squidmesh_core.values import (
    Binding,
    Compare,
    Condition,
    Constant,
    DeadlinePolicy,
    Exponential,
    FromPath,
    RetryPolicy,
)


def step(
    name: str,
    *,
    after: tuple[str, ...] = (),
    input: Mapping[str, Binding] | None = None,
    output: str | None = None,
    retry: RetryPolicy | None = None,
    deadline: DeadlinePolicy | None = None,
    queue: str | None = None,
    priority: int | None = None,
    max_visits: int | None = None,
    max_deliveries: int | None = None,
    compensate: bool = False,
    compensate_retry: RetryPolicy | None = None,
    irreversible: bool = False,
    compensatable: bool = True,
) -> StepNode:
    """A step whose action is `do.<name>`, and its callback, if it has one, `undo.<name>`."""
    return StepNode(
        name=NodeName(name),
        action=f"do.{name}",
        after=tuple(map(NodeName, after)),
        input=input,
        output=output,
        retry=retry,
        deadline=deadline,
        queue=queue,
        priority=priority,
        max_visits=max_visits,
        max_deliveries=max_deliveries,
        compensate=f"undo.{name}" if compensate else None,
        compensate_retry=compensate_retry,
        irreversible=irreversible,
        compensatable=compensatable,
    )


def wait(name: str, milliseconds: int, *, after: tuple[str, ...] = ()) -> WaitNode:
    """A wait."""
    return WaitNode(
        name=NodeName(name), duration_ms=milliseconds, after=tuple(map(NodeName, after))
    )


def log(name: str, *, after: tuple[str, ...] = ()) -> LogNode:
    """A log line."""
    return LogNode(name=NodeName(name), message=f"at {name}", after=tuple(map(NodeName, after)))


def pause(
    name: str,
    *,
    after: tuple[str, ...] = (),
    output: str | None = None,
    deadline: DeadlinePolicy | None = None,
    timeout_ms: int | None = None,
    max_visits: int | None = None,
) -> PauseNode:
    """A gate at which a person says go on."""
    return PauseNode(
        name=NodeName(name),
        question=f"{name}?",
        after=tuple(map(NodeName, after)),
        output=output,
        deadline=deadline,
        timeout_ms=timeout_ms,
        max_visits=max_visits,
    )


def approval(
    name: str,
    *,
    form: tuple[Field, ...] | None = None,
    after: tuple[str, ...] = (),
    output: str | None = None,
    deadline: DeadlinePolicy | None = None,
    timeout_ms: int | None = None,
    max_visits: int | None = None,
) -> ApprovalNode:
    """A gate at which a person says yes or no."""
    return ApprovalNode(
        name=NodeName(name),
        question=f"{name}?",
        form=form,
        after=tuple(map(NodeName, after)),
        output=output,
        deadline=deadline,
        timeout_ms=timeout_ms,
        max_visits=max_visits,
    )


def receive(
    name: str,
    *,
    message: tuple[Field, ...] = (),
    correlation: Binding | None = None,
    after: tuple[str, ...] = (),
    output: str | None = None,
    deadline: DeadlinePolicy | None = None,
    timeout_ms: int | None = None,
    max_visits: int | None = None,
) -> ReceiveNode:
    """A node that waits for a message."""
    return ReceiveNode(
        name=NodeName(name),
        message=message,
        correlation=correlation,
        after=tuple(map(NodeName, after)),
        output=output,
        deadline=deadline,
        timeout_ms=timeout_ms,
        max_visits=max_visits,
    )


def route(
    source: str,
    target: str,
    *,
    on: Outcome = "ok",
    when: Condition | None = None,
    recovery: RecoveryMarker | None = None,
) -> Transition:
    """A route; the target `complete` ends the strand."""
    return Transition(
        source=NodeName(source),
        on=on,
        target=NodeName(target),
        condition=when,
        recovery=recovery,
    )


def workflow(
    *nodes: Node, routes: tuple[Transition, ...] = (), timeout_ms: int | None = None
) -> Spec:
    """A workflow of these nodes, by routes or by dependencies."""
    return Spec(
        workflow="orders",
        version="v1",
        triggers=(ManualTrigger(name="placed"),),
        steps=nodes,
        transitions=routes,
        entry_steps=derived_entry_steps(nodes, routes),
        timeout_ms=timeout_ms,
    )


def chain(*nodes: Node) -> Spec:
    """One node after the other, by routes."""
    return workflow(*nodes, routes=tuple(route(a.name, b.name) for a, b in pairwise(nodes)))


def diamond() -> Spec:
    """`pick`, then `pack` and `bill` side by side, then `ship`; each gives its name out."""
    return workflow(
        step("pick", output="pick"),
        step("pack", after=("pick",), output="pack"),
        step("bill", after=("pick",), output="bill"),
        step("ship", after=("pack", "bill"), output="ship"),
    )


# --- random ones

#: How a random step can be undone.
Recovery = Literal["automatic", "irreversible", "undo", "undo once"]
#: What random approvals ask, and random messages hold.
FORM = (Field(name="sure", type="boolean"),)
MESSAGE = (Field(name="n", type="integer", required=False),)


def workflows() -> st.SearchStrategy[Spec]:
    """Workflows by routes and by dependencies, small enough that their steps meet."""
    return st.one_of(route_workflows(), dependency_workflows())


@st.composite
def route_workflows(draw: st.DrawFn) -> Spec:
    """
    Up to four nodes with conditions, error routes, loops and ways that lead nowhere.

    Only nodes with `max_visits` lead back, so that every loop ends; the routes of
    gates carry no conditions.
    """
    names = ("a", "b", "c", "d")[: draw(st.integers(2, 4))]
    nodes: list[Node] = [draw(_steps(names[0], names, first=True))]
    nodes += [draw(_nodes(name, names)) for name in names[1:]]
    routes: list[Transition] = []
    for index, node in enumerate(nodes):
        bounded = getattr(node, "max_visits", None) is not None
        targets = st.sampled_from([*(names if bounded else names[index + 1 :]), COMPLETE])
        if not isinstance(node, PauseNode | ApprovalNode) and draw(st.booleans()):
            condition = _is_one(draw(st.sampled_from(names)))
            routes.append(route(node.name, draw(targets), when=condition))
        if draw(st.integers(0, 3)):
            routes.append(route(node.name, draw(targets)))
        if not isinstance(node, WaitNode | LogNode) and draw(st.integers(0, 2)):
            routes.append(route(node.name, draw(targets), on="error", recovery="undo"))
        if getattr(node, "timeout_ms", None) is not None and draw(st.booleans()):
            routes.append(route(node.name, draw(targets), on="timeout"))
    return Spec(
        workflow="orders",
        triggers=(ManualTrigger(name="placed"),),
        steps=tuple(nodes),
        transitions=tuple(routes),
        entry_steps=(nodes[0].name,),
        timeout_ms=draw(run_timeouts),
    )


@st.composite
def dependency_workflows(draw: st.DrawFn) -> Spec:
    """Two to five nodes, each after some of those before it."""
    names = ("a", "b", "c", "d", "e")[: draw(st.integers(2, 5))]
    nodes: list[Node] = []
    for index, name in enumerate(names):
        earlier = names[:index]
        least = 1 if index == len(names) - 1 else 0
        after: tuple[str, ...] = ()
        if earlier:
            chosen = draw(st.sets(st.sampled_from(earlier), min_size=least, max_size=2))
            after = tuple(sorted(chosen))
        nodes.append(draw(_nodes(name, earlier, after=after, first=not after)))
    return workflow(*nodes, timeout_ms=draw(run_timeouts))


def _is_one(name: str) -> Compare:
    return Compare(path=(name,), operator="equals", operand=1)


def _nodes(
    name: str, names: tuple[str, ...], *, after: tuple[str, ...] = (), first: bool = False
) -> st.SearchStrategy[Node]:
    steps = _steps(name, names, after=after, first=first)
    others = st.sampled_from([log(name, after=after), wait(name, 30_000, after=after)])
    waiting = _waiting(name, names, after=after, first=first)
    return st.one_of(*[steps] * 6, others, waiting)  # which counts as three


def _waiting(
    name: str, names: tuple[str, ...], *, after: tuple[str, ...] = (), first: bool = False
) -> st.SearchStrategy[Node]:
    """Nodes that wait for somebody outside; some can be found by what is no text, or not there."""
    common = {
        "after": st.just(after),
        "output": st.sampled_from([None, name]),
        "timeout_ms": st.sampled_from([None, 30_000]),
        "max_visits": st.sampled_from([None, 1, 2]),
    }
    paths = [("amount",)] if first else [("amount",), *((other,) for other in names)]
    correlations = st.sampled_from([None, Constant(value=True), *(FromPath(path=p) for p in paths)])
    return st.one_of(
        st.builds(pause, st.just(name), **common),
        st.builds(approval, st.just(name), form=st.sampled_from([None, FORM]), **common),
        st.builds(
            receive, st.just(name), message=st.just(MESSAGE), correlation=correlations, **common
        ),
    )


def _steps(
    name: str, names: tuple[str, ...], *, after: tuple[str, ...] = (), first: bool = False
) -> st.SearchStrategy[StepNode]:
    paths = [("amount",)] if first else [("amount",), *((other,) for other in names)]
    plain = st.builds(
        step,
        st.just(name),
        after=st.just(after),
        input=st.none() | st.sampled_from([{"x": FromPath(path=path)} for path in paths]),
        output=st.sampled_from([None, name, name]),
        retry=st.one_of(st.none(), retry_policies, retry_policies),
        priority=st.sampled_from([None, -1]),
        max_visits=st.sampled_from([2, 3]),
        max_deliveries=st.sampled_from([None, 1, 2]),
    )
    return st.builds(_recovering, plain, recoveries)


def _recovering(node: StepNode, how: Recovery) -> StepNode:
    match how:
        case "automatic":
            return node
        case "irreversible":
            return evolve(node, irreversible=True)
        case "undo":
            return evolve(node, compensate=f"undo.{node.name}")
        case "undo once":
            once = RetryPolicy(max_attempts=1)
            return evolve(node, compensate=f"undo.{node.name}", compensate_retry=once)
    assert_never(how)


retry_policies: st.SearchStrategy[RetryPolicy] = st.builds(
    RetryPolicy,
    max_attempts=st.sampled_from([2, 3, 1]),
    backoff=st.sampled_from([Exponential(min_ms=20_000, max_ms=30_000), None]),
    jitter=st.booleans(),
)
recoveries: st.SearchStrategy[Recovery] = st.sampled_from(
    ["automatic", "automatic", "automatic", "irreversible", "undo", "undo once"]
)
#: Most runs may take their time.
run_timeouts: st.SearchStrategy[int | None] = st.sampled_from([None, None, None, 600_000])
