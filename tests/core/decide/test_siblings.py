"""Siblings in flight: who is at work when a run turns round settles first (protocol §5)."""

from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.commands import Claim, Complete, Heartbeat, Held
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    RunTerminal,
    StepApplied,
    Unrecovered,
)
from support.scenario import BOOM, LEASE, SECOND, Scenario
from support.trips import BANG, TWICE, due, ended, kinds, side_by_side, visit
from support.workflows import step, workflow


def in_flight() -> tuple[Scenario, dict[str, Held]]:
    """`a` is done and `b` has failed for good, while somebody holds `c` and `other`."""
    spec = workflow(
        step("a", compensate=True),
        step("b", compensate=True),
        step("c", compensate=True, retry=TWICE),
        step("other"),
        step("end", after=("a", "b", "c", "other")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("a")
    held = {name: run.claim(name) for name in ("b", "c", "other")}
    run.fail(held.pop("b"))
    return run, held


def test_siblings_settle_before_anything_is_undone() -> None:
    """While somebody holds an attempt no callback is scheduled."""
    run, held = in_flight()
    assert ("compensating", []) == (run.state.status, due(run))
    run.complete(held["other"])
    assert [] == due(run)
    run.complete(held["c"])

    assert ["c"] == due(run)


def test_result_of_a_sibling_is_undone_too() -> None:
    """It is taken in, leads nowhere, and is the last, so it goes first."""
    run, held = in_flight()
    run.complete(held["c"], "late")
    applied = run.entries(StepApplied)[-1]
    assert ("c", None) == (applied.step, applied.transition)
    run.complete(held["other"])
    order = []
    while run.state.terminal is None:
        order += due(run)
        run.undo(due(run)[0])

    assert ["c", "a"] == order
    assert () == ended(run).recovery


def test_result_of_a_sibling_leads_nowhere() -> None:
    """What it would have released is not scheduled."""
    spec = workflow(
        step("a", compensate=True),
        step("b"),
        step("next", after=("a",)),
        step("end", after=("next", "b")),
    )
    run = Scenario(spec)
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    run.complete(held)

    assert ["a"] == due(run) == run.steps


def test_failure_of_a_sibling_is_final() -> None:
    """No retry, no callback: nobody knows its effect, and the first error stays."""
    run, held = in_flight()
    decision = run.fail(held["c"], BANG)
    assert [AttemptFailed] == kinds(decision.entries)
    assert run.entries(AttemptFailed)[-1].retry is None
    run.complete(held["other"])
    run.undo("a")
    end = ended(run)

    assert (BOOM, "b") == (end.error, end.step)
    assert (
        Unrecovered(visit_key=visit("c"), step=NodeName("c"), reason="effect_unknown", error=BANG),
    ) == end.recovery


def test_deferral_of_a_sibling_is_final() -> None:
    """Later never comes: no continuation, effect unknown."""
    run, held = in_flight()
    run.complete(held["other"])
    decision = run.defer(held["c"])
    assert [AttemptCompleted, AttemptScheduled] == kinds(decision.entries)
    assert ["a"] == due(run)
    run.undo("a")

    assert [(visit("c"), "effect_unknown", None)] == [
        (left.visit_key, left.reason, left.error) for left in ended(run).recovery
    ]


def test_lost_sibling_is_ended_by_whoever_finds_it() -> None:
    """At the end of its lease it is lost, not delivered again; what comes next is claimed."""
    run, held = in_flight()
    run.complete(held["other"])
    run.time_passes(LEASE)
    offer = run.offer("ben")
    decision = run.decides(Claim(attempt_key=held["c"].attempt_key, offer=offer))

    assert [AttemptFailed, AttemptScheduled, AttemptClaimed] == kinds(decision.entries)
    lost = run.entries(AttemptFailed)[-1]
    assert ("worker_lost", None, None) == (lost.error.kind, lost.claim_id, lost.retry)
    run.complete(run.held(offer))
    assert [(visit("c"), "effect_unknown", lost.error)] == [
        (left.visit_key, left.reason, left.error) for left in ended(run).recovery
    ]


def test_sibling_keeps_its_lease_by_heartbeats() -> None:
    """Its heartbeats still count, so that it can come to an end."""
    run, held = in_flight()
    run.time_passes(LEASE - SECOND)
    run.heartbeat(held["c"])
    run.time_passes(SECOND)
    claim = Claim(attempt_key=held["c"].attempt_key, offer=run.offer("ben"))

    assert "stale_claim" == run.expects_refusal(claim).code
    assert "expired_claim" == run.expects_refusal(Heartbeat(held=held["other"], lease_ms=1)).code


def test_claimed_sibling_alone_is_reason_enough() -> None:
    """Nothing is done yet, but what somebody works at could have to be undone."""
    run = Scenario(side_by_side())
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    assert "compensating" == run.state.status
    run.complete(held)
    assert ["a"] == due(run)
    run.undo("a")

    assert () == ended(run).recovery


def test_claimed_sibling_without_callback_is_not() -> None:
    """With nothing to undo, now or soon, the run ends and fences it off."""
    spec = workflow(step("a"), step("b", compensate=True), step("end", after=("a", "b")))
    run = Scenario(spec)
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))

    assert "failed" == ended(run).status
    assert "terminal_run" == run.expects_refusal(Complete(held=held)).code


def test_sibling_that_fails_leaves_nothing_to_undo() -> None:
    """The run waited for it in vain, and ends with what it left open."""
    run = Scenario(side_by_side())
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    decision = run.fail(held, BANG)

    assert [AttemptFailed, RunTerminal] == kinds(decision.entries)
    assert (BOOM, ["effect_unknown"]) == (
        ended(run).error,
        [left.reason for left in ended(run).recovery],
    )


def test_crash_while_undoing_changes_nothing() -> None:
    """Whoever reads the journal again goes on where it stopped."""
    run, held = in_flight()
    run.process_restarts()
    run.complete(held["other"])
    run.process_restarts()
    run.complete(held["c"])
    run.process_restarts()
    run.undo("c")
    run.process_restarts()
    run.undo("a")

    assert () == ended(run).recovery
