"""A class body becomes a spec, wherever it stands, and says everything that is wrong at once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from squidmesh import (
    ConfigError,
    DefinitionError,
    Now,
    PayloadError,
    Problem,
    Sensitive,
    Today,
    Workflow,
    WorkflowBuilder,
    approval,
    children,
    complete,
    cron,
    log,
    manual,
    pause,
    receive,
    step,
    wait,
)
from squidmesh.authoring.triggers import payload_of
from squidmesh.authoring.workflow import compiled_form
from squidmesh_core.definition.spec import StepNode


@dataclass(frozen=True)
class Order:
    sku: str
    card: Sensitive[str] = ""


@dataclass(frozen=True)
class Risk:
    score: int
    band: str


def score(sku: str) -> Risk:
    return Risk(len(sku), "low")


def pack(sku: str) -> None: ...


def problems(error: pytest.ExceptionInfo[DefinitionError]) -> list[Problem]:
    """The problems of an error, typed."""
    return [cast("Problem", one) for one in error.value.problems]


def test_every_problem_is_reported_with_its_line() -> None:
    """Path, wiring, option and graph mistakes stand in one report, in the order of lines."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow):
            placed = manual(Order)
            order = placed.payload
            risk = step(score, retry=cast("int", "3")).takes(order.sku)
            packed = cast("Any", step)(pack).takes()
            lost = step(pack).takes(order.sku)
            risk.then(packed, when=cast("Any", risk.out).scor < 30)
            risk.then(complete)

    first = problems(caught)[0].line or 0
    assert [
        (0, "invalid_step_retry_opts"),
        (1, "missing_input"),
        (2, "unreachable_step"),
        (3, "unknown_field"),
    ] == [((p.line or 0) - first, p.code) for p in problems(caught)]
    assert {__file__} == {p.file for p in problems(caught)}
    assert ("steps", 1, "input", "sku") == problems(caught)[1].path


def test_the_report_looks_as_promised() -> None:
    """One block per problem: place, name, number, message, and the text to type."""
    with pytest.raises(DefinitionError) as caught:

        class Shipping(Workflow):
            placed = manual(Order)
            order = placed.payload
            risk = step(score)
            ship = cast("Any", step)(pack).takes()
            risk.then(ship, when=cast("Any", risk.out).scor < 30)
            risk.then(complete)

    missing, unknown = problems(caught)
    file = Path(__file__).relative_to(Path.cwd()) if _inside() else Path(__file__)
    indent = " " * (len(f"{file}:{missing.line}") + 4)
    assert [
        "Shipping has 2 problems; nothing was registered",
        "",
        f"  {file}:{missing.line}  ship  SM104  pack() has no value for 'sku'",
        f"{indent}wire it:  .takes(..., sku=order.sku)",
        f"  {file}:{unknown.line}  risk  SM121  'scor' is not a field of Risk",
        f"{indent}did you mean 'score'?   fields: score, band",
    ] == caught.value.message.splitlines()
    assert str(caught.value) == caught.value.message


def _inside() -> bool:
    return Path(__file__).is_relative_to(Path.cwd())


def test_a_workflow_may_stand_in_a_function() -> None:
    """Contracts, steps and classes of a function are seen, though annotations are texts."""

    @dataclass(frozen=True)
    class Inner:
        letters: int

    @dataclass(frozen=True)
    class Here:
        word: str
        inner: Inner

    def count(word: str, inner: Inner) -> Here:
        return Here(word, inner)

    class Local(Workflow):
        go = manual(Here)
        counted = step(count).takes(go.payload.word, go.payload.inner)
        counted.then(complete, when=counted.out.inner.letters > 3)
        counted.then(complete)

    assert f"{__name__}.test_a_workflow_may_stand_in_a_function.Local" == Local.spec.workflow
    assert Here("a", Inner(1)) == Local.go.parse({"word": "a", "inner": {"letters": 1}})


