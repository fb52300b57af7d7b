"""The server that is measured: the one that was named, or one of our own with fsync on."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from attrs import frozen

#: The tests know how to start a server.
_TESTS: Final = Path(__file__).parents[2] / "tests"
_READING: Final = """
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
       coalesce((select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables), 0)::bigint
"""
_OTHERS: Final = """
select count(*) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""


@contextmanager
def durable_server(dsn: str | None) -> Iterator[str]:
    """The URL of a server; our own keeps its files where `TMPDIR` says, and goes with the block."""
    if dsn is not None:
        yield dsn
        return
    _with_tests()
    from support.postgres import start_server

    with start_server(durable=True) as server:
        yield server.tcp_url()


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new database, dropped afterwards."""
    _with_tests()
    from support.postgres import database

    with database(server) as url:
        yield url


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """The URL of a database by way of PgBouncer in transaction mode."""
    _with_tests()
    from support.pgbouncer import pgbouncer

    with pgbouncer(url) as through:
        yield through


def binaries() -> Path:
    """The folder of the server's programs, pgbench among them."""
    _with_tests()
    from support.postgres import find_binaries

    return find_binaries()


@frozen
class Reading:
    """What a server has counted since it began."""

    #: Transactions that wrote something.
    commits: int
    #: Bytes of write-ahead log.
    wal: int
    #: Rows inserted, updated and deleted in this database; told late, see `settled`.
    rows: int


def reading(url: str) -> Reading:
    """What the server has counted by now."""
    with psycopg.connect(url, autocommit=True) as connection:
        return _read(connection)


def settled(url: str) -> Reading:
    """The same once nobody else is connected: only then has everybody told of all rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        while _number(connection, _OTHERS):
            time.sleep(0.05)
        return _read(connection)


def number(url: str, query: str) -> float:
    """The one number that a query returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        return _number(connection, query)


def _number(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(query.encode()).fetchone()
    return float(row[0]) if row is not None and row[0] is not None else 0.0


def _read(connection: psycopg.Connection) -> Reading:
    row = connection.execute(_READING.encode()).fetchone()
    if row is None:
        raise RuntimeError("the server told nothing")
    return Reading(*row)


def _with_tests() -> None:
    if str(_TESTS) not in sys.path:
        sys.path.insert(0, str(_TESTS))
