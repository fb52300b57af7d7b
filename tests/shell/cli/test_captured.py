"""
What every command prints, at 80 and at 120 columns and in a pipe, as it was looked at.

`SQUIDMESH_CAPTURE=1 pytest tests/shell/cli/test_captured.py` writes the files of
tests/shell/cli/captured/ anew; what differs is to be looked at before it is kept.
"""

import os
import platform
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from shutil import copytree
from typing import Final

import pytest

from squidmesh.cli import clock
from squidmesh.cli.root import COMMANDS, run
from support.captured import CLOCK, LOOK, prepare
from support.typed import NOT_TYPED, TYPED

FOLDER: Final = Path(__file__).with_name("captured")
WIDTHS: Final = (80, 120)
#: What differs from machine to machine → what stands for it.
_PYTHON: Final = platform.python_version()
_SQLITE: Final = sqlite3.sqlite_version
_SQUIDMESH: Final = version("squidmesh")


@pytest.fixture(scope="session")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the shop's journal, made once, and the orders in it."""
    folder = tmp_path_factory.mktemp("shop")
    return folder, prepare(folder, Path(__file__).with_name("shop.py"))


@pytest.fixture
def look(
    morning: tuple[Path, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[str, int | None], str]]:
    """Type a command at noon, on a terminal of a width or into a pipe; all that it says."""
    folder, ids = morning
    copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(clock, "now", lambda: LOOK)
    monkeypatch.setattr(CLOCK, "now", LOOK)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")

    def typed(name: str, width: int | None) -> str:
        arguments = [word.format(**ids) for word in shlex.split(TYPED[name])]
        with monkeypatch.context() as terminal:
            if width is None:
                terminal.setenv("TERM", "xterm-256color")  # whatever it can, a pipe is none
            else:
                terminal.setenv("COLUMNS", str(width))
                terminal.setenv("LINES", "50")  # without it a dumb terminal counts as 80 by 25
                terminal.setattr(sys.stdout, "isatty", lambda: True)
            code = run(arguments)
        out, err = capsys.readouterr()
        said = f"$ squidmesh {TYPED[name]}\n{out}{err}exit code {code}\n"
        return _still(said, tmp_path)

    yield typed
    for module in ("shop",):
        sys.modules.pop(module, None)


def _still(said: str, folder: Path) -> str:
    """The same on every machine."""
    said = said.replace(str(folder), "/shop")
    said = re.sub(rf"(python\s+){re.escape(_PYTHON)}", r"\1(version)", said)
    said = re.sub(rf"(squidmesh\s+){re.escape(_SQUIDMESH)}", r"\1(version)", said)
    said = re.sub(rf"(sqlite\s+){re.escape(_SQLITE)}", r"\1(version)", said)
    said = re.sub(r"(file_bytes\s+)\d+", r"\1(bytes)", said)
    return "".join(f"{line.rstrip()}\n" for line in said.splitlines())


def _kept(name: str, where: str, said: str) -> str:
    """What was kept of a command; written first, if somebody wants it so."""
    file = FOLDER / where / f"{name}.txt"
    if os.environ.get("SQUIDMESH_CAPTURE"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said, encoding="utf-8")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TYPED)
def test_a_terminal_shows_what_was_looked_at(
    look: Callable[[str, int | None], str], name: str, width: int
) -> None:
    """To the letter, at each width."""
    said = look(name, width)

    assert _kept(name, str(width), said) == said


@pytest.mark.parametrize("name", TYPED)
def test_a_pipe_gets_what_was_looked_at(look: Callable[[str, int | None], str], name: str) -> None:
    """Records without headings and colours."""
    said = look(name, None)

    assert _kept(name, "piped", said) == said
    assert "\x1b" not in said


def test_every_command_is_captured() -> None:
    """A new command comes with what it prints; those that are not say why."""
    typed = {command.split()[0] for command in TYPED.values()}

    assert set(COMMANDS) == (typed & COMMANDS.keys()) | NOT_TYPED.keys()
    assert set() == typed & NOT_TYPED.keys()


def test_nothing_is_kept_of_what_is_not_typed() -> None:
    """A file that no command writes has been forgotten."""
    for where in (*map(str, WIDTHS), "piped"):
        assert set(TYPED) == {file.stem for file in (FOLDER / where).iterdir()}
