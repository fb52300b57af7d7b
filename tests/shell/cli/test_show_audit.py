"""What `show` tells of people and of time: the audit, deadlines, and how steps are undone."""

import re

from support.commands import Typed
from support.shop import Shop


def test_pipes_get_the_audit_and_the_deadlines(squidmesh: Typed, shop: Shop) -> None:
    """Who decided what, where, when and where that led; and what is due."""
    held = squidmesh("show", shop.order("held")).records
    asked = squidmesh("show", shop.order("asked", sku="cup")).records

    audit = [record for record in held if record[0] == "audit"]
    assert [
        ["audit", "approved", "review", "ana", "charged", ""],
        ["audit", "paused", "", "op", "", ""],
    ] == [[*one[:3], *one[4:]] for one in audit]
    assert all(re.fullmatch(r"\S+Z", one[3]) for one in audit)
    assert [["deadline", "review", "on_time"]] == [one[:3] for one in asked if one[0] == "deadline"]


def test_programs_get_both_and_what_steps_declare(squidmesh: Typed, shop: Shop) -> None:
    """With the members of the view, and nothing sensitive."""
    document = squidmesh("show", shop.order("held"), "--json").document
    steps, audit = document["steps"], document["audit"]

    assert isinstance(steps, list)
    assert isinstance(audit, list)
    reserved = steps[0]
    assert ("shop.release", []) == (reserved["undo"], reserved["waits_for"])
    assert (False, True) == (
        reserved["recovery"]["irreversible"],
        reserved["recovery"]["compensatable"],
    )
    assert ["approved", "paused"] == [one["event"] for one in audit]
    assert ([], [], []) == (document["deadlines"], document["children"], document["dynamic"])


def test_people_get_the_audit_with_the_history(on_terminal: Typed, shop: Shop) -> None:
    """A line each; without the history there is enough to read."""
    run_id = shop.order("held")

    assert "approved at review by ana" in on_terminal("show", run_id, "--history").out
    assert "paused by op" in on_terminal("show", run_id, "--history").out
    assert "approved at review" not in on_terminal("show", run_id).out
