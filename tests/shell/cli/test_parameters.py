"""What the verbs of `Mesh` can be asked, the command line can be asked too."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from support.commands import Typed
from support.shop import Shop

Start = Callable[..., str]


def test_a_graph_with_history_says_what_went_in_and_out(squidmesh: Typed, shop: Shop) -> None:
    """As a document, without what is sensitive; and not unless it is asked for."""
    run_id = shop.order("completed")

    plain = squidmesh("graph", run_id, "--json").document
    said = squidmesh("graph", run_id, "--json", "--history")
    nodes = {node["id"]: node for node in json.loads(said.out)["nodes"]}

    assert ({"sku": "mug"}, "reserved mug") == (
        nodes["reserved"]["input"],
        nodes["reserved"]["output"],
    )
    assert [1] == [attempt["number"] for attempt in nodes["reserved"]["attempts"]]
    assert {"card": "•••", "limit": "•••"} == nodes["charged"]["input"]
    assert not [secret for secret in ("card-4711", "47114711", "66006600") if secret in said.out]
    listed = plain["nodes"]
    assert isinstance(listed, list)
    assert all(node["input"] is node["output"] is None for node in listed)


def test_a_graph_with_history_says_what_went_wrong(squidmesh: Typed, worked: Start) -> None:
    """Without what is sensitive."""
    said = squidmesh("graph", worked("nobody"), "--json", "--history")
    checked = next(node for node in json.loads(said.out)["nodes"] if node["id"] == "checked")

    assert checked["error"]["message"].endswith("nobody is here\x1b[0m, said •••")
    assert checked["error"] == checked["attempts"][0]["error"]
    assert "hunter2" not in said.out


def test_a_graph_with_history_shows_a_role_what_it_may_see(squidmesh: Typed, shop: Shop) -> None:
    """An auditor everything, an operator no payload."""
    run_id = shop.order("completed")

    def reserved(role: str) -> object:
        said = squidmesh("graph", run_id, "--json", "--history", "--as", role)
        nodes = {node["id"]: node for node in json.loads(said.out)["nodes"]}
        return nodes["charged"]["input"]

    assert {"card": "card-4711-0815", "limit": 47114711} == reserved("auditor")
    assert None is reserved("operator") is reserved("external")


def test_a_start_says_who_and_why_and_when(squidmesh: Typed, started: Start) -> None:
    """And what limits per key go by."""
    run_id = started(
        "Ana", "--by", "olga", "--note", "asked by phone", "--partition-key", "ana", "--at", "90m"
    )

    run = squidmesh("show", run_id, "--json").document
    first = run["commands"]
    due = datetime.fromisoformat(str(run["next_visible_at"]))

    assert isinstance(first, list)
    assert ("olga", "asked by phone") == (first[0]["actor"], first[0]["comment"])
    assert "ana" == squidmesh("runs", "--json").document["runs"][0]["partition_key"]  # type: ignore[index]  # a document
    assert 5340 < (due - datetime.now(UTC)).total_seconds() <= 5400
    assert 2 == squidmesh("start", "greetings:Greeting", "--at", "soon").code


def test_what_lists_are_made_from_is_rebuilt(
    squidmesh: Typed, on_terminal: Typed, worked: Start
) -> None:
    """Of one run, or of all."""
    first, _ = worked("Ana"), worked("Bob")

    assert "the index of 2 runs was rebuilt" in on_terminal("reindex").out
    assert "the index of 1 run was rebuilt" in on_terminal("reindex", first).out
    assert "2\n" == squidmesh("reindex").out
    assert 2 == squidmesh("reindex", "--json").document["runs"]
    assert 0 == squidmesh("verify").code
    assert 3 == squidmesh("reindex", "ffffffff").code


def test_a_line_of_a_journal_shows_numbers_as_they_were_given(
    squidmesh: Typed, started: Start
) -> None:
    """A document has them as the journal has."""
    run_id = started("Ana", "--set", f"times={2**60}")

    line, document = squidmesh("journal", run_id).out, squidmesh("journal", run_id, "--json").out

    assert f'"times": {2**60}' in line
    assert f'{{"$int": "{2**60}"}}' in " ".join(document.split()).replace("{ ", "{").replace(
        " }", "}"
    )
    assert f'"times": {2**60}' in squidmesh("show", run_id, "--json").out
