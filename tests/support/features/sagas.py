"""Golden runs: undoing, ends by an operator, and runs made of finished runs."""

from squidmesh_core.definition.spec import Spec
from squidmesh_core.values import Compare, FromPath, RetryPolicy
from support.features.told import Told, again, order, row, taken_up, told
from support.scenario import LEASE, SECOND
from support.workflows import approval, receive, route, step

ONCE = RetryPolicy(max_attempts=1)


def _trip() -> Spec:
    return row(
        step("flight", output="flight", compensate=True),
        step("hotel", output="hotel", compensate=True),
        step("charge", output="charge"),
    )


def _booked() -> Told:
    run = told(_trip())
    run.perform("flight", {"seat": "12A"})
    run.perform("hotel", {"room": 7})
    return run


def undoing() -> list[Told]:
    """A failure for good; what was done is undone, the last first."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.undo("hotel", "room 7 is free")
    run.undo("flight")
    return [run]


def undoing_retries() -> list[Told]:
    """A callback that fails and is retried by the policy of callbacks."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    run.time_passes(SECOND)
    run.undo("hotel")
    run.undo("flight")
    return [run]


def recovery() -> list[Told]:
    """A callback that fails for good; the others run, and a second run takes up what is left."""
    run = told(
        row(
            step("flight", output="flight", compensate=True),
            step("hotel", output="hotel", compensate=True, compensate_retry=ONCE),
            step("charge"),
        )
    )
    run.perform("flight", {"seat": "12A"})
    run.perform("hotel", {"room": 7})
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("hotel"))
    run.undo("flight")
    run.time_passes(LEASE)
    rest = taken_up(run)
    rest.undo("hotel", "free at last")
    return [run, rest]


def siblings() -> list[Told]:
    """Steps in flight when undoing begins: one succeeds and is undone, one's effect is unknown."""
    run = told(
        order(
            step("pick", compensate=True),
            step("pack", after=("pick",), compensate=True),
            step("bill", after=("pick",)),
            step("weigh", after=("pick",)),
        )
    )
    run.perform("pick")
    pack, bill = run.claim("pack"), run.claim("bill", by="bob")
    weigh = run.claim("weigh", by="cleo")
    run.fail(weigh, retryable=False)
    run.complete(pack, {"boxes": 2})
    run.fail(bill)
    run.undo("pack")
    run.undo("pick")
    return [run]


def rejected_and_undone() -> list[Told]:
    """A rejection without a route, in a run with something to undo."""
    run = told(
        order(
            step("reserve", output="reserve", compensate=True),
            approval("review", after=("reserve",), output="review"),
        )
    )
    run.perform("reserve", {"sku": "S-1"})
    run.reject()
    run.undo("reserve")
    return [run]


def loop_undone() -> list[Told]:
    """Two visits of one step, each undone by a callback of its own."""
    done = Compare(path=("add", "last"), operator="equals", operand=True)
    run = told(
        order(
            step("add", output="add", compensate=True, max_visits=3),
            step("check"),
            routes=(route("add", "check", when=done), route("add", "add")),
        )
    )
    run.perform("add", {"last": False})
    run.perform("add", {"last": True})
    run.fail(run.claim("check"), retryable=False)
    run.undo("add")
    run.undo("add")
    return [run]


def cancel() -> list[Told]:
    """A plain cancel with a step claimed; nothing is undone."""
    run = _booked()
    run.claim("charge")
    run.cancel()
    return [run]


def cancel_and_undo() -> list[Told]:
    """A cancel that has what was done undone first."""
    run = _booked()
    run.cancel(compensate=True)
    run.undo("hotel")
    run.undo("flight")
    return [run]


def abandon() -> list[Told]:
    """Undoing that an operator gives up; what is left is listed."""
    run = _booked()
    run.fail(run.claim("charge"), retryable=False)
    run.undo("hotel")
    run.cancel(abandon=True)
    return [run]


def replay() -> list[Told]:
    """A finished run done again, with what cannot be undone allowed in so many words."""
    run = told(
        row(
            step("pick", output="pick"),
            step("ship", output="ship", irreversible=True, compensatable=False),
        )
    )
    run.perform("pick", 1)
    run.perform("ship", "parcel-1")
    run.time_passes(LEASE)
    new = again(run, allow_irreversible=True)
    new.perform("pick", 2)
    new.perform("ship", "parcel-2")
    return [run, new]


def fork() -> list[Told]:
    """A run from its third step on, with copies of the results before it, a gate's among them."""
    spec = order(
        step("pick", output="pick"),
        approval("review", output="review"),
        step("ship", input={"box": FromPath(path=("pick", "box"))}, output="ship"),
        step("apology"),
        routes=(
            route("pick", "review"),
            route("review", "ship"),
            route("review", "apology", on="error"),
        ),
    )
    run = told(spec)
    run.perform("pick", {"box": 7})
    run.approve()
    run.fail(run.claim("ship"), retryable=False)
    new = again(run, from_step="ship")
    new.perform("ship", "parcel-1")
    return [run, new]


def fork_of_dependencies() -> list[Told]:
    """A fork that keeps what does not depend on its step, a message among it."""
    run = told(
        order(
            step("pick", output="pick"),
            receive("paid", message=(), output="paid"),
            step("pack", after=("pick",), output="pack"),
            step("ship", after=("pack", "paid"), output="ship"),
        )
    )
    run.perform("pick", 1)
    run.send("paid")
    run.perform("pack", 2)
    run.perform("ship", 3)
    new = again(run, from_step="pack")
    new.perform("pack", 20)
    new.perform("ship", 30)
    return [run, new]


PLAYS = (
    undoing,
    undoing_retries,
    recovery,
    siblings,
    rejected_and_undone,
    loop_undone,
    cancel,
    cancel_and_undo,
    abandon,
    replay,
    fork,
    fork_of_dependencies,
)
