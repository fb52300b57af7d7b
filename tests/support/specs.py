"""Workflows to test with: a few by hand, and a strategy for all valid ones."""

from collections.abc import Mapping, Sequence
from typing import Final

from hypothesis import strategies as st

from squidmesh_core.definition.graph import derived_entry_steps
from squidmesh_core.definition.spec import (
    COMPLETE,
    ApprovalNode,
    ChildrenNode,
    CronTrigger,
    Default,
    Field,
    LogNode,
    ManualTrigger,
    Node,
    PauseNode,
    ReceiveNode,
    RecoveryMarker,
    Spec,
    StepNode,
    Transition,
    Trigger,
    WaitNode,
)
from squidmesh_core.ids import NodeName
from squidmesh_core.values import (
    AllOf,
    AnyOf,
    Binding,
    Compare,
    Condition,
    Constant,
    DeadlinePolicy,
    Exponential,
    FromPath,
    Not,
    ObjectOf,
    OptionalPath,
    RetryPolicy,
)

#: Every workflow below is started with this payload.
ORDER_ID: Final = Field(name="order_id", type="string")
PAYLOAD: Final = (ORDER_ID, Field(name="total", type="integer", required=False))
PLACED: Final = ManualTrigger(name="placed", payload=PAYLOAD)


def step(name: str, **options: object) -> StepNode:
    """A step that reads the order id and is performed by `shop.<name>`."""
    members: dict[str, object] = {
        "name": NodeName(name),
        "action": f"shop.{name}",
        "input": {"order_id": FromPath(path=("order_id",))},
        "output": name,
    }
    return StepNode(**(members | options))  # type: ignore[arg-type]  # options of StepNode, whichever a test wants


def route(
    source: str, target: str = "complete", *, on: str = "ok", condition: Condition | None = None
) -> Transition:
    """A route from one node to another, or to the end."""
    return Transition(
        source=NodeName(source),
        on=on,  # type: ignore[arg-type]  # a test writes ok, error or timeout
        target=NodeName(target),
        condition=condition,
    )


def workflow(
    *steps: Node,
    transitions: Sequence[Transition] = (),
    triggers: Sequence[Trigger] = (PLACED,),
    name: str = "shop.Orders",
) -> Spec:
    """A spec of these nodes and routes, begun where the graph begins."""
    return Spec(
        workflow=name,
        triggers=tuple(triggers),
        steps=steps,
        transitions=tuple(transitions),
        entry_steps=derived_entry_steps(steps, transitions),
    )


def linear(n: int, **options: object) -> Spec:
    """`s1` to `s<n>` one after the other; the options are those of every step."""
    names = [f"s{i}" for i in range(1, n + 1)]
    return workflow(
        *(step(name, **options) for name in names),
        transitions=[route(a, b) for a, b in zip(names, [*names[1:], COMPLETE], strict=True)],
        name=f"shop.Linear{n}",
    )


def diamond() -> Spec:
    """A dependency workflow: `top`, then `left` and `right`, then `bottom`."""
    return workflow(
        step("top"),
        step("left", after=("top",)),
        step("right", after=("top",)),
        step("bottom", after=("left", "right")),
        name="shop.Diamond",
    )


# -- strategies --

