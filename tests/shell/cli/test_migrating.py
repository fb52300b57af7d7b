"""`squidmesh migrate`: said, printed or done, on a file and on a server."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from attrs import frozen

from squidmesh.opening import migrate
from squidmesh_storage import postgres, sqlite
from squidmesh_storage.migrations import Plan
from support.commands import Typed
from support.postgres import execute


@frozen(kw_only=True)
class Behind:
    """A journal whose tables are not what this squidmesh needs."""

    url: str
    #: What the first step that is missing is called.
    first: str
    #: Run a script as its owner would by hand.
    run: Callable[[str], object]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def behind(request: pytest.FixtureRequest, folder: Path) -> Iterator[Behind]:
    """A file of the first release, or an empty database."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_dsn")
        yield Behind(url=url, first="0001 expand", run=lambda script: execute(url, script))
        return
    file = folder / "old.db"
    sqlite3.connect(file).close()
    sqlite.migrate(file, sqlite.MIGRATIONS[:1])
    with closing(sqlite3.connect(file)) as connection:
        yield Behind(url=f"sqlite:///{file}", first="0002 expand", run=connection.executescript)


def test_a_plan_changes_nothing(squidmesh: Typed, on_terminal: Typed, behind: Behind) -> None:
    """It can be asked for again, by people and by programs."""
    said = squidmesh("migrate", behind.url, "--plan")

    assert 0 == said.code
    assert said.records[0][0].startswith(behind.first)
    document = squidmesh("migrate", behind.url, "--plan", "--json").document
    assert [one[0] for one in said.records] == document["steps"]
    assert "would change" in on_terminal("migrate", behind.url, "--plan").out


def test_the_printed_script_does_what_the_command_would(squidmesh: Typed, behind: Behind) -> None:
    """Whoever may not let a program change tables runs it by hand, and all is well."""
    said = squidmesh("migrate", behind.url, "--sql")
    document = squidmesh("migrate", behind.url, "--sql", "--json").document
    assert squidmesh("migrate", behind.url, "--plan").out

    behind.run(said.out)

    assert said.out.strip() == str(document["sql"]).strip()
    assert (0, "") == ((done := squidmesh("migrate", behind.url, "--sql")).code, done.out)
    assert [] == squidmesh("migrate", behind.url, "--json").document["steps"]
    assert 0 == squidmesh("runs", "--url", behind.url).code


def test_migrating_says_what_was_done_once(
    squidmesh: Typed, on_terminal: Typed, behind: Behind
) -> None:
    """The second time there is nothing left to do."""
    planned = squidmesh("migrate", behind.url, "--plan").records

    assert planned == squidmesh("migrate", behind.url).records
    assert "is up to date" in on_terminal("migrate", behind.url).out
    assert 0 == squidmesh("runs", "--url", behind.url).code


def test_a_plan_says_what_has_to_be_done_beside_it(squidmesh: Typed, folder: Path) -> None:
    """Where there are runs already; an empty database has none that could lack anything."""
    file = folder / "old.db"
    sqlite3.connect(file).close()
    sqlite.migrate(file, sqlite.MIGRATIONS[:3])
    said = squidmesh("migrate", f"sqlite:///{file}", "--plan").out

    assert "0004 expand: runs by their deadlines; `squidmesh reindex` brings" in said
    assert "reindex" not in "".join(Plan(found=0, wanted=4, steps=sqlite.MIGRATIONS).lines)
    older = Plan(found=2, wanted=4, steps=postgres.MIGRATIONS[2:])
    assert older.lines[0].endswith("packed; first stop every process of an older release")


def test_many_migrators_migrate_once(postgres_dsn: str) -> None:
    """Each holds the lock for one migration; whoever gets it next finds that one done."""
    planned = migrate(postgres_dsn, plan=True)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(migrate, [postgres_dsn] * 4))

    assert sorted(planned) == sorted(chain.from_iterable(done))


def test_a_plan_and_its_sql_are_asked_for_one_by_one(squidmesh: Typed) -> None:
    """Both at once is a mistake."""
    assert 2 == squidmesh("migrate", "sqlite:///x.db", "--plan", "--sql").code
