"""
Runs to draw, each brought where it is through the front door.

What specs/write_graphs.py keeps a picture of is here, and so is a workflow of
any size.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Final

from squidmesh_core.definition.spec import COMPLETE, Spec, Transition
from squidmesh_core.protocol.commands import Claim
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import (
    AllOf,
    Compare,
    DeadlinePolicy,
    Exponential,
    RetryPolicy,
)
from support.scenario import Scenario, milliseconds
from support.workflows import approval, pause, receive, route, step, wait, workflow

HOUR: Final = timedelta(hours=1)
_DECLINED: Final = Failure(kind="Fail", message="the card was declined", code="do_not_honour")
_BACKOFF: Final = Exponential(min_ms=30_000, max_ms=60_000)


def order_fulfilment() -> Spec:
    """The workflow of the demo, as a spec."""
    low = AllOf(
        conditions=(
            Compare(path=("risk", "score"), operator="less_than", operand=40),
            Compare(path=("risk", "band"), operator="not_equals", operand="high"),
        )
    )
    fragile = Compare(path=("reserve", "fragile"), operator="equals", operand=True)
    return workflow(
        step("reserve", output="reserve", compensate=True),
        step("risk", output="risk"),
        approval("review", output="review", deadline=_within(2 * HOUR, due_soon=HOUR / 2)),
        step(
            "charge",
            output="charge",
            compensate=True,
            retry=RetryPolicy(max_attempts=4, backoff=_BACKOFF),
            deadline=_within(HOUR),
        ),
        receive("settled", output="settled", deadline=_within(72 * HOUR)),
        wait("cool_off", milliseconds(HOUR / 6)),
        pause("count", output="count"),
        step("slot", output="slot"),
        step("ship", output="ship", irreversible=True),
        step("apology", output="apology"),
        routes=(
            route("reserve", "risk"),
            route("risk", "charge", when=low),
            route("risk", "review"),
            route("review", "charge"),
            route("review", "apology", on="error"),
            route("charge", "settled"),
            route("charge", "apology", on="error", recovery="compensation"),
            route("settled", "cool_off"),
            route("cool_off", "count", when=fragile),
            route("cool_off", "slot"),
            route("count", "slot"),
            route("slot", "ship"),
            route("ship", COMPLETE),
            route("apology", COMPLETE),
        ),
    )


def of_size(count: int) -> Spec:
    """
    So many nodes in blocks of ten: a choice, two branches, a loop back, a way out on error.

    All errors lead to one handler, as they do in grown workflows.
    """
    names = [f"step_{i:03}" for i in range(count - 1)]
    routes: list[Transition] = []
    for i, (name, following) in enumerate(pairwise([*names, COMPLETE])):
        place = i % 10
        if place == 2 and i + 3 < len(names):
            large = Compare(path=("amount",), operator="greater_than", operand=i)
            routes.append(route(name, names[i + 3], when=large))
        if place == 8:
            again = Compare(path=("again",), operator="equals", operand=True)
            routes.append(route(name, names[i - 2], when=again))
        routes.append(route(name, following))
        if place in {3, 7}:
            routes.append(route(name, "handler", on="error"))
    routes.append(route("handler", COMPLETE))
    nodes = (step(name, output=name, max_visits=3) for name in names)
    return workflow(*nodes, step("handler"), routes=tuple(routes))


# --- the demo's order


def order_is_ready() -> Scenario:
    """An order that a worker is waited for."""
    return _started(order_fulfilment())


def order_is_charged() -> Scenario:
    """A small order at its second try to charge; the review is out of reach."""
    run = _cleared()
    run.fail(run.claim("charge"), Failure(kind="GatewayBusy"))
    run.time_passes(timedelta(seconds=30))
    run.claim("charge")
    return run


def order_is_retried() -> Scenario:
    """A charge that failed, and that nobody has tried again for more than its hour."""
    run = _cleared()
    run.fail(run.claim("charge"), Failure(kind="GatewayBusy"))
    run.time_passes(HOUR + HOUR / 12)
    return run


def order_is_reviewed() -> Scenario:
    """A large order: a person is waited for, and the deadline is near."""
    run = _scored(61, "medium")
    run.time_passes(2 * HOUR - HOUR / 4)
    return run


def order_is_rejected() -> Scenario:
    """A reviewer said no: the error route was taken, and the run completed by it."""
    run = _scored(99, "high")
    run.reject("review")
    run.perform("apology", "sorry")
    return run


def order_awaits_its_money() -> Scenario:
    """A message from outside is waited for."""
    run = _cleared()
    run.perform("charge", {"payment": "p-1"})
    return run


def order_is_counted() -> Scenario:
    """A pause after a wait that is over."""
    return _cooled(fragile=True)


def order_is_shipped() -> Scenario:
    """All went well."""
    run = _cooled(fragile=False)
    run.perform("slot", "van-2")
    run.perform("ship", "parcel-7")
    return run


def order_is_undone() -> Scenario:
    """Shipping failed for good: charging is undone, reserving comes next."""
    run = _cooled(fragile=False)
    run.perform("slot", "van-2")
    run.fail(run.claim("ship"), _DECLINED, retryable=False)
    run.undo("charge")
    run.claim("reserve")
    return run


def order_is_not_undone() -> Scenario:
    """Undoing the charge failed for good; a person must look."""
    run = _cooled(fragile=False)
    run.perform("slot", "van-2")
    run.fail(run.claim("ship"), _DECLINED, retryable=False)
    run.fail(run.claim("charge"), Failure(kind="BankClosed"), retryable=False)
    run.undo("reserve")
    return run


def order_is_cancelled() -> Scenario:
    """An operator ended it while the money was awaited."""
    run = order_awaits_its_money()
    run.cancel()
    return run


# --- other shapes


def parcels() -> Spec:
    """By dependencies: two branches of different length meet."""
    return workflow(
        step("pick"),
        step("pack", after=("pick",)),
        step("weigh", after=("pack",)),
        step("bill", after=("pick",)),
        approval("customs", after=("pick",)),
        step("label", after=("weigh", "bill")),
        step("ship", after=("label", "customs"), irreversible=True),
        step("report", after=("bill",)),
    )


def join_waits() -> Scenario:
    """A join of which one side is done."""
    run = _started(parcels())
    run.perform("pick")
    run.perform("bill")
    run.perform("pack")
    run.claim("weigh")
    return run


def join_is_blocked() -> Scenario:
    """A dependency failed for good, so what waits for it never comes."""
    run = join_waits()
    run.approve("customs")
    run.fail(run.claim("report"), retryable=False)
    return run


def steps_side_by_side() -> Scenario:
    """Many steps at once, drawn from left to right; one of them failed for good."""
    names = [f"piece_{i:02}" for i in range(20)]
    pieces = (step(name, after=("cut",)) for name in names)
    run = _started(workflow(step("cut"), *pieces, step("join", after=tuple(names))))
    run.perform("cut")
    for name in names[:9]:
        run.perform(name)
    run.fail(run.claim(names[9]), retryable=False)
    return run


def loops() -> Spec:
    """A draft that is revised until somebody is content, and a step that polls itself."""
    done = Compare(path=("fetch", "done"), operator="equals", operand=False)
    return workflow(
        step("fetch", output="fetch", max_visits=9),
        step("draft", output="draft", max_visits=5),
        approval("content", output="content", timeout_ms=milliseconds(HOUR), max_visits=5),
        step("publish"),
        routes=(
            route("fetch", "fetch", when=done),
            route("fetch", "draft"),
            route("draft", "content"),
            route("content", "publish"),
            route("content", "draft", on="error"),
            route("content", "publish", on="timeout"),
            route("publish", COMPLETE),
        ),
    )


def loop_goes_round() -> Scenario:
    """A draft in its third visit."""
    run = _started(loops())
    run.perform("fetch", {"done": False})
    run.perform("fetch", {"done": True})
    for _ in range(2):
        run.perform("draft", "text")
        run.reject("content")
    run.claim("draft")
    return run


def time_is_up() -> Scenario:
    """Nobody answered in time, and the time-out's route was taken."""
    run = _started(loops())
    run.perform("fetch", {"done": True})
    run.perform("draft", "text")
    run.time_passes(HOUR)
    run.strike("content")
    return run


