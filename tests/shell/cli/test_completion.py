"""Completion: commands, options, names from the journal; and never an error in mid-typing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from squidmesh.cli.root import COMMANDS, root
from support.commands import Typed
from support.shop import Shop


def completed(*words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    *args, incomplete = words
    complete = ShellComplete(root, {}, "squidmesh", "_SQUIDMESH_COMPLETE")
    return [item.value for item in complete.get_completions(list(args), incomplete)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(squidmesh: Typed, shell: str) -> None:
    """It asks this program while somebody types."""
    said = squidmesh("completion", shell)
    document = squidmesh("completion", shell, "--json").document

    assert 0 == said.code
    assert f"_SQUIDMESH_COMPLETE={shell}_complete" in said.out
    assert ("squidmesh.completion/1", shell) == (document["schema"], document["shell"])
    assert str(document["script"]).strip() == said.out.strip()


def test_an_unknown_shell_is_a_usage_error(squidmesh: Typed) -> None:
    """Which names those that there are."""
    said = squidmesh("completion", "tcsh")

    assert 2 == said.code
    assert "fish" in said.err


def test_commands_are_completed_without_loading_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is quick."""
    monkeypatch.setattr("squidmesh.cli.root.import_module", pytest.fail)

    assert list(COMMANDS) == completed("")
    assert ["pause", "pause-queue"] == completed("pause")
    assert "--version" in completed("--")


def test_options_and_their_choices_are_completed() -> None:
    """By click, of every command."""
    assert {"--compensate", "--workflow", "--dry-run"} <= set(completed("cancel", "--"))
    assert ["paused"] == completed("runs", "--status", "pau")


def test_runs_are_completed_from_the_journal(squidmesh: Typed, shop: Shop) -> None:
    """The newest, each with its workflow and status; then those that begin so."""
    ids = [shop.order("asked", sku=sku) for sku in ("mug", "vase")]

    assert [*reversed(ids)] == completed("show", "")
    assert [ids[0]] == completed("cancel", ids[0][:20])
    assert [] == completed("explain", "zebra")
    complete = ShellComplete(root, {}, "squidmesh", "_SQUIDMESH_COMPLETE")
    assert "Order, paused" == complete.get_completions(["show"], "")[0].help


def test_workflows_queues_and_codes_are_completed(squidmesh: Typed, shop: Shop) -> None:
    """Wherever they are asked for."""
    shop.order("fresh")

    assert ["Order"] == completed("cancel", "--workflow", "O")
    assert ["default"] == completed("pause-queue", "")
    assert ["default"] == completed("runs", "--queue", "de")
    assert ["SM410"] == completed("help", "sm410")
    assert ["already_received"] == completed("help", "already")


@pytest.mark.parametrize("url", ["sqlite:///none.db", "gopher://x", "postgresql://localhost:1/x"])
def test_nothing_is_completed_without_a_journal(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Nor is anything said, or made."""
    monkeypatch.setenv("SQUIDMESH_URL", url)
    before = sorted(folder.iterdir())

    assert [] == completed("show", "")
    assert [] == completed("show", "--url", "sqlite:///other.db", "")
    assert [] == completed("runs", "--workflow", "")
    assert ("", "") == capfd.readouterr()
    assert before == sorted(folder.iterdir())


def test_an_application_that_prints_prints_into_no_command_line(
    folder: Path, worked: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that fails to load completes nothing."""
    run_id = worked("Ana")
    (folder / "loud.py").write_text("print('loading')\nfrom greetings import *\n")
    (folder / "broken.py").write_text("1 / 0\n")

    assert [run_id] == completed("show", "--app", "loud", "")
    assert [] == completed("show", "--app", "broken", "")
    assert ("", "") == capsys.readouterr()


def test_no_name_is_completed_that_a_shell_would_carry_out(
    folder: Path, worked: Callable[..., str]
) -> None:
    """A bundle may bring one, and bash would put it on the command line as it is."""
    worked("Ana")
    evil = "class Evil(Workflow, name='$(id)'):\n    asked = manual()\n    sure = pause('?')\n"
    (folder / "evil.py").write_text(f"from squidmesh import *\nfrom greetings import *\n{evil}")

    assert ["Greeting"] == completed("runs", "--app", "evil", "--workflow", "")


def test_a_shell_is_answered_by_the_program_itself(squidmesh: Typed, shop: Shop) -> None:
    """Through the variable that the script sets."""
    run_id = shop.order("asked")
    environ = {
        **os.environ,
        "_SQUIDMESH_COMPLETE": "bash_complete",
        "COMP_WORDS": "squidmesh show 0",
        "COMP_CWORD": "2",
    }

    said = subprocess.run(
        [sys.executable, "-m", "squidmesh"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (f"plain,{run_id}\n", "") == (said.stdout, said.stderr)


def test_every_argument_that_is_a_run_is_completed() -> None:
    """A new command that names a run has to use the type."""
    context = click.Context(root)
    for name in root.list_commands(context):
        found = root.get_command(context, name)
        assert found is not None
        for param in found.params:
            if param.name in {"run", "parent"}:
                assert (name, "run") == (name, param.type.name)
