"""psycopg's own connections, with what their owners do to them."""

import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from attrs import frozen
from psycopg.adapt import Buffer
from psycopg.types.string import StrDumper

from squidmesh import Mesh, TxContext, Workflow, manual, step
from squidmesh.aio.mesh import AsyncMesh
from squidmesh_core.errors import StorageError
from support.books import Books
from support.ledger import ACTS, posted

ON_POSTGRES = pytest.mark.parametrize("url", ["postgres"], indirect=True)


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


# -- the host's


class Shouting(StrDumper):
    """Texts as a host may want them in its own rows."""

    def dump(self, obj: str) -> Buffer | None:
        """Louder."""
        return super().dump(obj.upper())


def test_how_the_host_writes_values_is_its_own_business(postgres_dsn: str) -> None:
    """What it has registered on its connection does not reach our rows, and stays there."""
    with Mesh.open(postgres_dsn, workflows=[Packing]) as mesh:
        with psycopg.connect(postgres_dsn) as connection:
            connection.adapters.register_dumper(str, Shouting)
            run = mesh.using(connection).start(Packing.placed, Order("a-1"), tags=("blue",))
            shouted = connection.execute("select %s", ("ho",)).fetchone()
        mesh.drain()
        seen = mesh.inspect(run)

    assert ("HO",) == shouted
    assert ("completed", ("blue",), "a-1 packed") == (
        seen.status,
        seen.run.tags,
        seen.out(Packing.packed),
    )


#: A host that writes empty texts as null, wherever psycopg is used in its process.
_EVERYWHERE = """
import sys
import psycopg
from psycopg.types.string import StrDumper

class Empty(StrDumper):
    def dump(self, obj):
        return super().dump(obj) if obj else None

psycopg.adapters.register_dumper(str, Empty)

from squidmesh import Mesh, Workflow, manual, step

def pack() -> str:
    return "packed"

class Packing(Workflow):
    placed = manual()
    packed = step(pack)

with Mesh.open(sys.argv[1], workflows=[Packing]) as mesh:
    run = mesh.start(Packing.placed)
    mesh.drain()
    print(mesh.inspect(run).status)
"""


def test_what_the_host_registers_for_its_process_is_its_own_business(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """Before the journal is opened, even."""
    program = tmp_path / "host.py"
    program.write_text(_EVERYWHERE, encoding="utf-8")

    said = subprocess.run(
        [sys.executable, str(program), postgres_dsn], capture_output=True, text=True, check=False
    )

    assert "completed\n" == said.stdout, said.stderr


def test_a_connection_of_another_driver_is_refused(postgres_dsn: str) -> None:
    """By its full name: many drivers have a `Connection`."""
    with (
        Mesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        closing(sqlite3.connect(":memory:")) as connection,
    ):
        with pytest.raises(StorageError, match=r"of psycopg 3, .* not sqlite3\.Connection"):
            mesh.using(connection).start(Packing.placed, Order("A-1"))
        assert () == mesh.runs().items


def test_a_connection_in_a_pipeline_is_refused(postgres_dsn: str) -> None:
    """Its answers come when it pleases the host; what was decided would rest on none."""
    with (
        Mesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        psycopg.connect(postgres_dsn) as connection,
    ):
        with connection.pipeline():
            connection.execute("select 1")
            with pytest.raises(StorageError, match="leave its pipeline") as refused:
                mesh.using(connection).start(Packing.placed, Order("A-1"))
        run = mesh.using(connection).start(Packing.placed, Order("A-1"))

        assert "unsupported_transaction_storage" == refused.value.code
        assert "running" == mesh.using(connection).inspect(run).status


def test_a_connection_that_speaks_no_unicode_is_refused(postgres_dsn: str) -> None:
    """A journal holds any text, and nobody finds out with the first that does not fit."""
    with (
        Mesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        psycopg.connect(postgres_dsn, client_encoding="SQL_ASCII") as connection,
    ):
        with pytest.raises(StorageError, match="speaks SQL_ASCII; set its client_encoding"):
            mesh.using(connection).start(Packing.placed, Order("A-1"))
        connection.execute("set client_encoding = 'UTF8'")
        run = mesh.using(connection).start(Packing.placed, Order("A-1"))

        assert "running" == mesh.using(connection).inspect(run).status


@pytest.mark.asyncio
async def test_a_connection_of_a_loop_is_refused_in_a_pipeline_too(postgres_dsn: str) -> None:
    """And what it adapts is its own business there as well."""
    async with (
        AsyncMesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        await psycopg.AsyncConnection.connect(postgres_dsn) as connection,
    ):
        connection.adapters.register_dumper(str, Shouting)
        async with connection.pipeline():
            with pytest.raises(StorageError, match="leave its pipeline"):
                await mesh.using(connection).start(Packing.placed, Order("A-1"))
        run = await mesh.using(connection).start(Packing.placed, Order("a-1"), tags=("blue",))

        assert ("blue",) == (await mesh.using(connection).inspect(run)).run.tags


# -- a step's

#: Pipelines and streams that a step has begun; let go of, they would be ended.
_LEFT_OPEN: list[object] = []


def swallows(tx: TxContext) -> object:
    """Goes on after the server has refused a statement."""
    with suppress(psycopg.Error):
        tx.connection.execute("insert into nowhere values (1)")
    return "E-1"


def leaves_a_pipeline(tx: TxContext) -> object:
    """Never comes out of it."""
    pipeline = tx.connection.pipeline()
    pipeline.__enter__()
    _LEFT_OPEN.append(pipeline)
    return "E-1"


def leaves_a_stream(tx: TxContext) -> object:
    """Never reads all of it."""
    rows = tx.connection.cursor().stream("select generate_series(1, 100000)")
    next(rows)
    _LEFT_OPEN.append(rows)
    return "E-1"


def stands_still(tx: TxContext) -> object:
    """Does something slow, until the server has had enough."""
    tx.connection.execute("set local idle_in_transaction_session_timeout = '10ms'")
    select.select([tx.connection.fileno()], [], [], 10)
    return "E-1"


@ON_POSTGRES
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (swallows, "a statement has failed"),
        (leaves_a_pipeline, "left in a pipeline"),
        (leaves_a_stream, "a stream() or copy() was not read to its end"),
        (stands_still, "stood still for too long"),
    ],
)
def test_a_step_that_spoils_its_transaction_fails(
    books: Books, ledger: Mesh, spoil: Callable[[TxContext], object], why: str
) -> None:
    """At once, for what it did: the storage is not to blame, and no lease has to run out."""
    ACTS["spoil"] = spoil

    run = posted(ledger, "spoil")
    after = posted(ledger)
    _LEFT_OPEN.clear()

    error = ledger.inspect(run).error
    assert error is not None
    assert (True, "storage_error") == (why in error.message, error.code)
    assert ["A-1"] == books.lines()
    assert "completed" == ledger.inspect(after).status


