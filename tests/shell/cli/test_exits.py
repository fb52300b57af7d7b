"""Exit codes: each error says one thing to scripts."""

import pytest

from squidmesh.cli import root
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
