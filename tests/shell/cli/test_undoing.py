"""Undoing: cancel with what it undoes, what is left in the end, and taking that up."""

import re
from collections.abc import Callable

import pytest

from squidmesh.cli import application
from squidmesh.config import Config
from support.commands import Typed
from support.shop import Shop


def test_cancel_says_what_it_leaves_and_what_it_would_undo(on_terminal: Typed, shop: Shop) -> None:
    """The difference between the two is seen before it is made."""
    run_id = shop.order("waiting")

    plain = on_terminal("cancel", run_id, "--dry-run").out
    undone = on_terminal("cancel", run_id, "--compensate", "--dry-run").out

    assert [
        f"{run_id}  would be cancelled, idle → cancelled",
        "  the run ends here, cancelled",
        "  not undone: 'charged', 'reserved' (--compensate does it)",
    ] == plain.splitlines()
    assert [
        f"{run_id}  would be cancelled, idle → compensating",
        "  undone, in this order: 'charged', 'reserved'",
    ] == undone.splitlines()
    assert "idle" == shop.status(run_id)


def test_a_run_that_is_being_undone_is_listed_and_shown(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """How far it is, step by step."""
    run_id = shop.order("undoing")

    shown = on_terminal("show", run_id).out

    assert [run_id] == [r[0] for r in squidmesh("runs", "--status", "compensating").records]
    for line in (
        "what was done is being undone",
        "undoing what was done, because it was cancelled",
        "○  undo charged  pending",
        "○  undo reserved  pending",
        "·  shipped   not reached",
    ):
        assert line in shown
    compensation = squidmesh("show", run_id, "--json").document["compensation"]
    assert isinstance(compensation, dict)
    assert ("cancel", []) == (compensation["cause"], compensation["recovery"])
    assert [("charged", "pending"), ("reserved", "pending")] == [
        (step["node"], step["status"]) for step in compensation["steps"]
    ]


def test_a_failure_is_undone_and_what_cannot_be_is_left_with_what_to_do(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """The first failure stays the run's error; a callback that fails is listed beside it."""
    run_id = shop.order("counting", sku="piano")
    shop.do("resume", run_id, "--yes")
    shop.work()

    shown = on_terminal("show", run_id).out
    left = [record for record in squidmesh("show", run_id).records if record[0] == "left"]

    assert "failed" == shop.status(run_id)
    for line in (
        "error in shipped: Fail: no van",
        "undone what could be undone, because shipped failed with Fail",
        "✖  undo charged  failed",
        "↶  undo reserved  compensated",
        "charged: its callback failed for good (ConnectionError: the bank is closed)",
        f"squidmesh retry-compensation {run_id}",
    ):
        assert line in shown
    assert [["left", "charged", "compensation_failed"]] == [record[:3] for record in left]
    assert "undo charged #1" in on_terminal("show", run_id, "--history").out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("pause",), "'reserved' runs now, and settles"),
        (("cancel",), "'reserved' runs now, and its result will be refused"),
        (("cancel", "--compensate"), "'reserved' runs now, and settles first"),
    ],
)
def test_a_step_that_runs_is_named_with_what_becomes_of_it(
    squidmesh: Typed, shop: Shop, command: tuple[str, ...], says: str
) -> None:
    """None of these commands stops it."""
    run_id = shop.order("fresh")
    with application.open_mesh(Config(url="sqlite:///greetings.db", app="shop")) as mesh:
        assert mesh.claim(owner="somebody") is not None

    said = squidmesh(command[0], run_id, *command[1:], "--dry-run", "--json")

    effects = said.document["effects"]
    assert isinstance(effects, list)
    assert says in effects


def test_abandoning_ends_it_and_lists_the_rest(on_terminal: Typed, shop: Shop) -> None:
    """What was not undone is named before, in the effects, and after, in the end."""
    run_id = shop.order("undoing")

    said = on_terminal("cancel", run_id, "--abandon", "--yes")

    assert [
        f"{run_id}  cancelled, compensating → cancelled",
        "  the run ends here, cancelled",
        "  left: 'reserved', undoing it was given up",
        "  left: 'charged', undoing it was given up",
    ] == said.out.splitlines()
    shown = on_terminal("show", run_id).out
    assert "left for a person to look after" in shown
    assert "reserved: undoing it was given up" in shown


def test_retry_compensation_takes_up_what_is_left(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """In a new run, which is found again and not started twice."""
    run_id = shop.order("abandoned")

    typed = ("retry-compensation", run_id, "--by", "op", "--yes")

    begun, again = squidmesh(*typed), on_terminal(*typed)
    document = squidmesh(*typed, "--json").document

    new = begun.out.strip()
    assert (0, new, 0) == (begun.code, _id(document), again.code)
    assert again.out.startswith(f"{run_id}  already taken up by op ")
    assert again.out.endswith(f": {new}, compensating\n")
    assert 2 == len(squidmesh("runs").records)
    assert [("charged", "pending"), ("reserved", "pending")] == [
        (record[1], record[2]) for record in squidmesh("show", new).records if record[0] == "undone"
    ]


@pytest.mark.parametrize(("text", "code", "runs"), [("y", 0, 2), ("n", 130, 1)])
def test_retry_compensation_asks_on_a_terminal(
    squidmesh: Typed,
    on_terminal: Typed,
    shop: Shop,
    answer: Callable[[str], None],
    text: str,
    code: int,
    runs: int,
) -> None:
    """It says what the new run would undo."""
    run_id = shop.order("abandoned")
    answer(text)

    said = on_terminal("retry-compensation", run_id)

    assert code == said.code
    assert re.search(
        r"'charged' is undone: .*\n  'reserved' is undone: undoing it was given up", said.out
    )
    assert runs == len(squidmesh("runs").records)


def test_retry_compensation_that_was_done_before_asks_nobody(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """There is nothing to say yes to, with or without --dry-run."""
    run_id = shop.order("abandoned")
    new = squidmesh("retry-compensation", run_id, "--yes").out.strip()

    again, dry = (
        on_terminal("retry-compensation", run_id, *options) for options in ((), ("--dry-run",))
    )

    assert (0, 0) == (again.code, dry.code)
    for said in (again, dry):
        assert re.fullmatch(f"{run_id}  already taken up .*: {new}, compensating\n", said.out)


def _id(document: dict[str, object]) -> object:
    run = document["run"]
    assert isinstance(run, dict)
    return run["id"]