def test_steps_may_stand_in_the_class_body() -> None:
    """The names of the body are visible to the functions defined in it."""

    class Nested(Workflow):
        @dataclass(frozen=True)
        class Word:
            letters: int

        @staticmethod
        def count(sku: str) -> Word:
            return Nested.Word(len(sku))

        placed = manual(Order)
        counted = step(count).takes(placed.payload.sku)
        counted.then(complete, when=counted.out.letters > 3)
        counted.then(complete)

    (registered,) = compiled_form(Nested).registrations

    assert {"letters": 2} == registered.signature.result(Nested.count("ab"))


def test_local_outputs_need_not_be_read() -> None:
    """A local contract that no path goes into is resolved all the same."""

    @dataclass(frozen=True)
    class Inner:
        secret: Sensitive[str]

    @dataclass(frozen=True)
    class There:
        inner: Inner

    def look(sku: str) -> There:
        return There(Inner(sku))

    class Local(Workflow):
        placed = manual(Order)
        looked = step(look)

    assert (("card",), ("looked", "inner", "secret")) == Local.spec.sensitive


def test_a_cell_may_be_run_again() -> None:
    """Defining a class anew replaces it quietly, also in `__main__`."""
    cell = """
from dataclasses import dataclass
from squidmesh import Workflow, manual, step

@dataclass
class Named:
    name: str

def greet(name: str) -> str:
    return name

class Hello(Workflow):
    asked = manual(Named)
    greeted = step(greet)
"""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = compile(cell, "<cell>", "exec")

    exec(code, names)
    first = names["Hello"].spec
    exec(code, names)

    assert first == names["Hello"].spec
    assert first.workflow.endswith(".Hello")


STARTED = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from squidmesh import Mesh, Retries, Workflow, manual, step

class Busy(Exception): ...

def ship() -> None:
    raise Busy

class Flow(Workflow):
    placed = manual()
    shipped = step(ship, retry=Retries(2, on=(Busy,)))

def names(_: int) -> str:
    with Mesh.open("memory://", workflows=[Flow]) as mesh:
        run = mesh.start(Flow.placed)
        mesh.drain()
        tried = len(mesh.inspect(run, history=True).attempts)
    step = Flow.spec.steps[0]
    return f"{Flow.spec.workflow} {step.action} {step.retry.retry_on[0]} x{tried}"

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as spawned:
        print(names(0), *spawned.map(names, [1]), sep=", ")
