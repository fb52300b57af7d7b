"""
What people fill in is never obeyed, whatever command shows it and in whatever form.

The shop of the captured commands, in which every text that somebody fills in holds
terminal escapes, marks that turn text round, and HTML; and one order a megabyte of text.
"""

import json
import logging
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Final

import pytest

from squidmesh.cli import clock
from squidmesh.cli.commands.work import _Printable
from squidmesh.cli.root import run
from support.captured import CLOCK, LOOK, prepare
from support.commands import Said, Typed
from support.typed import TYPED

#: Clears the screen, renames the window, goes back in the line, turns text round.
GARNISH: Final = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e\u2066<script>alert(1)</script>\n\t\u2028"
#: What a terminal obeys, and what a browser might.
OBEYED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
#: More than any screen shows at once, in characters.
LONG: Final = 40_000
FORMS: Final = ("terminal", "pipe", "--json", "--jsonl")


@pytest.fixture(scope="session")
def garnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of a shop whose customers mean no good."""
    folder = tmp_path_factory.mktemp("shop")
    shop = Path(__file__).with_name("shop.py")
    return folder, prepare(folder, shop, garnish=GARNISH, filling="x" * 1_000_000)


@pytest.fixture
def typed(
    garnished: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[str, str], Said]]:
    """Type a command into a terminal or a pipe, or ask for JSON."""
    folder, ids = garnished
    copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(clock, "now", lambda: LOOK)
    monkeypatch.setattr(CLOCK, "now", LOOK)
    monkeypatch.setenv("TERM", "dumb")

    def say(command: str, form: str) -> Said:
        arguments = [word.format(**ids) for word in shlex.split(command)]
        with monkeypatch.context() as terminal:
            if form == "terminal":
                terminal.setenv("COLUMNS", "100")
                terminal.setenv("LINES", "50")
                terminal.setattr(sys.stdout, "isatty", lambda: True)
            code = run([*arguments, form] if form.startswith("--") else arguments)
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    yield say
    sys.modules.pop("shop", None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in TYPED if "--help" not in TYPED[name]])
def test_no_command_prints_what_is_obeyed(
    typed: Callable[[str, str], Said], name: str, form: str
) -> None:
    """Neither on standard output nor on standard error; and it ends as it would otherwise."""
    said = typed(TYPED[name], form)

    assert [] == OBEYED.findall(said.out + said.err)
    assert "Traceback" not in said.err
    assert said.code in ({3, 4} if "error" in name or "refused" in name else {0})
    if form == "terminal":
        assert len(said.out) < LONG
    if form.startswith("--") and said.out:
        for document in said.out.splitlines() if form == "--jsonl" else [said.out]:
            if not ("follow" in name or name == "watch"):
                assert isinstance(json.loads(document, parse_constant=pytest.fail), dict)


@pytest.mark.parametrize("form", ["svg", "mermaid", "dot", "json", "ascii"])
def test_no_picture_holds_what_is_obeyed(typed: Callable[[str, str], Said], form: str) -> None:
    """In no format that a graph is drawn in."""
    said = typed(f"graph {{plate}} --format {form}", "pipe")

    assert (0, []) == (said.code, OBEYED.findall(said.out))
    if form == "svg":
        assert "<script" not in said.out


def test_what_was_filled_in_is_shown_escaped(typed: Callable[[str, str], Said]) -> None:
    """So the tests above saw it."""
    shown, document = typed("show {mug} --history", "terminal"), typed("show {mug}", "--json")

    assert "two boxes\\x1b[2J" in shown.out
    assert f"mug{GARNISH}" == document.document["input"]["sku"]  # type: ignore[index]  # any JSON


def test_no_line_of_the_log_of_a_worker_can_be_forged() -> None:
    """What a step says or raises stands behind the line that it belongs to."""
    forged = f"lost{GARNISH}2026-11-22 07:00:00,000 ERROR squidmesh.worker: forged"
    raised = (ValueError, ValueError(forged), None)
    record = logging.LogRecord(
        "squidmesh.worker", logging.WARNING, __file__, 1, "%s", (forged,), raised
    )
    first, *others = _Printable("%(levelname)s %(message)s").format(record).split("\n")

    assert first.startswith("WARNING lost\\x1b[2J")
    assert 2 == sum("ERROR squidmesh.worker: forged" in line for line in others)
    assert all(line.startswith("  ") for line in others)
    assert [] == OBEYED.findall("\n".join([first, *others]))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(squidmesh: Typed, folder: Path, number: str) -> None:
    """At the door, wherever JSON is typed; so no document can hold one."""
    data = f'{{"name": {number}}}'
    (folder / "signal.json").write_text(f'{{"type": "cancel", "payload": {data}}}')

    for typed in (
        ("start", "greetings:Greeting", "--data", data),
        ("start", "greetings:Greeting", "--set", "name=Ana", "--set", f"times={number}"),
        ("signal", "signal.json"),
    ):
        said = squidmesh(*typed)
        assert (2, "") == (said.code, said.out)
