"""`cancel` and `replay` of many runs: each is shown before, none is done that was not shown."""

from collections.abc import Callable

import pytest

from squidmesh.cli import bulking
from support.commands import Said, Typed
from support.shop import Shop


@pytest.fixture
def orders(squidmesh: Typed, shop: Shop) -> list[str]:
    """Three orders that ask, the newest first, and one that is over."""
    over = shop.order("cancelled")
    ids = [shop.order("asked", sku=f"cup-{number}") for number in range(3)]
    return [*reversed(ids), over]


def statuses(squidmesh: Typed) -> list[str]:
    """How all runs are, the newest first."""
    return [record[2] for record in squidmesh("runs").records]


def test_a_dry_run_shows_each_run_and_does_nothing(
    squidmesh: Typed, on_terminal: Typed, orders: list[str]
) -> None:
    """On a terminal with a sum, in a pipe a record for each."""
    typed = ("cancel", "--workflow", "Order", "--dry-run")
    before = statuses(squidmesh)

    piped, shown = squidmesh(*typed), on_terminal(*typed)

    effects = "the run ends here, cancelled; not undone: 'reserved' (--compensate does it)"
    assert [[run, "Order", "planned", "cancelled", "", "", effects] for run in orders[:3]] == (
        piped.records
    )
    assert (0, 0) == (piped.code, shown.code)
    assert shown.out.splitlines()[-1] == "3 runs would be cancelled"
    assert 3 == sum("  cancel   " in line for line in shown.out.splitlines())
    assert before == statuses(squidmesh)


def test_all_are_cancelled_that_were_shown(squidmesh: Typed, orders: list[str]) -> None:
    """And a no to one stops no other; the exit code says that there was one."""
    said = squidmesh("cancel", "--workflow", "Order", "--status", "paused", "--yes", "--by", "ana")
    refused = squidmesh("cancel", "--status", "cancelled", "--yes", "--json")

    assert (0, orders[:3]) == (said.code, [record[0] for record in said.records])
    assert ["cancelled"] * 4 == statuses(squidmesh)
    document = refused.document
    assert ("squidmesh.bulk/1", "cancel", False, False) == tuple(
        document[name] for name in ("schema", "command", "dry_run", "more")
    )
    runs = document["runs"]
    assert isinstance(runs, list)
    assert (4, {"invalid_transition"}) == (refused.code, {run["code"] for run in runs})


@pytest.mark.parametrize(("text", "code", "left"), [("y", 0, 0), ("n", 130, 3)])
def test_a_terminal_is_asked_once(
    squidmesh: Typed,
    on_terminal: Typed,
    orders: list[str],
    answer: Callable[[str], None],
    text: str,
    code: int,
    left: int,
) -> None:
    """Having shown all of them."""
    answer(text)

    said = on_terminal("cancel", "--workflow", "Order")

    assert code == said.code
    assert "3 runs would be cancelled\n" in said.out
    assert left == statuses(squidmesh).count("paused")


def test_nobody_can_be_asked_in_a_pipe(squidmesh: Typed, orders: list[str]) -> None:
    """So nothing is done, and nothing but the way out is said."""
    said = squidmesh("cancel", "--workflow", "Order")

    assert (2, "") == (said.code, said.out)
    assert "--yes" in said.err
    assert 3 == statuses(squidmesh).count("paused")


def test_a_limit_leaves_the_rest_for_the_next_time(
    squidmesh: Typed, on_terminal: Typed, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest come first; the same command goes on with the others."""
    monkeypatch.setattr(bulking, "BATCH", 1)
    typed = ("cancel", "--workflow", "Order", "--limit", "2", "--yes")

    shown = on_terminal(*typed)
    rest = squidmesh(*typed, "--jsonl")

    assert "there are more: the same command goes on with these" in shown.out
    lines = [line["schema"] for line in rest.lines]
    assert ["squidmesh.steered-run/1", "squidmesh.page/1"] == lines
    assert orders[2] == rest.lines[0]["id"]
    assert rest.lines[1]["more"] is False


def test_replays_of_one_key_are_begun_once(
    squidmesh: Typed, on_terminal: Typed, orders: list[str]
) -> None:
    """Asked again, the runs that are there are named; a limit is for those to come."""
    squidmesh("cancel", "--workflow", "Order", "--yes")
    typed = ("replay", "--workflow", "Order", "--key", "k-1", "--limit", "2", "--yes")

    first, again, shown = squidmesh(*typed), squidmesh(*typed), on_terminal(*typed)

    assert ["done"] * 2 == [record[2] for record in first.records]
    assert ["already"] * 2 + ["done"] * 2 == [record[2] for record in again.records]
    assert [record[4] for record in first.records] == [r[4] for r in again.records[:2]]
    assert shown.out.endswith("\n4 runs already replayed\n")
    assert 8 == len(squidmesh("runs").records)


def test_a_key_is_made_and_told_where_none_is_given(squidmesh: Typed, orders: list[str]) -> None:
    """Whoever is cut off can go on with it; a dry run needs none."""
    squidmesh("cancel", "--workflow", "Order", "--yes")

    dry = squidmesh("replay", "--workflow", "Order", "--dry-run")
    said = squidmesh("replay", "--workflow", "Order", "--yes", "--json")

    key = said.document["key"]
    assert said.err == f"--key {key} goes on with these replays, should they be cut off\n"
    assert (0, "", {"planned"}) == (dry.code, dry.err, {record[2] for record in dry.records})


def test_no_run_is_no_error(squidmesh: Typed, on_terminal: Typed, orders: list[str]) -> None:
    """A filter may fit nothing."""
    shown = on_terminal("cancel", "--text", "nothing at all", "--yes")

    assert (0, "no runs\n") == (shown.code, shown.out)
    assert [] == squidmesh("cancel", "--text", "nothing at all", "--yes").records


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cancel",), "--workflow"),
        (("replay",), "--workflow"),
        (("cancel", "01", "--workflow", "Order"), "not both"),
        (("cancel", "01", "--limit", "3"), "not both"),
        (("replay", "01", "--status", "failed"), "not both"),
        (("cancel", "--workflow", "Order", "--status", "lost"), "'lost'"),
        (("cancel", "--workflow", "Order", "--limit", "0"), "--limit"),
        (("cancel", "--workflow", "Order", "--compensate", "--abandon"), "opposite"),
    ],
)
def test_a_wrong_choice_is_named_and_does_nothing(
    squidmesh: Typed, orders: list[str], arguments: tuple[str, ...], words: str
) -> None:
    """Usage, with exit code 2."""
    said = squidmesh(*arguments, "--yes")

    assert (2, "") == (said.code, said.out)
    assert words in said.err
    assert 3 == statuses(squidmesh).count("paused")


def test_a_parent_may_be_named_by_a_prefix(squidmesh: Typed, orders: list[str]) -> None:
    """As in `runs`; one that is unknown is not found."""
    unknown = squidmesh("cancel", "--parent", "0190", "--yes")

    assert 3 == unknown.code
    assert (0, "") == _code_and_out(squidmesh("cancel", "--parent", orders[0], "--yes"))


def test_what_follows_names_no_secret(squidmesh: Typed, shop: Shop) -> None:
    """The error that ends an abandoned run may quote one."""
    run_id = shop.order("waiting")
    shop.do("cancel", run_id, "--compensate", "--yes")

    said = squidmesh("cancel", "--status", "compensating", "--abandon", "--yes", "--json")

    assert 0 == said.code
    assert "4711" not in said.out


def _code_and_out(said: Said) -> tuple[int, str]:
    return said.code, said.out
