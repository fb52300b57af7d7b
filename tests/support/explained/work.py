"""States of steps: ready, at work, failed, lost, waiting for time and for each other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import evolve

from squidmesh_core.protocol.commands import Claim, Heartbeat
from squidmesh_core.values import AllOf, Compare, DeadlinePolicy, Exponential, RetryPolicy
from support.explained.stages import ORDER, Explained, around, begun, explained, secret, worker
from support.features.told import Told, order
from support.scenario import LEASE, SECOND
from support.workflows import approval, log, pause, receive, route, step, wait

MINUTE: Final = timedelta(minutes=1)
THREE: Final = RetryPolicy(max_attempts=3, backoff=Exponential(min_ms=20_000, max_ms=60_000))
CAPABLE: Final = around(worker("ana", "do.pick", "do.ship", "do.charge", "do.bill", "do.slot"))


def ready_at_the_start() -> Explained:
    """A first step, ready, with a worker that could take it."""
    return explained(begun(step("pick"), step("ship")), around=CAPABLE)


def ready_and_nobody_looked() -> Explained:
    """A first step, ready, where nothing is known of workers."""
    return explained(begun(step("pick"), step("ship")))


def starts_later() -> Explained:
    """A run whose start was put off."""
    run = Told(order(step("pick"), step("ship"), routes=(route("pick", "ship"),)))
    run.start(ORDER, visible_at=run.now + timedelta(days=2))
    return explained(run)


def at_work() -> Explained:
    """A step that somebody performs."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick")
    return explained(run)


def at_work_with_progress() -> Explained:
    """A step that says how far it is."""
    run = begun(step("pick"), step("ship"))
    held = run.claim("pick")
    run.time_passes(30 * SECOND)
    progress = {"done": 3, "of": 8, "note": "third shelf"}
    run.decides(Heartbeat(held=held, lease_ms=60_000, progress=progress))
    return explained(run)


def chosen_by_values() -> Explained:
    """A step that a condition led to."""
    cheap = Compare(path=("total",), operator="less_than", operand=10_000)
    run = begun(
        step("pick"),
        step("ship"),
        step("review"),
        routes=(route("pick", "ship", when=cheap), route("pick", "review")),
    )
    run.perform("pick")
    return explained(run, around=CAPABLE)


def chosen_as_the_fallback() -> Explained:
    """A step that no condition led to, so the route without one was taken."""
    low = Compare(path=("risk", "score"), operator="less_than", operand=30)
    calm = Compare(path=("risk", "band"), operator="not_equals", operand="high")
    run = begun(
        step("risk", output="risk"),
        step("charge"),
        step("review"),
        routes=(
            route("risk", "charge", when=AllOf(conditions=(low, calm))),
            route("risk", "review"),
        ),
    )
    run.perform("risk", {"score": 80, "band": "high"})
    return explained(run)


def chosen_by_a_secret() -> Explained:
    """A route that hung on a value which the definition calls sensitive."""
    known = Compare(path=("card",), operator="equals", operand="card-4711")
    spec = secret(step("pick"), step("ship"))
    spec = evolve(spec, transitions=(route("pick", "ship", when=known), route("pick", "complete")))
    run = Told(spec)
    run.start({"order_id": "A-1", "card": "card-4711"})
    run.perform("pick")
    return explained(run)


def retried_later() -> Explained:
    """A step that failed, and comes again."""
    run = begun(step("charge", retry=THREE), step("ship"))
    run.fail(run.claim("charge"))
    return explained(run)


def retried_now() -> Explained:
    """A retry that is due."""
    run = begun(step("charge", retry=THREE), step("ship"))
    run.fail(run.claim("charge"))
    run.time_passes(MINUTE)
    return explained(run, around=CAPABLE)


def last_try() -> Explained:
    """The last try, at work."""
    run = begun(step("charge", retry=RetryPolicy(max_attempts=2)), step("ship"))
    run.fail(run.claim("charge"))
    run.claim("charge", by="bob")
    return explained(run)


def deferred() -> Explained:
    """A step that asked to go on later."""
    run = begun(step("slot"), step("ship"))
    run.defer(run.claim("slot"), delay_ms=600_000)
    return explained(run)


def continued() -> Explained:
    """A deferred step whose time has come."""
    run = begun(step("slot"), step("ship"))
    run.defer(run.claim("slot"), delay_ms=60_000)
    run.time_passes(2 * MINUTE)
    return explained(run, around=CAPABLE)


def lease_expired() -> Explained:
    """A worker that was not heard of again."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick", by="bob")
    run.time_passes(LEASE)
    return explained(run, around=CAPABLE)


def lease_expired_for_the_last_time() -> Explained:
    """A step that lost its worker as often as allowed."""
    run = begun(step("pick", max_deliveries=2), step("ship"))
    for owner in ("ana", "bob"):
        run.claim("pick", by=owner)
        run.time_passes(LEASE)
    return explained(run)


def lease_expired_and_nobody_left() -> Explained:
    """A lost worker, and no other one."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick", by="bob")
    run.time_passes(LEASE)
    gone = worker("bob", "do.pick", takes_work=False, seen=30 * SECOND)
    return explained(run, around=around(gone))


