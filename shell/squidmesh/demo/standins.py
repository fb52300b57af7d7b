"""
Who is outside of the shop while it is demonstrated: the bank, a packer, a reviewer.

They act on a thread of their own, through the same verbs that anybody has.  The
reviewer is a stand-in only where nobody can be asked; else people are told what to
type, and waited for.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from attrs import frozen

from squidmesh.demo.bank import Bank
from squidmesh.demo.ledger import Ledger
from squidmesh.demo.workflow import CERTAIN, OrderFulfilment, ReviewForm
from squidmesh.mesh import Mesh
from squidmesh.views.inbox import OpenGate
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.errors import Refused

#: Seconds between two looks at what is waited for.
_PAUSE: Final = 0.05


@frozen(kw_only=True)
class Review:
    """An order that waits for a person's yes or no."""

    run_id: str
    question: str
    order_id: str
    customer: str
    total_cents: int
    score: int


@frozen(kw_only=True)
class Answer:
    """What was decided about it, or null for both: the run was ended instead."""

    order_id: str
    decision: str | None
    actor: object


@frozen(kw_only=True)
class People:
    """Those at the terminal: how they are asked, and told what was answered."""

    ask: Callable[[Review], None]
    tell: Callable[[Answer], None]


class StandIns:
    """
    The outside of one shop.

    Args:
        mesh: The shop.
        ledger: The gateway's ledger, which the bank reads.
        people: Who reviews orders of high risk; null: a stand-in.
    """

    def __init__(self, mesh: Mesh, ledger: Ledger, people: People | None = None) -> None:
        self._mesh = mesh
        self._bank = Bank(mesh, ledger)
        self._people = people
        #: Run id → what people were asked about it, and have not answered.
        self._asked: dict[str, Review] = {}

    def act(self) -> None:
        """Do what anybody outside has to do at this moment."""
        self._bank.settle()
        waiting = self._waiting()
        for run_id in self._asked.keys() - {one.run.id for one in waiting}:
            self._tell(self._asked.pop(run_id))
        for one in waiting:
            match one.gate.node:
                case OrderFulfilment.count.name:
                    self._count(one)
                case OrderFulfilment.review.name if self._people is None:
                    self._review(one)
                case OrderFulfilment.review.name if one.run.id not in self._asked:
                    self._ask(one)
                case _:
                    pass  # a hold, or people know of it: theirs to answer

    @contextmanager
    def acting(self) -> Iterator[Future[None]]:
        """
        Act until the block ends, or until acting fails: then the future is done.

        Raises:
            SquidmeshError: Acting failed.
        """
        over = threading.Event()

        def act() -> None:
            while not over.wait(_PAUSE):
                self.act()

        with ThreadPoolExecutor(1, "squidmesh-demo-outside") as threads:
            acting = threads.submit(act)
            try:
                yield acting
            finally:
                over.set()
                acting.result()

    def _waiting(self) -> tuple[OpenGate, ...]:
        found: list[OpenGate] = []
        cursor: str | None = None
        while True:
            page = self._mesh.approvals(cursor=cursor)
            found += page.items
            cursor = page.next
            if cursor is None:
                return tuple(found)

    def _count(self, one: OpenGate) -> None:
        with suppress(Refused):  # somebody at another terminal was quicker
            self._mesh.resume(one.run, node=OrderFulfilment.count, by="packer")

    def _review(self, one: OpenGate) -> None:
        snapshot = self._mesh.inspect(one.run)
        review = OrderFulfilment.review
        with suppress(Refused):  # somebody at another terminal was quicker
            if snapshot.out(OrderFulfilment.risk).score == CERTAIN:
                note = "the card was reported stolen"
                self._mesh.reject(one.run, node=review, by="reviewer", note=note)
            else:
                form = ReviewForm(waive_fee=True)
                self._mesh.approve(one.run, node=review, by="reviewer", form=form)

    def _ask(self, one: OpenGate) -> None:
        snapshot = self._mesh.inspect(one.run)
        order = snapshot.payload(OrderFulfilment.placed)
        self._asked[one.run.id] = review = Review(
            run_id=one.run.id,
            question=one.gate.question or "",
            order_id=order.order_id,
            customer=order.customer,
            total_cents=order.total_cents,
            score=snapshot.out(OrderFulfilment.risk).score,
        )
        if self._people is not None:
            self._people.ask(review)

    def _tell(self, review: Review) -> None:
        if self._people is not None:
            self._people.tell(_answer(review, self._mesh.inspect(review.run_id)))


def _answer(review: Review, snapshot: Snapshot) -> Answer:
    if OrderFulfilment.review.name not in snapshot.context:
        return Answer(order_id=review.order_id, decision=None, actor=None)
    said = snapshot.out(OrderFulfilment.review)
    return Answer(order_id=review.order_id, decision=said.decision, actor=said.actor)