@ON_POSTGRES
def test_a_step_that_raises_within_a_stream_fails_for_that(books: Books, ledger: Mesh) -> None:
    """Its traceback holds the stream, which holds the connection: nobody waits for that."""

    def raises(tx: TxContext) -> object:
        for _ in tx.connection.cursor().stream("select generate_series(1, 100000)"):
            raise ZeroDivisionError("oops")
        return "E-1"

    ACTS["raises"] = raises

    run = posted(ledger, "raises")

    error = ledger.inspect(run).error
    assert error is not None
    assert ("ZeroDivisionError", []) == (error.kind, books.lines())


@ON_POSTGRES
def test_what_a_step_does_to_its_session_does_not_reach_the_next_one(
    books: Books, ledger: Mesh
) -> None:
    """The connection is the same: its settings, locks and tables are as they were."""
    look = (
        "select pg_backend_pid(), current_setting('search_path'), "
        "current_setting('statement_timeout'), current_setting('plan_cache_mode'), "
        "(select count(*) from pg_locks"
        " where locktype = 'advisory' and pid = pg_backend_pid()), "
        "(select count(*) from pg_listening_channels()), to_regclass('pg_temp.mine')"
    )
    seen: list[object] = []

    def looks(tx: TxContext) -> object:
        seen.append(tx.connection.execute(look).fetchone())
        return "E-1"

    def settles_in(tx: TxContext) -> object:
        looks(tx)
        for statement in (
            "set search_path = pg_catalog",
            "set statement_timeout = '9s'",
            "set plan_cache_mode = auto",
            "listen anything",
            "select pg_advisory_lock(1)",
            "create temp table mine ()",
        ):
            tx.connection.execute(statement)
        return "E-1"

    ACTS.update(looks=looks, settles_in=settles_in)
    for act in ("settles_in", "looks"):
        posted(ledger, act)

    assert seen[0] == seen[1]
    assert ["A-1", "A-1"] == books.lines()


@ON_POSTGRES
def test_a_step_may_fail_in_a_transaction_of_its_own(books: Books, ledger: Mesh) -> None:
    """A savepoint, which is what the error asks for."""

    def careful(tx: TxContext) -> object:
        with suppress(psycopg.Error), tx.connection.transaction():
            tx.connection.execute("insert into nowhere values (1)")
        return "E-1"

    ACTS["careful"] = careful

    run = posted(ledger, "careful")

    assert "completed" == ledger.inspect(run).status
    assert ["A-1"] == books.lines()
