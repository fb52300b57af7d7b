"""States of undoing and of ends, and of runs that cannot be read."""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.values import RetryPolicy
from squidmesh_core.views.explanation import Unreadable, explain_unreadable
from squidmesh_core.views.inspection import run_of
from support.explained.stages import Explained, around, begun, explained, worker
from support.features.told import Told, again, keyed, left_of, row, taken_up
from support.scenario import LEASE, SECOND, Scenario, a_cancel
from support.workflows import approval, receive, step

ONCE: Final = RetryPolicy(max_attempts=1)


def undoing() -> Explained:
    """A failure for good; the first callback is due."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    return explained(run, around=around(worker("ana", "undo.hotel", "undo.flight")))


def undoing_that_nobody_can() -> Explained:
    """A failure for good, where no worker has the callback."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    return explained(run, around=around(worker("ana", "do.charge")))


def undoing_half_done() -> Explained:
    """One step undone, the next callback at work."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.undo("hotel")
    run.claim("flight", by="bob")
    return explained(run)


def undoing_retried() -> Explained:
    """A callback that failed, and comes again."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    return explained(run, after=SECOND / 2)


def undoing_waits_for_a_sibling() -> Explained:
    """A failure while another step is at work."""
    run = _siblings()
    run.claim("pack")
    run.fail(run.claim("bill", by="bob"), retryable=False)
    return explained(run)


def undoing_waits_for_a_lost_sibling() -> Explained:
    """A failure while another step was at work, whose worker is gone."""
    run = _siblings()
    run.claim("pack")
    run.fail(run.claim("bill", by="bob"), retryable=False)
    run.time_passes(LEASE)
    return explained(run)


def undoing_a_cancelled_run() -> Explained:
    """A cancel that has everything undone first."""
    run = _booked()
    run.cancel(compensate=True)
    return explained(run)


def completed() -> Explained:
    """A run that did all it should; doing it again harms nobody."""
    run = begun(step("pick"), step("ship"))
    run.perform("pick")
    run.time_passes(90 * SECOND)
    run.perform("ship")
    return explained(run)


def completed_for_good() -> Explained:
    """A run that must not be repeated, because a step cannot be undone."""
    run = begun(step("pick"), step("ship", irreversible=True, compensatable=False))
    run.perform("pick")
    run.perform("ship")
    return explained(run)


def failed() -> Explained:
    """A failure that nothing takes up, with a step before it that stays done."""
    run = begun(step("pick"), step("charge"))
    run.perform("pick")
    run.fail(run.claim("charge"), retryable=False)
    return explained(run)


def failed_and_undone() -> Explained:
    """A failure after which all was undone."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.undo("hotel")
    run.undo("flight")
    return explained(run)


def failed_and_left() -> Explained:
    """A failure after which something could not be undone."""
    run = begun(
        step("flight", compensate=True),
        step("hotel", compensate=True, compensate_retry=ONCE),
        step("charge"),
    )
    run.perform("flight")
    run.perform("hotel")
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    run.undo("flight")
    return explained(run)


def failed_by_a_rejection() -> Explained:
    """A no that led nowhere."""
    run = begun(step("pick"), approval("review", after=("pick",)))
    run.perform("pick")
    run.reject()
    return explained(run)


def failed_by_its_time_limit() -> Explained:
    """A run that was not over in time."""
    spec = evolve(row(step("pick"), step("ship")), timeout_ms=60_000)
    run = Told(spec)
    run.start({"order_id": "A-1", "total": 1})
    run.claim("pick")
    run.time_passes(LEASE)
    run.strike()
    return explained(run)


def cancelled() -> Explained:
    """A run that somebody ended, with a step at work and one that stays done."""
    run = _booked()
    run.claim("charge")
    cancel = a_cancel()
    run.decides(evolve(cancel, said=evolve(cancel.said, comment="customer called")))
    return explained(run)


def undoing_given_up() -> Explained:
    """Undoing that somebody ended."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.undo("hotel")
    run.cancel(abandon=True)
    return explained(run)


def replayed() -> Explained:
    """A run made of a finished one."""
    run = begun(step("pick"), step("ship"))
    run.perform("pick")
    run.perform("ship")
    return explained(again(run))


def forked() -> Explained:
    """A run made of a failed one, from the step that failed on."""
    run = begun(step("pick", output="pick"), step("ship"))
    run.perform("pick", {"box": 7})
    run.fail(run.claim("ship"), retryable=False)
    return explained(again(run, from_step="ship"))


def taking_up_what_was_left() -> Explained:
    """A run that undoes what another one could not."""
    run = begun(step("hotel", compensate=True, compensate_retry=ONCE), step("charge"))
    run.perform("hotel")
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    return explained(taken_up(run))


def pruned() -> Explained:
    """A run of which only a tombstone is left."""
    run = keyed(row(step("pick"), receive("paid")), key="order:A-1")
    run.perform("pick")
    run.cancel()
    return explained(left_of(run))


def quarantined() -> Explained:
    """A run whose journal was damaged."""
    return _unreadable(
        Unreadable(
            reason="run_quarantined",
            said="it does not follow what comes before it",
            revision=Revision(4),
            message="run is quarantined; nothing was written",
        )
    )


def written_by_a_newer_release() -> Explained:
    """A run that a newer squidmesh works on."""
    return _unreadable(
        Unreadable(
            reason="newer_entries",
            said="step_applied v2",
            revision=Revision(7),
            message="run holds entries of a newer release; nothing was written",
        )
    )


def _booked() -> Told:
    run = begun(step("flight", compensate=True), step("hotel", compensate=True), step("charge"))
    run.perform("flight")
    run.perform("hotel")
    return run


def _siblings() -> Told:
    run = begun(
        step("pick", compensate=True),
        step("pack", after=("pick",), compensate=True),
        step("bill", after=("pick",)),
    )
    run.perform("pick")
    return run


def _unreadable(why: Unreadable) -> Explained:
    run: Scenario = begun(step("pick"), step("ship"))
    return explain_unreadable(run_of(run.state), why, run.now + SECOND)


STATES: Final[tuple[Callable[[], Explained], ...]] = (
    undoing,
    undoing_that_nobody_can,
    undoing_half_done,
    undoing_retried,
    undoing_waits_for_a_sibling,
    undoing_waits_for_a_lost_sibling,
    undoing_a_cancelled_run,
    completed,
    completed_for_good,
    failed,
    failed_and_undone,
    failed_and_left,
    failed_by_a_rejection,
    failed_by_its_time_limit,
    cancelled,
    undoing_given_up,
    replayed,
    forked,
    taking_up_what_was_left,
    pruned,
    quarantined,
    written_by_a_newer_release,
)
