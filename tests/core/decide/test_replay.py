"""Replay: a new run from a finished one's input, guarded where it would repeat for good."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.decide import Refusal
from squidmesh_core.decide.replay import plan_replay
from squidmesh_core.definition.spec import Default, Field, ManualTrigger, Spec, StepNode
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.commands import Start
from squidmesh_core.protocol.entries import RunSignalReceived, RunStarted, Schedule, StepApplied
from squidmesh_core.values import RetryPolicy
from support.plays import plays
from support.replays import (
    a_replay,
    asked,
    begun,
    next_run_id,
    planned,
    refusal,
    replayed,
    source_of,
)
from support.scenario import EPOCH, SECOND, Scenario, a_start
from support.workflows import chain, route, step, workflow

ORDER = chain(step("charge", output="charge"), step("ship", output="ship"))


def finished(spec: Spec = ORDER, payload: dict[str, object] | None = None) -> Scenario:
    """A run of a chain, completed."""
    run = Scenario(spec)
    run.start(payload or {"amount": 5})
    for node in spec.steps:
        run.perform(node.name, f"{node.name} done")
    return run


# --- the new run


def test_replay_begins_anew() -> None:
    """The same workflow, trigger and input; nothing of what was done."""
    run = finished()
    again = replayed(run)
    [start] = again.entries(RunStarted)

    assert ("orders", "placed", {"amount": 5}) == (start.workflow, start.trigger, start.input)
    assert (run.state.run_id, None) == (start.replayed_from, start.forked_at)
    assert run.spec.fingerprint == start.definition
    assert {"amount": 5} == again.state.context
    assert ["charge"] == again.steps


def test_replay_keeps_the_lane_and_the_labels() -> None:
    """Queue, priority, tags and partition are the source's; the cron slot loses its identity."""
    run = Scenario(ORDER)
    slot = Schedule(cron="0 2 * * *", timezone="UTC", window="2026-01-01", signal_id="sha256:x")
    run.decides(
        evolve(
            a_start({"amount": 5}, queue="bulk", priority=7),
            tags=("vip",),
            partition_key="eu",
            schedule=slot,
        )
    )
    run.cancel()
    [start] = replayed(run).entries(RunStarted)

    assert ("bulk", 7, ("vip",), "eu") == (
        start.queue,
        start.priority,
        start.tags,
        start.partition_key,
    )
    assert evolve(slot, signal_id=None) == start.schedule


def test_receipt_says_what_was_asked() -> None:
    """The verb, the source and the options; who asked."""
    run = finished()
    again = replayed(run)
    receipt = again.entries(RunSignalReceived)[0]

    assert ("replay", "olga", 1) == (receipt.command, receipt.actor, receipt.revision)
    assert {
        "source": run.state.run_id,
        "from_step": None,
        "allow_irreversible": False,
        "definition": "source",
    } == receipt.payload


def test_source_stays_as_it_is() -> None:
    """A replay reads its source and writes to itself only."""
    run = finished()
    before = list(run.journal)
    replayed(run)

    assert before == run.journal


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_any_finished_run_can_be_replayed(end: str) -> None:
    """Whatever its end was."""
    run = finished() if end == "completed" else Scenario(ORDER)
    if end != "completed":
        run.start()
        run.cancel() if end == "cancelled" else run.fail(run.claim("charge"))

    assert "running" == replayed(run).state.status


def test_active_run_cannot_be_replayed() -> None:
    """Neither done nor planned while it may still change."""
    run = Scenario(ORDER)
    run.start()
    answers = (asked(run, a_replay(run)), plan_replay(source_of(run), a_replay(run), run.spec))

    for answer in answers:
        assert isinstance(answer, Refusal)
        assert ("invalid_replay_source", "running") == (answer.code, answer.details["status"])


def test_undoing_run_cannot_be_replayed() -> None:
    """Its end is not reached either."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    run.perform("charge")
    run.fail(run.claim("ship"))

    assert "invalid_replay_source" == refusal(run, a_replay(run)).code


def test_compensated_run_can_be_replayed() -> None:
    """What was undone may be done again."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    run.perform("charge")
    run.fail(run.claim("ship"))
    run.undo("charge")
    again = replayed(run)
    again.perform("charge")
    again.perform("ship")

    assert "completed" == again.state.status


