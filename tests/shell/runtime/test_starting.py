"""Starting runs: what is accepted, what is refused, what is found again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

import squidmesh
from squidmesh import (
    ActionRegistry,
    ConfigError,
    Deadline,
    DefinitionError,
    IdempotencyConflict,
    Mesh,
    Now,
    PayloadError,
    Run,
    Workflow,
    manual,
    step,
)
from squidmesh_core.definition.spec import ChildrenNode, Field, ManualTrigger, Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.values import FromPath
from support.stage import EPOCH, Stage, begin, does, types
from support.workflows import chain, wait, workflow
from support.workflows import step as node


@dataclass(frozen=True)
class Placed:
    """A payload."""

    order: str
    placed_at: Now[str] = ""


def pick(order: str, placed_at: str) -> str:
    """A step."""
    return f"{order} at {placed_at}"


class Orders(Workflow, queue="orders", priority=3):
    """One step."""

    placed = manual(Placed)
    picked = step(pick)


@dataclass(frozen=True)
class Anything:
    """A payload that says nothing of its type."""

    value: object


class Loose(Workflow):
    """Anything goes in."""

    go = manual(Anything)
    rest = squidmesh.wait("1s")


SPEC = chain(node("pick"))
ID = "0193e2a0-7b3c-7d10-8f00-123456789abc"


def nothing() -> None:
    """Do nothing."""


def test_a_start_is_one_append_with_receipt_run_and_first_attempt(stage: Stage) -> None:
    """The run is there with its first attempt, or not at all."""
    mesh = stage.mesh(Orders)

    run = mesh.start(Orders.placed, Placed("A-1"))

    assert ["run_signal_received", "run_started", "attempt_scheduled"] == types(mesh, run)
    assert 1 == len(mesh.door.journal.load(run.id).records)


def test_a_start_takes_queue_and_priority_from_the_workflow_unless_told(stage: Stage) -> None:
    """The caller's word comes first."""
    mesh = stage.mesh(Orders)

    plain = mesh.start(Orders.placed, Placed("A-1"))
    told = mesh.start(Orders.placed, Placed("A-2"), queue="vip", priority=-1)

    assert ("orders", 3) == (plain.queue, plain.priority)
    assert ("vip", -1) == (told.queue, told.priority)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Orders, "a trigger such as Orders.placed, not Orders"),
        (Orders.picked, "a trigger such as Orders.placed, not Step"),
        ("placed", "a trigger such as Orders.placed, not str"),
    ],
    ids=["workflow", "step", "name"],
)
def test_what_starts_a_run_is_a_trigger(stage: Stage, given: Any, said: str) -> None:
    """Not the workflow it belongs to, nor a step or the name of one."""
    with pytest.raises(ConfigError, match=said) as caught:
        stage.mesh(Orders).start(given, Placed("A-1"))

    assert "unknown_trigger" == caught.value.code


def test_a_field_that_a_deploy_adds_with_a_default_changes_no_start(stage: Stage) -> None:
    """The same key finds the run that the code before made; another value is another start."""

    @dataclass(frozen=True)
    class Wider:
        order: str
        placed_at: Now[str] = ""
        gift: bool = False
        notes: tuple[str, ...] = ()

    class Deployed(Workflow, name=Orders.spec.workflow):
        placed = manual(Wider)
        picked = step(pick)

    run = stage.mesh(Orders).start(Orders.placed, Placed("A-1"), key="a-1")
    deployed = stage.mesh(Deployed)

    again = deployed.start(Deployed.placed, Wider("A-1"), key="a-1")
    with pytest.raises(IdempotencyConflict):
        deployed.start(Deployed.placed, Wider("A-1", gift=True), key="a-1")

    assert (run.id, True) == (again.id, again.duplicate)


def test_json_that_leaves_a_default_out_is_the_same_start(stage: Stage) -> None:
    """A contract's object always says it; a signal need not."""

    @dataclass(frozen=True)
    class Cupful:
        order: str
        cups: int = 1

    class Cups(Workflow, name="cups"):
        placed = manual(Cupful)
        poured = step(pick).takes(placed.payload.order, "now")

    mesh = stage.mesh(Cups)
    run = mesh.start(Cups.placed, Cupful("A-1"), key="a-1")
    asked = {"type": "start", "idempotency_key": "a-1", "occurred_at": EPOCH.isoformat()}

    def said(**payload: object) -> Run:
        told = {"workflow": "cups", "trigger": "placed", "input": payload}
        return mesh.apply_signal({**asked, "payload": told})

    assert (run.id, True) == (said(order="A-1").id, said(order="A-1").duplicate)
    assert said(order="A-1", cups=1).duplicate
    with pytest.raises(IdempotencyConflict):
        said(order="A-1", cups=2)


