"""What `mesh.using` takes on SQLite, and what it refuses: before anything was written, and why."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from attrs import frozen
from sqlalchemy.ext.asyncio import create_async_engine

from squidmesh import Mesh, Workflow, manual, step
from squidmesh_core.errors import ConfigError, StorageError
from squidmesh_storage.hosts import url_of
from support.hosts import DjangoShop, SqliteShop, engine_for, file_of


@frozen
class Order:
    """The payload of a run."""

    number: str


def pack(number: str) -> str:
    """A step."""
    return f"{number} packed"


class Packing(Workflow):
    """One step."""

    placed = manual(Order)
    packed = step(pack).takes(placed.payload.number)


@pytest.fixture
def plain(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """A driver's own connection to the file."""
    with closing(sqlite3.connect(file_of(sqlite_url), isolation_level=None)) as made:
        yield made


def other_file(folder: Path, _connection: sqlite3.Connection) -> object:
    """A database beside it."""
    return sqlite3.connect(folder / "other.db")


def no_file(_folder: Path, _connection: sqlite3.Connection) -> object:
    """A database of nobody else's."""
    return sqlite3.connect(":memory:")


def no_transaction(_folder: Path, connection: sqlite3.Connection) -> object:
    """It has just ended."""
    connection.execute("commit")
    return connection


def closed(_folder: Path, connection: sqlite3.Connection) -> object:
    """It is gone."""
    connection.close()
    return connection


def unknown_alias(_folder: Path, _connection: sqlite3.Connection) -> object:
    """Of no database of Django's."""
    return "warehouse"


def no_connection(_folder: Path, _connection: sqlite3.Connection) -> object:
    """Something else."""
    return object()


#: How to spoil a connection to the journal's file → what is said of it.
SPOILT: dict[Callable[[Path, sqlite3.Connection], object], str] = {
    other_file: "the journal is in",
    no_file: "the journal is in",
    no_transaction: "in no transaction",
    closed: "closed",
    unknown_alias: "doesn't exist",
    no_connection: "no database of a object",
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_cannot_be_joined_is_refused(
    sqlite_url: str,
    tmp_path: Path,
    plain: sqlite3.Connection,
    spoil: Callable[[Path, sqlite3.Connection], object],
) -> None:
    """Before anything was written, and it says why."""
    with Mesh.open(sqlite_url, workflows=[Packing]) as mesh:
        plain.execute("begin")
        connection = spoil(tmp_path, plain)

        with pytest.raises(Exception, match=SPOILT[spoil]):
            mesh.using(connection).start(Packing.placed, Order("A-1"))

        if isinstance(connection, sqlite3.Connection):
            connection.close()
        assert () == mesh.runs().items


def test_an_alias_without_django_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django is not loaded for it."""
    monkeypatch.delitem(sys.modules, "django.db")

    with Mesh.open(sqlite_url) as mesh, pytest.raises(StorageError, match="without Django"):
        mesh.using("default").runs()


def test_a_core_connection_without_a_transaction_is_refused(sqlite_url: str) -> None:
    """SQLAlchemy would roll it back without a word."""
    engine = sqlalchemy.create_engine(sqlite_url)
    with (
        Mesh.open(sqlite_url, workflows=[Packing]) as mesh,
        engine.connect() as connection,
        pytest.raises(StorageError, match=r"use engine\.begin"),
    ):
        mesh.using(connection).start(Packing.placed, Order("A-1"))
    engine.dispose()


def test_a_database_of_django_without_a_transaction_is_refused(sqlite_url: str) -> None:
    """Each statement would be committed by itself."""
    shop = DjangoShop(sqlite_url)
    with Mesh.open(sqlite_url, workflows=[Packing]) as mesh:
        with pytest.raises(StorageError, match=r"'shop' is in no transaction; use atomic\(\)"):
            mesh.using(shop.alias).start(Packing.placed, Order("A-1"))
        assert () == mesh.runs().items
    shop.close()


def test_a_connection_for_an_event_loop_belongs_to_another_mesh(sqlite_url: str) -> None:
    """It cannot be used from here."""
    connection = create_async_engine("postgresql+psycopg://nobody@nowhere/x").connect()

    with (
        Mesh.open(sqlite_url) as mesh,
        pytest.raises(StorageError, match="hand in one that blocks"),
    ):
        mesh.using(connection)


def test_how_the_host_reads_rows_is_its_own_business(sqlite_url: str) -> None:
    """A row factory of the host's does not reach our rows, and is there afterwards."""
    shop = SqliteShop(sqlite_url)

    def as_dict(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> dict[str, object]:
        return dict(zip([column[0] for column in cursor.description], row, strict=True))

    with Mesh.open(sqlite_url, workflows=[Packing]) as mesh, shop.transaction() as connection:
        assert isinstance(connection, sqlite3.Connection)
        connection.row_factory, connection.text_factory = as_dict, bytes
        inside = mesh.using(connection)
        run = inside.start(Packing.placed, Order("A-1"))
        inside.inspect(run)

        assert {"one": b"1"} == connection.execute("select '1' as one").fetchone()
    shop.close()


def test_a_block_around_the_transaction_wakes_workers_at_its_end(sqlite_url: str) -> None:
    """For drivers, which tell nobody."""
    with (
        Mesh.open(sqlite_url, workflows=[Packing]) as mesh,
        closing(sqlite3.connect(file_of(sqlite_url), isolation_level=None)) as connection,
        mesh.door.journal.listen(("default",)) as wakeups,
    ):
        with mesh.using(connection) as inside, connection:
            connection.execute("begin immediate")
            inside.start(Packing.placed, Order("A-1"))
            assert not wakeups.wait(0)

        assert wakeups.wait(0)
        assert 1 == mesh.drain()


def test_a_mesh_is_opened_where_an_engine_leads(sqlite_url: str, postgres_dsn: str) -> None:
    """In its database, whatever drives it there; elsewhere it is refused."""
    for url in (sqlite_url, postgres_dsn):
        engine = engine_for(url)
        with Mesh.from_engine(engine, workflows=[Packing]) as mesh, engine.begin() as connection:
            run = mesh.using(connection).start(Packing.placed, Order("A-1"))
        with Mesh.from_engine(engine) as mesh:
            assert run.id == mesh.inspect(run).id
        engine.dispose()
    for wrong in (sqlalchemy.create_engine("sqlite://"), object()):
        with pytest.raises(StorageError, match="nothing was written"):
            Mesh.from_engine(wrong)


def test_what_an_engine_tells_another_driver_is_not_told_to_ours() -> None:
    """And it is not left out without a word: it may be what keeps a connection secret."""
    place = "postgresql+asyncpg://shop:secret@db:5432/shop"

    # Its driver is never called.
    with pytest.raises(ConfigError, match=r"tells asyncpg what .*: ssl; open") as said:
        Mesh.from_engine(create_async_engine(f"{place}?ssl=require", module=psycopg))

    assert "unknown_url" == said.value.code
    plain = create_async_engine(place, module=psycopg)
    assert "postgresql://shop:secret@db:5432/shop" == url_of(plain)
