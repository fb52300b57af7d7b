"""Gates and holds: people go on, say yes or no, and stop a whole run."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from squidmesh_core.decide.apply import apply_answer
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import ChildrenNode, Default, Field, RecoveryMarker, Spec
from squidmesh_core.ids import NodeName, visit_key
from squidmesh_core.protocol.commands import Claim, Complete, Resume, Review
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    CompensationStarted,
    Deadline,
    Decided,
    ManualStepPaused,
    ManualStepResolved,
    RunSignalReceived,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import DeadlinePolicy, FromPath
from support.scenario import (
    BOOM,
    EPOCH,
    LEASE,
    RUN,
    SECOND,
    Scenario,
    a_hold,
    a_resume,
    a_review,
)
from support.workflows import approval, chain, log, pause, receive, route, step, workflow

FORM = (
    Field(name="limit", type="integer"),
    Field(name="day", type="string", required=False, default=Default(clock="today")),
)
ASK = workflow(
    approval("ask", form=FORM, output="verdict"),
    step("charge"),
    step("apologise"),
    routes=(
        route("ask", "charge"),
        route("ask", "apologise", on="error"),
        route("apologise", "complete"),
        route("charge", "complete"),
    ),
)


def asking() -> Scenario:
    run = Scenario(ASK)
    run.start()
    return run


# --- opening


def test_gate_opens_in_the_append_that_reaches_it() -> None:
    """No attempt, no worker: the settlement before it opens it, with its targets."""
    spec = evolve(
        ASK,
        steps=(*ASK.steps, step("pick")),
        transitions=(*ASK.transitions, route("pick", "ask")),
        entry_steps=(NodeName("pick"),),
    )
    run = Scenario(spec)
    run.start()
    run.time_passes(SECOND)
    decision = run.perform("pick")

    assert decision.entries[-1] == ManualStepPaused(
        at=EPOCH + SECOND,
        revision=run.state.revision,
        kind="approval",
        visit_key=visit_key(RUN, NodeName("ask")),
        step=NodeName("ask"),
        targets={"ok": "charge", "error": "apologise"},
        output="verdict",
    )
    assert ("paused", []) == (run.state.status, run.steps)


def test_gate_without_routes_leads_to_the_end() -> None:
    """A gate at the end of a strand completes the run."""
    run = Scenario(chain(step("pick"), pause("look")))
    run.start()
    run.perform("pick")

    assert {"ok": "complete"} == run.entries(ManualStepPaused)[0].targets
    run.resume()
    assert "completed" == run.state.status


def test_gate_of_a_dependency_workflow_has_no_targets() -> None:
    """What follows it is what comes after it."""
    run = Scenario(workflow(pause("look"), step("ship", after=("look",))))
    run.start()

    assert {} == run.entries(ManualStepPaused)[0].targets
    run.resume()
    assert (["ship"], None) == (run.steps, run.entries(StepApplied)[0].transition)


def test_deadline_of_a_gate_starts_when_it_opens() -> None:
    """The policy is frozen, with the instant its clock started at."""
    policy = DeadlinePolicy(within_ms=1_000)
    run = Scenario(chain(step("pick"), pause("look", deadline=policy)))
    run.start()
    run.time_passes(LEASE / 2)
    run.perform("pick")

    [gate] = run.entries(ManualStepPaused)
    assert Deadline(policy=policy, started_at=EPOCH + LEASE / 2) == gate.deadline


def test_gate_at_a_delayed_start_is_open_at_once() -> None:
    """A person needs no worker; the clock of its deadline starts with the delay."""
    policy = DeadlinePolicy(within_ms=1_000)
    run = Scenario(chain(pause("look", deadline=policy, timeout_ms=2_000)))
    run.start(visible_at=EPOCH + LEASE)
    [gate], [timer] = run.entries(ManualStepPaused), run.entries(AttemptScheduled)

    assert Deadline(policy=policy, started_at=EPOCH + LEASE) == gate.deadline
    assert EPOCH + LEASE + 2 * SECOND == timer.visible_at
    run.resume()


def test_each_visit_of_a_gate_is_a_gate_of_its_own() -> None:
    """A loop asks again, and is answered again."""
    run = Scenario(
        workflow(pause("look", max_visits=2, output="seen"), routes=(route("look", "look"),))
    )
    run.start()
    run.resume(actor="first")
    assert [f"{RUN}:look@2"] == list(run.state.gates.open)
    run.resume(f"{RUN}:look@2", actor="second")
    terminal = run.state.terminal

    assert terminal is not None
    assert terminal.error is not None
    assert ("failed", "visits_exhausted") == (terminal.status, terminal.error.kind)
    seen = run.state.context["seen"]
    assert isinstance(seen, dict)
    assert "second" == seen["actor"]


# --- answering


def test_answer_is_one_append() -> None:
    """Receipt, answer, consequence, and what follows."""
    run = asking()
    run.time_passes(SECOND)
    decision = run.approve(form={"limit": 5}, actor={"id": "ida"}, key="k")
    receipt, answer, applied, scheduled = decision.entries

    assert isinstance(receipt, RunSignalReceived)
    assert isinstance(answer, ManualStepResolved)
    assert isinstance(scheduled, AttemptScheduled)
    assert ("approve", {"node": "ask"}, {"id": "ida"}, "k") == (
        receipt.command,
        receipt.payload,
        receipt.actor,
        receipt.idempotency_key,
    )
    assert ("approved", {"id": "ida"}, None) == (answer.action, answer.actor, answer.comment)
    assert applied == StepApplied(
        at=EPOCH + SECOND,
        revision=applied.revision,
        visit_key=visit_key(RUN, NodeName("ask")),
        step=NodeName("ask"),
        source=answer.revision,
        output="verdict",
        transition=Decided(source=NodeName("ask"), on="ok", target=NodeName("charge")),
    )
    assert "charge" == scheduled.step


def test_decision_enters_the_context_of_all_that_follows() -> None:
    """Who, when, why and what was filled in, under the gate's output key."""
    run = asking()
    run.time_passes(SECOND)
    command = a_review("approved", form={"limit": 5})
    run.decides(evolve(command, said=evolve(command.said, comment="why not")))
    decided = {
        "decision": "approved",
        "actor": "ida",
        "decided_at": "2026-01-01T00:00:01.000000Z",
        "comment": "why not",
        "form": {"limit": 5, "day": "2026-01-01"},
    }

    assert {"verdict": decided} == run.state.context
    assert {"verdict": decided} == run.attempt("charge").input


