"""What explanations say of named states, and what they rest on."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.plan.admission import QueueSettings
from squidmesh_core.protocol.commands import Heartbeat
from squidmesh_core.state.run import Anomaly, RunState
from squidmesh_core.values import Compare, DeadlinePolicy, Not, RetryPolicy
from squidmesh_core.views.explanation import Explanation, Holder, Line, explain
from squidmesh_core.views.explanation.actions import _claimed
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.causes import said
from squidmesh_core.views.explanation.ended import outcome_text
from squidmesh_core.views.explanation.reasons import Finding
from squidmesh_core.views.explanation.sentences import summary_of
from squidmesh_core.views.explanation.surroundings import Surroundings
from squidmesh_core.views.explanation.undoing import undoing_text
from squidmesh_core.views.words import columns
from support.explained import EXPLAINED
from support.explained.stages import ORDER, around, begun, worker
from support.explaining import everybody, explained
from support.features.told import Told, order
from support.replays import recompensated
from support.scenario import LEASE, Scenario, a_hold, a_start
from support.workflows import approval, log, pause, receive, route, step

SPECS = Path(__file__).parents[3] / "specs"
#: The reasons that our own histories can reach.
REASONS = {
    "terminal",
    "run_quarantined",
    "newer_entries",
    "compensating",
    "manual_intervention_required",
    "expired_claim",
    "queue_paused",
    "queue_full",
    "no_capable_worker",
    "attempt_visible",
    "waiting_for_join",
    "deferred_continuation",
    "attempt_claimed",
    "attempt_scheduled_for_later",
    "waiting_for_message",
}


def at_work() -> Told:
    run = begun(step("pick"), step("ship"))
    run.claim("pick")
    return run


def action(found: Explanation, name: str) -> str:
    """The command of the first action of this name."""
    return next(one.command for one in found.next_actions if one.name == name)


# --- named states


@pytest.mark.parametrize("state", EXPLAINED.values(), ids=EXPLAINED)
def test_named_states_are_explained_as_somebody_read_it(state: Callable[[], Explanation]) -> None:
    """The text of each of these states was read, and is stored in specs/explanations."""
    text = (SPECS / "explanations" / f"{state.__name__}.txt").read_text(encoding="utf-8")

    assert text.partition("\n\n")[2] == state().to_text()


def test_stored_explanations_are_up_to_date() -> None:
    """`specs/write_explanations.py --check` finds nothing to change."""
    command = [sys.executable, str(SPECS / "write_explanations.py"), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (answer.returncode, answer.stderr)


def test_every_reason_of_ours_is_among_the_named_states() -> None:
    """No reason that our own histories can reach goes unread."""
    assert REASONS == {state().reason for state in EXPLAINED.values()}
    assert len(EXPLAINED) >= 60


# --- as text


def test_the_text_of_an_explanation_holds_nothing_that_a_terminal_obeys() -> None:
    """Questions, notes and errors come from outside; what moves a cursor or reorders is written out."""
    run = begun(approval("ask"), step("last", after=("ask",)))
    found = evolve(explained(run), summary="Ship\x1b[2J\tit\u202e?", why=("because\x07 of\u2066",))
    text = found.to_text()

    assert "Ship\\x1b[2J\\tit\\u202e?" in text
    assert "because\\x07 of\\u2066" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_one_long_name_does_not_push_the_others_off_the_screen() -> None:
    """An action too long for the column stands on a line of its own; all others stay aligned."""
    name = "decide_" + "x" * 60
    run = begun(approval(name), step("last", after=(name,)))
    lines = explained(run).to_text(80).splitlines()
    at = lines.index(f"You may      approve '{name}'")

    assert lines[at + 1].startswith(" " * 21)
    assert lines[at + 1][21] != " "
    assert f"{' ' * 13}cancel  (!) the run ends here, cancelled" in lines
    assert all(len(line) <= 80 for line in lines if name not in line and "squidmesh" not in line)


# --- histories of others


def test_a_foreign_history_is_explained_as_well() -> None:
    """A journal that stops where none of ours would still has a reason, and a sentence."""
    run = begun(step("pick"), step("ship"))
    first = explain(evolve(run.state, live={}), run.spec, run.now)
    run.perform("pick")
    later = explain(evolve(run.state, live={}), run.spec, run.now)

    assert ("run_started", None) == (first.reason, first.node)
    assert "The run was started, and nothing of it was scheduled." == first.summary
    assert "idle" == later.reason
    assert "Nothing is at work, scheduled or awaited, and the run is not over." == later.summary


def test_a_journal_without_a_start_is_no_run() -> None:
    """There is nothing to explain."""
    run = at_work()

    with pytest.raises(ValueError, match="holds no run_started"):
        explain(RunState(run_id=run.state.run_id), run.spec, run.now)


@pytest.mark.parametrize(("count", "said"), [(1, "1 entry"), (2, "2 entries")])
def test_anomalies_are_counted(count: int, said: str) -> None:
    """Entries that did not fit are told of, and are no reason."""
    run = at_work()
    misfit = Anomaly(
        reason="stale_claim", entry_type="AttemptHeartbeat", revision=run.state.revision
    )
    run.state = evolve(run.state, anomalies=(misfit,) * count)
    found = explained(run)

    assert f"{said} of its journal did not fit and changed nothing" == found.why[-1]
    assert count == found.evidence.anomalies
    assert "attempt_claimed" == found.reason


# --- instants


def test_instants_are_told_by_the_clock_that_is_asked_for() -> None:
    """Another zone, another hour; the distance is the same."""
    run = at_work()
    elsewhere = explain(run.state, run.spec, run.now, zone=timezone(timedelta(hours=2)))

    assert "since 02:00:00 (now)" in elsewhere.summary
    assert "since 02:00:00 (now)" in elsewhere.to_text()
    assert "since 00:00:00Z (now)" in explain(run.state, run.spec, run.now, zone=UTC).summary


def test_time_never_runs_backwards() -> None:
    """A clock behind the journal is read as the journal's last instant."""
    run = at_work()

    assert run.state.at == explain(run.state, run.spec, run.now - timedelta(days=1)).at


