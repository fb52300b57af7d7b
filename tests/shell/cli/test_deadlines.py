"""`squidmesh deadlines`, `squidmesh counts`, and `squidmesh runs` by deadline and by reason."""

import re

import pytest

from support.commands import Typed
from support.shop import Shop


def two_gates(shop: Shop) -> str:
    """A run at which two people are asked at once, one of them too late."""
    run_id = shop.squidmesh("start", "shop:Twice", "--set", "sku=mug").out.strip()
    shop.work()
    return run_id


# --- the board


def test_the_board_lists_what_is_late_first(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """People get words and distances, pipes whole ids and instants, programs everything."""
    asked, twice = shop.order("asked"), two_gates(shop)
    shop.order("completed")

    piped = squidmesh("deadlines").records
    shown = on_terminal("deadlines").out
    document = squidmesh("deadlines", "--json").document

    assert [
        [twice, "Twice", "left", "overdue"],
        [twice, "Twice", "right", "due_soon"],
        [asked, "Order", "review", "on_time"],
    ] == [record[:4] for record in piped]
    assert all(re.fullmatch(r"\S+Z", record[4]) for record in piped)
    assert ["run", "workflow", "node", "stands", "due", "escalation"] == (
        shown.splitlines()[0].split()
    )
    for text in ("overdue", "due soon", "on time", "in 1 h", asked[:13]):
        assert text in shown
    late = document["deadlines"]
    assert isinstance(late, list)
    assert ("squidmesh.deadlines/1", None) == (document["schema"], document["next"])
    assert [(twice, "left"), (twice, "right"), (asked, "review")] == [
        (one["run"]["id"], one["deadline"]["node"]) for one in late
    ]
    assert late[0]["deadline"]["remaining_ms"] < 0
    assert late[0]["deadline"]["due_at"] == late[0]["run"]["deadline"]["due_at"]


def test_the_board_comes_in_pages_and_lines(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """A page holds whole runs; the cursor goes on where it ended, and people are told of it."""
    asked, twice = shop.order("asked"), two_gates(shop)

    *lines, page = squidmesh("deadlines", "--limit", "1", "--jsonl").lines
    rest = squidmesh("deadlines", "--limit", "1", "--cursor", str(page["next"]))

    assert [("squidmesh.deadline/1", twice)] * 2 == [
        (line["schema"], _run_of(line)) for line in lines
    ]
    assert "squidmesh.page/1" == page["schema"]
    assert [asked] == [record[0] for record in rest.records]
    assert "there are more: --cursor " in on_terminal("deadlines", "--limit", "1").out
    assert 2 == squidmesh("deadlines", "--cursor", "x").code
    other = squidmesh("deadlines", "--cursor", str(page["next"]), "--status", "overdue")
    assert (2, "") == (other.code, other.out)
    assert "belongs to a list with other filters" in other.err


def _run_of(line: dict[str, object]) -> object:
    run = line["run"]
    assert isinstance(run, dict)
    return run["id"]


@pytest.mark.parametrize(
    ("words", "nodes"),
    [
        (("--status", "overdue"), ["left"]),
        (("--status", "due_soon"), ["right"]),
        (("--status", "escalated"), []),
        (("--workflow", "Order"), ["review"]),
        (("--workflow", "Nothing"), []),
        (("--queue", "default", "--status", "on_time"), ["review"]),
    ],
)
def test_the_board_is_filtered(
    squidmesh: Typed, shop: Shop, words: tuple[str, ...], nodes: list[str]
) -> None:
    """By how a deadline stands, and by facets of its run."""
    shop.order("asked")
    two_gates(shop)

    assert nodes == [record[2] for record in squidmesh("deadlines", *words).records]


def test_an_unknown_status_of_a_deadline_is_refused(squidmesh: Typed, shop: Shop) -> None:
    """With those that there are."""
    for command, option in (("deadlines", "--status"), ("runs", "--deadline")):
        said = squidmesh(command, option, "late")

        assert (2, "") == (said.code, said.out)
        assert "overdue" in said.err


def test_an_empty_board_is_no_error(squidmesh: Typed, on_terminal: Typed, shop: Shop) -> None:
    """A pipe gets nothing, and people are told so."""
    shop.order("completed")

    assert (0, "") == ((said := squidmesh("deadlines")).code, said.out)
    assert "no deadline runs\n" == on_terminal("deadlines").out


def test_the_board_hides_what_a_role_may_not_see(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """Outsiders see whose deadline stands how; when it was due, and at which node, they do not."""
    run_id = two_gates(shop)

    (first, _) = squidmesh("deadlines", "--as", "external").records
    shown = on_terminal("deadlines", "--as", "external").out

    assert [run_id, "Twice", "overdue"] == [first[0], first[1], first[3]]
    assert ["", ""] == first[4:6]
    assert not {"left", "diagnostic"} & {*first, *shown.split()}
    assert "left" in squidmesh("deadlines", "--as", "operator").out


# --- runs


def test_runs_are_listed_by_deadline_and_by_reason(squidmesh: Typed, shop: Shop) -> None:
    """As `deadlines` and `show` say it."""
    asked, twice = shop.order("asked"), two_gates(shop)
    waiting = shop.order("waiting", sku="cup")

    def listed(*words: str) -> list[str]:
        return [record[0] for record in squidmesh("runs", *words).records]

    assert [twice] == listed("--deadline", "overdue")
    assert [asked] == listed("--deadline", "on_time")
    assert [waiting] == listed("--reason", "waiting_for_message")
    assert [twice, asked] == listed("--reason", "manual_intervention_required")
    assert [asked] == listed("--reason", "manual_intervention_required", "--workflow", "Order")


def test_an_unknown_reason_is_refused(squidmesh: Typed, shop: Shop) -> None:
    """With those that there are."""
    said = squidmesh("runs", "--reason", "lazy")

    assert (2, "") == (said.code, said.out)
    assert "waiting_for_join" in said.err


# --- counts


def test_counts_tell_how_many_runs_each_workflow_has(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """By status, and those that are late; a table, records, or a document."""
    shop.order("asked")
    shop.order("completed")
    two_gates(shop)

    piped = squidmesh("counts").records
    shown = on_terminal("counts").out.splitlines()
    document = squidmesh("counts", "--json").document

    assert [
        ["Order", "completed", "1"],
        ["Order", "deadline on_time", "1"],
        ["Order", "paused", "1"],
        ["Twice", "deadline overdue", "1"],
        ["Twice", "paused", "1"],
    ] == sorted(piped)
    assert ["workflow", "paused", "completed", "overdue"] == shown[0].split()
    assert ["all", "2", "1", "1"] == shown[-1].split()
    assert ("squidmesh.counts/1", {"paused": 2, "completed": 1}) == (
        document["schema"],
        document["runs"],
    )
    assert {"on_time": 1, "overdue": 1} == document["deadlines"]


def test_counting_nothing_is_no_error(squidmesh: Typed, on_terminal: Typed) -> None:
    """A pipe gets nothing, and people are told so."""
    squidmesh("start", "greetings:Greeting", "--set", "name=ida")

    assert [["Greeting", "running", "1"]] == squidmesh("counts").records
    assert ["Greeting", "1"] == on_terminal("counts").out.splitlines()[-1].split()
    assert "no runs\n" == on_terminal("counts", "--as", "external").out