def test_clock_defaults_come_from_the_instant_of_the_start(stage: Stage) -> None:
    """`now=` decides, else the storage's clock; the machine's is never read."""
    mesh = stage.mesh(Orders)
    later = EPOCH + timedelta(days=3)

    by_clock = mesh.inspect(mesh.start(Orders.placed, Placed("A-1")))
    by_now = mesh.inspect(mesh.start(Orders.placed, Placed("A-2"), now=later))

    assert "2026-01-01T00:00:00Z" == by_clock.input["placed_at"]
    assert "2026-01-04T00:00:00Z" == by_now.input["placed_at"]
    assert later == by_now.run.created_at


def test_the_same_key_finds_the_run_whatever_happened_since(stage: Stage) -> None:
    """A repeated start is a success that writes nothing, even after the end, from anywhere."""
    mesh = stage.mesh(Orders)
    first = mesh.start(Orders.placed, Placed("A-1"), key="order:1")
    assert 1 == mesh.drain()
    written = types(mesh, first)
    stage.clock.advance(5)

    again = stage.mesh(Orders).start(Orders.placed, Placed("A-1"), key="order:1")

    assert (first.id, True, "completed") == (again.id, again.duplicate, again.status)
    assert written == types(mesh, first)
    assert not first.duplicate


def test_the_same_run_id_finds_the_run(stage: Stage) -> None:
    """A caller's own id is an idempotency key too."""
    mesh = stage.mesh(Orders)

    first = mesh.start(Orders.placed, Placed("A-1"), run_id=ID)
    again = mesh.start(Orders.placed, Placed("A-1"), run_id=ID)

    assert (ID, False) == (first.id, first.duplicate)
    assert (ID, True) == (again.id, again.duplicate)


@pytest.mark.parametrize("options", [{"key": "order:1"}, {"run_id": ID}])
def test_a_key_of_another_payload_is_a_conflict(stage: Stage, options: Any) -> None:
    """Nothing is written, and the error names the run."""
    mesh = stage.mesh(Orders)
    first = mesh.start(Orders.placed, Placed("A-1"), **options)
    written = types(mesh, first)

    with pytest.raises(IdempotencyConflict) as caught:
        mesh.start(Orders.placed, Placed("A-2"), **options)

    assert ("idempotency_conflict", first.id) == (
        caught.value.code,
        caught.value.details["run_id"],
    )
    assert written == types(mesh, first)


def test_a_start_for_later_is_not_claimable_before(stage: Stage) -> None:
    """`at=` is the first instant, not the first after it."""
    mesh = stage.mesh()
    at = EPOCH + timedelta(hours=1)
    mesh.start_spec(SPEC, "placed", {}, actions=does(pick=nothing), at=at)

    assert mesh.claim(owner="ana", now=at - timedelta(microseconds=1)) is None
    assert mesh.claim(owner="ana", now=at) is not None


def test_an_instant_of_any_zone_is_the_same_instant(stage: Stage) -> None:
    """What is stored is UTC."""
    zone = timezone(timedelta(hours=-7))
    mesh = stage.mesh()
    at = (EPOCH + timedelta(hours=1)).astimezone(zone)

    run = mesh.start_spec(SPEC, "placed", {}, actions=does(pick=nothing), at=at)

    assert EPOCH + timedelta(hours=1) == mesh.inspect(run).next_visible_at