@pytest.mark.parametrize("command", [a_review("approved", "ask"), a_resume("look"), a_resume()])
def test_comment_of_an_answer_is_kept(command: Review | Resume) -> None:
    """Of an approval, of a pause, and of the end of a hold."""
    run = Scenario(workflow(approval("ask"), pause("look"), step("end", after=("ask", "look"))))
    run.start()
    run.hold()
    run.decides(evolve(command, said=evolve(command.said, comment="why not")))

    assert ["why not"] == [answer.comment for answer in run.entries(ManualStepResolved)]


def test_rejection_takes_the_error_route() -> None:
    """A no is a route, not a failure; a form is not asked for."""
    run = asking()
    run.reject()
    verdict = run.state.context["verdict"]

    assert ("running", ["apologise"]) == (run.state.status, run.steps)
    assert isinstance(verdict, dict)
    assert ("rejected", None) == (verdict["decision"], verdict["form"])


@pytest.mark.parametrize("recovery", [None, "undo", "compensation"])
def test_rejection_keeps_the_marker_of_its_route(recovery: RecoveryMarker | None) -> None:
    """Readers see that the way on undoes something, or stands in for it."""
    marked = route("ask", "apologise", on="error", recovery=recovery)
    others = (route("ask", "charge"), route("charge", "complete"), route("apologise", "complete"))
    run = Scenario(evolve(ASK, transitions=(marked, *others)))
    run.start()
    run.reject()
    [applied] = run.entries(StepApplied)

    assert applied.transition is not None
    assert recovery == applied.transition.recovery


