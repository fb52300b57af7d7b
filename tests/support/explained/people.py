"""States of people and messages: gates, holds, deadlines, time-outs, early messages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import Default, Field
from squidmesh_core.values import Compare, DeadlinePolicy, FromPath
from support.explained.stages import ORDER, Explained, around, begun, explained, worker
from support.features.told import Told, order
from support.scenario import LEASE, a_hold
from support.workflows import approval, pause, receive, route, step

HOUR: Final = timedelta(hours=1)
HOUR_MS: Final = 3_600_000
TWO_HOURS: Final = DeadlinePolicy(
    within_ms=2 * HOUR_MS, due_soon_ms=HOUR_MS // 2, escalate_after_ms=HOUR_MS, target="the manager"
)
FORM: Final = (
    Field(name="reason", type="string"),
    Field(name="waive_fee", type="boolean", required=False, default=Default(value=False)),
)
SETTLEMENT: Final = (
    Field(name="cents", type="integer"),
    Field(name="note", type="string", required=False),
)
ABLE: Final = around(worker("ana", "do.pick", "do.ship", "do.apology"))


def asked_for_a_decision() -> Explained:
    """An approval with a deadline and a form."""
    return explained(_reviewed(), after=38 * timedelta(minutes=1))


def decision_due_soon() -> Explained:
    """An approval shortly before its deadline."""
    return explained(_reviewed(), after=100 * timedelta(minutes=1))


def decision_overdue() -> Explained:
    """An approval at the end of its deadline."""
    return explained(_reviewed(), after=2 * HOUR)


def decision_escalated() -> Explained:
    """An approval that is so late that somebody else should know."""
    return explained(_reviewed(), after=4 * HOUR)


def decision_that_times_out() -> Explained:
    """An approval that ends by itself."""
    run = begun(
        approval("review", timeout_ms=HOUR_MS),
        step("ship"),
        step("remind"),
        routes=(route("review", "ship"), route("review", "remind", on="timeout")),
    )
    return explained(run)


def decision_whose_time_is_over() -> Explained:
    """An approval whose time-out came, with nobody there yet to see to it."""
    run = begun(
        approval("review", timeout_ms=HOUR_MS),
        step("ship"),
        step("remind"),
        routes=(route("review", "ship"), route("review", "remind", on="timeout")),
    )
    run.time_passes(HOUR)
    return explained(run, around=ABLE)


def decision_whose_no_fails_the_run() -> Explained:
    """An approval in a dependency workflow, where a no leads nowhere."""
    run = begun(step("pick", compensate=True), approval("review", after=("pick",)))
    run.perform("pick")
    return explained(run)


def asked_to_go_on() -> Explained:
    """A pause node."""
    run = begun(step("pick"), pause("count"), step("ship"))
    run.perform("pick")
    return explained(run)


def decision_before_another() -> Explained:
    """A pause that an approval follows."""
    return explained(begun(pause("count"), approval("review"), step("ship")))


def decision_before_a_message() -> Explained:
    """An approval after which a message is waited for."""
    return explained(begun(approval("review"), receive("settled"), step("ship")))


def two_decisions() -> Explained:
    """Two approvals open at once."""
    run = begun(
        step("pick"),
        approval("price", after=("pick",)),
        approval("stock", after=("pick",)),
        step("ship", after=("price", "stock")),
    )
    run.perform("pick")
    return explained(run)


def decision_beside_work() -> Explained:
    """An approval in one branch, and a step that a worker could take in the other."""
    run = begun(
        step("pick"),
        approval("price", after=("pick",)),
        step("pack", after=("pick",)),
        step("ship", after=("price", "pack")),
    )
    run.perform("pick")
    return explained(run, around=around(worker("ana", "do.pack")))


def held() -> Explained:
    """A run that an operator stopped, with a step that goes on to its end."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick")
    hold = a_hold()
    run.decides(evolve(hold, said=evolve(hold.said, comment="stock-taking")))
    return explained(run)


