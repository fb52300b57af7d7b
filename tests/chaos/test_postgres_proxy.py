"""The proxy cuts where it says it does: the fault tests rest on that."""

from collections.abc import Iterator

import psycopg
import pytest

from support.postgres import Server, database, execute
from support.proxy import Cut, Exchange, Proxy


@pytest.fixture
def proxy(durable_server: Server) -> Iterator[Proxy]:
    """In front of a server of our own."""
    with Proxy(durable_server.port) as proxy:
        yield proxy


@pytest.fixture
def table(durable_server: Server) -> Iterator[str]:
    """The URL of a database with an empty table, past the proxy."""
    with database(durable_server.tcp_url()) as url:
        execute(url, "create table kept (number integer)")
        yield url


def through(proxy: Proxy, url: str) -> str:
    """The same database, by way of the proxy."""
    port = psycopg.conninfo.conninfo_to_dict(url)["port"]
    return url.replace(f":{port}/", f":{proxy.port}/")


def kept(url: str) -> int:
    """How many rows are durable."""
    ((count,),) = execute(url, "select count(*) from kept")
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize(("cut", "rows"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("prepare", [True, False])
def test_a_commit_is_lost_or_only_its_answer(
    proxy: Proxy, table: str, *, cut: Cut, rows: int, autocommit: bool, prepare: bool
) -> None:
    """Whether it is said or implied, in one message or in several; clients see no difference."""
    proxy.judge = lambda exchange: cut if exchange.commits else None

    with (
        pytest.raises(psycopg.OperationalError),
        psycopg.connect(through(proxy, table), autocommit=autocommit) as connection,
    ):
        connection.execute("insert into kept values (%s)", (1,), prepare=prepare)

    assert {cut: 1} == proxy.cuts
    assert rows == kept(table)


def test_a_commit_within_a_pipeline_is_seen(proxy: Proxy, table: str) -> None:
    """Also of a statement that was prepared long before."""
    seen: list[Exchange] = []
    with psycopg.connect(through(proxy, table), autocommit=True) as connection:
        connection.execute("insert into kept values (%s)", (1,), prepare=True)
        proxy.judge = seen.append
        with connection.pipeline():
            connection.execute("begin")
            connection.execute("insert into kept values (%s)", (2,))
            connection.execute("commit")
        connection.execute("select 1")

    (many, one) = seen
    assert ("begin", "insert into kept values ($1)", "commit") == many.statements
    assert (True, False) == (many.commits, one.commits)
    assert 2 == kept(table)


def test_a_connection_that_is_cut_during_a_commit_may_have_committed(
    proxy: Proxy, table: str
) -> None:
    """The server gets all of it, and the client nothing."""
    proxy.judge = lambda exchange: "during" if exchange.commits else None

    with (
        pytest.raises(psycopg.OperationalError),
        psycopg.connect(through(proxy, table), autocommit=True) as connection,
    ):
        connection.execute("insert into kept values (1)")
    while kept(table) == 0:
        pass  # it comes when it comes

    assert {"during": 1} == proxy.cuts


def test_all_connections_are_dropped_at_once(proxy: Proxy, table: str) -> None:
    """And new ones are served."""
    with psycopg.connect(through(proxy, table), autocommit=True) as connection:
        connection.execute("select 1")
        proxy.drop_all()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select pg_sleep(60)")

    assert [(1,)] == execute(through(proxy, table), "select 1")
