"""The books of a demonstration: how each run ended, and whether the ledger agrees."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from attrs import frozen

from squidmesh.demo.gateway import Line
from squidmesh.demo.workflow import OrderFulfilment
from squidmesh.mesh import Mesh
from squidmesh.snapshot import Snapshot
from squidmesh_core.protocol.entries import Failure

How = Literal["shipped", "apologised", "failed", "cancelled", "unfinished"]


@frozen(kw_only=True)
class Ending:
    """How the run of one order ended."""

    order_id: str
    run_id: str
    how: How
    #: What went wrong, for people; empty if nothing did.
    why: str
    #: What the journal says was charged; null: nothing.
    charged_cents: int | None
    #: Attempts that had to be taken over from a worker that was gone.
    taken_over: int


@frozen(kw_only=True)
class Books:
    """Journal and ledger, side by side."""

    endings: tuple[Ending, ...]
    charges: tuple[Line, ...]

    @property
    def journal_cents(self) -> int:
        """The sum of what the journal says was charged."""
        return sum(ending.charged_cents or 0 for ending in self.endings)

    @property
    def ledger_cents(self) -> int:
        """The sum of what the gateway says was charged."""
        return sum(line.amount_cents for line in self.charges)

    @property
    def differences(self) -> tuple[str, ...]:
        """Everything that does not balance, a line for each."""
        charges = Counter(line.order_id for line in self.charges)
        amounts = {line.order_id: line.amount_cents for line in self.charges}
        found = [f"{order} was charged {n} times" for order, n in charges.items() if n > 1]
        for ending in self.endings:
            if ending.how == "unfinished":
                found.append(f"the run of {ending.order_id} has not ended")
            in_ledger = amounts.pop(ending.order_id, None)
            if ending.charged_cents != in_ledger:
                journal, ledger = money(ending.charged_cents or 0), money(in_ledger or 0)
                found.append(f"{ending.order_id}: the journal says {journal}, the ledger {ledger}")
        found += [f"{order} was charged and has no run" for order in amounts]
        return tuple(found)


def read_books(mesh: Mesh, started: Mapping[str, str], ledger: Iterable[Line]) -> Books:
    """
    The books of the runs that were started.

    Args:
        mesh: Where the runs are.
        started: Run id → order id.
        ledger: The gateway's lines.
    """
    return Books(
        endings=tuple(
            _ending(order_id, mesh.inspect(run_id, history=True))
            for run_id, order_id in started.items()
        ),
        charges=tuple(line for line in ledger if line.kind == "charged"),
    )


def groups(endings: Sequence[Ending], how: How) -> Mapping[str, tuple[str, ...]]:
    """Reason → the orders that ended so for that reason, most frequent first."""
    counted = Counter(ending.why for ending in endings if ending.how == how)
    return {
        why: tuple(e.order_id for e in endings if e.how == how and e.why == why)
        for why, _ in counted.most_common()
    }


def money(cents: int) -> str:
    """An amount as people write it."""
    return f"{cents // 100:,}.{cents % 100:02d}"


def _ending(order_id: str, snapshot: Snapshot) -> Ending:
    payment = None
    if OrderFulfilment.charge.name in snapshot.context:
        payment = snapshot.out(OrderFulfilment.charge)
    return Ending(
        order_id=order_id,
        run_id=snapshot.id,
        how=_how(snapshot),
        why=_why(snapshot),
        charged_cents=payment.captured_cents if payment is not None else None,
        taken_over=sum(attempt.deliveries > 1 for attempt in snapshot.attempts),
    )


def _how(snapshot: Snapshot) -> How:
    match snapshot.status:
        case "completed":
            apologised = OrderFulfilment.apology.name in snapshot.applied
            return "apologised" if apologised else "shipped"
        case "failed":
            return "failed"
        case "cancelled":
            return "cancelled"
        case _:
            return "unfinished"


def _why(snapshot: Snapshot) -> str:
    """The error that ended the run, or that sent it down its error route."""
    failed = [attempt for attempt in snapshot.attempts if attempt.error is not None]
    if _how(snapshot) not in {"apologised", "failed"} or not failed:
        return ""
    last = failed[-1]
    return _said(last.error, last.number) if last.error is not None else ""


def _said(error: Failure, tries: int) -> str:
    tried = f", {tries} times" if error.kind == "Retry" else ""
    code = f" ({error.code})" if error.code else ""
    return f"{error.message}{tried}{code}"
