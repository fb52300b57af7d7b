"""What `start` and `run` begin: a workflow of a module, or one that the application registered."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from squidmesh.cli.root import root
from support.commands import Typed

BILLING = """
from dataclasses import dataclass

from squidmesh import Workflow, manual, step


@dataclass(frozen=True)
class Month:
    month: int


def note(month: int) -> int:
    return month


class Billing(Workflow, name="shop.billing"):
    nightly = manual(Month)
    by_hand = manual(Month)

    noted = step(note).takes(nightly.payload.month)
"""


@pytest.fixture(autouse=True)
def billing(folder: Path) -> None:
    """An application with a workflow of two triggers, `billing.py`."""
    (folder / "billing.py").write_text(BILLING, encoding="utf-8")


def completed(*words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    *args, incomplete = words
    complete = ShellComplete(root, {}, "squidmesh", "_SQUIDMESH_COMPLETE")
    return [item.value for item in complete.get_completions(list(args), incomplete)]


def test_a_registered_workflow_is_started_by_its_name(squidmesh: Typed) -> None:
    """As by its module and class: a worker of the application performs it."""
    said = squidmesh("start", "Greeting", "--app", "greetings", "--set", "name=ana", "--json")
    run = said.document["run"]

    assert 0 == said.code
    assert isinstance(run, dict)
    assert "Greeting" == run["workflow"]
    assert str(run["id"]) in squidmesh("step", "--app", "greetings").out


def test_the_options_of_a_start_hold_for_a_name_too(squidmesh: Typed) -> None:
    """The same key again finds the same run."""
    typed = ("start", "Greeting", "--app", "greetings", "--set", "name=ana", "--key", "k")

    assert squidmesh(*typed).out == squidmesh(*typed).out


def test_a_registered_workflow_is_run_by_its_name(squidmesh: Typed) -> None:
    """With the application's mesh, in this process."""
    said = squidmesh("run", "Greeting", "--app", "greetings:mesh", "--set", "name=ana", "--json")

    assert 0 == said.code
    assert '"completed"' in said.out


def test_one_of_several_triggers_follows_the_name(squidmesh: Typed) -> None:
    """A name may have dots of its own; without a trigger the sentence lists them."""
    typed = ("--app", "billing", "--set", "month=5")
    ambiguous = squidmesh("start", "shop.billing", *typed)

    assert 0 == squidmesh("start", "shop.billing.nightly", *typed).code
    assert 2 == ambiguous.code
    assert (
        "workflow: 'shop.billing' has 2 triggers; name one of shop.billing.nightly, "
        "shop.billing.by_hand" in ambiguous.err
    )


@pytest.mark.parametrize("name", ["nothing", "shop.billing.nothing", "billing"])
@pytest.mark.parametrize("command", ["start", "run"])
def test_an_unknown_name_is_answered_with_the_known_ones(
    squidmesh: Typed, command: str, name: str
) -> None:
    """In one sentence; a module of that name is no workflow."""
    said = squidmesh(command, name, "--app", "billing")

    assert 2 == said.code
    assert (
        f"workflow: '{name}' is not registered with the application "
        "(known: shop.billing.by_hand, shop.billing.nightly)" in said.err
    )


def test_a_name_needs_an_application(squidmesh: Typed) -> None:
    """Whose it is; otherwise the module is named with the class."""
    said = squidmesh("start", "Greeting")

    assert 2 == said.code
    assert "'Greeting' is not MODULE:WORKFLOW, and no --app says whose name it is" in said.err


def test_a_payload_that_does_not_fit_a_registered_definition_starts_nothing(
    squidmesh: Typed,
) -> None:
    """It is read by the definition."""
    said = squidmesh("start", "Greeting", "--app", "greetings", "--set", "nobody=ana")

    assert 2 == said.code
    assert "name" in said.err
    assert "" == squidmesh("runs", "--app", "greetings").out


def test_names_are_completed(squidmesh: Typed) -> None:
    """Those that the application registered, each with its trigger if it has several."""
    squidmesh("start", "Greeting", "--app", "greetings", "--set", "name=ana")

    assert ["Greeting"] == completed("start", "--app", "greetings", "Gr")
    assert ["shop.billing.by_hand", "shop.billing.nightly"] == completed(
        "run", "--app", "billing", ""
    )
