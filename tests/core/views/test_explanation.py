"""Explanations: what must hold wherever a run can get to, and what is said of named states."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.converter import from_json, to_json
from squidmesh_core.state.run import RunState
from squidmesh_core.views import explanation as package
from squidmesh_core.views.explanation import Explanation, explain
from squidmesh_core.views.explanation import reasons as reasons_module
from squidmesh_core.views.explanation import standing as standing_module
from squidmesh_core.views.schemas import view_schema
from support.explained import EXPLAINED
from support.explaining import CHECKS, everybody, explained
from support.planted import Plant
from support.plays import plays
from support.scenario import LEASE, SECOND, Scenario

SPECS = Path(__file__).parents[3] / "specs"
SCHEMA = Draft202012Validator(view_schema(Explanation))
PAUSES = st.sampled_from([timedelta(0), SECOND, LEASE])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_it_holds_wherever_a_run_can_get_to(check: Callable[[Scenario], None]) -> None:
    """Each check holds for every state that random plays reach, at once and later."""

    @given(plays(), PAUSES)
    def held(run: Scenario, pause: timedelta) -> None:
        run.time_passes(pause)
        event(explained(run).reason)
        check(run)

    held()


@given(plays(), PAUSES)
def test_an_explanation_is_a_function_of_the_state(run: Scenario, pause: timedelta) -> None:
    """The same state, read back from a checkpoint, is explained in the same words."""
    run.time_passes(pause)
    stored = to_json(run.state, RunState, run.state.run_id)
    read = from_json(json.loads(json.dumps(stored, sort_keys=True)), RunState, run.state.run_id)
    around = everybody(run)

    assert explained(run, around) == explain(read, run.spec, run.now, around)


@given(plays())
def test_an_explanation_can_be_written_down(run: Scenario) -> None:
    """Its document is JSON and fits its schema."""
    document = json.loads(json.dumps(explained(run, everybody(run)).to_dict(), allow_nan=False))

    SCHEMA.validate(document)


@given(plays(), st.integers(30, 140))
def test_text_stays_within_its_width(run: Scenario, width: int) -> None:
    """Only commands, which are copied whole, and single words may be longer."""
    for line in explained(run).to_text(width).splitlines():
        long_word = max(map(len, line.split()), default=0) >= max(width, 40) // 2
        copied = line.lstrip().startswith("squidmesh ")
        assert len(line) <= max(width, 40) or copied or long_word, line


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
    reached = {state().reason for state in EXPLAINED.values()}

    assert {
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
    } == reached
    assert len(EXPLAINED) >= 60


def test_a_foreign_history_is_explained_as_well() -> None:
    """A journal that stops where none of ours would still has a reason, and a sentence."""
    run = _first(EXPLAINED["at_work"])
    emptied = evolve(run.state, live={}, timers={})
    begun = explain(emptied, run.spec, run.now)
    idle = explain(_with_something_done(emptied), run.spec, run.now)

    assert ("run_started", "The run was started, and nothing of it was scheduled.") == (
        begun.reason,
        begun.summary,
    )
    assert "idle" == idle.reason
    assert "Nothing is at work, scheduled or awaited, and the run is not over." == idle.summary


def test_anomalies_are_counted() -> None:
    """Entries that did not fit are told of, and are no reason."""
    run = _first(EXPLAINED["at_work"])
    run.state = _with_anomalies(run, 1)
    one = explained(run)
    run.state = _with_anomalies(run, 2)
    two = explained(run)

    assert "1 entry of its journal did not fit and changed nothing" == one.why[-1]
    assert "2 entries of its journal did not fit and changed nothing" == two.why[-1]
    assert (1, 2) == (one.evidence.anomalies, two.evidence.anomalies)


def test_instants_are_told_by_the_clock_that_is_asked_for() -> None:
    """Another zone, another hour; the distance is the same."""
    run = _first(EXPLAINED["at_work"])
    here = explain(run.state, run.spec, run.now, zone=timezone(timedelta(hours=2)))

    assert "since 02:00:00 (now)" in here.summary
    assert "since 00:00:00Z (now)" in explain(run.state, run.spec, run.now, zone=UTC).summary


def test_time_never_runs_backwards() -> None:
    """A clock behind the journal is read as the journal's last instant."""
    run = _first(EXPLAINED["retried_later"])

    assert run.state.at == explain(run.state, run.spec, run.now - timedelta(days=1)).at


def test_evidence_points_at_the_journal() -> None:
    """Each revision that is pointed at is an entry of that type."""
    run = _first(EXPLAINED["retried_later"])
    found = explained(run).evidence

    assert [(2, "run_started"), (5, "attempt_failed")] == [
        (pointer.revision, pointer.entry) for pointer in found.pointers
    ]
    assert {"start": 1} == found.commands
    assert {"retry_scheduled": 1, "failed": 1} == found.attempts
    assert run.state.revision == found.at_revision


