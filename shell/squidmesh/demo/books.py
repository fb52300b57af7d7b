"""The books of a demonstration: how each run ended, and whether the ledgers agree."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from attrs import frozen

from squidmesh.demo.ledger import Kind, Line
from squidmesh.demo.workflow import OrderFulfilment
from squidmesh.mesh import Mesh
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.protocol.entries import Failure

How = Literal["shipped", "apologised", "failed", "cancelled", "unfinished"]

#: What moves money or goods: an account for each.
MONEY: Final[tuple[Kind, ...]] = ("charged", "refunded")
GOODS: Final[tuple[Kind, ...]] = ("reserved", "put back", "handed over")


@frozen(kw_only=True)
class Ending:
    """How the run of one order ended."""

    order_id: str
    run_id: str
    how: How
    #: What went wrong, for people; empty if nothing did.
    why: str
    #: What the journal says was moved: cents and pieces.
    moved: Mapping[Kind, int]
    #: Nodes that were undone, in that order.
    undone: tuple[str, ...]
    #: What could not be undone.
    left: tuple[str, ...]
    #: Attempts that had to be taken over from a worker that was gone.
    taken_over: int


@frozen(kw_only=True)
class Account:
    """One kind of effect: what the journal says of it, and what the ledger says."""

    kind: Kind
    #: Order → cents or pieces.
    journal: Mapping[str, int]
    #: Order → the same of each line.
    ledger: Mapping[str, tuple[int, ...]]

    @property
    def lines(self) -> int:
        """How many lines the ledger has."""
        return sum(map(len, self.ledger.values()))

    @property
    def total(self) -> int:
        """The sum of the ledger."""
        return sum(map(sum, self.ledger.values()))

    def shown(self, amount: int) -> str:
        """An amount as people write it."""
        return money(amount) if self.kind in MONEY else f"{amount:,}"

    @property
    def differences(self) -> Iterator[str]:
        """Where the two disagree, and what was done twice."""
        for order, amounts in self.ledger.items():
            if len(amounts) > 1:
                yield f"{order} was {self.kind} {len(amounts)} times"
        for order in sorted(self.journal.keys() | self.ledger.keys()):
            journal, ledger = self.journal.get(order, 0), sum(self.ledger.get(order, ()))
            if journal != ledger:
                said = f"the journal says {self.shown(journal)}, the ledger {self.shown(ledger)}"
                yield f"{order}, {self.kind}: {said}"


@frozen(kw_only=True)
class Books:
    """Journal and ledgers, side by side."""

    endings: tuple[Ending, ...]
    accounts: tuple[Account, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """Everything that does not balance, a line for each."""
        found = [line for account in self.accounts for line in account.differences]
        for ending in self.endings:
            if ending.how == "unfinished":
                found.append(f"the run of {ending.order_id} has not ended")
            found += [f"{ending.order_id}: {node} was not undone" for node in ending.left]
            if ending.how in {"shipped", "apologised", "failed"}:
                found += _open_ends(ending)
        return tuple(found)


def read_books(mesh: Mesh, started: Mapping[str, str], lines: Iterable[Line]) -> Books:
    """
    The books of the runs that were started.

    Args:
        mesh: Where the runs are.
        started: Run id → order id.
        lines: Those of the gateway's ledger and of the warehouse's.
    """
    endings = tuple(
        _ending(order_id, mesh.inspect(run_id, history=True))
        for run_id, order_id in started.items()
    )
    by_kind: dict[Kind, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for line in lines:
        orders = by_kind[line.kind]
        orders[line.order_id] = (*orders.get(line.order_id, ()), line.amount)
    accounts = tuple(
        Account(
            kind=kind,
            journal={one.order_id: one.moved[kind] for one in endings if kind in one.moved},
            ledger=by_kind[kind],
        )
        for kind in (*MONEY, *GOODS)
    )
    return Books(endings=endings, accounts=accounts)


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


def _open_ends(ending: Ending) -> Iterator[str]:
    """A customer paid for what was handed over, and for nothing else; goods are somewhere."""
    moved: Counter[Kind] = Counter(ending.moved)
    paid = moved["charged"] - moved["refunded"]
    if bool(paid) != bool(moved["handed over"]):
        yield f"{ending.order_id}: {money(paid)} paid for {moved['handed over']} pieces"
    missing = moved["reserved"] - moved["put back"] - moved["handed over"]
    if missing:
        yield f"{ending.order_id}: {missing} pieces are still put aside"


def _ending(order_id: str, snapshot: Snapshot) -> Ending:
    undoing = snapshot.compensation
    steps = undoing.steps if undoing is not None else ()
    undone = tuple(step.node for step in steps if step.status == "compensated")
    return Ending(
        order_id=order_id,
        run_id=snapshot.id,
        how=_how(snapshot),
        why=_why(snapshot),
        moved=dict(_moved(snapshot, undone)),
        undone=undone,
        left=tuple(left.step for left in undoing.recovery) if undoing is not None else (),
        taken_over=sum(attempt.deliveries > 1 for attempt in snapshot.attempts),
    )


def _moved(snapshot: Snapshot, undone: Sequence[str]) -> Iterator[tuple[Kind, int]]:
    """What the journal says was done."""
    flow = OrderFulfilment
    quantity = snapshot.payload(flow.placed).quantity
    if flow.charge.name in snapshot.context:
        captured = snapshot.out(flow.charge).captured_cents
        yield "charged", captured
        if flow.charge.name in undone:
            yield "refunded", captured
    if flow.reserve.name in snapshot.context:
        yield "reserved", quantity
    if flow.reserve.name in undone or flow.apology.name in snapshot.context:
        yield "put back", quantity
    if flow.ship.name in snapshot.context:
        yield "handed over", quantity


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
    """The error that ended the run, or what sent it down its error route."""
    if _how(snapshot) not in {"apologised", "failed"}:
        return ""
    if OrderFulfilment.review.name in snapshot.context:
        review = snapshot.out(OrderFulfilment.review)
        if review.decision == "rejected":
            return f"rejected{': ' if review.comment else ''}{review.comment or ''}"
    failed = [one for one in snapshot.attempts if one.kind == "step" and one.error is not None]
    last = failed[-1] if failed else None
    return _said(last.error, last.number) if last is not None and last.error is not None else ""


def _said(error: Failure, tries: int) -> str:
    tried = f", {tries} times" if error.kind == "Retry" else ""
    code = f" ({error.code})" if error.code else ""
    return f"{error.message}{tried}{code}"
