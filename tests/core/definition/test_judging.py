"""Records built by hand, actions, features not built yet, and the largest specs."""

import sys
from collections.abc import Callable
from itertools import pairwise
from types import FrameType

import pytest
from attrs import evolve

from squidmesh_core.definition.form import read_spec
from squidmesh_core.definition.reading.document import MOST_EDGES, MOST_STEPS
from squidmesh_core.definition.spec import (
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
    Spec,
    WaitNode,
)
from squidmesh_core.definition.support import unsupported
from squidmesh_core.ids import NodeName
from squidmesh_core.values import DeadlinePolicy, Exponential, FromPath, RetryPolicy
from support.specs import diamond, linear, route, step, workflow


def codes(spec: Spec) -> list[str]:
    return [problem.code for problem in spec.problems()]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (step("s1", retry=RetryPolicy(max_attempts=0)), "invalid_step_retry_max_attempts"),
        (
            step("s1", retry=RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=9, max_ms=1))),
            "invalid_step_retry_backoff",
        ),
        (step("s1", deadline=DeadlinePolicy(within_ms=5, due_soon_ms=5)), "invalid_step_deadline"),
        (step("s1", action="not an action"), "invalid_action_key"),
        (step("s1", priority="high"), "invalid_step_option"),
        (step("s1", irreversible=True), "conflicting_step_recovery_markers"),
        (WaitNode(name=NodeName("s1"), duration_ms=-1), "invalid_wait_duration"),
        (LogNode(name=NodeName("s1"), message=""), "invalid_log_message"),
        (WaitNode(name=NodeName("s:1"), duration_ms=1), "invalid_step_name"),
    ],
)
def test_records_built_by_hand_are_judged_too(node: Node, code: str) -> None:
    """Not having been read from JSON excuses nothing."""
    assert code in codes(workflow(node, transitions=[route(node.name)]))


def test_a_clock_is_no_default_of_a_number() -> None:
    """Clock defaults are texts."""
    field = Field(name="at", type="integer", default=Default(clock="now"))
    spec = evolve(linear(1), triggers=(ManualTrigger(name="placed", payload=(field,)),))

    assert "invalid_payload_default" in codes(spec)


def test_actions_are_looked_up_when_they_are_given() -> None:
    """A spec may be judged before its code is there, and against it when it is."""
    spec = linear(2, compensate="shop.undo")
    known = {"shop.s1": True, "shop.s2": False, "shop.undo": True}

    assert () == spec.problems()
    assert () == spec.problems(actions=["shop.s1", "shop.s2", "shop.undo"])
    assert [("unknown_action_key", ("steps", 1, "action"))] == [
        (p.code, p.path) for p in spec.problems(actions={"shop.s1", "shop.undo"})
    ]
    assert [("disabled_action_key", ("steps", 1, "action"))] == [
        (p.code, p.path) for p in spec.problems(actions=known)
    ]
    assert [
        (("steps", i, "compensate"), "Register it with this mesh, or correct the key.")
        for i in (0, 1)
    ] == [(p.path, p.hint) for p in spec.problems(actions={"shop.s1", "shop.s2"})]
    assert all("'shop." in p.message for p in spec.problems(actions={"shop.s1": False}))
    assert () == linear(2).problems(actions={"shop.s1", "shop.s2"})


N = NodeName("s1")


def test_what_cannot_be_run_yet_is_refused_loudly() -> None:
    """Defining it is fine; running it is refused at the member that asks for it."""
    node = ChildrenNode(name=N, workflow="w", trigger="t", over=FromPath(path=("p",)), key="id")

    found = unsupported(workflow(node, transitions=[route("s1")]))

    assert [("unsupported_feature", 111, ("steps", 0, "kind"))] == [
        (p.code, p.sm, p.path) for p in found
    ]


def test_what_runs_today_is_supported() -> None:
    """Steps, what undoes them, waits, logs, gates, messages, and time-outs of all."""
    nodes = (
        step("s1", compensate="shop.undo", timeout_ms=5),
        WaitNode(name=NodeName("s2"), duration_ms=1),
        LogNode(name=NodeName("s3"), message="x"),
        PauseNode(name=NodeName("s4"), question="?", timeout_ms=5),
        ApprovalNode(name=NodeName("s5"), question="?", form=(), timeout_ms=5),
        ReceiveNode(name=NodeName("s6"), message=(), timeout_ms=5),
    )

    assert () == unsupported(evolve(workflow(*nodes), timeout_ms=1))
    assert () == unsupported(diamond())