names = st.text("abcdefghij_", min_size=1, max_size=6).filter(lambda name: name != "complete")
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
)
#: What JSON can hold and the core can store, tuples and odd keys left out.
json_values: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.sampled_from(["$int", "$map"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def _valid_field(name: str) -> st.SearchStrategy[Field]:
    plain = st.builds(
        Field,
        name=st.just(name),
        type=st.sampled_from(["string", "integer", "float", "boolean", "map", "list", "any"]),
        required=st.booleans(),
        nullable=st.booleans(),
    )
    clock = st.builds(
        Field,
        name=st.just(name),
        type=st.just("string"),
        required=st.just(False),
        default=st.builds(Default, clock=st.sampled_from(["now", "today"])),
    )
    chosen = st.builds(
        Field,
        name=st.just(name),
        type=st.just("integer"),
        required=st.just(False),
        default=st.builds(Default, value=st.sampled_from([1, 2])),
        choices=st.just((1, 2)),
    )
    constant = st.builds(
        Field,
        name=st.just(name),
        type=st.just("any"),
        required=st.just(False),
        default=st.builds(Default, value=json_values),
    )
    return plain | clock | chosen | constant


def _fields(prefix: str) -> st.SearchStrategy[tuple[Field, ...]]:
    return st.integers(0, 3).flatmap(
        lambda n: st.tuples(*(_valid_field(f"{prefix}{i}") for i in range(n)))
    )


def _triggers_of(payload: tuple[Field, ...]) -> st.SearchStrategy[tuple[Trigger, ...]]:
    manual = ManualTrigger(name="by_hand", payload=payload)
    cron = st.builds(
        CronTrigger,
        name=st.just("nightly"),
        expression=st.sampled_from(["0 6 * * *", "*/5 * * * *", "@daily"]),
        timezone=st.sampled_from(["UTC", "Europe/Lisbon"]),
        idempotency=st.sampled_from([None, "return_existing_run", "skip_duplicate"]),
        payload=st.just(payload),
    )
    return st.just((manual,)) | st.tuples(cron, st.just(manual))


#: A list of items first, then fields of any kind.
_triggers = _fields("p_").flatmap(
    lambda fields: _triggers_of((Field(name="items", type="list"), *fields))
)
_retries = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 9),
    backoff=st.none() | st.builds(Exponential, min_ms=st.just(10), max_ms=st.integers(10, 99)),
    jitter=st.booleans(),
    retry_on=st.sampled_from([(), ("builtins.OSError",)]),
)
_deadlines = st.builds(
    DeadlinePolicy,
    within_ms=st.integers(100, 900),
    due_soon_ms=st.none() | st.integers(0, 99),
    escalate_after_ms=st.none() | st.integers(0, 99),
    escalation=st.sampled_from(["diagnostic", "operator_action"]),
    target=st.none() | st.just("ops"),
)
_MARKERS: Final[tuple[RecoveryMarker | None, ...]] = (None, "compensation", "undo")
_counts = st.none() | st.integers(1, 50)


def _bindings(sure: Sequence[str], known: Sequence[str]) -> st.SearchStrategy[Binding]:
    kinds: list[st.SearchStrategy[Binding]] = [st.builds(Constant, value=json_values)]
    if sure:
        path = st.sampled_from(sure).map(lambda name: (name,))
        kinds += [
            st.builds(FromPath, path=path),
            st.builds(ObjectOf, fields=st.dictionaries(names, path, min_size=1, max_size=2)),
        ]
    if known:
        path = st.sampled_from(known).map(lambda name: (name,))
        kinds.append(st.builds(OptionalPath, path=path, default=json_values))
    return st.one_of(kinds)


def conditions(known: Sequence[str]) -> st.SearchStrategy[Condition]:
    """Conditions of any shape on these context keys."""
    path = st.sampled_from(known).map(lambda name: (name,))
    equal = st.builds(
        Compare,
        path=path,
        operator=st.sampled_from(["equals", "not_equals"]),
        operand=json_values,
    )
    order = st.builds(
        Compare,
        path=path,
        operator=st.sampled_from(["less_than", "at_least"]),
        operand=st.integers(-9, 9),
    )
    missing = st.builds(Compare, path=path, operator=st.just("is_missing"), operand=st.booleans())
    return st.recursive(
        equal | order | missing,
        lambda inner: (
            st.builds(AllOf, conditions=st.tuples(inner, inner))
            | st.builds(AnyOf, conditions=st.tuples(inner))
            | st.builds(Not, condition=inner)
        ),
        max_leaves=4,
    )


def _steps(
    name: str, after: tuple[NodeName, ...], bindings: st.SearchStrategy[Binding]
) -> st.SearchStrategy[StepNode]:
    undo: st.SearchStrategy[dict[str, object]] = st.sampled_from(
        [
            {},
            {"irreversible": True, "compensatable": False},
            {"compensatable": False},
            {"compensate": "shop.undo"},
            {"compensate": "shop.undo", "compensate_retry": RetryPolicy(max_attempts=2)},
        ]
    )

    def built(recovery: Mapping[str, object]) -> st.SearchStrategy[StepNode]:
        return st.builds(
            StepNode,
            name=st.just(NodeName(name)),
            after=st.just(after),
            action=st.just(f"shop.{name}"),
            input=st.none() | st.dictionaries(names, bindings, max_size=3),
            output=st.just(f"o_{name}") | st.just(name),
            retry=st.none() | _retries,
            deadline=st.none() | _deadlines,
            timeout_ms=_counts,
            queue=st.none() | st.just("slow"),
            priority=st.none() | st.integers(-5, 5),
            max_visits=_counts,
            max_deliveries=_counts,
            transaction=st.booleans(),
            **{key: st.just(value) for key, value in recovery.items()},
        )

    return undo.flatmap(built)


