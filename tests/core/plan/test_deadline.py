"""Deadlines warn at their instants, and change nothing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from squidmesh_core.plan.deadline import Due, evaluate, started
from squidmesh_core.protocol.entries import Deadline
from squidmesh_core.values import DeadlinePolicy, Exponential, RetryPolicy
from support.scenario import EPOCH, LEASE, SECOND, Scenario
from support.workflows import chain, step

POLICY = DeadlinePolicy(within_ms=10_000, due_soon_ms=2_000, escalate_after_ms=5_000)
INSTANT = timedelta(microseconds=1)
LAST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "status"),
    [
        (8 * SECOND - INSTANT, "on_time"),
        (8 * SECOND, "due_soon"),
        (10 * SECOND - INSTANT, "due_soon"),
        (10 * SECOND, "overdue"),
        (15 * SECOND - INSTANT, "overdue"),
        (15 * SECOND, "escalated"),
    ],
)
def test_deadline_warns_from_each_instant_on(passed: timedelta, status: str) -> None:
    """Due soon, due and escalated begin at their very instants."""
    deadline = Deadline(policy=POLICY, started_at=EPOCH)

    assert status == evaluate(deadline, EPOCH + passed).status


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("number", [2**53 - 1, 2**63, 10**30])
@pytest.mark.parametrize("started_at", [EPOCH, LAST], ids=["now", "at the end of time"])
def test_a_deadline_beyond_the_calendar_stands_at_its_end(
    number: int, started_at: datetime, sign: int
) -> None:
    """Somebody else's journal may say any number; whoever asks is told, in every time zone."""
    policy = DeadlinePolicy(
        within_ms=sign * number, due_soon_ms=number, escalate_after_ms=sign * number
    )
    due = evaluate(Deadline(policy=policy, started_at=started_at), EPOCH)

    assert ("due_soon" if sign > 0 else "escalated") == due.status
    assert sign * due.remaining > timedelta(days=365)
    for at in (due.due_at, due.due_soon_at, due.escalated_at):
        assert at is not None
        assert [at, at] == [at.astimezone(timezone(timedelta(hours=one))) for one in (-14, 14)]


def test_deadline_shows_its_instants() -> None:
    """All instants count from the start; what remains turns negative."""
    due = evaluate(Deadline(policy=POLICY, started_at=EPOCH), EPOCH + 11 * SECOND)

    assert due == Due(
        status="overdue",
        started_at=EPOCH,
        due_at=EPOCH + 10 * SECOND,
        due_soon_at=EPOCH + 8 * SECOND,
        escalated_at=EPOCH + 15 * SECOND,
        remaining=-SECOND,
    )


def test_deadline_without_warnings_is_only_due() -> None:
    """What a policy leaves out does not happen."""
    due = evaluate(Deadline(policy=DeadlinePolicy(within_ms=1), started_at=EPOCH), EPOCH + LEASE)

    assert ("overdue", None, None) == (due.status, due.due_soon_at, due.escalated_at)


def test_step_without_deadline_has_none() -> None:
    """No policy, no clock."""
    assert None is started(step("charge"), EPOCH)


def test_clock_starts_when_the_attempt_is_visible() -> None:
    """A run that starts later is due later."""
    run = Scenario(chain(step("charge", deadline=POLICY)))
    run.start(visible_at=EPOCH + LEASE)

    assert (
        Deadline(policy=POLICY, started_at=EPOCH + LEASE) == run.attempt("charge").intent.deadline
    )


def test_retry_restarts_the_clock_and_deferral_keeps_it() -> None:
    """A retry is due from its own `visible_at`, a continuation from the first."""
    retry = RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=1_000, max_ms=1_000))
    run = Scenario(chain(step("charge", deadline=POLICY, retry=retry)))
    run.start()
    run.time_passes(SECOND)
    run.defer(run.claim("charge"))
    deferred = run.attempt("charge").intent.deadline
    run.fail(run.claim("charge"))
    retried = run.attempt("charge").intent.deadline

    assert [EPOCH, EPOCH + 2 * SECOND] == [d.started_at for d in (deferred, retried) if d]


def test_passed_deadline_changes_nothing() -> None:
    """However late it is, the step may be claimed and completed."""
    run = Scenario(chain(step("charge", deadline=POLICY)))
    run.start()
    run.time_passes(LEASE * 100)
    run.perform("charge")

    assert "completed" == run.state.status