# --- evidence


def test_evidence_points_at_the_journal() -> None:
    """Each revision that is pointed at is an entry of that type."""
    run = begun(step("charge", retry=RetryPolicy(max_attempts=3)), step("ship"))
    run.fail(run.claim("charge"))
    found = explained(run).evidence

    assert [(2, "run_started"), (5, "attempt_failed")] == [
        (pointer.revision, pointer.entry) for pointer in found.pointers
    ]
    assert {"start": 1} == found.commands
    assert {"retry_scheduled": 1, "failed": 1} == found.attempts
    assert run.state.revision == found.at_revision


@pytest.mark.parametrize("state", EXPLAINED.values(), ids=EXPLAINED)
def test_pointers_are_within_the_journal(state: Callable[[], Explanation]) -> None:
    """Of all named states: in order, each once, none past the head."""
    found = state().evidence
    revisions = [pointer.revision for pointer in found.pointers]

    assert sorted(set(revisions)) == revisions
    assert all(1 <= one <= found.at_revision for one in revisions)


def test_commands_given_twice_alike_are_evidence() -> None:
    """Two holds by one person, with nothing to tell them apart."""
    run = at_work()
    for _ in range(2):
        run.hold()
        run.resume()
    found = explained(run).evidence

    assert [("pause", 2), ("resume", 2)] == [(one.command, one.count) for one in found.duplicates]
    assert found.latest_command is not None
    assert "resume" == found.latest_command.command


def test_no_value_of_a_step_is_in_an_explanation() -> None:
    """Payloads and outputs stay where they are; only what decided a route is told."""
    run = begun(step("pick", output="pick"), step("ship"))
    run.perform("pick", {"secret": "canary-1", "deep": ["canary-2"]})
    document = json.dumps(explained(run, everybody(run)).to_dict())

    assert "canary" not in document


# --- words


def test_conditions_read_like_code() -> None:
    """A negation, and the absence of a value."""
    case = _case(at_work())
    absent = Compare(path=("a", "b"), operator="is_missing", operand=True)
    there = Compare(path=("a",), operator="is_missing", operand=False)

    assert "not a.b is missing" == said(case, Not(condition=absent))
    assert "a is not missing" == said(case, there)


def test_a_missing_value_is_said_to_be_missing() -> None:
    """A condition on what is not there is false, and no value can be shown."""
    low = Compare(path=("risk", "score"), operator="less_than", operand=30)
    run = begun(
        step("risk"),
        step("charge"),
        step("review"),
        routes=(route("risk", "charge", when=low), route("risk", "review")),
    )
    run.perform("risk")

    assert (
        explained(run).why[0].startswith("the values asked for were missing, so 'risk.score < 30'")
    )