"""


@pytest.mark.parametrize(
    ("started", "module"),
    [(["-m", "shop.flows"], "shop.flows"), (["shop/flows.py"], "flows")],
    ids=["as a module", "as a file"],
)
def test_a_module_that_is_started_has_the_name_that_it_is_imported_by(
    tmp_path: Path, started: list[str], module: str
) -> None:
    """Also in the processes that it spawns; else nobody performs there what is started here."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "flows.py").write_text(STARTED)

    run = subprocess.run(
        [sys.executable, *started], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    names = f"{module}.Flow {module}.ship {module}.Busy x2"
    assert f"{names}, {names}" == run.stdout.strip()


def test_names_come_from_the_class_body() -> None:
    """A second name changes nothing, and other attributes are ignored."""

    class Named(Workflow, name="shop.Named", priority=3, timeout="1h"):
        limit = 5
        placed = manual(Order)
        packed = step(pack)
        last = packed

    spec = Named.spec
    assert ["packed"] == [node.name for node in spec.steps]
    assert ("shop.Named", 3, 3_600_000) == (spec.workflow, spec.priority, spec.timeout_ms)
    assert ["packed"] == list(Named.nodes)
    assert "packed" == Named.last.name
    assert (("card",),) == spec.sensitive


def test_keywords_are_handed_down() -> None:
    """A class without nodes gives its keywords to those that extend it."""

    class Shop(Workflow, queue="shop", priority=1):
        pass

    class Packing(Shop, priority=2):
        placed = manual(Order)
        packed = step(pack)

    assert {} == Shop.nodes
    assert ("shop", 2) == (Packing.spec.queue, Packing.spec.priority)


def test_a_class_with_nodes_cannot_be_extended() -> None:
    """Graphs are not inherited."""

    class Packing(Workflow):
        placed = manual(Order)
        packed = step(pack)

    with pytest.raises(DefinitionError) as caught:

        class More(Packing):
            pass

    assert ("workflow_not_extensible", 110) == (caught.value.code, caught.value.sm)


def test_a_node_belongs_to_one_class() -> None:
    """Taking a node of another workflow is refused, and so is changing a finished one."""

    class Packing(Workflow):
        placed = manual(Order)
        packed = step(pack)

    with pytest.raises(DefinitionError) as taken:

        class Thief(Workflow):
            placed = manual(Order)
            packed = Packing.packed

    for change in (
        lambda: Packing.packed.then(complete),
        lambda: Packing.packed.takes(sku="a"),
        lambda: Packing.packed.undo(pack, action="x"),  # type: ignore[arg-type]  # never looked at
    ):
        with pytest.raises(DefinitionError) as changed:
            change()
        assert "workflow_not_extensible" == changed.value.code
    assert "workflow_not_extensible" == taken.value.code


@pytest.mark.parametrize("name", ["complete", "version", "spec", "nodes"])
def test_some_names_are_taken(name: str) -> None:
    """What the class itself is asked for cannot be a node."""
    builder = WorkflowBuilder("test.Reserved")
    builder.trigger("placed", manual(Order))
    builder.add(name, step(pack))

    with pytest.raises(DefinitionError) as caught:
        builder.build()

    assert "reserved_name" == caught.value.code


@pytest.mark.parametrize("name", ["café", "a b", "", "x" * 129, "a\nb", "a\0b", "\ud800", "$x"])
def test_a_name_that_is_none_is_said_alone(name: str) -> None:
    """Routes, outputs and inputs repeat it, and nothing is wrong with them."""
    builder = WorkflowBuilder("test.Named")
    builder.trigger("placed", manual(Order))
    node = builder.add(name, step(score, max_visits=3).takes("a"))
    again = builder.add("again", step(score).takes(node.out.band))
    node.then(again, when=node.out.score > 3)
    node.then(complete)
    again.then(node)

    with pytest.raises(DefinitionError) as caught:
        builder.build()

    (problem,) = problems(caught)
    assert ("invalid_step_name", ("steps", 0, "name")) == (problem.code, problem.path)
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "\ud800", "x" * 256])
def test_a_workflow_has_a_name_that_can_be_shown(name: str) -> None:
    """A builder's becomes the name of a class, too, where Python has its own opinion."""
    builder = WorkflowBuilder(name)
    builder.trigger("placed", manual(Order))
    builder.add("packed", step(pack))

    with pytest.raises(DefinitionError) as caught:
        builder.build()

    assert "invalid_workflow" == caught.value.code


def test_a_builder_names_each_once() -> None:
    """A name is given once, and a node has one name."""
    builder = WorkflowBuilder("test.Twice")
    node = builder.add("packed", step(pack))

    with pytest.raises(DefinitionError, match="taken already"):
        builder.add("packed", step(pack))
    with pytest.raises(DefinitionError, match="second name"):
        builder.add("again", node)


def test_routes_to_strangers_are_reported() -> None:
    """A node without a name, and one of another class, are no targets."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow):
            placed = manual(Order)
            packed = step(pack)
            packed.then(step(pack))

    assert ["unknown_transition_target"] == [p.code for p in problems(caught)]


@pytest.mark.parametrize("target", ["packed", None, pack])
def test_a_route_leads_to_a_node(target: Any) -> None:
    """A name in quotes is not one yet; the routes behind it cannot be read, so it is said at once."""
    with pytest.raises(DefinitionError) as caught:
        step(pack).then(target)

    (problem,) = problems(caught)
    assert ("unknown_transition_target", __file__) == (problem.code, problem.file)
    assert ("without quotes" in problem.hint) == isinstance(target, str)


def test_a_class_must_have_steps() -> None:
    """What the core says of a spec as a whole is said at the class statement."""
    with pytest.raises(DefinitionError) as caught:

        class Nothing(Workflow):
            placed = manual(Order)

    (problem,) = problems(caught)
    assert ("missing_steps", __file__) == (problem.code, problem.file)


def test_a_contract_that_cannot_be_read_is_the_only_problem() -> None:
    """Nobody is told that fields are unknown when the contract is."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow):
            placed = manual(int)
            packed = step(pack).takes("a")

    assert ["invalid_contract"] == [p.code for p in problems(caught)]