def test_a_schedule_that_nobody_fires_is_warned_of() -> None:
    """A run of it can be started by hand, so it is no error; but nobody else will."""
    spec = workflow(step("s1"), triggers=[CronTrigger(name="nightly", expression="@daily")])

    assert [("warning", ("triggers", 0, "type"))] == [
        (p.severity, p.path) for p in unsupported(spec)
    ]


def largest_routed() -> Spec:
    """As many steps as allowed, each with an error route that passes over the next one."""
    names = [f"s{i}" for i in range(MOST_STEPS)]
    spine = [route(a, b) for a, b in pairwise(names)]
    cuts = [route(a, b, on="error") for a, b in zip(names, names[2:], strict=False)]
    reads = {"x": FromPath(path=("s0",))}
    steps = [step(name, input=reads if i else {}) for i, name in enumerate(names)]
    return workflow(*steps, transitions=[*spine, *cuts])


def largest_dependencies() -> Spec:
    """As many dependencies as allowed, in layers."""
    width, layers = 50, MOST_EDGES // 2500
    steps = [
        step(
            f"n{layer}_{i}", after=tuple(f"n{layer - 1}_{j}" for j in range(width)) if layer else ()
        )
        for layer in range(layers + 1)
        for i in range(width)
    ]
    return workflow(*steps)


@pytest.mark.parametrize("build", [largest_routed, largest_dependencies])
def test_judging_the_largest_spec_takes_linear_work(build: Callable[[], Spec]) -> None:
    """Calls are counted, not seconds: a walk per node would make millions."""
    spec = build()
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        found = spec.problems()
    finally:
        sys.setprofile(None)

    assert {problem.code for problem in found} <= {"output_not_certain"}
    assert calls < 1_000_000


@pytest.mark.parametrize(
    ("member", "size"),
    [("steps", MOST_STEPS + 1), ("transitions", MOST_EDGES), ("triggers", 101)],
)
def test_more_than_the_limit_is_refused_before_it_is_read(member: str, size: int) -> None:
    """Limits come first: one problem, whatever else is wrong with the rest."""
    document = diamond().to_dict()
    document[member] = [{"rubbish": None}] * size

    spec, problems = read_spec(document)

    assert spec is None
    assert [("too_large", (member,))] == [(p.code, p.path) for p in problems]


def test_the_limit_itself_is_allowed() -> None:
    """A hundred ways to start are as many as there may be."""
    document = diamond().to_dict()
    document["triggers"] = [{"name": f"t{i}", "type": "manual"} for i in range(100)]
    _, problems = read_spec(document)

    assert "too_large" not in {problem.code for problem in problems}


@pytest.mark.parametrize(("size", "last"), [(8, "s0"), (9, "…")])
def test_a_long_circle_is_cut_short(size: int, last: str) -> None:
    """Eight names are shown, and then where it began, or that there are more."""
    names = [f"s{i}" for i in range(size)]
    spec = workflow(
        *(
            step(name, after=(earlier,))
            for earlier, name in zip([names[-1], *names[:-1]], names, strict=True)
        ),
    )
    [circle] = [p.message for p in spec.problems() if p.code == "dependency_cycle"]
    shown = circle.partition(": ")[2].split(" → ")

    assert 9 == len(shown)
    assert (shown[0] if last == "s0" else last) == shown[-1]


@pytest.mark.parametrize("depth", [65, 100_000])
def test_bottomless_documents_are_one_problem(depth: int) -> None:
    """Conditions inside conditions without end neither crash nor hang."""
    inner: object = {"path": ["x"], "equals": 1}
    for _ in range(depth):
        inner = {"not": inner}
    document = linear(1).to_dict()
    document["transitions"] = [{"from": "s1", "on": "ok", "to": "complete", "condition": inner}]

    spec, problems = read_spec(document)

    assert spec is None
    assert ["invalid_spec"] == [problem.code for problem in problems]
