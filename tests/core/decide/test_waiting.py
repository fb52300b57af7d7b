"""Gates, holds, messages and time-outs over random plays, seen by a naive reader."""

from hypothesis import given

from support import naive_waiting
from support.plays import plays
from support.scenario import Scenario


@given(plays())
def test_gates_are_answered_once_and_as_a_whole(run: Scenario) -> None:
    """One answer each, with its receipt before it and its consequence behind it."""
    naive_waiting.each_gate_is_answered_at_most_once(run.journal)
    naive_waiting.answers_come_whole(run.journal, [s.revision for s in run.states])
    naive_waiting.answers_lead_where_the_gate_said(run.journal)


@given(plays())
def test_messages_reach_visits_in_order(run: Scenario) -> None:
    """The oldest message to the oldest visit; none is lost, none is too many."""
    revisions = [s.revision for s in run.states]
    naive_waiting.oldest_message_goes_to_oldest_visit(run.journal, revisions)
    naive_waiting.messages_find_room(run.journal, run.spec)

    assert naive_waiting.kept_messages(run.journal) == list(run.state.mail.kept)


@given(plays())
def test_holds_hold_and_only_timers_strike(run: Scenario) -> None:
    """No claim under a hold; time-outs where the definition has them, and nowhere else."""
    naive_waiting.nothing_is_claimed_under_a_hold(run.journal)
    naive_waiting.timers_stand_where_defined(run.journal, run.spec)
    naive_waiting.only_timers_end_a_wait(run.journal, run.spec)


@given(plays())
def test_status_is_that_of_the_protocol(run: Scenario) -> None:
    """At every moment the status is the first that fits, and timers do not count."""
    for state in run.states[1:]:
        assert naive_waiting.status(run.journal[: state.revision]) == state.status