def test_a_time_out_that_ends_the_run_is_told_so() -> None:
    """A route to the end is no node that comes next."""
    run = begun(
        approval("review", timeout_ms=1_000),
        step("ship"),
        routes=(route("review", "ship"), route("review", "complete", on="timeout")),
    )
    run.time_passes(LEASE)
    run.strike("review")

    assert "so its time-out route was taken: the run was over" in explained(run).why[0]


def test_an_error_route_to_the_end_is_told_so() -> None:
    """The same of an error."""
    run = begun(step("charge"), step("ship"), routes=(route("charge", "complete", on="error"),))
    run.fail(run.claim("charge"), retryable=False)

    assert (
        "'charge' failed with Boom: it broke; its error route ended the run"
        == (explained(run).why[0])
    )


def test_two_gates_of_one_node_are_named_by_their_visits() -> None:
    """Two strands that reach one approval make two gates."""
    spec = evolve(
        order(
            log("left"),
            log("right"),
            approval("ask", max_visits=2),
            routes=(route("left", "ask"), route("right", "ask")),
        ),
        entry_steps=(NodeName("left"), NodeName("right")),
    )
    run = Told(spec)
    run.start(ORDER)
    run.tick("left")
    found = explained(run)

    assert f"{run.state.run_id}:ask@2" in {one.node for one in found.next_actions}
    assert "approve 'ask@2'" in found.to_text()


def test_two_pauses_are_named() -> None:
    """Each by its node."""
    run = begun(pause("left"), pause("right"), step("last", after=("left", "right")))
    found = explained(run)

    assert "Waiting for 2 answers: at 'left' and 'right'." == found.summary
    assert action(found, "resume").endswith("--node left")


def test_two_messages_are_named() -> None:
    """Each by its node, and each with its own age."""
    run = begun(receive("left"), receive("right"), step("last", after=("left", "right")))
    found = explained(run)

    assert "Waiting for messages at 'left', 'right'." == found.summary
    assert "'right' waits for a message since 00:00:00Z (now)" in found.why


def test_a_pause_of_nobody_is_by_somebody() -> None:
    """Who held the run need not have said so."""
    run = at_work()
    hold = a_hold(actor=None)
    run.decides(hold)

    assert explained(run).summary.startswith("The whole run is held by somebody since")


def test_a_worker_that_was_the_only_chance_is_told_so() -> None:
    """Once is not `1 times`."""
    run = begun(step("pick", max_deliveries=1), step("ship"))
    run.claim("pick")
    run.time_passes(LEASE)

    assert "it was delivered once of 1, so the next worker ends it" in explained(run).summary


def test_a_long_question_is_cut_where_another_answer_leads_to_it() -> None:
    """Who is asked first need not read all that somebody else will be asked."""
    first, then = pause("first"), evolve(approval("then"), question="Is it so? " * 60)
    effect = next(
        one.effect
        for one in explained(begun(first, then, step("a"), step("b"))).next_actions
        if one.name == "resume"
    )

    assert "'then' waits for a person: Is it so?" in effect
    assert len(effect) < 280


def test_lines_of_wide_characters_end_where_the_terminal_does() -> None:
    """They take two columns each."""
    run = begun(evolve(approval("review"), question="高リスクです " * 20), step("a"), step("b"))
    lines = explained(run).to_text(60).splitlines()

    assert all(columns(line) <= 60 for line in lines if "squidmesh" not in line)


def test_progress_without_a_whole_is_told_as_it_is() -> None:
    """A step may say how much, and not of how much."""
    run = begun(step("pick"), step("ship"))
    held = run.claim("pick")
    run.decides(Heartbeat(held=held, lease_ms=1_000, progress={"done": 7}))

    assert "it says 7 is done." in explained(run).summary


def test_many_holders_are_not_all_named() -> None:
    """Five are enough to know whom to ask."""
    run = begun(step("pick"), step("ship"))
    key = run.attempt("pick").key
    holders = tuple(Holder(run_id=run.state.run_id, attempt_key=key) for _ in range(6))
    line = Line(settings=QueueSettings(concurrency=6), held={None: 6}, holders=holders)
    found = explained(run, around(worker("ana", "do.pick"), default=line))

    assert found.summary.endswith("and 'pick' of this run and others.")


