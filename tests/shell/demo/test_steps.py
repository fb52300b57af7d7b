"""The steps of the example are plain functions: they are tested by calling them."""

import asyncio

import pytest

from squidmesh import Fail
from squidmesh.demo.ledger import Ledger
from squidmesh.demo.workflow import (
    CERTAIN,
    Reservation,
    Risk,
    release_stock,
    reserve_stock,
    score_risk,
    write_apology,
)

Outside = tuple[Ledger, Ledger]


@pytest.mark.parametrize(
    ("cents", "card", "channel", "risk"),
    [
        (1_000, "tok_1", "shop", Risk(0, "low")),
        (1_000, "tok_1", "web", Risk(15, "low")),
        (10_000, "tok_1", "web", Risk(23, "medium")),
        (50_000, "tok_1", "shop", Risk(40, "high")),
        (9_999_999, "tok_1", "web", Risk(CERTAIN - 1, "high")),
        (1_000, "tok_stolen_1", "shop", Risk(CERTAIN, "high")),
    ],
)
def test_large_sums_from_the_web_are_risky_and_stolen_cards_certain(
    cents: int, card: str, channel: str, risk: Risk
) -> None:
    """Only a card that was reported stolen scores 100."""
    assert risk == asyncio.run(score_risk(cents, card, channel))


def test_reserved_goods_go_back_once(outside: Outside) -> None:
    """By undoing, by an apology, or by both."""
    reservation = reserve_stock("A-1", "VASE-1", 2)
    assert isinstance(reservation, Reservation)
    release_stock(reservation)
    write_apology("A-1", "Ana", reservation.reservation_id)

    _, stock = outside
    assert reservation.fragile
    assert ["reserved", "put back"] == [line.kind for line in stock.lines()]


def test_what_is_out_of_stock_is_not_reserved(outside: Outside) -> None:
    """The failure says what was wanted; no retry can help."""
    answer = reserve_stock("A-2", "VASE-0", 3)

    _, stock = outside
    assert isinstance(answer, Fail)
    assert ("out_of_stock", {"wanted": 3}, ()) == (answer.code, answer.details, stock.lines())
