"""`squidmesh diff`: what differs between two runs, or between two revisions of one."""

from collections.abc import Sequence
from typing import Final, cast

import click
from attrs import evolve

from squidmesh.cli.documents import mask_of
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import Cell, Screen, json_text
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import one_line
from squidmesh.mesh import Mesh
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.views.diff import RunDiff, Side, StepDiff, ValueDiff, diff

#: Characters of a value.
_LONGEST: Final = 200
_COLOURS: Final = {"added": "green", "removed": "red", "changed": "yellow"}


@click.command("diff")
@click.argument("before", metavar="RUN[@N]")
@click.argument("after", metavar="[RUN[@N]]", required=False)
@common
@seen_as
def command(session: Session, /, *, before: str, after: str | None) -> int:
    """
    Say what differs between two runs, or between two revisions of one.

    RUN@17 is the run as it was at revision 17.  With one argument, it is compared
    with how the same run is now.  Sensitive values are masked before they are
    compared.
    """
    screen, first = session.screen, _parsed(before)
    if after is None and first[1] is None:
        raise click.UsageError("name two runs, or one as it was, such as RUN@17")
    second = (first[0], None) if after is None else _parsed(after)
    with session.mesh(must_exist=True) as mesh:
        found = shown(session, diff(_masked(mesh, *first), _masked(mesh, *second)))
    if screen.form == "json":
        screen.document("diff/1", differs=bool(found), **found.to_dict())
    else:
        _print(found, screen)
    return DONE


def _parsed(text: str) -> tuple[str, int | None]:
    run, at, revision = text.partition("@")
    if not at:
        return run, None
    if not (revision.isascii() and revision.isdigit() and int(revision)):
        raise click.UsageError(f"expected RUN@N with a revision from 1 on, not {text!r}")
    return run, int(revision)


def _masked(mesh: Mesh, run: str, revision: int | None) -> Snapshot:
    """
    A run without what is sensitive.

    Raises:
        RunNotFound: There is no such run, or several.
        SquidmeshError: What `Mesh.inspect` raises.
    """
    snapshot = mesh.inspect(find_run(mesh, run), at=revision)
    mask = mask_of(snapshot)
    error, key = snapshot.run.error, snapshot.run.key
    masked = evolve(
        snapshot.run,
        error=None if error is None else mask.text(error),
        key=None if key is None else mask.text(key),
    )
    context = cast("dict[str, object]", mask.context(snapshot.context))
    return evolve(snapshot, run=masked, context=context)


def _print(found: RunDiff, screen: Screen) -> None:
    if screen.form == "human":
        screen.line(f"from {_side(found.before)} to {_side(found.after)}", "dim")
        if not found:
            screen.line("nothing that counts differs")
            return
    rows = [
        _row("fact", one.name, _value(one.before), _value(one.after), "yellow")
        for one in found.facts
    ]
    path = found.path
    if path.before or path.after:
        rows.append(
            _row("path", f"after {len(path.common)}", _names(path.before), _names(path.after))
        )
    rows += [_row("step", one.node, *_visits(one)) for one in found.steps]
    rows += [_value_row(one) for one in found.context]
    if rows:
        screen.table(("what", "which", "before", "after"), rows)


def _row(what: str, which: str, before: str, after: str, style: str = "") -> tuple[Cell, ...]:
    return (
        Cell.of(what, "dim"),
        Cell.of(which, "bold"),
        Cell(human=one_line(before, _LONGEST), plain=before),
        Cell(human=one_line(after, _LONGEST), plain=after, style=style),
    )


def _value_row(one: ValueDiff) -> tuple[Cell, ...]:
    before = "" if one.change == "added" else json_text(one.before)
    after = "" if one.change == "removed" else json_text(one.after)
    return _row("context", ".".join(one.path), before, after, _COLOURS[one.change])


def _visits(one: StepDiff) -> tuple[str, str]:
    return (
        _visited(one.before, one.visits_before),
        _visited(one.after, one.visits_after),
    )


def _visited(status: str | None, visits: int) -> str:
    return f"{status or ''}{f', visit {visits}' if visits > 1 else ''}"


def _side(side: Side) -> str:
    return f"{side.run_id} at revision {side.revision}"


def _names(names: Sequence[str]) -> str:
    return " → ".join(names)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