def held_with_work_due() -> Explained:
    """A held run whose next step is ready."""
    run = begun(step("pick"), step("ship"))
    held = run.claim("pick")
    run.hold()
    run.complete(held)
    return explained(run, around=ABLE)


def held_at_a_pause() -> Explained:
    """A held run that is at a pause as well."""
    run = begun(step("pick"), pause("count"), step("ship"))
    run.perform("pick")
    run.hold()
    return explained(run)


def held_with_a_lost_lease() -> Explained:
    """A held run whose worker was lost."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick", by="bob")
    run.hold()
    run.time_passes(LEASE)
    return explained(run, around=ABLE)


def waiting_for_a_message() -> Explained:
    """A message that has not come, and how it would be found."""
    node = receive(
        "settled",
        message=SETTLEMENT,
        correlation=FromPath(path=("order_id",)),
        deadline=TWO_HOURS,
    )
    run = begun(step("charge"), node, step("ship"))
    run.perform("charge")
    return explained(run, after=HOUR)


def waiting_for_a_message_that_decides() -> Explained:
    """A message whose content chooses the way on."""
    low = Compare(path=("offer", "cents"), operator="less_than", operand=100)
    run = begun(
        receive("offer", message=SETTLEMENT, output="offer", timeout_ms=HOUR_MS),
        step("buy"),
        step("decline"),
        routes=(route("offer", "buy", when=low), route("offer", "decline")),
    )
    return explained(run)


def message_never_came() -> Explained:
    """A message whose time is over, with nobody there yet to see to it."""
    run = begun(
        receive("settled", message=SETTLEMENT, timeout_ms=HOUR_MS),
        step("ship"),
        step("remind"),
        routes=(route("settled", "ship"), route("settled", "remind", on="error")),
    )
    run.time_passes(HOUR)
    return explained(run, around=ABLE)


def message_came_early() -> Explained:
    """A message that is kept until its node is reached."""
    run = begun(step("charge"), receive("settled", message=SETTLEMENT), step("ship"))
    run.send("settled", {"cents": 4990})
    run.claim("charge")
    return explained(run)


def rejected_and_routed() -> Explained:
    """What follows a no."""
    run = begun(
        approval("review"),
        step("ship"),
        step("apology"),
        routes=(route("review", "ship"), route("review", "apology", on="error")),
    )
    run.reject()
    return explained(run, around=ABLE)


def timed_out_and_routed() -> Explained:
    """What follows a time-out."""
    run = begun(
        approval("review", timeout_ms=HOUR_MS),
        step("ship"),
        step("apology"),
        routes=(
            route("review", "ship"),
            route("review", "apology", on="error"),
            route("review", "apology", on="timeout"),
        ),
    )
    run.time_passes(HOUR)
    run.strike("review")
    return explained(run, around=ABLE)


def _reviewed() -> Told:
    spec = order(
        step("risk", output="risk"),
        evolve(
            approval("review", form=FORM, deadline=TWO_HOURS), question="High risk. Ship anyway?"
        ),
        step("charge"),
        step("apology"),
        routes=(
            route("risk", "charge", when=_low()),
            route("risk", "review"),
            route("review", "charge"),
            route("review", "apology", on="error"),
        ),
    )
    run = Told(spec)
    run.start(ORDER)
    run.perform("risk", {"score": 80})
    return run


def _low() -> Compare:
    return Compare(path=("risk", "score"), operator="less_than", operand=30)


STATES: Final[tuple[Callable[[], Explained], ...]] = (
    asked_for_a_decision,
    decision_due_soon,
    decision_overdue,
    decision_escalated,
    decision_that_times_out,
    decision_whose_time_is_over,
    decision_whose_no_fails_the_run,
    asked_to_go_on,
    decision_before_another,
    decision_before_a_message,
    two_decisions,
    decision_beside_work,
    held,
    held_with_work_due,
    held_at_a_pause,
    held_with_a_lost_lease,
    waiting_for_a_message,
    waiting_for_a_message_that_decides,
    message_never_came,
    message_came_early,
    rejected_and_routed,
    timed_out_and_routed,
)
