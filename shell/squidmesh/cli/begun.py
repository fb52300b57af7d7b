"""What `replay` and `retry-compensation` have in common: a run that was made of another."""

from typing import Literal

from squidmesh.cli.documents import run_document
from squidmesh.cli.masks import Masks
from squidmesh.cli.screen import Screen
from squidmesh.cli.telling import first_time
from squidmesh.cli.words import DONE_WORDS
from squidmesh.mesh import Mesh
from squidmesh_core.views.inspection import Run


def report(
    mesh: Mesh,
    begun: Run,
    verb: Literal["replay", "retry_compensation"],
    screen: Screen,
    *,
    key: str | None,
) -> None:
    """
    Tell of the new run; pipes get its id.

    Raises:
        StorageError: The run's journal is unreadable.
    """
    match screen.form:
        case "json":
            run = run_document(begun, Masks(mesh).of(begun))
            screen.document("begun/1", command=verb, run=run)
        case "plain":
            screen.fields(begun.id)
        case "human":
            done = f"{DONE_WORDS[verb]} in a new run"
            if begun.duplicate:
                done = first_time(mesh, begun, verb, key, screen)
            screen.line(f"{begun.replayed_from}  {done}: {begun.id}, {begun.status}")
