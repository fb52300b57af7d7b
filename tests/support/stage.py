"""
A stage for the runtime: one journal, one clock, and as many meshes as a test wants.

    stage.mesh(spec, actions=does(charge=fn))    a mesh of its own: a process, as far as
                                                 anything but the journal goes

Every mesh begins knowing nothing, so opening another one is a restart.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from squidmesh import ActionRegistry, Mesh, Run, Spec
from squidmesh.catalogue import Registrable
from squidmesh.ports import Ports
from squidmesh.workers.claim import Claim
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.entries import Entry
from squidmesh_storage.api import Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
LEASE: Final = timedelta(seconds=60)


class Clock:
    """The storage's clock, moved by tests."""

    def __init__(self) -> None:
        self.now = EPOCH

    def __call__(self) -> datetime:
        return self.now

    def advance(self, pause: timedelta | float) -> datetime:
        """Move it, by a duration or by seconds."""
        self.now += pause if isinstance(pause, timedelta) else timedelta(seconds=pause)
        return self.now


class Stage:
    """Where a test plays: in memory, on a SQLite file, or in a PostgreSQL database."""

    def __init__(self, folder: Path | None = None, *, url: str | None = None) -> None:
        self.clock = Clock()
        self.folder = folder
        #: Of an empty database; null: it is no PostgreSQL.
        self.url = url
        self._kept = MemoryJournal(clock=self.clock)
        self._meshes: list[Mesh] = []
        self._opened: list[Journal] = []

    @property
    def file(self) -> Path:
        """The SQLite file."""
        assert self.folder is not None
        return self.folder / "journal.db"

    def journal(self) -> Journal:
        """The journal, opened anew where that is possible."""
        journal: Journal
        if self.folder is not None:
            journal = SqliteJournal(self.file, clock=self.clock)
        elif self.url is not None:
            from squidmesh_storage.postgres import PostgresJournal

            journal = PostgresJournal(self.url, clock=self.clock, migrate=True)
        else:
            return self._kept
        self._opened.append(journal)
        return journal

    def mesh(
        self,
        *workflows: Registrable,
        actions: ActionRegistry | None = None,
        ports: Ports | None = None,
        journal: Journal | None = None,
    ) -> Mesh:
        """A mesh that knows nothing yet."""
        mesh = Mesh(
            journal or self.journal(), workflows=workflows, actions=actions, ports=ports or Ports()
        )
        self._meshes.append(mesh)
        return mesh

    def close(self) -> None:
        """Close every mesh, and every journal that a test opened for itself."""
        for mesh in self._meshes:
            mesh.close()
        for journal in self._opened:
            journal.close()


def stage_on(request: pytest.FixtureRequest) -> Stage:
    """The stage on the adapter that a fixture's parameter names."""
    if request.param == "sqlite":
        return Stage(request.getfixturevalue("tmp_path"))
    if request.param == "postgres":
        return Stage(url=request.getfixturevalue("emptied_dsn"))
    return Stage()


def does(**functions: Callable[..., object]) -> ActionRegistry:
    """A registry in which `name` performs the action `do.name`."""
    actions = ActionRegistry()
    for name, fn in functions.items():
        actions.add(f"do.{name}", fn)
    return actions


def begin(mesh: Mesh, spec: Spec, **functions: Callable[..., object]) -> Run:
    """Start a run of a spec whose actions these functions perform."""
    return mesh.start_spec(spec, "placed", {}, actions=does(**functions))


def claimed(mesh: Mesh, *, owner: str = "ana", now: datetime | None = None) -> Claim:
    """A claim, which must be there."""
    claim = mesh.claim(owner=owner, now=now)
    assert claim is not None
    return claim


def entries(journal: Journal, run_id: str) -> list[Entry]:
    """All entries of a run, read from the journal itself."""
    run = RunId(run_id)
    return [
        entry
        for record in journal.load(run, whole=True).records
        for entry in decode(record.body, run_id=run, first=record.first)
    ]


def types(mesh: Mesh, run: Run) -> list[str]:
    """The wire types of a run's entries, in order."""
    return [entry.type for entry in mesh.journal(run)]
