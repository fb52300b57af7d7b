"""The commands on the pages can be typed: they are there, and so are their options."""

import re
import shlex
from pathlib import Path

import click
import pytest

from squidmesh.cli.root import COMMANDS, root

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: One after a prompt, in a line of its own or in a crontab, and one in the middle of a sentence.
TYPED = re.compile(r"^(?:\$ | {4}(?:\$ |[\d* ]+ )?)squidmesh (\w.*)$", re.MULTILINE)
QUOTED = re.compile(r"`squidmesh ([a-z][^`]*)`")
#: Where the command ends, for the shell.
BESIDE = {"|", "&&", ">"}


def words_of(line: str) -> list[str]:
    """What the command itself is handed."""
    words = shlex.split(line, comments=True)
    return words[: next((n for n, word in enumerate(words) if word in BESIDE), len(words))]


def command_of(name: str) -> tuple[click.Command, click.Context]:
    """
    The command, and the context that it is called in.

    Raises:
        KeyError: There is none of that name.
    """
    context = root.make_context("squidmesh", ["help"], resilient_parsing=True)
    command = root.get_command(context, name)
    if command is None:
        raise KeyError(name)
    return command, context


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_is_shown_is_one_that_can_be_typed(page: Path) -> None:
    """It has the options and arguments that it is shown with; the usage lines show what there is."""
    for line in TYPED.findall(page.read_text(encoding="utf-8")):
        if "[OPTIONS]" not in line:
            name, *arguments = words_of(line)
            command, context = command_of(name)
            command.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_is_named_has_the_options_it_is_named_with(page: Path) -> None:
    """In the middle of a sentence its arguments may be left out."""
    for line in QUOTED.findall(page.read_text(encoding="utf-8")):
        name, *words = words_of(line)
        if name.isupper():
            continue
        command, _ = command_of(name)
        known = {"--help", *(opt for param in command.params for opt in param.opts)}
        assert set() == {word for word in words if word.startswith("-")} - known, line


def test_the_commands_that_ask_are_named() -> None:
    """All that say what would follow, and can be told not to ask."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    (named,) = re.findall(
        r"^(.*) show on a terminal what would follow, and ask\.$", page, re.MULTILINE
    )
    options = {name: {one.name for one in command_of(name)[0].params} for name in COMMANDS}

    asking = [name for name, known in options.items() if {"yes", "dry_run"} <= known]
    assert asking == re.findall(r"`([\w-]+)`", named)


def test_the_pages_show_commands() -> None:
    """So the tests above are not empty."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert len(TYPED.findall(text)) > 50
    assert len(QUOTED.findall(text)) > 50