@pytest.mark.parametrize(
    "spec",
    [
        workflow(approval("ask", output="verdict"), step("ship", after=("ask",))),
        chain(approval("ask", output="verdict"), step("ship")),
    ],
    ids=["by dependencies", "by routes"],
)
def test_rejection_that_leads_nowhere_fails_the_run(spec: Spec) -> None:
    """`rejected`, for good, with the decision taken in."""
    run = Scenario(spec)
    run.start()
    run.reject()
    terminal = run.state.terminal

    assert terminal is not None
    assert terminal.error is not None
    assert ("failed", "rejected", "ask") == (terminal.status, terminal.error.kind, terminal.step)
    assert "verdict" in run.state.context
    assert 1 == len(run.entries(StepApplied))


def test_rejection_that_leads_nowhere_undoes_what_was_done() -> None:
    """It fails for good like anything else: what can be undone is undone first."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = Scenario(workflow(charge, approval("ask", after=("charge",))))
    run.start()
    run.perform("charge")
    decision = run.reject()
    [started] = [e for e in decision.entries if isinstance(e, CompensationStarted)]

    assert started.failure is not None
    assert ("failure", "rejected", "ask") == (started.cause, started.failure.kind, started.step)
    assert "compensating" == run.state.status


def test_where_an_answer_leads_was_frozen_when_the_gate_opened() -> None:
    """A deploy in between changes neither the target nor the output key."""
    run = asking()
    run.spec = evolve(
        ASK,
        steps=(approval("ask", form=FORM, output="elsewhere"), *ASK.steps[1:]),
        transitions=(route("ask", "apologise"), route("ask", "charge", on="error")),
    )
    run.approve(form={"limit": 5})

    assert (["charge"], ["verdict"]) == (run.steps, list(run.state.context))


def test_gate_is_answered_once() -> None:
    """The second approver learns who was first, and when."""
    run = asking()
    run.approve(form={"limit": 5}, actor="ida")
    run.time_passes(SECOND)
    for refusal in (
        run.expects_refusal(a_review("rejected", "ask", actor="ben")),
        run.expects_refusal(a_review("approved", f"{RUN}:ask", form={"limit": 6}, actor="ben")),
        run.expects_refusal(a_review("approved", form={"limit": 6}, actor="ben")),
    ):
        assert "invalid_transition" == refusal.code
        assert {
            "run_id": RUN,
            "status": "running",
            "node": "ask",
            "reason": "approved",
            "actor": "ida",
            "at": "2026-01-01T00:00:00.000000Z",
        } == refusal.details


@pytest.mark.parametrize(
    ("actor", "told"),
    [
        ("ida", "by 'ida' at"),
        ({"id": "ida", "token": "t-1"}, "by 'ida' at"),
        ({"name": "Ida", "token": "t-1"}, "by 'Ida' at"),
        ({"token": "t-1"}, "by somebody at"),
        (None, "by somebody at"),
    ],
)
def test_who_was_first_is_told_by_name(actor: object, told: str) -> None:
    """Whatever else is known of somebody is no matter of a sentence, and may be a secret."""
    run = Scenario(chain(pause("look"), receive("parcel")))
    run.start()
    run.resume(actor=actor)
    refusal = run.expects_refusal(a_resume())

    assert told in refusal.message
    assert "t-1" not in refusal.message
    assert actor == refusal.details["actor"]


def test_answer_after_the_end_tells_who_was_last() -> None:
    """Whoever comes too late to a run that is over; other commands are told nothing of it."""
    run = Scenario(chain(approval("ask")))
    run.start()
    run.approve(actor="ida")
    late = run.expects_refusal(a_review("rejected", "ask", actor="ben"))
    other = run.expects_refusal(a_hold())

    assert ("invalid_transition", "invalid_transition") == (late.code, other.code)
    assert {
        "run_id": RUN,
        "status": "completed",
        "node": "ask",
        "reason": "approved",
        "actor": "ida",
        "at": "2026-01-01T00:00:00.000000Z",
    } == late.details
    assert {"run_id": RUN, "status": "completed"} == other.details


# --- forms


def test_form_is_checked_against_the_node() -> None:
    """Everything wrong at once, in the words of a payload, and nothing is written."""
    run = asking()
    refusal = run.expects_refusal(a_review("approved", form={"day": 5, "x": 1}))

    assert "invalid_form" == refusal.code
    assert (RUN, "ask", ["limit"], ["x"], {"day": "string"}) == tuple(
        refusal.details[name]
        for name in ("run_id", "node", "missing_fields", "unknown_fields", "invalid_types")
    )


def test_form_of_a_gate_without_one_is_refused() -> None:
    """Nothing that was filled in is dropped in silence."""
    run = Scenario(chain(approval("ask"), step("ship")))
    run.start()

    refusal = run.expects_refusal(a_review("approved", form={"x": 1}))

    assert ("invalid_form", "ask") == (refusal.code, refusal.details["node"])
    assert "keeps the definition it started with" in refusal.message
    run.approve()


def test_form_of_a_newer_definition_reaches_a_gate_without_one_by_its_defaults() -> None:
    """It says nothing then that could be dropped."""
    run = Scenario(chain(approval("ask"), step("ship")))
    run.start()
    filled = a_review("approved", form={"x": 1})

    decision = run.decides(evolve(filled, assumed=frozenset({"x"})))

    (answer,) = (one for one in decision.entries if isinstance(one, ManualStepResolved))
    assert isinstance(answer.result, Mapping)
    assert answer.result["form"] is None


@pytest.mark.parametrize("fields", [FORM[1:], None], ids=["optional fields", "no form"])
@pytest.mark.parametrize("form", [[], "", 0, [1], "sure"])
def test_form_that_is_no_object_is_refused(form: object, fields: tuple[Field, ...] | None) -> None:
    """Also one that is empty, and also where no field is compulsory."""
    run = Scenario(chain(approval("ask", form=fields), step("ship")))
    run.start()
    command = a_review("approved", form=form)  # type: ignore[arg-type]  # the very mistake

    assert "invalid_form" == run.expects_refusal(command).code


def test_form_left_out_is_an_empty_one() -> None:
    """Defaults stand in, where they can."""
    run = Scenario(chain(approval("ask", form=FORM[1:], output="verdict"), step("ship")))
    run.start()
    run.approve()
    verdict = run.state.context["verdict"]

    assert isinstance(verdict, dict)
    assert {"day": "2026-01-01"} == verdict["form"]


# --- which gate


def test_gate_is_named_by_node_or_visit_or_not_at_all() -> None:
    """One open gate of the kind needs no name, whatever else is open."""
    for name in (None, "ask", f"{RUN}:ask"):
        run = Scenario(workflow(pause("look"), approval("ask"), step("end", after=("ask",))))
        run.start()
        run.approve(name)

        assert [f"{RUN}:look"] == list(run.state.gates.open)


def test_one_of_several_gates_must_be_named() -> None:
    """The refusal lists them; naming one, by node or visit, will do."""
    run = Scenario(workflow(pause("look"), pause("count"), step("end", after=("look", "count"))))
    run.start()
    refusal = run.expects_refusal(a_resume())

    assert ("ambiguous_gate", ["look", "count"]) == (refusal.code, refusal.details["nodes"])
    run.resume("count")
    run.resume(f"{RUN}:look")
    assert ["end"] == run.steps


def test_visits_of_one_node_are_told_apart() -> None:
    """Two strands at one gate: its name fits both, its visits do not."""
    spec = workflow(
        log("a"), log("b"), approval("ask"), routes=(route("a", "ask"), route("b", "ask"))
    )
    run = Scenario(evolve(spec, entry_steps=(NodeName("a"), NodeName("b"))))
    run.start(offer=run.offer())
    visits = [f"{RUN}:ask", f"{RUN}:ask@2"]
    for name in (None, "ask"):
        refusal = run.expects_refusal(a_review("approved", name))
        assert ("ambiguous_gate", visits) == (refusal.code, refusal.details["nodes"])
    run.approve(f"{RUN}:ask@2")
    run.approve("ask")

    assert [f"{RUN}:ask@2", f"{RUN}:ask"] == [e.visit_key for e in run.entries(ManualStepResolved)]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("look", "pause"),
        (f"{RUN}:look", "pause"),
        ("pick", "no_gate"),
        ("parcel", "no_gate"),
        ("nowhere", "no_gate"),
        ("", "no_gate"),
        (f"{RUN}:nowhere", "no_gate"),
        ("ask@2", "no_gate"),
    ],
)
def test_what_is_no_approval_cannot_be_approved(named: str, reason: str) -> None:
    """A gate of the other kind, a step, a node of another name: each is said."""
    run = Scenario(chain(pause("look"), step("pick"), receive("parcel"), approval("ask")))
    run.start()
    refusal = run.expects_refusal(a_review("approved", named))

    assert ("unsupported_manual_step", reason) == (refusal.code, refusal.details["reason"])
    assert refusal.details["node"] in {named, named.partition(":")[2]}
    assert "None" not in refusal.message


@pytest.mark.parametrize("named", ["ask", f"{RUN}:ask", f"{RUN}:ask@2", None])
def test_gate_that_is_not_reached_is_not_open(named: str | None) -> None:
    """It may be answered once it is there."""
    run = Scenario(chain(step("pick"), approval("ask")))
    run.start()
    refusal = run.expects_refusal(a_review("approved", named))

    assert ("invalid_transition", "not_open") == (refusal.code, refusal.details["reason"])
    assert named == refusal.details.get("node")
    assert ("no gate is open" if named is None else repr(named)) in refusal.message


# --- holds


def held() -> Scenario:
    run = Scenario(workflow(step("pick"), step("pack"), step("ship", after=("pick", "pack"))))
    run.start()
    run.hold(key="k")
    return run


def test_hold_is_receipt_then_pause() -> None:
    """It names no visit and no step."""
    run = held()
    receipt, hold = run.journal[-2:]

    assert isinstance(receipt, RunSignalReceived)
    assert ("pause", "olga", "k") == (receipt.command, receipt.actor, receipt.idempotency_key)
    assert ManualStepPaused(at=EPOCH, revision=hold.revision, kind="hold") == hold
    assert "paused" == run.state.status


def test_held_run_is_not_claimed() -> None:
    """Neither by a worker that comes by nor for one that stays."""
    run = Scenario(workflow(step("pick"), step("pack"), step("ship", after=("pick", "pack"))))
    run.start()
    working = run.claim("pick")
    run.hold()
    claim = Claim(attempt_key=run.attempt("pack").key, offer=run.offer())
    offer = run.offer()
    run.complete(working, offer=offer)

    assert "not_claimed" == run.expects_refusal(claim).code
    assert [] == run.claimed_for(offer)
    assert "available" == run.attempt("pack").status


def test_claimed_step_settles_under_a_hold() -> None:
    """Its result is applied and what follows is scheduled, for later."""
    run = Scenario(chain(step("pick"), step("pack"), pause("look")))
    run.start()
    working = run.claim("pick")
    run.hold()
    run.heartbeat(working)
    run.complete(working)

    assert ("paused", ["pack"]) == (run.state.status, run.steps)
    run.resume()
    run.perform("pack")


def test_lost_claim_is_not_taken_over_under_a_hold() -> None:
    """Takeovers are claims too."""
    run = Scenario(chain(step("pick")))
    run.start()
    run.claim("pick")
    run.hold()
    run.time_passes(LEASE)
    claim = Claim(attempt_key=run.attempt("pick").key, offer=run.offer())

    assert "not_claimed" == run.expects_refusal(claim).code
    run.resume()
    run.decides(claim)


def test_logs_wait_for_the_end_of_a_hold() -> None:
    """Also what needs nobody is not taken."""
    run = Scenario(chain(step("pick"), log("note"), step("pack")))
    run.start()
    working = run.claim("pick")
    run.hold()
    run.complete(working, offer=run.offer())

    assert ["note"] == run.steps


def test_gates_are_answered_and_messages_taken_under_a_hold() -> None:
    """A hold stops workers, not people."""
    run = Scenario(chain(pause("look"), receive("parcel"), approval("ask"), step("ship")))
    run.start()
    run.hold()
    run.resume("look")
    run.send("parcel")
    run.approve()

    assert ("paused", ["ship"]) == (run.state.status, run.steps)


def test_last_result_ends_a_held_run() -> None:
    """A hold does not keep a run from its end."""
    run = Scenario(chain(step("pick")))
    run.start()
    working = run.claim("pick")
    run.hold()
    decision = run.complete(working)

    assert isinstance(decision.entries[-1], RunTerminal)
    assert ("completed", None) == (run.state.status, run.state.gates.hold)


def test_failure_ends_a_held_run() -> None:
    """So does a failure for good."""
    run = Scenario(chain(step("pick")))
    run.start()
    working = run.claim("pick")
    run.hold()
    run.fail(working, BOOM)

    assert ("failed", None) == (run.state.status, run.state.gates.hold)


def test_run_is_held_once() -> None:
    """The second operator is told since when."""
    run = held()
    run.time_passes(SECOND)
    refusal = run.expects_refusal(a_hold(actor="ben"))

    assert ("invalid_transition", "2026-01-01T00:00:00.000000Z") == (
        refusal.code,
        refusal.details["at"],
    )


def test_resume_without_a_name_lifts_the_hold_first() -> None:
    """Then it answers the one pause that is open."""
    run = Scenario(chain(pause("look"), step("pick")))
    run.start()
    run.hold()
    receipt, lifted = run.resume(actor="ben").entries

    assert isinstance(receipt, RunSignalReceived)
    assert ("resume", {}) == (receipt.command, receipt.payload)
    assert lifted == ManualStepResolved(
        at=EPOCH, revision=lifted.revision, action="resumed", actor="ben"
    )
    run.resume()
    assert ["pick"] == run.steps


def test_resume_with_a_name_leaves_the_hold() -> None:
    """It answers that gate."""
    run = Scenario(chain(pause("look"), step("pick")))
    run.start()
    run.hold()
    run.resume("look")

    assert run.state.gates.hold is not None
    assert ["pick"] == run.steps


def test_hold_is_lifted_and_not_applied() -> None:
    """No route follows it; a decider that thinks so has a bug."""
    run = held()
    desk = Desk(run.state, run.spec, run.now, None)

    with pytest.raises(RuntimeError, match="lifted"):
        apply_answer(desk, run.entries(ManualStepPaused)[0], rejected=False)


def test_node_without_a_runtime_is_not_passed_over() -> None:
    """It is refused when it is registered; a run that meets one all the same stops loudly."""
    children = ChildrenNode(
        name=NodeName("fan"), workflow="w", trigger="t", over=FromPath(path=("x",)), key="id"
    )
    run = Scenario(chain(children, step("ship")))

    with pytest.raises(RuntimeError, match="cannot run a ChildrenNode"):
        run.start()


def test_run_can_be_held_again() -> None:
    """After a hold was lifted there may be another."""
    run = held()
    run.resume()
    run.hold()

    assert "paused" == run.state.status


def test_settling_after_the_end_of_a_hold_claims_the_successor() -> None:
    """A lifted hold leaves nothing behind."""
    run = Scenario(chain(step("pick"), step("pack")))
    run.start()
    working = run.claim("pick")
    run.hold()
    run.resume()
    offer = run.offer()
    run.decides(Complete(held=working, offer=offer))

    assert [run.attempt("pack").key] == run.claimed_for(offer)
