"""
What the commands that steer a run have in common: foresee, ask, do, tell.

What would follow is decided by the same decider that is asked in earnest
afterwards, so a preview promises nothing that the command would not do.  Nobody
is asked about a command that would be refused, or that was done before.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TypedDict, TypeVar, Unpack

import click

from squidmesh.cli.confirming import confirm
from squidmesh.cli.documents import mask_of
from squidmesh.cli.exits import DONE
from squidmesh.cli.panels import run_panel
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.telling import Told
from squidmesh.door.outcomes import refusal
from squidmesh.people import CommandOptions, said
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.decide import Answer, Decision, Refusal, decide
from squidmesh_core.protocol.commands import Receipted, Verb
from squidmesh_core.protocol.requests import Operation
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.state.run import RunState
from squidmesh_core.views.effects import Effects
from squidmesh_core.views.inspection import run_of

C = TypeVar("C", bound=Callable[..., object])


class Who(TypedDict):
    """What everybody may say along with a command."""

    by: str | None
    note: str | None
    key: str | None


class Sending(Who):
    """The same, and whether anything is to be done."""

    dry_run: bool


class Manner(Sending):
    """The same, and whether to ask first."""

    yes: bool


#: From the run as it is, and what was said along, to the command.
Make = Callable[[Snapshot, Receipted], Operation]


def who_options(command: C) -> C:
    """Give a command the options of `Who`."""
    by = click.option(
        "--by", "--as", "by", metavar="NAME", help="Who says so; kept in the journal."
    )
    note = click.option("--note", metavar="TEXT", help="Why; kept in the journal.")
    key = click.option("--key", help="Repeat the command with the same key, and it counts once.")
    return by(note(key(command)))


def manner_options(command: C) -> C:
    """Give a command the options of `Manner`."""
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    return who_options(yes(dry_option(command)))


def dry_option(command: C) -> C:
    """Give a command `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Say what would follow, and do nothing.")(
        command
    )


def manner_of(options: Manner) -> Manner:
    """Those of a command's options that say how it is to be carried out."""
    return Manner(
        by=options["by"],
        note=options["note"],
        key=options["key"],
        yes=options["yes"],
        dry_run=options["dry_run"],
    )


def receipted(verb: Verb, who: Who) -> Receipted:
    """
    What is said along with a command, checked before any run is looked up.

    Raises:
        Refused: `invalid_review`, `invalid_resume`.
        ConfigError: Another verb's option, or the key, is wrong.
    """
    return said(verb, command_options(who))


def command_options(who: Who) -> CommandOptions:
    """The same, as the verbs of `Mesh` take it."""
    return {"by": who["by"], "note": who["note"], "key": who["key"]}


def steer(session: Session, run: str, verb: Verb, make: Make, **manner: Unpack[Manner]) -> int:
    """
    One command on one run, from its options to its exit code.

    Raises:
        RunNotFound: There is no such run.
        SquidmeshError: What the verb of `Mesh` raises.
    """
    screen = session.screen
    who = receipted(verb, manner)
    with session.mesh(must_exist=True) as mesh:
        before = mesh.inspect(find_run(mesh, run))
        operation = make(before, who)
        known = mesh.door.fresh(operation.run_id)
        answer = decide(known.state, known.spec, operation.command, mesh.door.journal.now())
        if manner["dry_run"]:
            told = _told(before, known.state, answer, verb)
        else:
            if isinstance(answer, Decision) and not manner["yes"]:
                told = _told(before, known.state, answer, verb)
                ask(screen, before, told.effects, verb)
            handled = mesh.door.handle(operation.run_id, operation.command)
            told = _told(before, known.state, handled.answer, verb)
    told.show(screen, dry_run=manner["dry_run"])
    return DONE


def ask(screen: Screen, before: Snapshot, effects: Sequence[str], verb: Verb) -> None:
    """
    Show the run and what would follow, and ask.

    Raises:
        click.UsageError: Nobody can be asked.
        click.Abort: The answer is no, or there is none.
    """
    name = verb.replace("_", "-")
    if screen.form != "human" or not sys.stdin.isatty():
        raise click.UsageError(f"nobody can be asked here; say --yes to {name}")
    screen.render(run_panel(before, screen, commands=False))
    screen.line()
    screen.line(f"{name} would do this:")
    for effect in effects:
        screen.line(f"  {effect}")
    confirm(f"{name.capitalize()}?")


def _told(before: Snapshot, state: RunState, answer: Answer, verb: Verb) -> Told:
    """
    What there is to tell of an answer.

    Raises:
        SquidmeshError: It is a refusal.
    """
    if isinstance(answer, Refusal):
        raise refusal(answer)
    run = run_of(answer.state)
    if not isinstance(answer, Decision):
        receipts = {receipt.revision: receipt for receipt in answer.state.receipts}
        return Told(verb=verb, before=before, run=run, already=receipts[answer.revision])
    effects = Effects(state, before.spec, mask_of(before).text).of(answer)
    appends = [WIRE_TYPES[type(entry)] for entry in answer.entries]
    return Told(verb=verb, before=before, run=run, effects=effects, appends=appends)
