"""Exit codes: each error says one thing to scripts."""

import re
from pathlib import Path

import pytest

from squidmesh.cli import exits, root
from squidmesh.cli.exits import exit_code
from squidmesh_core import errors
from squidmesh_core.errors import SquidmeshError

EXPECTED = {
    "ConfigError": 2,
    "DefinitionError": 6,
    "IdempotencyConflict": 4,
    "OutcomeUnknown": 7,
    "PayloadError": 2,
    "Refused": 4,
    "RevisionConflict": 4,
    "RunNotFound": 3,
    "StorageError": 7,
    "StorageUnavailable": 7,
    "UnsafeReplay": 5,
    "WaitTimeout": 8,
}


def test_every_kind_of_error_has_its_exit_code() -> None:
    """A new kind of error has to decide what it says to scripts."""
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, SquidmeshError)
        and kind is not SquidmeshError
    }

    assert EXPECTED == {name: exit_code(kind("no", "code")) for name, kind in kinds.items()}


def test_the_page_lists_every_exit_code() -> None:
    """So does the help of the program itself, in the same order."""
    numbers = [getattr(exits, name) for name in dir(exits) if name.isupper() and name[0] != "_"]
    page = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
    listed = re.findall(r"^\| (\d+) \| ", page.read_text(encoding="utf-8"), re.MULTILINE)
    said = re.findall(r"(\d+) [a-z]", str(root.root.help).partition("Exit codes:")[2])

    assert [str(number) for number in sorted(numbers)] == listed == said


def test_an_interrupted_command_says_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is no error, and has the code that shells expect."""

    def interrupted(*arguments: object, **options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(root.root, "main", interrupted)

    assert 130 == root.run(["runs"])
    assert "interrupted\n" == capsys.readouterr().err


def test_an_error_of_a_later_release_still_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error without a code of its own is a failure, and has no traceback."""

    def fails(*arguments: object, **options: object) -> int:
        raise SquidmeshError("what happened", "new_code")

    monkeypatch.setattr(root.root, "main", fails)

    assert 1 == root.run(["runs"])
    assert "error (new_code): what happened\n" == capsys.readouterr().err
