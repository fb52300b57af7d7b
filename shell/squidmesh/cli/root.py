"""
The group of commands, and how each call of it ends.

A command's module is imported when the command is called, so that `--help` and
shell completion stay quick; the one-line helps below are shown without it.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from squidmesh.cli.confirming import Declined
from squidmesh.cli.exits import DONE, INTERRUPTED, UNREAD, USAGE, exit_code, hint_for
from squidmesh.cli.text import json_safe
from squidmesh_core.errors import DefinitionError, SquidmeshError
from squidmesh_core.views.words import printable

#: Command → what the list of commands says about it.
COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Work a shop's orders in a new folder; with --crash, survive kill -9.",
    "run": "Start a workflow and drive it to its end in this process.",
    "start": "Start a run and leave the work to workers.",
    "step": "Claim, perform and record one attempt.",
    "work": "Work until told to stop.",
    "runs": "List runs, newest first.",
    "counts": "Count the runs of each workflow, by status, and those that are late.",
    "show": "Show one run: status, steps, attempts, context.",
    "explain": "Say why a run is where it is, and what may be done about it.",
    "graph": "Draw one run, in the terminal or as SVG, Mermaid, DOT or JSON.",
    "journal": "List the entries of one run.",
    "watch": "Follow one run, live, until it is over.",
    "diff": "Say what differs between two runs, or between two revisions of one.",
    "approvals": "List who is waited for, and for what.",
    "deadlines": "List what is late and what soon will be, the most urgent first.",
    "approve": "Say yes at an approval.",
    "reject": "Say no at an approval.",
    "pause": "Hold a whole run.",
    "resume": "Lift a hold, or say go on at a pause.",
    "send": "Hand a message to a run.",
    "cancel": "End a run where it is, or have it undone first.",
    "replay": "Do again, in a new run, what a finished one did.",
    "retry-compensation": "Undo, in a new run, what an ended one has left.",
    "signal": "Carry out a command that came as data.",
    "queues": "List queues: what waits, what limits them, who serves them.",
    "set-queue": "Limit a queue.",
    "pause-queue": "Stop a queue.",
    "resume-queue": "Let a paused queue go on.",
    "workers": "List the workers on this journal.",
    "hooks": "List the hooks, and which of them fail; forget one.",
    "verify": "Read every stored append again, and say what does not fit.",
    "reindex": "Rebuild what lists and claims are made from.",
    "prune": "Remove finished runs for good, by age or by name.",
    "bundle": "Write one run into a file that can be handed on.",
    "load": "Take in the run of a bundle.",
    "export": "Write all journals into a file.",
    "import": "Take in the journals of an export.",
    "doctor": "Say how this installation, the journal and the work in it stand.",
    "check": "Report everything that is wrong with the workflows.",
    "migrate": "Bring a journal's tables up to date.",
    "completion": "Print what teaches a shell to complete commands, options and names.",
    "help": "Say what an error code means, and what to do about it.",
}


class _UnreadError(Exception):
    """Whoever read us has gone (`| head`); nothing more can be said there."""


@contextmanager
def _before_click() -> Iterator[None]:
    """Meet a closed pipe: click would end the process with 1, which says that a run failed."""
    try:
        yield
    except BrokenPipeError as exc:
        raise _UnreadError from exc


class Commands(click.Group):
    """The commands by name, each imported when it is called."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the arguments, and answer `--help`."""
        with _before_click():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Carry out the command that was named."""
        with _before_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_") + ("_" if iskeyword(cmd_name) else "")
        command = import_module(f"squidmesh.cli.commands.{module}").command
        return command if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so; of the commands none is imported."""
        found = [
            CompletionItem(name, help=says)
            for name, says in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """The list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="squidmesh", prog_name="squidmesh", message="%(prog)s %(version)s"
)
def root() -> None:
    """
    Durable workflows in your own database.

    Exit codes: 0 done, 1 the run failed or was cancelled, 2 usage, 3 not found
    or ambiguous, 4 refused in this state, 5 unsafe replay, 6 definitions invalid,
    7 storage, 8 wait timed out, 130 interrupted, 141 nobody reads any more.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    if sys.stdout is None:  # closed by whoever called us: they want to hear nothing
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that knows fewer characters than a shop's customers use.
            stream.reconfigure(errors="backslashreplace")
    as_json = not {"--json", "--jsonl"}.isdisjoint(arguments)
    try:
        result = root.main(list(arguments), prog_name="squidmesh", standalone_mode=False)
    except click.ClickException as exc:
        _complain(exc.format_message(), as_json=as_json, code="usage", hint=_usage_hint(exc))
        return USAGE
    except (click.Abort, KeyboardInterrupt) as ended:
        declined = isinstance(ended, Declined)
        click.echo("nothing was done" if declined else "interrupted", err=True)
        return INTERRUPTED
    except SquidmeshError as error:
        report(error, as_json=as_json)
        return exit_code(error)
    except _UnreadError:
        _say_no_more()
        return UNREAD
    except OSError as exc:
        # Every other place of one is translated where it arises; what is left is our output.
        _say_no_more()
        why = exc.strerror or type(exc).__name__
        _complain(f"what there is to say cannot be written: {why}", as_json=as_json, code="output")
        return USAGE
    return result if isinstance(result, int) else DONE


def report(error: SquidmeshError, *, as_json: bool) -> None:
    """Say what went wrong on standard error: for people, or as an error document."""
    _complain(
        error.message,
        as_json=as_json,
        code=error.code,
        sm=error.sm,
        hint=hint_for(error),
        details=_details(error),
    )


def _say_no_more() -> None:
    """Let nothing go to standard output any more, not even what is flushed as the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(
    message: str,
    *,
    as_json: bool,
    code: str,
    hint: str = "",
    sm: int | None = None,
    details: object = None,
) -> None:
    if as_json:
        document = {
            "schema": "squidmesh.error/1",
            "code": code,
            "sm": sm,
            "message": message,
            "hint": hint,
            "details": details or {},
        }
        click.echo(json_safe(json.dumps(document, ensure_ascii=False, default=str)), err=True)
        return
    number = f" (SM{sm} {code})" if sm else "" if code == "usage" else f" ({code})"
    lines = [printable(line) for line in message.splitlines()] or [""]
    click.echo(f"error{number}: {lines[0]}", err=True)
    for line in lines[1:]:
        click.echo(line, err=True)
    if hint:
        click.echo(f"hint: {printable(hint)}", err=True)


def _details(error: SquidmeshError) -> object:
    if isinstance(error, DefinitionError) and "problems" not in error.details:
        problems = [to_dict() for p in error.problems if (to_dict := getattr(p, "to_dict", None))]
        return {**error.details, "problems": problems}
    return error.details


def _usage_hint(exc: click.ClickException) -> str:
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    return f"`{context.command_path} --help` lists what can be typed" if context else ""
