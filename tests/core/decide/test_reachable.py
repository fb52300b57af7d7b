"""What must hold wherever a run can get to, checked over random plays."""

from datetime import timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from squidmesh_core.decide import Decision, claim_row, decide
from squidmesh_core.plan.progress import plan
from squidmesh_core.protocol.commands import Claim, Complete, Defer, Fail, Heartbeat, Held
from squidmesh_core.protocol.entries import RunTerminal
from squidmesh_core.protocol.rows import Head
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.views.index import attempt_rows
from support.plays import plays
from support.scenario import (
    BOOM,
    EPOCH,
    LEASE,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
    a_start,
)


@given(plays())
def test_decisions_fold_without_anomaly(run: Scenario) -> None:
    """The whole journal folds to the state that the last decision showed, anomalies none."""
    event(f"{run.state.status} after {len(run.journal) // 10 * 10}+ entries")

    assert () == run.state.anomalies
    assert run.state == fold_run(run.state.run_id, run.journal)


@given(plays(), st.data())
def test_folding_in_two_parts_equals_at_once(run: Scenario, data: st.DataObject) -> None:
    """A checkpoint may be taken after any entry."""
    cut = data.draw(st.integers(0, len(run.journal)))
    first = fold_run(run.state.run_id, run.journal[:cut])

    assert run.state == fold(first, run.journal[cut:])


@given(plays())
def test_planning_settles(run: Scenario) -> None:
    """After each append nothing is left to enter, and a run that is over says so."""
    for state in run.states[1:]:
        asked = plan(state, run.spec)

        assert () == asked.enter
        assert not asked.complete


@given(plays())
def test_states_of_the_past_stay_as_they_were(run: Scenario) -> None:
    """Going on from a state changes nothing in it: each equals the fold of its own prefix."""
    for state in run.states:
        assert state == fold_run(state.run_id, run.journal[: state.revision])


@given(plays())
def test_nothing_follows_the_end(run: Scenario) -> None:
    """`run_terminal` is the last entry, whatever was tried after it."""
    ends = [i for i, entry in enumerate(run.journal, start=1) if isinstance(entry, RunTerminal)]

    assert ends in ([], [len(run.journal)])


@given(plays(), st.sampled_from([-LEASE, -SECOND]))
def test_decisions_never_go_back_in_time(run: Scenario, step_back: timedelta) -> None:
    """A clock that steps back is answered as of the newest entry."""
    run.now = EPOCH + step_back
    for attempt in list(run.state.live.values()):
        run.ask(Claim(attempt_key=attempt.key, offer=run.offer()))
    instants = [entry.at for entry in run.journal]

    assert sorted(instants) == instants


@given(plays(), st.sampled_from([timedelta(0), LEASE]))
def test_claim_from_a_row_is_the_claim_from_the_state(run: Scenario, pause: timedelta) -> None:
    """Where `claim_row` answers, it answers as `Claim` would; where not, work is not fresh."""
    run.time_passes(pause)
    at = run.state.at or run.now
    head = Head(revision=run.state.revision, hash="0" * 64, at=at)
    for row in attempt_rows(run.state):
        offer = run.offer()
        claimed = claim_row(row, head, offer, run.now)
        attempt = run.state.attempts[row.attempt_key]
        fresh = attempt.status != "claimed" and attempt.visible(max(run.now, at))
        answer = decide(
            run.state, run.spec, Claim(attempt_key=row.attempt_key, offer=offer), run.now
        )

        assert (claimed is not None) == (fresh and row.action is not None)
        if claimed is not None:
            assert isinstance(answer, Decision)
            assert (claimed,) == answer.entries


@given(plays())
def test_every_command_gets_an_answer(run: Scenario) -> None:
    """No command raises, wherever the run is and whatever it names."""
    for attempt in run.state.attempts.values():
        claim = attempt.claim
        held = Held(
            attempt_key=attempt.key,
            claim_id=run.offer().claim_id if claim is None else claim.claim_id,
            claim_token_hash="0" * 64 if claim is None else claim.claim_token_hash,
        )
        for command in (
            Claim(attempt_key=attempt.key, offer=run.offer()),
            Heartbeat(held=held, lease_ms=1),
            Complete(held=held),
            Fail(held=held, error=BOOM),
            Defer(held=held, reason="later"),
            a_start(),
            a_cancel(),
        ):
            decide(run.state, run.spec, command, run.now)
    for node in [None, *run.spec.nodes, *run.state.visits, "nowhere"]:
        for verdict in (a_review("approved", node), a_review("rejected", node)):
            decide(run.state, run.spec, verdict, run.now)
        decide(run.state, run.spec, a_resume(node), run.now)
        decide(run.state, run.spec, a_message(node or ""), run.now)
    decide(run.state, run.spec, a_hold(), run.now)
