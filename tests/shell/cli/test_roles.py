"""`--as ROLE`: every command that reads shows what that role may see, in every form."""

import re
from typing import Final

import pytest

from squidmesh.cli.root import COMMANDS
from support.commands import Typed
from support.shop import Shop, Where

#: Commands that show runs, queues or workers; `RUN` stands for the run.
READING: Final = (
    ("show", "RUN"),
    ("show", "RUN", "--history"),
    ("runs",),
    ("journal", "RUN"),
    ("approvals",),
    ("deadlines",),
    ("counts",),
    ("explain", "RUN"),
    ("graph", "RUN"),
    ("diff", "RUN@3", "RUN"),
    ("queues",),
    ("workers",),
)
#: What people say in these tests; no name and no word of the shop's definition has it.
SAID: Final = ("canary", "card-4711", "47114711", "99887766", "33445566", "66006600")
PLACES: Final[tuple[Where, ...]] = ("asked", "held", "undoing", "completed", "abandoned")


def planted(shop: Shop, where: Where) -> str:
    """The id of an order of a canary, with a canary said about it."""
    run_id = shop.order(where, sku="canary-sku")
    if where == "asked":
        shop.do("pause", run_id, "--by", "canary-by", "--note", "canary-note", "--yes")
        shop.do("pause-queue", "default", "--by", "canary-by", "--note", "canary-note")
    return run_id


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("role", ["external", "operator"])
def test_nothing_that_was_said_is_shown_below_auditor(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, role: str, where: Where
) -> None:
    """On a terminal, in a pipe, and as a document."""
    run_id = planted(shop, where)
    for words in READING:
        typed = [word.replace("RUN", run_id) for word in words]
        said = [
            squidmesh(*typed, "--as", role),
            squidmesh(*typed, "--as", role, "--json"),
            on_terminal(*typed, "--as", role),
        ]

        assert [0, 0, 0] == [one.code for one in said], (words, said)
        for one in said:
            assert [] == [word for word in SAID if word in one.out], (words, one.out)


def test_external_sees_no_instant(squidmesh: Typed, on_terminal: Typed, shop: Shop) -> None:
    """Neither one that is true, nor the one that stands in its place."""
    run_id = planted(shop, "completed")
    for words in READING:
        typed = [word.replace("RUN", run_id) for word in words]
        for said in (
            squidmesh(*typed, "--as", "external"),
            squidmesh(*typed, "--as", "external", "--json"),
            on_terminal(*typed, "--as", "external", "--time", "utc"),
        ):
            # What an explanation is true of is the instant of asking.
            lines = [line for line in said.out.splitlines() if '"at": "20' not in line]
            shown = lines if words[0] == "explain" else said.out.splitlines()

            assert [] == [line for line in shown if re.search(r"\b(20\d\d|0001)-\d\d-\d\d", line)]


def test_operators_see_what_they_steer_by(squidmesh: Typed, shop: Shop) -> None:
    """Times, reasons and statuses, and who holds what."""
    run_id = planted(shop, "asked")
    shown = squidmesh("show", run_id, "--as", "operator", "--json").document

    assert "manual_intervention_required" == shown["reason"]
    assert isinstance(shown["run"], dict)
    assert shown["run"]["created_at"]
    assert {} == shown["context"]


def test_auditors_see_what_is_sensitive(squidmesh: Typed, shop: Shop) -> None:
    """Those who look without a role do not."""
    run_id = planted(shop, "completed")
    for words in (("show", run_id), ("journal", run_id)):
        assert "card-4711" in squidmesh(*words, "--as", "auditor").out
        assert "card-4711" not in squidmesh(*words).out


def test_an_unknown_role_is_refused(squidmesh: Typed, shop: Shop) -> None:
    """With the roles there are."""
    said = squidmesh("runs", "--as", "admin")

    assert (2, "") == (said.code, said.out)
    for role in ("external", "operator", "auditor"):
        assert role in said.err


def test_steering_commands_still_take_a_name(squidmesh: Typed, shop: Shop) -> None:
    """There `--as` says who gives the command."""
    run_id = shop.order("asked")

    assert 0 == squidmesh("pause", run_id, "--as", "olga", "--yes").code
    assert {words[0] for words in READING} < set(COMMANDS)
