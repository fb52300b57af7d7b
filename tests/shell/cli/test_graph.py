"""`squidmesh graph`: one run as a picture, in the terminal, in a pipe, and in a file."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.commands import Typed
from support.shop import Shop

#: Texts, and numbers, which are known by their place alone.
SECRETS = ("card-4711", "47114711", "99887766", "iban-5544", "33445566", "66006600")


def test_a_run_is_drawn_in_the_terminal(wide: Typed, shop: Shop) -> None:
    """Where it is, which ways it took, and which are left."""
    run_id = shop.order("waiting")

    lines = wide("graph", run_id[:13]).out.splitlines()

    assert ["Order · idle", f"run {run_id} · revision 16", ""] == lines[:3]
    assert [
        "✔ placed              started",
        "┃",
        "✔ reserved            completed",
        "┃",
        "✔ review              approval · completed",
        "┣━ approved ━▶ charged",
        "└╌ rejected ╌▷ apology",
        "",
        "✔ charged             completed",
        "┃",
        "○ settled             receive · pending  ◀ here",
    ] == lines[3:14]


def test_a_pipe_gets_the_same_lines(squidmesh: Typed, shop: Shop) -> None:
    """And a script may ask for a moment of the past."""
    run_id = shop.order("completed")

    now, then = squidmesh("graph", run_id).out, squidmesh("graph", run_id, "--at", "3").out

    assert "Order · completed" in now
    assert "○ reserved            pending  ◀ here" in then
    assert "\x1b" not in now


def test_a_terminal_is_coloured(
    squidmesh: Typed, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes by their status, ways that were not taken pale."""
    run_id = shop.order("waiting")
    with monkeypatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        said = squidmesh("graph", run_id, "--color", "always").out

    assert "\x1b[32m✔ reserved" in said
    assert "\x1b[2m└╌ rejected" in said
    assert "\n┣━ approved" in said


@pytest.mark.parametrize(
    ("form", "begins"),
    [("svg", "<svg "), ("mermaid", "flowchart TD"), ("dot", "digraph run {"), ("ascii", "Order")],
)
def test_each_format_is_printed_as_it_is(
    squidmesh: Typed, shop: Shop, form: str, begins: str
) -> None:
    """To be redirected into a file."""
    said = squidmesh("graph", shop.order("asked"), "--format", form)

    assert 0 == said.code
    assert said.out.startswith(begins)


def test_programs_get_a_document(squidmesh: Typed, shop: Shop) -> None:
    """By either option; payloads are not in it."""
    run_id = shop.order("waiting")

    document = squidmesh("graph", run_id, "--json").document

    assert ("squidmesh.graph/1", run_id, "idle") == (
        document["schema"],
        document["run_id"],
        document["status"],
    )
    assert document == squidmesh("graph", run_id, "--format", "json").document
    assert ["settled"] == document["current"]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("run.svg", "<svg "),
        ("run.mmd", "flowchart"),
        ("run.gv", "digraph"),
        ("run.json", "{"),
        ("run.txt", "Order"),
    ],
)
def test_a_file_says_by_its_name_what_it_wants(
    squidmesh: Typed, shop: Shop, folder: Path, name: str, begins: str
) -> None:
    """Unless the format is given too."""
    run_id = shop.order("asked")

    said = squidmesh("graph", run_id, "--output", name)
    squidmesh("graph", run_id, "--output", "other.txt", "--format", "svg")

    assert f"wrote {name}\n" == said.out
    assert (folder / name).read_text(encoding="utf-8").startswith(begins)
    assert (folder / "other.txt").read_text(encoding="utf-8").startswith("<svg ")


def test_a_written_document_is_the_printed_one(squidmesh: Typed, shop: Shop, folder: Path) -> None:
    """Word for word."""
    run_id = shop.order("completed")

    squidmesh("graph", run_id, "--json", "--output", "graph.json")

    written = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
    assert written == squidmesh("graph", run_id, "--json").document


def test_what_cannot_be_done_is_said(squidmesh: Typed, shop: Shop) -> None:
    """Two formats at once, a folder that is not there, a run that is not there."""
    run_id = shop.order("asked")

    assert 2 == squidmesh("graph", run_id, "--json", "--format", "svg").code
    nowhere = squidmesh("graph", run_id, "--output", "nowhere/run.svg")
    assert 2 == nowhere.code
    assert "nowhere/run.svg" in nowhere.err
    assert 3 == squidmesh("graph", "0193e2a0-7b3c-7d10-8f00-123456789abc").code


@pytest.mark.parametrize("form", ["ascii", "svg", "mermaid", "dot", "json"])
def test_what_is_sensitive_is_in_no_drawing(squidmesh: Typed, shop: Shop, form: str) -> None:
    """Neither a value that decided nor a constant that it was compared with, taken or not."""
    run_id = squidmesh("start", "choosing:Choosing").out.strip()
    while squidmesh("step", "--app", "choosing").out:
        pass

    said = squidmesh("graph", run_id, "--format", form).out

    assert not [secret for secret in ("hidden-471", "47114711", "99887766") if secret in said]
    assert "•••" in said or "#8226;" in said
    if form == "svg":
        ElementTree.fromstring(said)


def test_what_a_route_was_decided_by_is_in_no_entry(squidmesh: Typed) -> None:
    """An entry names the condition of the way that was taken."""
    run_id = squidmesh("start", "choosing:Choosing").out.strip()
    while squidmesh("step", "--app", "choosing").out:
        pass

    said = squidmesh("journal", run_id, "--json").out

    assert '"equals": "•••"' in said
    assert "hidden-4711" not in said
    assert "hidden-4711" in squidmesh("journal", run_id, "--json", "--as", "auditor").out


CHOOSING = """
from dataclasses import dataclass

from squidmesh import Sensitive, Workflow, complete, manual, step


@dataclass(frozen=True)
class Asked:
    secret: Sensitive[str] = "hidden-4711"
    pin: Sensitive[int] = 99887766


def look(secret: str) -> None:
    pass


class Choosing(Workflow, name="Choosing"):
    asked = manual(Asked)

    first = step(look).takes(asked.payload.secret)
    second = step(look, action="again").takes(asked.payload.secret)

    first.then(second, when=asked.payload.pin < 47114711)
    first.then(second, when=asked.payload.secret == "hidden-4712")
    first.then(second, when=asked.payload.secret == "hidden-4711")
    first.then(complete)
"""


@pytest.fixture(autouse=True)
def choosing(folder: Path) -> None:
    """A workflow that chooses by something sensitive."""
    (folder / "choosing.py").write_text(CHOOSING, encoding="utf-8")
