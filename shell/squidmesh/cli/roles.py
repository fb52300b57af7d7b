"""
`--as ROLE`: what a command reads, as somebody else would see it.

Without it, the command line shows everything but what a definition calls sensitive;
whoever can type here can read the database.  An auditor sees that, too.
"""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypedDict, TypeVar, Unpack, cast

import click
from attrs import evolve

from squidmesh.cli.session import Session
from squidmesh_core.ids import RunId
from squidmesh_core.values.scope import SCOPES, Scope

if TYPE_CHECKING:
    from squidmesh.mesh import Mesh
    from squidmesh.views.snapshot import Snapshot

P = ParamSpec("P")
T = TypeVar("T")


class Looking(TypedDict, total=False):
    """At what of a run somebody looks."""

    history: bool
    at: int | datetime | None


def seen_as(body: Callable[Concatenate[Session, P], int]) -> Callable[..., int]:
    """Give a command the option; it stands below `common`, which makes the session."""

    @functools.wraps(body)
    def command(session: Session, *args: object, **options: object) -> int:
        role = cast("Scope | None", options.pop("role"))
        call = cast("Callable[..., int]", body)
        return call(evolve(session, role=role), *args, **options)

    option = click.option(
        "--as",
        "role",
        type=click.Choice(SCOPES),
        help="Show what that role may see; see `docs/howto/visibility.md`.",
    )
    return option(command)


def inspected(
    session: Session, mesh: "Mesh", run_id: RunId, **options: "Unpack[Looking]"
) -> "Snapshot":
    """
    A run as the role may see it that was asked for, redacted while it is made.

    Raises:
        SquidmeshError: What `Mesh.inspect` raises.
    """
    snapshot = mesh.inspect(run_id, scope=session.role or "auditor", **options)
    if session.role != "auditor":
        return snapshot
    # With nothing called sensitive, nothing will be masked either.
    return evolve(snapshot, spec=evolve(snapshot.spec, sensitive=()))


def shown(session: Session, view: T) -> T:
    """A view as the role may see it that was asked for; without one, the view itself."""
    if session.role is None:
        return view
    from squidmesh.views.visibility import SHELL  # it knows every view

    return SHELL.redact(view, session.role)