def test_the_functions_of_a_class_are_registered() -> None:
    """Steps and undo callbacks, by key, with aliases and how they are called."""

    def release(done: Risk) -> None: ...

    class Undoing(Workflow):
        placed = manual(Order)
        risk = step(score, aliases=["old.score"]).undo(release, action="undo.score")

    needed = compiled_form(Undoing).registrations

    assert [
        (f"{__name__}.score", ("old.score",), score),
        ("undo.score", (), release),
    ] == [(r.key, r.aliases, r.fn) for r in needed]


def test_a_class_that_hands_down_keywords_cannot_run() -> None:
    """There is nothing to register."""

    class Shop(Workflow, queue="shop"):
        pass

    with pytest.raises(ConfigError, match="has no triggers and nodes"):
        compiled_form(Shop)


def test_every_kind_of_node_compiles() -> None:
    """Gates, messages, logs and children are defined here and run later."""

    @dataclass(frozen=True)
    class Batch:
        orders: list[Order]

    class Packing(Workflow):
        placed = manual(Order)
        packed = step(pack)

    class Many(Workflow):
        opened = manual(Batch)
        hold = pause("ready?", timeout="1d")
        sign = approval("ok?", form=Order, output="signed")
        paid = receive(Order, correlation="x", max_visits=2)
        note = log("on", level="debug")
        rest = wait("5s")
        each = children(Packing.placed, over=opened.payload.orders, key="sku")
        hold.then(sign).then(paid).then(note).then(rest).then(each)
        hold.on_timeout(complete)
        sign.on_reject(complete)
        each.on_error(complete, recovery="undo")

    spec = Many.spec
    assert [
        "PauseNode",
        "ApprovalNode",
        "ReceiveNode",
        "LogNode",
        "WaitNode",
        "ChildrenNode",
    ] == [type(node).__name__ for node in spec.steps]
    assert (("orders",), ("signed", "form", "card"), ("paid", "card")) == spec.sensitive
    assert spec == type(spec).from_dict(spec.to_dict())


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: wait("soon"), "invalid_wait_duration"),
        (lambda: wait("0s"), "invalid_wait_duration"),
        (lambda: wait(cast("str", None)), "invalid_wait_duration"),
        (lambda: log(cast("str", 5)), "path_as_value"),
        (lambda: pause("ready?", output=""), "invalid_step_output_mapping"),
        (lambda: receive(cast("type[Order]", int)), "invalid_contract"),
    ],
    ids=["soon", "nothing", "none", "number", "output", "message"],
)
def test_a_wrong_node_is_reported(make: Any, code: str) -> None:
    """What a constructor was given is judged when the class ends."""
    builder = WorkflowBuilder("test.Node")
    builder.trigger("placed", manual(Order))
    builder.add("node", make())

    with pytest.raises(DefinitionError) as caught:
        builder.build()

    assert [code] == [p.code for p in problems(caught)]


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: pause("ready?", timeout="soon"), "timeout"),
        (lambda: step(pack, timeout="soon"), "timeout"),
        (lambda: wait("soon"), "duration"),
    ],
    ids=["gate", "step", "wait"],
)
def test_a_wrong_duration_goes_by_the_name_that_was_typed(make: Any, option: str) -> None:
    """Not by that of the spec, which is in milliseconds."""
    builder = WorkflowBuilder("test.Node")
    builder.trigger("placed", manual(Order))
    builder.add("node", make())

    with pytest.raises(DefinitionError) as caught:
        builder.build()

    (problem,) = problems(caught)
    assert problem.message.startswith(f"{option}: expected a timedelta")


def test_a_duration_beyond_all_reason_is_told_the_longest() -> None:
    """In days: nobody counts a year in milliseconds."""
    with pytest.raises(DefinitionError, match=r"milliseconds \(366 days\), not 34560000000"):

        class Wrong(Workflow):
            placed = manual(Order)
            rest = wait("400d")


