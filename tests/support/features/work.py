"""Golden runs: steps, their order, and what happens when one fails or its worker is lost."""

from datetime import timedelta

from squidmesh_core.protocol.commands import Claim
from squidmesh_core.values import Compare, Exponential, FromPath, RetryPolicy
from support.features.told import ORDER, Told, order, row, told
from support.scenario import LEASE, SECOND
from support.workflows import log, route, step, wait

MINUTE = timedelta(minutes=1)


def routes() -> list[Told]:
    """A step, a choice between two routes, and the values that decided it."""
    cheap = Compare(path=("total",), operator="less_than", operand=10_000)
    run = told(
        order(
            step("pick", input={"order": FromPath(path=("order_id",))}, output="pick"),
            step("ship", output="ship"),
            step("review", output="review"),
            routes=(route("pick", "ship", when=cheap), route("pick", "review")),
        )
    )
    run.perform("pick", {"box": 7})
    run.time_passes(SECOND)
    run.perform("ship", "parcel-1")
    return [run]


def dependencies() -> list[Told]:
    """Two branches worked side by side, and the step that waits for both."""
    run = told(
        order(
            step("pick", output="pick"),
            step("pack", after=("pick",), output="pack"),
            step("bill", after=("pick",), output="bill"),
            step("ship", after=("pack", "bill"), output="ship"),
        )
    )
    run.perform("pick", 1)
    pack, bill = run.claim("pack"), run.claim("bill", by="bob")
    run.time_passes(SECOND)
    run.complete(bill, {"invoice": "I-1"})
    run.complete(pack, {"boxes": [1, 2]})
    run.perform("ship", None)
    return [run]


def successor() -> list[Told]:
    """A worker that claims with the start, and its next step with each result."""
    run = Told(row(step("pick", output="pick"), step("ship", output="ship")))
    first = run.offer()
    run.start(ORDER, offer=first)
    second = run.offer()
    run.complete(run.held(first), "picked", offer=second)
    run.complete(run.held(second), "shipped")
    return [run]


def retries() -> list[Told]:
    """Two failures with growing delays, and a third try that succeeds."""
    policy = RetryPolicy(max_attempts=3, backoff=Exponential(min_ms=1_000, max_ms=60_000))
    run = told(row(step("charge", retry=policy, output="charge"), step("ship")))
    run.fail(run.claim("charge"))
    run.time_passes(SECOND)
    run.fail(run.claim("charge"))
    run.time_passes(2 * SECOND)
    run.perform("charge", "pay-1")
    run.perform("ship")
    return [run]


def error_route() -> list[Told]:
    """A failure for good that a route takes up."""
    run = told(
        order(
            step("charge", output="charge"),
            step("apology", output="apology"),
            routes=(route("charge", "apology", on="error", recovery="undo"),),
        )
    )
    run.fail(run.claim("charge"), retryable=False)
    run.perform("apology", "sorry")
    return [run]


def failure() -> list[Told]:
    """A failure for good that nothing takes up."""
    run = told(row(step("charge"), step("ship")))
    run.fail(run.claim("charge"), retryable=False)
    return [run]


def missing_input() -> list[Told]:
    """A step whose input is not there when it is reached."""
    address = {"to": FromPath(path=("pick", "address"))}
    run = told(row(step("pick", output="pick"), step("ship", input=address)))
    run.perform("pick", {"box": 7})
    return [run]


def deferrals() -> list[Told]:
    """A step that says "later" twice, which costs no attempt."""
    run = told(row(step("slot", output="slot")))
    run.defer(run.claim("slot"), delay_ms=60_000)
    run.time_passes(MINUTE)
    run.defer(run.claim("slot"))
    run.perform("slot", "slot-9")
    return [run]


def takeover() -> list[Told]:
    """A worker that lives on by a heartbeat, is lost, and is taken over from."""
    run = told(row(step("pick", output="pick")))
    held = run.claim("pick", by="ana")
    run.time_passes(LEASE - SECOND)
    run.heartbeat(held)
    run.time_passes(LEASE)
    run.complete(run.claim("pick", by="bob"), "picked by bob")
    return [run]


def worker_lost() -> list[Told]:
    """A step that loses its worker as often as allowed, and fails for good."""
    run = told(row(step("pick", max_deliveries=2)))
    for worker in ("ana", "bob"):
        run.claim("pick", by=worker)
        run.time_passes(LEASE)
    run.tick("pick")
    return [run]


def waits_and_logs() -> list[Told]:
    """A log line and a wait, which any worker settles with the claim, going on at once."""
    run = told(row(log("begun"), wait("cool_off", 60_000), step("ship")))
    run.tick("begun")
    run.time_passes(MINUTE)
    offer = run.offer()
    run.decides(Claim(attempt_key=run.attempt("cool_off").key, offer=offer))
    run.complete(run.held(offer))
    return [run]


def loop() -> list[Told]:
    """A loop that is left on its third turn; each turn is a visit of its own."""
    good = Compare(path=("draft", "score"), operator="at_least", operand=9)
    run = told(
        order(
            step("draft", output="draft", max_visits=3),
            step("edit", output="edit"),
            routes=(
                route("draft", "complete", when=good),
                route("draft", "edit"),
                route("edit", "draft"),
            ),
        )
    )
    for score in (3, 6):
        run.perform("draft", {"score": score})
        run.perform("edit", {"better": True})
    run.perform("draft", {"score": 9})
    return [run]


def visits_exhausted() -> list[Told]:
    """A loop that comes back once more than allowed."""
    run = told(
        order(
            step("draft", output="draft", max_visits=2),
            step("edit"),
            routes=(route("draft", "edit"), route("edit", "draft")),
        )
    )
    for _ in range(2):
        run.perform("draft", {})
        run.perform("edit")
    return [run]


def run_time_out() -> list[Told]:
    """A run that is not over in time, with a step still claimed."""
    spec = order(step("pick"), step("ship"), routes=(route("pick", "ship"),), timeout_ms=3_600_000)
    run = told(spec)
    run.perform("pick")
    run.time_passes(60 * MINUTE)
    run.strike()
    return [run]


PLAYS = (
    routes,
    dependencies,
    successor,
    retries,
    error_route,
    failure,
    missing_input,
    deferrals,
    takeover,
    worker_lost,
    waits_and_logs,
    loop,
    visits_exhausted,
    run_time_out,
)