WRONG: list[tuple[str, object]] = [
    ("key", ""),
    ("key", "x" * 256),
    ("key", 5),
    ("key", "a\0b"),
    ("key", "\ud800"),
    ("run_id", "not a uuid"),
    ("run_id", ID.upper()),
    ("run_id", 7),
    ("at", datetime(2026, 1, 1)),  # noqa: DTZ001  # the mistake under test
    ("at", "tomorrow"),
    ("at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    ("at", datetime(9700, 1, 1, tzinfo=UTC)),
    ("now", datetime(2026, 1, 1)),  # noqa: DTZ001  # the mistake under test
    ("now", datetime(1969, 12, 31, tzinfo=UTC)),
    ("queue", ""),
    ("queue", "no spaces"),
    ("queue", 3),
    ("priority", 1.5),
    ("priority", True),
    ("priority", 2**53),
    ("tags", "one"),
    ("tags", None),
    ("tags", [1]),
    ("tags", [""]),
    ("tags", ["\ud800"]),
    ("partition_key", 5),
    ("by", object()),
    ("by", float("nan")),
    ("note", 5),
    ("note", "a\0b"),
    ("metadata", {"a": object()}),
    ("metadata", [1]),
    ("metadata", {1: 2}),
]


@pytest.mark.parametrize(("option", "value"), WRONG)
def test_a_wrong_option_is_refused_by_name_and_writes_nothing(
    stage: Stage, option: str, value: object
) -> None:
    """Never with its value: it may be a secret."""
    mesh = stage.mesh(Orders)
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        mesh.start(Orders.placed, Placed("A-1"), **options)

    assert ("invalid_option", option) == (caught.value.code, caught.value.details["option"])
    assert () == mesh.runs().items
    assert mesh.door.journal.definition(Orders.spec.fingerprint) is None


def test_time_limits_count_from_any_instant_that_is_taken(stage: Stage) -> None:
    """A hundred years from the last one on, and as many until it is escalated."""
    century = "36600d"

    class Patient(Workflow, timeout=century):
        go = manual()
        rest = squidmesh.wait("366d")
        late = step(nothing, deadline=Deadline(century, escalate_after=century))
        late.then(rest)

    mesh = stage.mesh(Patient)
    last = datetime(9699, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    run = mesh.start(Patient.go, at=last)

    assert last == mesh.inspect(run).next_visible_at


def test_an_unknown_option_is_refused(stage: Stage) -> None:
    """Nothing is dropped in silence."""
    mesh = stage.mesh(Orders)
    options: dict[str, Any] = {"qeue": "vip"}

    with pytest.raises(ConfigError, match="qeue is wrong: there is no such option"):
        mesh.start(Orders.placed, Placed("A-1"), **options)


def test_key_and_run_id_together_are_refused(stage: Stage) -> None:
    """A keyed start derives its id."""
    with pytest.raises(ConfigError, match="key or run_id"):
        stage.mesh(Orders).start(Orders.placed, Placed("A-1"), key="k", run_id=ID)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "order"),
        ({"order": 5}, "order"),
        ({"order": "a\0b"}, "order"),
        ({"order": "\ud800"}, "order"),
        ({"order": "A", "colour": "red"}, "colour"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_with_its_field(
    stage: Stage, payload: dict[str, object], field: str
) -> None:
    """Nothing is written."""
    mesh = stage.mesh(Orders)
    actions = ActionRegistry()
    actions.add_workflow(Orders)

    with pytest.raises(PayloadError) as caught:
        mesh.start_spec(Orders.spec, "placed", payload, actions=actions)

    problems = caught.value.details["problems"]
    assert "invalid_payload" == caught.value.code
    assert isinstance(problems, list)
    assert [field] == [problem["path"][0] for problem in problems]
    assert () == mesh.runs().items


def test_a_payload_that_holds_itself_is_refused(stage: Stage) -> None:
    """An object of the contract like anything else; it was a RecursionError."""
    inside: list[object] = []
    inside.append(inside)
    mesh = stage.mesh(Loose)

    with pytest.raises(PayloadError, match="nested at most 64 levels"):
        mesh.start(Loose.go, Anything(inside))

    assert () == mesh.runs().items


def test_a_payload_that_is_no_object_is_refused(stage: Stage) -> None:
    """A list is not a payload."""
    payload: Any = ["A-1"]

    with pytest.raises(PayloadError, match="an object with fields, not list"):
        stage.mesh().start_spec(SPEC, "placed", payload, actions=does(pick=nothing))


def test_json_is_no_spec_yet(stage: Stage) -> None:
    """Who loaded one from a file is told what reads it."""
    data: Any = SPEC.to_dict()

    with pytest.raises(ConfigError, match=r"Spec\.from_dict\(data\) makes"):
        stage.mesh().start_spec(data, "placed", {}, actions=does(pick=nothing))


def test_a_first_step_without_its_input_is_the_caller_s_mistake(stage: Stage) -> None:
    """`missing_input_path` refuses the start; there is no run that failed at once."""
    spec = evolve(
        chain(node("pick", input={"id": FromPath(path=("order", "id"))})),
        triggers=(
            ManualTrigger(name="placed", payload=(Field(name="order", type="map", required=True),)),
        ),
    )
    mesh = stage.mesh()

    with pytest.raises(PayloadError) as caught:
        mesh.start_spec(spec, "placed", {"order": {}}, actions=does(pick=lambda id: id))

    assert ("missing_input_path", "pick") == (caught.value.code, caught.value.details["node"])
    assert () == mesh.runs().items


def test_an_unknown_trigger_is_refused_and_the_known_are_named(stage: Stage) -> None:
    """Of a spec the trigger is named by text."""
    with pytest.raises(ConfigError, match="it has: placed") as caught:
        stage.mesh().start_spec(SPEC, "plcaed", {}, actions=does(pick=nothing))

    assert "unknown_trigger" == caught.value.code


def test_a_workflow_that_is_not_registered_cannot_be_started(stage: Stage) -> None:
    """The known ones are named."""
    with pytest.raises(ConfigError) as caught:
        stage.mesh(SPEC).start(Orders.placed, Placed("A-1"))

    assert "unknown_workflow" == caught.value.code
    assert "orders" in caught.value.message


@pytest.mark.parametrize(
    ("enabled", "name", "code"),
    [(False, "pick", "disabled_action_key"), (True, "pack", "unknown_action_key")],
)
def test_a_spec_may_name_allowed_actions_only(
    stage: Stage, enabled: bool, name: str, code: str
) -> None:
    """The registry is an allowlist; what it lacks or withdraws refuses the start."""
    actions = ActionRegistry()
    actions.add(f"do.{name}", nothing, enabled=enabled)

    with pytest.raises(DefinitionError) as caught:
        stage.mesh().start_spec(SPEC, "placed", {}, actions=actions)

    assert code == caught.value.code


CHILDREN = ChildrenNode(
    name=NodeName("each"),
    workflow="orders",
    trigger="placed",
    over=FromPath(path=("items",)),
    key="id",
)


@pytest.mark.parametrize(("spec", "feature"), [(workflow(CHILDREN), "children nodes")])
def test_what_this_release_cannot_run_is_refused_loudly(
    stage: Stage, spec: Spec, feature: str
) -> None:
    """At registration and at the start; nothing of a definition is quietly ignored."""
    for attempt in (
        lambda: stage.mesh(spec),
        lambda: begin(stage.mesh(), spec, pick=nothing),
    ):
        with pytest.raises(DefinitionError, match=feature) as caught:
            attempt()
        assert "unsupported_feature" in {p.code for p in caught.value.problems}  # type: ignore[attr-defined]  # `Problem` records


def test_one_name_for_two_workflows_is_refused(stage: Stage) -> None:
    """The same one twice is fine."""
    stage.mesh(Orders, Orders)

    with pytest.raises(ConfigError) as caught:
        stage.mesh(SPEC, chain(node("pick"), wait("rest", 5)))

    assert "duplicate_workflow" == caught.value.code


def test_one_key_for_two_functions_is_refused(stage: Stage) -> None:
    """Whether a class or a registry brings them."""
    actions = ActionRegistry()
    actions.add(Orders.spec.steps[0].action or "", nothing)  # type: ignore[union-attr]  # a step

    with pytest.raises(ConfigError) as caught:
        stage.mesh(Orders, actions=actions)

    assert "duplicate_action" == caught.value.code


def test_what_is_no_workflow_is_refused(stage: Stage) -> None:
    """Say what is expected."""
    wrong: Any = "Orders"

    with pytest.raises(ConfigError, match="takes workflow classes, specs and modules"):
        stage.mesh(wrong)


@pytest.mark.parametrize(
    ("alone", "name"), [(Orders, "Orders"), ("shop.Orders", "str"), (None, "NoneType")]
)
def test_workflows_are_given_as_a_list(alone: Any, name: str) -> None:
    """One alone is none, nor is its name."""
    with pytest.raises(ConfigError, match=f"takes a list, such as \\[Orders\\], not {name} alone"):
        Mesh.open("memory://", workflows=alone)


def test_the_definition_is_stored_before_the_run_that_names_it(stage: Stage) -> None:
    """Another process needs no code to read the run."""
    run = stage.mesh(Orders).start(Orders.placed, Placed("A-1"))

    elsewhere: Mesh = stage.mesh()

    assert Orders.spec == elsewhere.inspect(run).spec
    assert ("picked",) == elsewhere.inspect(run).waiting_on
