"""
`--as ROLE`: what a command reads, as somebody else would see it.

Without it, the command line shows everything but what a definition calls sensitive;
whoever can type here can read the database.  An auditor sees that, too.
"""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, cast

import click
from attrs import evolve

from squidmesh.cli.session import Session
from squidmesh_core.values.scope import SCOPES, Scope

P = ParamSpec("P")
T = TypeVar("T")


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


def shown(session: Session, view: T) -> T:
    """A view as the role may see it that was asked for; without one, the view itself."""
    if session.role is None:
        return view
    from squidmesh.views.snapshot import Snapshot

    if session.role == "auditor" and isinstance(view, Snapshot):
        # With nothing called sensitive, nothing will be masked either.
        return cast("T", evolve(view, spec=evolve(view.spec, sensitive=())))
    from squidmesh.views.visibility import SHELL  # it knows every view

    return SHELL.redact(view, session.role)
