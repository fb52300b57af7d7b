"""Replay and fork: what would run is seen first, and what cannot be undone needs a word."""

import re
from collections.abc import Callable

import pytest

from support.commands import Typed
from support.shop import FORM, Shop

ALL = ["reserved", "review", "charged", "settled", "count", "shipped"]


def test_a_dry_run_says_what_is_reused_repeated_and_unsafe(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """And writes nothing; that it is unsafe is a finding, no refusal."""
    run_id = shop.order("completed")
    typed = ("replay", run_id, "--from-step", "count", "--dry-run")

    piped, shown = squidmesh(*typed), on_terminal(*typed)
    document = squidmesh(*typed, "--json").document

    assert [
        *(["reused", name] for name in ALL[:4]),
        *(["again", name] for name in ALL[4:]),
        ["unsafe", "shipped"],
    ] == piped.records
    assert [
        f"{run_id}  would be replayed in a new run",
        "  begins at 'count'",
        "  taken over, not run again: 'reserved', 'review', 'charged', 'settled'",
        "  run again, as far as the new run comes to it: 'count', 'shipped'",
        "  unsafe, cannot be undone and would be repeated: 'shipped'",
    ] == shown.out.splitlines()
    assert ("squidmesh.replay-plan/1", ALL[:4], ["shipped"]) == (
        document["schema"],
        document["reused"],
        document["unsafe"],
    )
    assert 1 == len(squidmesh("runs").records)


def test_an_unsafe_replay_exits_with_5_and_asks_nobody(squidmesh: Typed, shop: Shop) -> None:
    """Only the option that names the danger overrides."""
    run_id = shop.order("completed")

    said = squidmesh("replay", run_id, "--json")
    done = squidmesh("replay", run_id, "--allow-irreversible", "--yes")

    assert (5, "unsafe_replay", 430) == (said.code, said.error["code"], said.error["sm"])
    details = said.error["details"]
    assert isinstance(details, dict)
    assert ["shipped"] == [step["step"] for step in details["steps"]]
    assert "--allow-irreversible" in str(said.error["hint"])
    assert (0, "running") == (done.code, shop.status(done.out.strip()))


def test_a_replay_is_a_new_run_of_the_same_input(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """The same key again finds it."""
    run_id = shop.order("cancelled")
    typed = ("replay", run_id, "--by", "ana", "--key", "r-1", "--yes")

    first, again = squidmesh(*typed), on_terminal(*typed)
    document = squidmesh(*typed, "--json").document

    new = first.out.strip()
    run = document["run"]
    assert isinstance(run, dict)
    assert again.out.startswith(f"{run_id}  already replayed by ana ")
    assert again.out.endswith(f" (same key): {new}, running\n")
    assert (new, run_id, True) == tuple(run[name] for name in ("id", "replayed_from", "duplicate"))
    assert {new, run_id} == {record[0] for record in squidmesh("runs").records}
    assert {"sku": "mug", "card": "•••", "limit": "•••"} == squidmesh(
        "show", new, "--json"
    ).document["input"]


def test_a_fork_takes_over_what_came_before(squidmesh: Typed, shop: Shop) -> None:
    """It waits at the step it begins at, with the results of the other run."""
    run_id = shop.order("completed")

    new = squidmesh(
        *("replay", run_id, "--from-step", "count", "--allow-irreversible", "--yes")
    ).out.strip()

    document = squidmesh("show", new, "--json").document
    run = document["run"]
    assert isinstance(run, dict)
    assert (["count"], "count", run_id) == (
        document["waiting_on"],
        run["forked_at"],
        run["replayed_from"],
    )
    shop.do("resume", new, "--yes")
    shop.work()
    assert "completed" == shop.status(new)


def test_the_present_definition_has_to_be_there(squidmesh: Typed, shop: Shop) -> None:
    """`--definition current` needs the application that has it."""
    run_id = shop.order("cancelled")
    typed = ("replay", run_id, "--definition", "current", "--yes")

    assert 4 == squidmesh(*typed).code
    assert 0 == squidmesh(*typed, "--app", "shop").code


@pytest.mark.parametrize(("text", "code", "runs"), [("y", 0, 2), ("n", 130, 1)])
def test_replay_asks_on_a_terminal(
    squidmesh: Typed,
    on_terminal: Typed,
    shop: Shop,
    answer: Callable[[str], None],
    text: str,
    code: int,
    runs: int,
) -> None:
    """Having shown what would run."""
    run_id = shop.order("cancelled")
    answer(text)

    said = on_terminal("replay", run_id)

    assert code == said.code
    assert "  run again, as far as the new run comes to it: 'reserved'" in said.out
    assert runs == len(squidmesh("runs").records)


def test_a_replay_whose_key_was_used_before_asks_nobody(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """The run that is there is named, with or without --dry-run; another replay is refused."""
    run_id = shop.order("cancelled")
    typed = ("replay", run_id, "--key", "again", "--by", "op")
    new = squidmesh(*typed, "--yes").out.strip()

    again, dry = on_terminal(*typed), on_terminal(*typed, "--dry-run")
    other = squidmesh(*typed, "--from-step", "reserved")

    assert (0, 0, 4) == (again.code, dry.code, other.code)
    for said in (again, dry):
        assert re.fullmatch(
            rf"{run_id}  already replayed by op .* \(same key\): {new}, \w+\n", said.out
        )
    assert "SM431" in other.err


def test_an_active_run_is_not_replayed(squidmesh: Typed, shop: Shop) -> None:
    """Not even to look."""
    run_id = shop.order("asked")

    for extra in (("--dry-run",), ("--yes",), ()):
        said = squidmesh("replay", run_id, *extra)
        assert (4, True) == (said.code, "SM412" in said.err)
    shop.do("approve", run_id, "--by", "ana", *FORM, "--yes")