def test_a_misspelt_option_names_the_nearest() -> None:
    """As Python does with keywords, at once."""
    with pytest.raises(
        TypeError, match=r"pause\(\) has no option 'deadlin'; did you mean 'deadline'"
    ):
        cast("Any", pause)("ready?", deadlin=None)


# --- triggers


@dataclass(frozen=True)
class Asked:
    name: str
    day: Today[str] = ""
    at: Now[datetime | None] = None


def test_the_start_fills_in_what_was_not_given() -> None:
    """A field at its default is left out, so that the core puts the instant there."""
    trigger = manual(Asked)
    at = datetime(2026, 1, 1, tzinfo=UTC)

    assert {"name": "a"} == payload_of(trigger, Asked("a"))
    assert {"name": "a", "day": "2026-01-01", "at": "2026-01-01T00:00:00+00:00"} == payload_of(
        trigger, Asked("a", "2026-01-01", at)
    )


@pytest.mark.parametrize("payload", [{"name": "a"}, Order("a"), None, Asked(cast("str", 5))])
def test_a_payload_of_another_contract_is_refused(payload: Any) -> None:
    """A trigger takes an object of its contract; JSON goes through `parse`."""
    with pytest.raises(PayloadError) as caught:
        payload_of(manual(Asked), payload)

    assert ("invalid_payload", 501) == (caught.value.code, caught.value.sm)


def test_a_map_in_the_place_of_a_payload_is_told_how_to_become_one() -> None:
    """Whoever has JSON at hand tries that first."""
    with pytest.raises(PayloadError, match=r"a dict goes through \.parse\(\.\.\.\) first"):
        payload_of(manual(Asked), cast("Asked", {"name": "a"}))


def test_a_payload_that_was_forgotten_is_said_to_be_missing() -> None:
    """It is not of another contract: it is not there."""
    with pytest.raises(PayloadError, match=r"\(Asked\) does not fit: it is missing; nothing"):
        payload_of(manual(Asked), cast("Asked", None))


def test_a_trigger_without_payload_takes_none() -> None:
    """`Trigger[None]` has an empty payload, and refuses any other."""
    trigger = manual()

    assert {} == payload_of(trigger, None)
    assert trigger.parse({}) is None
    with pytest.raises(PayloadError):
        trigger.parse({"a": 1})


def test_parse_lists_everything_that_is_wrong() -> None:
    """Missing, unknown and wrong fields, each under its name."""
    with pytest.raises(PayloadError) as caught:
        manual(Order).parse({"skuu": "a", "card": 5})

    details = caught.value.details
    assert (["sku"], ["skuu"], {"card": "str"}) == (
        details["missing_fields"],
        details["unknown_fields"],
        details["invalid_types"],
    )


def test_a_schema_says_what_parse_takes() -> None:
    """The JSON Schema has the fields, and no others."""
    schema = manual(Order).schema()

    assert (["sku"], False) == (schema["required"], schema["additionalProperties"])


def test_a_schedule_must_make_its_payload() -> None:
    """A field without a default needs `values=`; a wrong expression is said too."""
    with pytest.raises(DefinitionError) as caught:

        class Nightly(Workflow):
            nightly = cron("0 6 * * *", Order)
            broken = cron("6 o'clock", Order, values=lambda at: Order(at.isoformat()))
            given = cron("0 6 * * *", Order, values=cast("Any", Order("a")))
            packed = step(pack)

    assert ["payload_not_supplied", "invalid_cron_expression", "invalid_step_option"] == [
        p.code for p in problems(caught)
    ]


def test_one_function_in_two_nodes_is_one_action() -> None:
    """The key is the function's, the output the node's."""

    class Twice(Workflow):
        placed = manual(Order)
        first = step(score)
        second = step(score, output="again")
        first.then(second)

    nodes = [node for node in Twice.spec.steps if isinstance(node, StepNode)]
    assert [(f"{__name__}.score", "first"), (f"{__name__}.score", "again")] == [
        (node.action, node.output) for node in nodes
    ]