def waiting_for_time() -> Explained:
    """A wait that goes on."""
    run = begun(step("pick"), wait("cool_off", 600_000), step("ship"))
    run.perform("pick")
    return explained(run)


def wait_is_over() -> Explained:
    """A wait that is over, with nobody there yet to pass over it."""
    run = begun(step("pick"), wait("cool_off", 60_000), step("ship"))
    run.perform("pick")
    run.time_passes(2 * MINUTE)
    return explained(run, around=CAPABLE)


def log_is_due() -> Explained:
    """A log line that somebody must write."""
    return explained(begun(log("begun"), step("ship")), around=CAPABLE)


def waiting_for_the_other_branch() -> Explained:
    """A join of which one branch is done."""
    run = _branches()
    run.perform("pack")
    run.claim("bill", by="bob")
    return explained(run)


def waiting_for_a_branch_that_is_retried() -> Explained:
    """A join whose other branch failed and comes again."""
    run = begun(
        step("pick"),
        step("pack", after=("pick",)),
        step("bill", after=("pick",), retry=THREE),
        step("ship", after=("pack", "bill")),
    )
    run.perform("pick")
    run.perform("pack")
    run.fail(run.claim("bill"))
    return explained(run)


def waiting_for_branches_that_ask() -> Explained:
    """A join that waits for a person and for a message."""
    run = begun(
        step("pick"),
        approval("price", after=("pick",)),
        receive("paid", after=("pick",)),
        step("ship", after=("pick", "price", "paid")),
    )
    run.perform("pick")
    return explained(run)


def two_branches_at_work() -> Explained:
    """Two steps side by side."""
    run = _branches()
    run.claim("pack")
    run.claim("bill", by="bob")
    return explained(run)


def second_visit() -> Explained:
    """A loop on its second turn."""
    good = Compare(path=("draft", "score"), operator="at_least", operand=9)
    run = begun(
        step("draft", output="draft", max_visits=3),
        step("edit"),
        routes=(
            route("draft", "complete", when=good),
            route("draft", "edit"),
            route("edit", "draft"),
        ),
    )
    run.perform("draft", {"score": 3})
    run.perform("edit")
    run.claim("draft")
    return explained(run)


def after_an_error_route() -> Explained:
    """A step that an error route led to."""
    run = begun(
        step("charge"),
        step("apology"),
        routes=(route("charge", "apology", on="error", recovery="compensation"),),
    )
    run.fail(run.claim("charge"), retryable=False)
    run.claim("apology")
    return explained(run)


def late_step() -> Explained:
    """A step past its deadline."""
    late = DeadlinePolicy(within_ms=60_000, escalate_after_ms=60_000, target="warehouse")
    run = begun(step("pick", deadline=late), step("ship"))
    run.claim("pick", lease=timedelta(minutes=10))
    run.time_passes(3 * MINUTE)
    return explained(run)


def run_has_a_time_limit() -> Explained:
    """A run that ends by itself in an hour."""
    spec = order(
        step("pick"), pause("count"), routes=(route("pick", "count"),), timeout_ms=3_600_000
    )
    run = Told(spec)
    run.start(ORDER)
    run.claim("pick")
    return explained(run)


def run_time_is_over() -> Explained:
    """A run whose own time is over, with nobody there yet to end it."""
    spec = order(
        step("pick"), pause("count"), routes=(route("pick", "count"),), timeout_ms=3_600_000
    )
    run = Told(spec)
    run.start(ORDER)
    run.decides(Claim(attempt_key=run.attempt("pick").key, offer=run.offer(lease=60 * 2 * MINUTE)))
    run.time_passes(61 * MINUTE)
    return explained(run)


def _branches() -> Told:
    run = begun(
        step("pick"),
        step("pack", after=("pick",)),
        step("bill", after=("pick",)),
        step("ship", after=("pack", "bill")),
    )
    run.perform("pick")
    return run


STATES: Final[tuple[Callable[[], Explained], ...]] = (
    ready_at_the_start,
    ready_and_nobody_looked,
    starts_later,
    at_work,
    at_work_with_progress,
    chosen_by_values,
    chosen_as_the_fallback,
    chosen_by_a_secret,
    retried_later,
    retried_now,
    last_try,
    deferred,
    continued,
    lease_expired,
    lease_expired_for_the_last_time,
    lease_expired_and_nobody_left,
    waiting_for_time,
    wait_is_over,
    log_is_due,
    waiting_for_the_other_branch,
    waiting_for_a_branch_that_is_retried,
    waiting_for_branches_that_ask,
    two_branches_at_work,
    second_visit,
    after_an_error_route,
    late_step,
    run_has_a_time_limit,
    run_time_is_over,
)
