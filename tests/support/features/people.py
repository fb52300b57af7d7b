"""Golden runs: gates, holds, messages and what their senders say along."""

from datetime import timedelta

from attrs import evolve

from squidmesh_core.definition.spec import ApprovalNode, Default, Field, Spec
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.values import Compare, DeadlinePolicy, FromPath
from support.features.told import ORDER, Told, keyed, order, row, told
from support.scenario import EPOCH, SECOND, a_cancel, a_hold, a_resume
from support.workflows import approval, pause, receive, route, step

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000
TWO_HOURS = DeadlinePolicy(within_ms=2 * HOUR_MS, due_soon_ms=1_800_000)
FORM = (Field(name="waive_fee", type="boolean", required=False, default=Default(value=False)),)
SETTLEMENT = (
    Field(name="cents", type="integer"),
    Field(name="note", type="string", required=False),
)


def _reviewed(node: ApprovalNode) -> Spec:
    return order(
        step("pick", output="pick"),
        node,
        step("ship"),
        step("apology"),
        routes=(
            route("pick", node.name),
            route(node.name, "ship"),
            route(node.name, "apology", on="error"),
        ),
    )


def pause_node() -> list[Told]:
    """A pause node; a person says go on."""
    run = told(row(step("pick"), pause("count", output="count"), step("ship")))
    run.perform("pick")
    run.time_passes(HOUR)
    run.resume("count", actor={"id": "olga", "roles": ["warehouse"]})
    run.perform("ship")
    return [run]


def approval_with_form() -> list[Told]:
    """An approval with a deadline and a form; the decision lies in the context."""
    run = told(_reviewed(approval("review", form=FORM, output="review", deadline=TWO_HOURS)))
    run.perform("pick", {"box": 7})
    run.time_passes(HOUR)
    run.approve(form={"waive_fee": True})
    run.perform("ship")
    return [run]


def rejection() -> list[Told]:
    """A rejection that goes where the gate said when it opened."""
    run = told(_reviewed(approval("review", output="review")))
    run.perform("pick", {"box": 7})
    run.reject("review")
    run.perform("apology")
    return [run]


def rejection_for_good() -> list[Told]:
    """A rejection in a dependency workflow, where no route takes it up."""
    run = told(order(approval("review", output="review"), step("ship", after=("review",))))
    run.reject()
    return [run]


def two_gates() -> list[Told]:
    """Two gates open at once, answered by name in the other order."""
    run = told(
        order(
            step("pick"),
            approval("price", after=("pick",), output="price"),
            approval("stock", after=("pick",), output="stock"),
            step("ship", after=("price", "stock")),
        )
    )
    run.perform("pick")
    run.approve("stock", actor="sam")
    run.approve("price", actor="ida")
    run.perform("ship")
    return [run]


def gate_time_out() -> list[Told]:
    """A gate that nobody answers, and the route of its time-out."""
    spec = order(
        approval("review", output="review", timeout_ms=HOUR_MS),
        step("ship"),
        step("apology"),
        step("remind"),
        routes=(
            route("review", "ship"),
            route("review", "apology", on="error"),
            route("review", "remind", on="timeout"),
        ),
    )
    run = told(spec)
    run.time_passes(HOUR)
    offer = run.offer()
    run.strike("review", offer=offer)
    run.complete(run.held(offer))
    return [run]


def time_out_withdrawn() -> list[Told]:
    """A gate that is answered in time; its timer never strikes."""
    run = told(row(pause("count", output="count", timeout_ms=HOUR_MS), step("ship")))
    run.resume("count")
    run.time_passes(HOUR)
    run.perform("ship")
    return [run]


def hold() -> list[Told]:
    """A hold: the claimed step settles, nothing is claimed until it is lifted."""
    run = told(row(step("pick", output="pick"), step("ship")))
    held = run.claim("pick")
    run.hold()
    run.complete(held, "picked")
    run.time_passes(HOUR)
    run.resume()
    run.perform("ship")
    return [run]


def late_message() -> list[Told]:
    """A message that is waited for."""
    run = told(row(step("charge"), receive("settled", message=SETTLEMENT, output="settled")))
    run.perform("charge")
    run.time_passes(HOUR)
    run.send("settled", {"cents": 4990}, actor="bank")
    return [run]


def early_message() -> list[Told]:
    """A message that comes before its node is reached, and is kept."""
    run = told(row(step("charge"), receive("settled", message=SETTLEMENT, output="settled")))
    run.send("settled", {"cents": 4990, "note": "early"})
    run.time_passes(HOUR)
    run.perform("charge")
    return [run]


def correlated_message() -> list[Told]:
    """A message that is found by a value of the run, which each visit waits under."""
    node = receive(
        "settled",
        message=SETTLEMENT,
        correlation=FromPath(path=("charge", "payment")),
        output="settled",
    )
    run = told(row(step("charge", output="charge"), node, step("ship")))
    run.perform("charge", {"payment": "pay-1"})
    run.send("settled", {"cents": 4990}, key="bank-17")
    run.perform("ship")
    return [run]


def messages_in_order() -> list[Told]:
    """Two early messages and two visits: the oldest to the oldest, one each."""
    last = Compare(path=("item", "cents"), operator="equals", operand=2)
    spec = order(
        receive("item", message=SETTLEMENT, output="item", max_visits=2),
        step("book"),
        routes=(
            route("item", "book"),
            route("book", "complete", when=last),
            route("book", "item"),
        ),
    )
    run = told(spec)
    run.send("item", {"cents": 1})
    run.send("item", {"cents": 2})
    run.perform("book")
    run.perform("book")
    return [run]


def message_time_out() -> list[Told]:
    """A message that never comes, and the error route of its node."""
    spec = order(
        receive("settled", message=SETTLEMENT, output="settled", timeout_ms=HOUR_MS),
        step("ship"),
        step("remind"),
        routes=(route("settled", "ship"), route("settled", "remind", on="error")),
    )
    run = told(spec)
    run.time_passes(HOUR)
    offer = run.offer()
    run.strike("settled", offer=offer)
    run.complete(run.held(offer))
    return [run]


def commands() -> list[Told]:
    """Commands with actor, comment, metadata, time and key; a repeated one writes nothing."""
    run = keyed(row(step("pick"), step("ship")), key="order:A-1")
    said = Receipted(
        actor={"id": "olga", "roles": ["operator"]},
        comment="stock-taking",
        metadata={"ticket": "T-9", "api_key": "[redacted]"},
        key="hold-1",
        occurred_at=EPOCH - SECOND,
    )
    run.decides(evolve(a_hold(), said=said))
    run.expects_already(evolve(a_hold(), said=said))
    run.decides(evolve(a_resume(), said=evolve(said, comment=None, key="lift-1")))
    run.perform("pick")
    run.decides(evolve(a_cancel(), said=evolve(said, comment="customer called", key="stop-1")))
    assert dict(run.state.context) == ORDER
    return [run]


PLAYS = (
    pause_node,
    approval_with_form,
    rejection,
    rejection_for_good,
    two_gates,
    gate_time_out,
    time_out_withdrawn,
    hold,
    late_message,
    early_message,
    correlated_message,
    messages_in_order,
    message_time_out,
    commands,
)
