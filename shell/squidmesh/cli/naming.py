"""
What arguments name: runs, workflows, queues, error codes; and how a shell completes them.

Completion looks into the configured journal.  Where there is none, or it does not
answer, nothing is completed, and nobody is told why in the middle of typing.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from squidmesh_core.ids import RunId
from squidmesh_core.views.words import typed

if TYPE_CHECKING:
    from squidmesh.mesh import Mesh

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click take no parameter here

#: Names that a shell is offered.
MOST: Final = 50
#: From a mesh and the beginning of a name to names, each with a word on it.
Offer = Callable[["Mesh", str], Iterable[tuple[str, str]]]


class Named(_Text):
    """A text that names something in the journal."""

    def __init__(self, name: str, offer: Offer) -> None:
        self.name = name
        self._offer = offer

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  # click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names that begin so."""
        # An application that prints while it loads would print into the command line.
        nowhere = io.StringIO()
        with suppress(Exception), redirect_stdout(nowhere), redirect_stderr(nowhere):
            return self._offered(ctx, incomplete)
        return []

    def _offered(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        with _mesh(ctx) as mesh:
            found = self._offer(mesh, incomplete)
            items = [CompletionItem(name, help=says) for name, says in found]
        fitting = (item for item in items if item.value.startswith(incomplete))
        # A bundle may bring any name, and bash would carry out what `$(…)` says.
        return [item for item in fitting if typed(item.value) == item.value][:MOST]


class Code(_Text):
    """An error code."""

    name = "code"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002  # click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The words and numbers that begin so."""
        from squidmesh.cli.meanings import UNNUMBERED
        from squidmesh_core.errors import NUMBERS

        pairs = [(word, f"SM{number}") for word, number in NUMBERS.items()]
        pairs += [(number, word) for word, number in pairs]
        pairs += [(word, "") for word in UNNUMBERED]
        return [
            CompletionItem(name, help=says)
            for name, says in pairs
            if name.lower().startswith(incomplete.lower())
        ]


def _mesh(ctx: click.Context) -> "Mesh":
    """
    The mesh that the command would work with, as far as its options are typed.

    Raises:
        SquidmeshError: There is none.
    """
    from squidmesh.cli.application import open_mesh
    from squidmesh.config import read_config

    config = read_config(
        app=ctx.params.get("app"),
        url=ctx.params.get("url"),
        time=None,
        environ=os.environ,
        folder=Path.cwd(),
    )
    return open_mesh(config, must_exist=True)


def _runs(mesh: "Mesh", incomplete: str) -> Iterator[tuple[str, str]]:
    """The newest; once something is typed, those that begin so."""
    if incomplete:
        after = mesh.door.journal.run_ids(RunId(incomplete), MOST)
        ids = takewhile(lambda run_id: run_id.startswith(incomplete), after)
        yield from ((run_id, "") for run_id in ids)
        return
    for run in mesh.runs(limit=MOST).items:
        yield run.id, f"{run.workflow}, {run.status}"


def _workflows(mesh: "Mesh", incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001  # an `Offer`
    """Those that are registered, and those of the newest runs."""
    names = dict.fromkeys([*mesh.workflows, *(run.workflow for run in mesh.runs().items)])
    return ((name, "") for name in names)


def _startable(mesh: "Mesh", incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001  # an `Offer`
    """What the application registered."""
    from squidmesh.cli.targets import names_of

    return ((name, "") for name in names_of(mesh.workflows.values()))


def _queues(mesh: "Mesh", incomplete: str) -> Iterator[tuple[str, str]]:  # noqa: ARG001  # an `Offer`
    return ((queue.name, f"{queue.waiting} waiting") for queue in mesh.queues())


RUN: Final = Named("run", _runs)
WORKFLOW: Final = Named("workflow", _workflows)
STARTABLE: Final = Named("workflow", _startable)
QUEUE: Final = Named("queue", _queues)
CODE: Final = Code()
