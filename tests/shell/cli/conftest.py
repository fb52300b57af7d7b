"""A small application in a folder of its own, and a command line to type at."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from squidmesh.cli.root import run
from support.commands import Said, Typed
from support.shop import Shop, Stands

GREETINGS = """
from dataclasses import dataclass

from squidmesh import ActionRegistry, Fail, Mesh, Sensitive, Workflow, log, manual, step


@dataclass(frozen=True)
class Asked:
    name: str
    times: int = 1
    password: Sensitive[str] = "hunter2hunter2"


def greet(name: str, times: int, password: str) -> str:
    return " ".join([f"hello {name}"] * times)


def check(name: str, password: str) -> str | Fail:
    if name == "nobody":
        return Fail(f"\\x1b[31mnobody is here\\x1b[0m, said {password}", code="nobody")
    return f"checked with {password}"


class Greeting(Workflow, name="Greeting"):
    asked = manual(Asked)
    who = asked.payload

    checked = step(check).takes(who.name, who.password)
    noted = log("somebody is greeted")
    greeting = step(greet).takes(who.name, who.times, who.password)

    checked.then(noted).then(greeting)


actions = ActionRegistry()
actions.add("greet", greet)


def mesh() -> Mesh:
    return Mesh.open("sqlite:///own.db", workflows=[Greeting])


def broken() -> Mesh:
    raise OSError("no")


def elsewhere() -> Mesh:
    return Mesh.open("gopher://x")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with `greetings.py` and `shop.py`, and a URL in the environment."""
    (tmp_path / "greetings.py").write_text(GREETINGS, encoding="utf-8")
    copyfile(Path(__file__).with_name("shop.py"), tmp_path / "shop.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SQUIDMESH_URL", "sqlite:///greetings.db")
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        module_file = getattr(sys.modules[name], "__file__", None)
        if module_file is not None and Path(module_file).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def squidmesh(folder: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command whose output goes into a pipe."""

    def typed(*arguments: str) -> Said:
        code = run(arguments)
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    return typed


@pytest.fixture
def on_terminal(squidmesh: Typed, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Type a command on a terminal of 110 columns that knows no colours."""

    def typed(*arguments: str) -> Said:
        with monkeypatch.context() as terminal:
            terminal.setenv("COLUMNS", "110")
            terminal.setenv("LINES", "50")  # without it a dumb terminal counts as 80 by 25
            terminal.setenv("TERM", "dumb")
            terminal.setattr(sys.stdout, "isatty", lambda: True)
            return squidmesh(*arguments)

    return typed


@pytest.fixture(params=[80, 120])
def wide(
    request: pytest.FixtureRequest, squidmesh: Typed, monkeypatch: pytest.MonkeyPatch
) -> Typed:
    """Type a command on a terminal of so many columns; no line is longer."""

    def typed(*arguments: str) -> Said:
        with monkeypatch.context() as terminal:
            terminal.setenv("COLUMNS", str(request.param))
            terminal.setenv("TERM", "dumb")
            terminal.setattr(sys.stdout, "isatty", lambda: True)
            said = squidmesh(*arguments)
        assert request.param >= max(map(len, said.out.splitlines()), default=0)
        return said

    return typed


@pytest.fixture
def started(squidmesh: Typed) -> Callable[..., str]:
    """Start a greeting of somebody and work it; its id."""

    def start(name: str, *options: str) -> str:
        said = squidmesh("start", "greetings:Greeting", "--set", f"name={name}", *options)
        assert said.code == 0, said.err
        return said.out.strip()

    return start


@pytest.fixture
def worked(started: Callable[..., str], squidmesh: Typed) -> Callable[..., str]:
    """Start a greeting of somebody and work everything there is; its id."""

    def start_and_work(name: str, *options: str) -> str:
        run_id = started(name, *options)
        while squidmesh("step", "--app", "greetings").out.strip():
            pass
        return run_id

    return start_and_work


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Be somebody at the terminal who answers every question so."""

    def answers(text: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: text)

    return answers


@pytest.fixture(scope="session")
def stands() -> Stands:
    """Orders that were brought somewhere once."""
    return {}


@pytest.fixture
def shop(squidmesh: Typed, stands: Stands) -> Shop:
    """The shop of `shop.py`, and orders in it."""
    return Shop(squidmesh, stands)