def test_keyed_work_names_its_key() -> None:
    """A limit of each key says whose it is."""
    run = Told(order(step("pick"), step("ship"), routes=(route("pick", "ship"),)))
    run.decides(evolve(a_start(ORDER), partition_key="acme"))
    line = Line(settings=QueueSettings(per_key=2), held={"acme": 2})
    found = explained(run, around(worker("ana", "do.pick"), default=line))

    assert "all 2 slots of queue 'default' for work of key 'acme' are taken." in found.summary


def test_a_run_that_takes_up_what_was_left_says_of_which() -> None:
    """It is not a replay."""
    once = RetryPolicy(max_attempts=1)
    run = begun(step("hotel", compensate=True, compensate_retry=once), step("charge"))
    run.perform("hotel")
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    rest: Scenario = recompensated(run)

    assert (
        f"the run was made of run {run.state.run_id}, to undo what it left" in explained(rest).why
    )


# --- states that only others bring about, and questions that make no sense


def test_undoing_without_anything_to_undo_is_explained() -> None:
    """A foreign journal may stop right after it said so."""
    run = begun(step("flight", compensate=True), step("charge"))
    run.perform("flight")
    run.fail(run.claim("charge"), retryable=False)
    found = explain(evolve(run.state, live={}), run.spec, run.now)

    assert ("compensating", None) == (found.reason, found.node)


def test_a_sibling_may_be_all_there_is_to_undo() -> None:
    """Nothing is listed as to be undone until it is known to have had an effect."""
    run = begun(step("pack", compensate=True), step("bill"), step("last", after=("pack", "bill")))
    run.claim("pack")
    run.fail(run.claim("bill", by="bob"), retryable=False)
    found = explained(run)

    assert "'pack' is not settled yet" in found.summary
    assert not any("in this order" in line for line in found.why)


def test_a_failure_without_an_error_is_told_as_it_is() -> None:
    """A foreign end may say no more than that it is one."""
    run = begun(step("charge"), step("ship"))
    run.fail(run.claim("charge"), retryable=False)
    assert run.state.terminal is not None
    bare = evolve(run.state, terminal=evolve(run.state.terminal, error=None))

    assert "It failed at 00:00:00Z (now)." == explain(bare, run.spec, run.now).summary


def test_only_what_is_sensitive_is_hidden() -> None:
    """Another value of the same run is shown."""
    low = Compare(path=("total",), operator="less_than", operand=10)
    spec = evolve(
        order(
            step("pick"),
            step("ship"),
            routes=(route("pick", "ship", when=low), route("pick", "complete")),
        ),
        sensitive=(("card",), ("total", "deep")),
    )
    other = evolve(spec, sensitive=(("card",),))
    hidden, shown = (_picked(each) for each in (spec, other))

    assert "total = •••" in explained(hidden).why[0]
    assert "total = 4990" in explained(shown).why[0]


def test_deadlines_of_two_gates_are_told_of_each() -> None:
    """One sentence cannot hold both."""
    soon = DeadlinePolicy(within_ms=60_000)
    run = begun(
        approval("price", deadline=soon), approval("stock"), step("last", after=("price", "stock"))
    )

    assert "the deadline of 'price': due at 00:01:00Z (in 1 min); it only warns" in (
        explained(run).why
    )


@pytest.mark.parametrize("ask", [outcome_text, undoing_text])
def test_what_is_not_so_cannot_be_told(ask: Callable[[Case], str]) -> None:
    """A run that goes on has no outcome, and undoes nothing."""
    with pytest.raises(ValueError, match=r"^run 0193e2a0"):
        ask(_case(at_work()))


def test_an_attempt_that_is_not_there_cannot_be_told() -> None:
    """Those reasons are about one."""
    with pytest.raises(ValueError, match="without an attempt"):
        summary_of(_case(at_work()), Finding(reason="attempt_claimed"))


def test_an_attempt_that_somebody_holds_is_not_offered() -> None:
    """The decider has the last word."""
    case = _case(at_work())
    wrong = evolve(case.standings[0], kind="ready")

    with pytest.raises(RuntimeError, match="is not ready"):
        _claimed(case, wrong)


def _picked(spec: Spec) -> Told:
    run = Told(spec)
    run.start(ORDER)
    run.perform("pick")
    return run


def _case(run: Scenario) -> Case:
    return Case(state=run.state, spec=run.spec, now=run.now, surroundings=Surroundings(), zone=UTC)