#: What ends strings, moves cursors and turns text round, in each language of a picture.
HOSTILE: Final = "\x1b[31m</text><script>alert(1)</script>\"'`]]>%%{}|#; &amp;\u202eevil\u2066\n\\"


def texts_from_outside() -> Scenario:
    """Texts that would break out of a picture, were they drawn as they are."""
    one = Compare(path=("pick", HOSTILE), operator="equals", operand=HOSTILE)
    spec = workflow(
        step("pick", output="pick"),
        step("pack"),
        routes=(route("pick", "pack", when=one), route("pick", COMPLETE)),
    )
    run = _started(spec)
    run.perform("pick", {HOSTILE: HOSTILE})
    return run


def two_hundred() -> Scenario:
    """A workflow of 200 nodes, some way down."""
    run = _started(of_size(200))
    for i in range(48):
        if i > 25 or i % 10 not in {3, 4}:
            run.perform(f"step_{i:03}", 1)
    run.claim("step_048")
    return run


#: Name of a picture → the run in it.
PICTURES: Final[dict[str, Callable[[], Scenario]]] = {
    play.__name__: play
    for play in (
        order_is_ready,
        order_is_charged,
        order_is_retried,
        order_is_reviewed,
        order_is_rejected,
        order_awaits_its_money,
        order_is_counted,
        order_is_shipped,
        order_is_undone,
        order_is_not_undone,
        order_is_cancelled,
        join_waits,
        join_is_blocked,
        steps_side_by_side,
        loop_goes_round,
        time_is_up,
        texts_from_outside,
    )
}


def _started(spec: Spec) -> Scenario:
    run = Scenario(spec)
    run.start({"amount": 25, "again": False})
    return run


def _scored(score: int, band: str, *, fragile: bool = False) -> Scenario:
    run = _started(order_fulfilment())
    run.perform("reserve", {"fragile": fragile})
    run.perform("risk", {"score": score, "band": band})
    return run


def _cleared(*, fragile: bool = False) -> Scenario:
    return _scored(12, "low", fragile=fragile)


def _cooled(*, fragile: bool) -> Scenario:
    run = _cleared(fragile=fragile)
    run.perform("charge", {"payment": "p-1"})
    run.send("settled", {})
    run.time_passes(HOUR / 6)
    key = run.attempt("cool_off").key
    run.decides(Claim(attempt_key=key, offer=run.offer(actions=frozenset())))
    return run


def _within(span: timedelta, *, due_soon: timedelta | None = None) -> DeadlinePolicy:
    return DeadlinePolicy(
        within_ms=milliseconds(span),
        due_soon_ms=None if due_soon is None else milliseconds(due_soon),
    )