def test_source_without_a_start_is_the_host_s_mistake() -> None:
    """There is nothing to make another run of."""
    with pytest.raises(ValueError, match="holds no run_started"):
        source_of(Scenario(ORDER)).begun  # noqa: B018 (the property raises)


# --- the same replay again


def test_same_replay_again_finds_its_run() -> None:
    """The key stands for one run, whatever happened to it since."""
    run = finished()
    start = asked(run, a_replay(run, key="k"))
    again = begun(run, start)
    again.perform("charge")
    assert isinstance(start, Start)
    found = again.expects_already(start)

    assert (1, again.state) == (found.revision, found.state)


def test_another_replay_under_the_key_conflicts() -> None:
    """Other options are another request."""
    run = finished()
    again = begun(run, asked(run, a_replay(run, key="k")))
    other = asked(run, a_replay(run, key="k", allow_irreversible=True))
    assert isinstance(other, Start)
    refused = again.expects_refusal(other)

    assert ("idempotency_conflict", "replay", "k") == (
        refused.code,
        refused.details["command"],
        refused.details["key"],
    )


def test_start_under_the_id_of_a_replay_conflicts() -> None:
    """A run that was begun by another verb is not what a start asked for."""
    run = finished()
    again = replayed(run)
    refused = again.expects_refusal(a_start(run_id=next_run_id(run)))

    assert "idempotency_conflict" == refused.code


# --- the guard


def guarded(**options: bool) -> Scenario:
    """A finished run whose `charge` is marked."""
    marked = step(
        "charge",
        irreversible=options.get("irreversible", False),
        compensatable=options.get("compensatable", True),
    )
    return finished(chain(marked, step("ship")))


@pytest.mark.parametrize(
    ("options", "irreversible"),
    [({"irreversible": True}, True), ({"compensatable": False}, False)],
)
def test_what_cannot_be_undone_is_not_repeated(
    options: dict[str, bool], irreversible: bool
) -> None:
    """The refusal names each such step with its policy."""
    run = guarded(**options)
    refused = refusal(run, a_replay(run))

    assert "unsafe_replay" == refused.code
    assert [
        {
            "step": "charge",
            "irreversible": irreversible,
            "compensatable": False,
            "replay": "manual_review_required",
            "recovery": "manual_intervention",
        }
    ] == refused.details["steps"]
    assert "charge" in refused.message


def test_only_the_boolean_overrides() -> None:
    """Neither a text nor a number that looks like yes; the receipt shows the word."""
    run = guarded(irreversible=True)
    for looks_like in ("true", 1, [True]):
        ask = evolve(a_replay(run), allow_irreversible=looks_like)  # type: ignore[arg-type]  # as a careless host would
        assert "unsafe_replay" == refusal(run, ask).code
    again = replayed(run, allow_irreversible=True)

    assert again.entries(RunSignalReceived)[0].payload["allow_irreversible"] is True


def test_what_never_gave_a_result_does_not_block() -> None:
    """An irreversible step that was planned, or failed, may be tried again."""
    spec = workflow(
        step("call", irreversible=True),
        step("ask"),
        step("pay", irreversible=True),
        routes=(route("call", "ask", on="error"), route("ask", "pay")),
    )
    run = Scenario(spec)
    run.start()
    run.fail(run.claim("call"))
    run.perform("ask")
    run.cancel()

    assert ["call"] == replayed(run).steps


def test_step_with_a_callback_does_not_block() -> None:
    """What can be undone can be repeated."""
    run = finished(chain(step("charge", compensate=True), step("ship")))

    assert ["charge"] == replayed(run).steps


def test_a_plan_names_what_is_unsafe_and_refuses_nothing() -> None:
    """Simulating asks no permission."""
    run = guarded(irreversible=True)
    plan = planned(run, a_replay(run))

    assert (("charge", "ship"), ("charge",), (), None) == (
        plan.again,
        plan.unsafe,
        plan.reused,
        plan.from_step,
    )
    assert (run.state.run_id, run.spec.fingerprint) == (plan.source, plan.definition)


