"""Records by prefix and key: what is listed, and what that costs."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import ClientCursor

from squidmesh_storage.conformance.kit import first, notice, run_id
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal, writing
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.pool import open_session
from squidmesh_storage.postgres.scripts import Call
from squidmesh_storage.postgres.statements import Names, Statements
from squidmesh_storage.records import behind, hook_of, hooks_of, notice_key
from squidmesh_storage.sqlite import SqliteJournal, schema
from squidmesh_storage.sqlite.statements import SQL
from support.postgres import database

#: Few characters, and those around which texts are hard to order.
edges = st.text(st.sampled_from("ab !%_\ud7ff\ue000\U0010ffff"), max_size=4)
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
words = st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1)


@given(edges | storable, edges | storable)
def test_what_begins_with_a_prefix_lies_between_it_and_what_is_behind(
    text: str, prefix: str
) -> None:
    """And nothing else does."""
    end = behind(prefix)

    between = prefix <= text and (end is None or text < end)

    assert text.startswith(prefix) == between


@given(st.lists(edges.filter(bool), unique=True, max_size=8), edges, edges, st.integers(0, 9))
def test_sqlite_lists_what_the_model_lists(
    keys: list[str], prefix: str, after: str, limit: int
) -> None:
    """Whatever stands in keys."""
    with closing(MemoryJournal()) as model, closing(SqliteJournal(":memory:")) as sqlite:
        for key in keys:
            model.put_record("notice", key, "{}")
            sqlite.put_record("notice", key, "{}")

        expected = model.records("notice", prefix=prefix, after=after, limit=limit)

        assert expected == sqlite.records("notice", prefix=prefix, after=after, limit=limit)


@given(words, words, words)
def test_the_key_of_a_notice_says_whose_it_is(event: str, name: str, notice_id: str) -> None:
    """Names have no spaces."""
    hook = hooks_of(event) + name

    assert hook == hook_of(notice_key(hook, notice_id))
    assert event == hook_of(event)


@pytest.mark.parametrize("statement", ["records", "put_notice"])
def test_sqlite_looks_records_up(statement: str) -> None:
    """From the first key that is wanted to the last; a backlog of others costs nothing."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.isolation_level = None
        schema.migrate_here(connection, schema.MIGRATIONS)
        names = (
            "kind",
            "from",
            "behind",
            "after",
            "limit",
            "notice",
            "id",
            "body",
            "hook",
            "event",
        )
        asked = f"explain query plan {SQL[statement]}"
        plan = [str(row[3]) for row in connection.execute(asked, dict.fromkeys(names))]

    assert ["SEARCH squidmesh_records USING PRIMARY KEY (kind=? AND key>? AND key<?)"] == plan


@pytest.mark.postgres
def test_postgresql_looks_records_up(postgres_server: str) -> None:
    """However many notices wait, and whatever the statistics say."""
    sql = Statements(Names())
    values = {"kind": "notice", "from": "b", "behind": "c", "after": "bb", "limit": "100"}
    append = writing.write_call(
        sql, [first(run_id(1), notices=(notice("run_failed", "1:1"),))], "listener"
    )
    fill = (
        "insert into squidmesh.records (kind, key, version, body) "
        "select 'notice', 'a' || n, 1, '{}' from generate_series(1, 20000) as n"
    )
    with database(postgres_server) as url:
        PostgresJournal(url).close()
        with open_session(Target.of(url)).connection as connection:
            connection.execute(fill.encode())
            for analysed in (False, True):
                if analysed:
                    connection.execute(b"analyze squidmesh.records")
                for call in (sql.call("records", **values), append):
                    with ClientCursor(connection) as cursor:
                        plan = explained(cursor, call)
                    assert "Seq Scan on records" not in plan, plan
                    assert "key >= " in plan, plan


def explained(cursor: ClientCursor[tuple[object, ...]], call: Call) -> str:
    """The plan of a statement."""
    asked = cursor.mogrify(call.text.encode(), call.values)
    rows = cursor.execute(b"explain " + asked.encode()).fetchall()
    return "\n".join(str(row[0]) for row in rows)
