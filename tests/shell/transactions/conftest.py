"""A database that the journal shares with a host, once for each kind of both."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from squidmesh import Mesh
from squidmesh_storage.api import Journal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.books import Books
from support.hosts import HOSTS, Shop, file_of
from support.stage import Clock


def open_journal(url: str, clock: Clock | None = None) -> Journal:
    """A journal in a database."""
    if url.startswith("sqlite"):
        return SqliteJournal(file_of(url), clock=clock)
    return PostgresJournal(url, clock=clock)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    fixture = {"sqlite": "sqlite_url", "postgres": "postgres_dsn"}[request.param]
    found: str = request.getfixturevalue(fixture)
    return found


@pytest.fixture(params=sorted(HOSTS))
def shop(request: pytest.FixtureRequest, url: str) -> Iterator[Shop]:
    """A host of each kind, with its rows where the journal is."""
    made = HOSTS[request.param](url)
    yield made
    made.close()


@pytest.fixture
def books(url: str) -> Iterator[Books]:
    """An empty ledger beside a journal."""

    made = Books(url, partial(open_journal, url))
    yield made
    made.close()


@pytest.fixture
def journal(url: str) -> Journal:
    """The journal in the host's database; whoever takes it closes it."""
    return open_journal(url)


@pytest.fixture
def ledger(books: Books) -> Iterator[Mesh]:
    """A mesh on the books."""
    with books.mesh() as made:
        yield made