def test_each_step_is_named_once() -> None:
    """However many visits it had."""
    spec = workflow(
        step("call", irreversible=True, max_visits=2, retry=RetryPolicy(max_attempts=1)),
        routes=(route("call", "call"),),
    )
    run = Scenario(spec)
    run.start()
    run.perform("call")
    run.perform("call")
    refused = refusal(run, a_replay(run))

    assert isinstance(refused.details["steps"], list)
    assert ["call"] == [item["step"] for item in refused.details["steps"]]


# --- the present definition


def present(*nodes: str, payload: tuple[Field, ...], trigger: str = "placed") -> Spec:
    """Another definition of the same workflow."""
    return evolve(
        chain(*(step(name) for name in nodes)),
        triggers=(ManualTrigger(name=trigger, payload=payload),),
    )


AMOUNT = Field(name="amount", type="integer")


def test_present_definition_runs_what_it_says_now() -> None:
    """Its nodes, its fingerprint, its defaults."""
    spec = present(
        "weigh",
        "charge",
        payload=(
            AMOUNT,
            Field(name="day", type="string", required=False, default=Default(clock="today")),
        ),
    )
    run = finished()
    run.time_passes(SECOND)
    again = replayed(run, spec=spec)
    [start] = again.entries(RunStarted)

    assert ["weigh"] == again.steps
    assert (spec.fingerprint, {"amount": 5, "day": EPOCH.date().isoformat()}) == (
        start.definition,
        start.input,
    )


def test_input_that_no_longer_fits_is_refused_with_every_difference() -> None:
    """What is wrong with the input, and what changed in between."""
    spec = present("charge", payload=(AMOUNT, Field(name="buyer", type="string")))
    run = finished()
    refused = refusal(run, a_replay(run, definition="current"), spec)

    assert ("invalid_replay_source", "input") == (refused.code, refused.details["reason"])
    assert "buyer" in refused.message
    assert refused.details["differences"]


def test_trigger_that_is_gone_is_refused() -> None:
    """A run cannot be begun by what is no longer there."""
    spec = present("charge", payload=(AMOUNT,), trigger="by_hand")
    run = finished()
    refused = refusal(run, a_replay(run, definition="current"), spec)

    assert ("invalid_replay_source", "trigger") == (refused.code, refused.details["reason"])
    assert refused.details["differences"]


def test_own_definition_takes_the_input_as_it_was() -> None:
    """A run keeps its definition for good, so nothing has to fit again."""
    run = finished(payload={"anything": [1, None]})

    assert {"anything": [1, None]} == replayed(run).state.context


# --- what a plan says is what happens


@given(plays(), st.data())
def test_a_plan_says_what_the_replay_really_does(run: Scenario, data: st.DataObject) -> None:
    """
    From the beginning or from any node: what is reused is what the new run begins with, in
    order, and what runs again is every other result that there was.
    """
    if run.state.terminal is None:
        run.cancel(abandon=run.state.undoing)
    nodes = st.sampled_from([None, *run.spec.nodes])
    ask = a_replay(run, from_step=data.draw(nodes), allow_irreversible=True)
    start = asked(run, ask)
    if isinstance(start, Refusal):
        assert start.code == "invalid_replay_source"
        assert start == plan_replay(source_of(run), ask, run.spec)
        return
    again, plan = begun(run, start), planned(run, ask)
    copied = [entry for entry in again.entries(StepApplied) if entry.reused_from is not None]
    tails = {entry.visit_key.partition(":")[2] for entry in copied}
    results = [
        entry.step
        for entry in run.entries(StepApplied)
        if entry.source is not None
        and ":compensate:" not in entry.visit_key
        and entry.visit_key.partition(":")[2] not in tails
    ]

    assert tuple(dict.fromkeys(entry.step for entry in copied)) == plan.reused
    assert tuple(dict.fromkeys(results)) == plan.again
    assert set(plan.unsafe) == {name for name in plan.again if _irreversible(run.spec, name)}
    if ask.from_step is not None and not run.spec.by_dependencies:
        entered = set(again.steps) | {g.step for g in again.state.gates.open.values()}
        entered |= {entry.step for entry in again.state.mail.awaited.values()}
        failed = {entry.step for entry in again.entries(StepApplied) if entry.error is not None}
        ended = {again.state.terminal.step} if again.state.terminal else set()
        assert ask.from_step in entered | failed | ended


def _irreversible(spec: Spec, name: NodeName) -> bool:
    node = spec.nodes[name]
    return isinstance(node, StepNode) and node.irreversible
