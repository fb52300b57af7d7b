"""
What every test shares: the Hypothesis profiles, and a PostgreSQL where it is asked for.

`SQUIDMESH_HYPOTHESIS` names a profile; without it `CI` chooses `ci`, and a person's
machine gets `dev`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings

from support.pgbouncer import pgbouncer
from support.postgres import (
    NoServer,
    Server,
    database,
    empty,
    find_binaries,
    missing,
    of_database,
    start_server,
)

settings.register_profile("dev", max_examples=50, deadline=None)
# Derandomised, so that a red build is red again when it is repeated.
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", max_examples=5_000, deadline=None, print_blob=True)
# For tests/mutation.py: a mutant is to be found or not, always alike, and not to be shrunk.
settings.register_profile(
    "mutation",
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

#: Whoever asks for one of these needs a PostgreSQL.
_SERVERS: Final = frozenset({"postgres_server", "durable_server"})

settings.load_profile(
    os.environ.get("SQUIDMESH_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that lasts as long as the tests do."""
    given = os.environ.get("SQUIDMESH_TEST_DSN")
    if given:
        yield given
        return
    with _started(durable=False) as server:
        yield server.url()


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    with database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def _shared_database(postgres_server: str) -> Iterator[str]:
    with database(postgres_server) as url:
        yield url


@pytest.fixture
def emptied_dsn(_shared_database: str) -> str:
    """The URL of a database whose tables are empty: for hundreds of tests, cheaper than a new one."""
    empty(_shared_database)
    return _shared_database


@pytest.fixture(scope="session")
def pgbouncer_server(postgres_server: str) -> Iterator[str]:
    """The URL of a PgBouncer in transaction mode before that PostgreSQL."""
    with pgbouncer(postgres_server) as url:
        yield url


@pytest.fixture
def pgbouncer_dsn(pgbouncer_server: str, postgres_dsn: str) -> str:
    """The URL of the new database by way of PgBouncer."""
    return of_database(pgbouncer_server, postgres_dsn)


@pytest.fixture(scope="session")
def durable_server() -> Iterator[Server]:
    """A PostgreSQL of our own that syncs to disk: tests may stop, restart and break it."""
    with _started(durable=True) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a PostgreSQL is marked `postgres`."""
    for item in items:
        if not _SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


@contextmanager
def _started(*, durable: bool) -> Iterator[Server]:
    try:
        find_binaries()
    except NoServer as error:
        missing(f"there is no PostgreSQL to test with: {error}")
    with start_server(durable=durable) as server:
        yield server
