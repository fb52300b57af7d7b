"""The books find what does not balance: each planted mistake is told, and only that."""

from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from squidmesh.demo.books import GOODS, MONEY, Account, Books, Ending, groups
from squidmesh.demo.driver import Kill, Told
from squidmesh.demo.folder import Folder
from squidmesh.demo.intake import Intake
from squidmesh.demo.ledger import Kind

SHIPPED: Final = Ending(
    order_id="A-1",
    run_id="r-1",
    how="shipped",
    why="",
    moved={"charged": 500, "reserved": 2, "handed over": 2},
    undone=(),
    left=(),
    taken_over=0,
)
UNDONE: Final = Ending(
    order_id="A-2",
    run_id="r-2",
    how="failed",
    why="no van",
    moved={"charged": 700, "refunded": 700, "reserved": 1, "put back": 1},
    undone=("charge", "reserve"),
    left=(),
    taken_over=1,
)


def books(*endings: Ending, ledger: dict[Kind, dict[str, tuple[int, ...]]] | None = None) -> Books:
    """Books in which the ledger says what the journal says, or else what is given."""
    journal = {
        kind: {one.order_id: one.moved[kind] for one in endings if kind in one.moved}
        for kind in (*MONEY, *GOODS)
    }
    agreed = {kind: {order: (n,) for order, n in said.items()} for kind, said in journal.items()}
    return Books(
        endings=endings,
        accounts=tuple(
            Account(kind=kind, journal=said, ledger=(agreed | (ledger or {}))[kind])
            for kind, said in journal.items()
        ),
    )


def test_books_that_agree_have_no_differences() -> None:
    """A shipped order is paid, an undone one is nobody's loss."""
    assert () == books(SHIPPED, UNDONE).differences


@pytest.mark.parametrize(
    ("kind", "orders", "told"),
    [
        ("charged", {"A-1": (500, 500)}, "A-1 was charged 2 times"),
        ("charged", {}, "A-1, charged: the journal says 5.00, the ledger 0.00"),
        ("handed over", {"A-1": (3,)}, "A-1, handed over: the journal says 2, the ledger 3"),
        (
            "refunded",
            {"A-9": (1,)},
            "A-9, refunded: the journal says 0.00, the ledger 0.01",
        ),
    ],
)
def test_what_journal_and_ledger_disagree_about_is_told(
    kind: Kind, orders: dict[str, tuple[int, ...]], told: str
) -> None:
    """Twice, not at all, another amount, or for an order that has no run."""
    assert told == books(SHIPPED, ledger={kind: orders}).differences[0]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (evolve(SHIPPED, how="unfinished"), "the run of A-1 has not ended"),
        (evolve(UNDONE, left=("charge",)), "A-2: charge was not undone"),
        (
            evolve(SHIPPED, moved={"reserved": 2, "handed over": 2}),
            "A-1: 0.00 paid for 2 pieces",
        ),
        (
            evolve(UNDONE, moved={"charged": 700, "reserved": 1, "put back": 1}),
            "A-2: 7.00 paid for 0 pieces",
        ),
        (
            evolve(UNDONE, moved={"reserved": 4}),
            "A-2: 4 pieces are still put aside",
        ),
    ],
)
def test_what_is_left_open_is_told(ending: Ending, told: str) -> None:
    """Journal and ledger may agree about something that should not be."""
    assert (told,) == books(ending).differences


def test_orders_are_grouped_by_the_reason_they_ended_for() -> None:
    """The most frequent reason first."""
    endings = [evolve(UNDONE, order_id=f"A-{n}", why="strike" if n > 1 else "") for n in range(5)]

    assert {"strike": ("A-2", "A-3", "A-4"), "": ("A-0", "A-1")} == groups(endings, "failed")
    assert {} == groups(endings, "shipped")


def test_a_killed_worker_whose_order_nobody_took_over_is_told() -> None:
    """Balanced books are not enough: somebody must have gone on with it."""
    kill = Kill(worker=7, effect="charged", order_id="A-1", exit_code=-9)
    told = Told(
        folder=Folder(path=Path()),
        intake=Intake({}, (), ()),
        books=books(SHIPPED, UNDONE),
        seconds=1,
        kills=(kill, evolve(kill, order_id="A-2")),
    )

    assert ("nobody took A-1 over from worker 7",) == told.differences
