"""
A ledger of the host's beside the journal, and meshes on both.

    books.mesh()       a process of its own, as far as anything but the database goes
    books.lines()      what is durable of the ledger
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final

import sqlalchemy

from squidmesh import Mesh
from squidmesh.ports import Ports
from squidmesh_storage.api import Journal
from support.hosts import engine_for
from support.ledger import ACTS, Async, Hasty, Ledger, Patient
from support.stage import Clock

LEASE: Final = timedelta(seconds=60)

_TABLES: Final = (
    "create table ledger (line text not null)",
    "create table account (name text primary key)",
    "create table entry (name text references account (name) deferrable initially deferred)",
)


class Books:
    """
    A journal, the host's tables beside it, and meshes on both.

    Args:
        url: The database.
        open_journal: Opens the journal in it, with this clock.
    """

    def __init__(self, url: str, open_journal: Callable[[Clock], Journal]) -> None:
        self.clock = Clock()
        self._open = open_journal
        self._engine = engine_for(url)
        with self._engine.begin() as connection:
            for table in _TABLES:
                connection.execute(sqlalchemy.text(table))
        ACTS.clear()
        ACTS["return"] = lambda _tx: "E-1"
        #: For looking at what is durable.
        self.journal = open_journal(self.clock)

    def lines(self) -> list[str]:
        """What the host has durably written, sorted."""
        with self._engine.connect() as connection:
            return list(connection.scalars(sqlalchemy.text("select line from ledger order by 1")))

    def outside(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection of nobody's."""
        return self._engine.connect()

    def mesh(self, ports: Ports | None = None) -> Mesh:
        """A process of its own, as far as anything but the database goes."""
        workflows = [Ledger, Patient, Hasty, Async]
        return Mesh(self._open(self.clock), workflows=workflows, ports=ports or Ports())

    def close(self) -> None:
        """Let go of the database."""
        self.journal.close()
        self._engine.dispose()