def test_commands_given_twice_alike_are_evidence() -> None:
    """Two holds by one person, with nothing to tell them apart."""
    run = _first(EXPLAINED["at_work"])
    for _ in range(2):
        run.hold()
        run.resume()
    found = explained(run).evidence

    assert [("pause", 2), ("resume", 2)] == [(one.command, one.count) for one in found.duplicates]
    assert (Revision(4), Revision(8)) == tuple(r - 1 for r in found.duplicates[0].revisions)
    assert found.latest_command is not None
    assert "resume" == found.latest_command.command


def test_values_of_steps_are_in_no_explanation() -> None:
    """Payloads and outputs stay where they are; only what decided a route is told."""
    run = _first(EXPLAINED["ready_at_the_start"])
    run.perform("pick", {"secret": "canary-1", "deep": ["canary-2"]})
    document = json.dumps(explained(run, everybody(run)).to_dict())

    assert "canary" not in document


@pytest.mark.parametrize("plant", range(6))
def test_the_checks_find_planted_bugs(plant: int) -> None:
    """Each of these bugs is found by a check, so their silence means something."""
    checks, put_in = PLANTED[plant]

    @settings(
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        max_examples=300,
        suppress_health_check=list(HealthCheck),
    )
    @given(plays(), PAUSES)
    def held(run: Scenario, pause: timedelta) -> None:
        run.time_passes(pause)
        for check in CHECKS:
            if check.__name__ in checks:
                check(run)

    with pytest.MonkeyPatch.context() as patch:
        put_in(patch)
        with pytest.raises((AssertionError, RuntimeError, ValueError)):
            held()


# --- bugs


def _holds_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A ready attempt of a held run passes for claimable."""
    honest = standing_module._standing

    def forgetful(attempt, state, queues, around, now):  # type: ignore[no-untyped-def]  # as the honest one
        from squidmesh_core.state.gates import Gates

        return honest(attempt, evolve(state, gates=Gates()), queues, around, now)

    patch.setattr(standing_module, "_standing", forgetful)


def _leases_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A lease that is past passes for one that lives."""
    honest = standing_module._kind

    def forgetful(attempt, now):  # type: ignore[no-untyped-def]  # as the honest one
        kind = honest(attempt, now)
        return "at_work" if kind == "expired" else kind

    patch.setattr(standing_module, "_kind", forgetful)


def _timers_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A time-out that is over is no reason to look for a worker."""
    honest = reasons_module.reason_of

    def forgetful(state, spec, now):  # type: ignore[no-untyped-def]  # as the honest one
        return honest(evolve(state, timers={}), spec, now)

    patch.setattr(reasons_module, "reason_of", forgetful)


def _refusals_taken_for_yes(patch: pytest.MonkeyPatch) -> None:
    """Actions are listed whatever the deciders say of them."""
    from squidmesh_core.views.explanation import actions

    honest = actions._refused

    def hopeful(name, answer, node=None):  # type: ignore[no-untyped-def]  # as the honest one
        refused = honest(name, answer, node)
        return package.Action(
            name=refused.name, label="", safe=True, effect="", call="", command="", node=node
        )

    patch.setattr(actions, "_refused", hopeful)


def _other_codes(patch: pytest.MonkeyPatch) -> None:
    """Refusals are shown with a code of the explanation's own."""
    from squidmesh_core.views.explanation import actions

    honest = actions._refused

    def vague(name, answer, node=None):  # type: ignore[no-untyped-def]  # as the honest one
        return evolve(honest(name, answer, node), code="not_now")

    patch.setattr(actions, "_refused", vague)


def _messages_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told that a message could be handed in."""
    from squidmesh_core.views.explanation import wishes

    patch.setattr(wishes, "_messages", lambda case: ())


PLANTED: list[tuple[set[str], Plant]] = [
    ({"check_claimable"}, _holds_forgotten),
    ({"check_claimable", "check_reason"}, _leases_forgotten),
    ({"check_claimable", "check_reason"}, _timers_forgotten),
    ({"check_listed"}, _refusals_taken_for_yes),
    ({"check_refused"}, _other_codes),
    ({"check_unlisted"}, _messages_forgotten),
]


# --- helpers


def _first(state: Callable[[], Explanation]) -> Scenario:
    """The run that a named state is of, reached again."""
    from support.explained import stages

    found: list[Scenario] = []
    honest = stages.explain

    def seen(given, spec, now, around=None):  # type: ignore[no-untyped-def]  # as the honest one
        return honest(given, spec, now, around)

    del seen, found
    raise NotImplementedError(state)
