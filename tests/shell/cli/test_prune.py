"""`prune`: what goes is told, asked about and removed, and what is left can be shown."""

import sqlite3
from collections.abc import Callable

import pytest

from support.commands import Typed

Start = Callable[..., str]


def test_a_plan_tells_and_removes_nothing(squidmesh: Typed, worked: Start) -> None:
    """`--dry-run` is the same; nobody is asked."""
    run_id = worked("Ana", "--key", "ana")

    plan = squidmesh("prune", "--older-than", "0s", "--plan")
    document = squidmesh("prune", "--older-than", "0s", "--dry-run", "--json").document

    assert [["would be pruned", "1", "15", "1"], ["workflow", "Greeting", "1"]] == plan.records
    assert ("squidmesh.pruning/1", True, 1, {"Greeting": 1}, {"completed": 1}) == tuple(
        document[name] for name in ("schema", "planned", "runs", "workflows", "statuses")
    )
    assert 0 == squidmesh("show", run_id).code


def test_runs_are_pruned_by_age(squidmesh: Typed, worked: Start, started: Start) -> None:
    """What is over goes, what is active stays; a keyed run says what became of it."""
    over, keyed = worked("Ana"), worked("Bob", "--key", "bob")
    active = started("Cy")

    said = squidmesh("prune", "--older-than", "0s", "--yes")
    again = squidmesh("start", "greetings:Greeting", "--set", "name=Bob", "--key", "bob")
    other = squidmesh("start", "greetings:Greeting", "--set", "name=Eve", "--key", "bob")
    listed = squidmesh("runs", "--json").document["runs"]

    assert ["pruned", "2", "30", "2"] == said.records[0]
    assert isinstance(listed, list)
    assert [active] == [run["id"] for run in listed]
    assert (0, keyed) == (again.code, again.records[0][0])
    assert (4, True) == (other.code, "idempotency_conflict" in other.err)
    # Both were started within the hour, so both have left a tombstone.
    assert 0 == squidmesh("show", over).code


def test_what_is_left_is_shown(squidmesh: Typed, on_terminal: Typed, worked: Start) -> None:
    """With the instant of pruning, in every form; a command is refused with it."""
    run_id = worked("Ana", "--key", "ana")
    squidmesh("prune", "--run", run_id, "--yes")

    document = squidmesh("show", run_id, "--json").document
    refused = squidmesh("cancel", run_id, "--yes")

    assert isinstance(document["run"], dict)
    pruned_at = document["run"]["pruned_at"]
    assert isinstance(pruned_at, str)
    assert ["pruned", pruned_at] in squidmesh("show", run_id).records
    assert "only this is left of it" in on_terminal("show", run_id).out
    assert ["run_pruned"] == [record[2] for record in squidmesh("journal", run_id).records]
    assert (4, True) == (refused.code, "was pruned at" in refused.err)


def test_somebody_at_a_terminal_is_asked(
    on_terminal: Typed, squidmesh: Typed, worked: Start, answer: Callable[[str], None]
) -> None:
    """With everything that would go; a no removes nothing, a yes all of it."""
    run_id = worked("Ana")

    answer("n")
    refused = on_terminal("prune", "--older-than", "0s")
    assert (130, "nothing was done\n") == (refused.code, refused.err)
    assert "1 run would be pruned, 15 entries" in refused.out
    assert "Greeting: 1" in refused.out
    assert "completed" in squidmesh("show", run_id).out
    answer("y")
    done = on_terminal("prune", "--older-than", "0s")

    assert 0 == done.code
    assert "1 run pruned, 15 entries" in done.out
    assert "nothing to prune" in on_terminal("prune", "--older-than", "0s").out


def test_a_script_has_to_say_yes(squidmesh: Typed, worked: Start) -> None:
    """Where nobody can be asked nothing is removed; where nothing goes, nobody need be."""
    run_id = worked("Ana")

    said = squidmesh("prune", "--older-than", "0s")

    assert (2, True) == (said.code, "--yes" in said.err)
    assert "completed" in squidmesh("show", run_id).out
    assert 0 == squidmesh("prune", "--older-than", "1d").code


def test_one_run_is_pruned_by_name(squidmesh: Typed, worked: Start, started: Start) -> None:
    """By any beginning of its id; one that is active is refused before anybody is asked."""
    over, active = worked("Ana"), started("Bob")

    refused = squidmesh("prune", "--run", active)
    said = squidmesh("prune", "--run", over[:20], "--yes")

    assert (4, True) == (refused.code, "it is not over" in refused.err)
    assert ["pruned", "1", "15", "1"] == said.records[0]
    assert 4 == squidmesh("prune", "--run", over, "--yes").code
    assert 3 == squidmesh("prune", "--run", "ffffffff", "--yes").code


@pytest.mark.parametrize(
    "options", [(), ("--older-than", "1d", "--run", "0" * 8), ("--older-than", "soon")]
)
def test_an_age_or_a_run_is_named(
    squidmesh: Typed, worked: Start, options: tuple[str, ...]
) -> None:
    """One of the two, and an age that is one."""
    worked("Ana")

    assert 2 == squidmesh("prune", *options, "--yes").code


def test_runs_that_stay_are_named(squidmesh: Typed, on_terminal: Typed, worked: Start) -> None:
    """With the reason, and what to do about it."""
    run_id = worked("Ana")
    damage()

    said = squidmesh("prune", "--older-than", "0s", "--plan")
    human = on_terminal("prune", "--older-than", "0s", "--plan")

    assert ["kept", run_id, "unreadable"] in said.records
    assert "kept: 1 run cannot be read" in human.out
    assert run_id[:13] in human.out


def damage() -> None:
    """Change rows behind everybody's back."""
    with sqlite3.connect("greetings.db") as connection:
        connection.execute("update squidmesh_journal set body = replace(body, 'Ana', 'Eve')")
    connection.close()