def _others(name: str, after: tuple[NodeName, ...]) -> st.SearchStrategy[Node]:
    head = {"name": st.just(NodeName(name)), "after": st.just(after)}
    gate = {
        **head,
        "output": st.just(name),
        "deadline": st.none() | _deadlines,
        "max_visits": _counts,
    }
    question = st.just("Ready?")
    return st.one_of(
        st.builds(WaitNode, duration_ms=st.integers(1, 9), **head),
        st.builds(
            LogNode, message=st.just("hello"), level=st.sampled_from(["info", "error"]), **head
        ),
        st.builds(PauseNode, question=question, timeout_ms=_counts, **gate),
        st.builds(
            ApprovalNode,
            question=question,
            form=st.none() | _fields("f_"),
            timeout_ms=_counts,
            **gate,
        ),
        st.builds(ReceiveNode, message=_fields("m_"), timeout_ms=_counts, **gate),
        st.builds(
            ChildrenNode,
            workflow=st.just("shop.Child"),
            trigger=st.just("opened"),
            over=st.just(FromPath(path=("items",))),
            key=st.just("id"),
            join=st.sampled_from(["all", "settled", "none"]),
            **gate,
        ),
    )


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Any valid spec: routed or by dependencies, every node kind and option."""
    triggers = draw(_triggers)
    fields = triggers[0].payload
    sure = [f.name for f in fields if f.required or f.default is not None]
    known = [f.name for f in fields]
    by_dependencies = draw(st.booleans())
    steps: list[Node] = []
    for i in range(draw(st.integers(1, 5))):
        earlier = [node.name for node in steps]
        after = _some(draw, earlier) if by_dependencies and earlier else ()
        plain = _steps(f"n{i}", after, _bindings(sure, known))
        steps.append(draw(plain | _others(f"n{i}", after)))
    outputs = [key for node in steps if (key := getattr(node, "output", None))]
    routed = not any(node.after for node in steps)
    transitions = _routes(draw, steps, [*known, *outputs]) if routed else ()
    return Spec(
        workflow=draw(st.sampled_from(["shop.Orders", "Größe"])),
        version=draw(st.none() | st.just("2026-11-20")),
        queue=draw(st.none() | st.just("shop")),
        priority=draw(st.none() | st.integers(-3, 3)),
        timeout_ms=draw(st.none() | st.integers(1, 9)),
        triggers=triggers,
        steps=tuple(steps),
        transitions=transitions,
        entry_steps=derived_entry_steps(steps, transitions),
        sensitive=tuple((name,) for name in known[:1]),
    )


def _some(draw: st.DrawFn, earlier: list[NodeName]) -> tuple[NodeName, ...]:
    return tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)))


def _routes(draw: st.DrawFn, steps: list[Node], known: list[str]) -> tuple[Transition, ...]:
    """A spine through all nodes, with conditional short cuts and error routes to the end."""
    found: list[Transition] = []
    ends = [*(node.name for node in steps[1:]), COMPLETE]
    for node, follower in zip(steps, ends, strict=True):
        if known and isinstance(node, StepNode) and draw(st.booleans()):
            found.append(route(node.name, "complete", condition=draw(conditions(known))))
        found.append(route(node.name, follower))
        if isinstance(node, ApprovalNode):
            found.append(route(node.name, on="error"))
        if isinstance(node, StepNode) and draw(st.booleans()):
            marker: RecoveryMarker | None = draw(st.sampled_from(_MARKERS))
            found.append(Transition(source=node.name, on="error", target=COMPLETE, recovery=marker))
        if isinstance(node, PauseNode) and node.timeout_ms:
            found.append(route(node.name, on="timeout"))
    return tuple(found)
