"""A PostgreSQL that cannot be used: one sentence that says what to do, exit 7, no password."""

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from support.commands import Said, Typed
from support.postgres import PASSWORD, STRICT_ROLE, Server, database, execute

SECRET = "s3cret-pass"
#: Commands that read, that write, and that only look at the tables.
COMMANDS = [("runs",), ("start", "greetings:Greeting", "--set", "name=Ana"), ("migrate", "--plan")]
#: Has a database pass for one on a server of long ago.
_OLD = """
create schema old;
create function old.current_setting(name text) returns text language sql return
    case name when 'server_version_num' then '140012' else pg_catalog.current_setting(name) end;
alter database {name} set search_path = old, pg_catalog, public
"""


@pytest.fixture
def url(durable_server: Server) -> Iterator[str]:
    """An empty database, through TCP."""
    with database(durable_server.tcp_url()) as url:
        yield url


@pytest.fixture
def strict(durable_server: Server, url: str) -> Iterator[str]:
    """The same database for a role that has to give its password, and may do nothing."""
    execute(url, f"create role {STRICT_ROLE} login password '{PASSWORD}'")
    yield url.replace("//postgres@", f"//{STRICT_ROLE}:{PASSWORD}@")
    execute(url, f"drop owned by {STRICT_ROLE}")
    execute(url, f"drop role {STRICT_ROLE}")


def refused(said: Said, *words: str) -> None:
    """One sentence on standard error, with these words in it, and nothing given away."""
    assert 7 == said.code, said.err
    for secret in (SECRET, PASSWORD):
        assert secret not in said.out + said.err
    assert "Traceback" not in said.err
    assert [] == [word for word in words if word not in said.err], said.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (f"postgresql://ana:{SECRET}@127.0.0.1:1/shop", "127.0.0.1"),
        (f"postgres://ana@127.0.0.1:1/shop?password={SECRET}", "127.0.0.1"),
        (f"postgresql://ana:{SECRET}@no-such-host.invalid/shop", "no-such-host.invalid"),
        (f"postgresql://ana:{SECRET}@127.0.0.1:notaport/shop", "notaport"),
    ],
)
def test_a_wrong_url_is_told(
    squidmesh: Typed, command: tuple[str, ...], form: tuple[str, ...], wrong: str, words: str
) -> None:
    """Nobody listens there, nobody is called so, or nothing can be there."""
    refused(squidmesh(*command, "--url", wrong, *form), words)


def test_what_libpq_cannot_read_is_a_mistake_of_typing(squidmesh: Typed) -> None:
    """Like every other URL that is none; what was typed is not repeated."""
    said = squidmesh("runs", "--url", f"postgresql://ana:{SECRET}@127.0.0.1/shop?colour=blue")

    assert 2 == said.code
    assert "SM702" in said.err
    assert SECRET not in said.err


def test_a_database_that_is_not_there_is_told(squidmesh: Typed, url: str) -> None:
    """With its name."""
    gone = urlsplit(url)._replace(path="/no_such_database").geturl()

    refused(squidmesh("runs", "--url", gone), "no_such_database", "create it")


def test_a_wrong_password_is_told_and_hidden(squidmesh: Typed, strict: str) -> None:
    """The server says whose it is; nobody repeats it."""
    wrong = strict.replace(PASSWORD, SECRET)

    refused(squidmesh("runs", "--url", wrong), STRICT_ROLE, "password")


def test_what_only_reads_creates_no_tables(squidmesh: Typed, url: str) -> None:
    """It says what does; the URL is said again only if nothing is hidden in it."""
    refused(
        squidmesh("runs", "--url", url), "has no tables", "`squidmesh migrate URL` creates them"
    )
    assert "0001 expand: the first tables" in squidmesh("migrate", "--plan", "--url", url).out


def test_missing_rights_are_told(squidmesh: Typed, strict: str, url: str) -> None:
    """To make the tables, and to use those that somebody else has made."""
    refused(squidmesh("migrate", "--url", strict), "lacks a right", "grant")
    assert 0 == squidmesh("migrate", "--url", url).code

    refused(squidmesh("runs", "--url", strict), "lacks a right", "grant")


def test_the_doctor_marks_what_cannot_be_written_to(
    squidmesh: Typed, strict: str, url: str
) -> None:
    """All else may be in order, and nothing would ever happen."""
    assert 0 == squidmesh("migrate", "--url", url).code
    execute(url, f"grant usage on schema squidmesh to {STRICT_ROLE}")
    execute(url, f"grant select on all tables in schema squidmesh to {STRICT_ROLE}")
    only_read = f"{url}&options=-cdefault_transaction_read_only%3Don"

    told = [squidmesh("doctor", "--url", one).records for one in (url, only_read, strict)]

    assert [
        ["ok", "writable", "yes"],
        ["look", "writable", "no: default_transaction_read_only is on"],
        ["look", "writable", f"no: {STRICT_ROLE} may only read"],
    ] == [record for records in told for record in records if record[1] == "writable"]


def test_the_doctor_marks_a_server_that_may_lose_commits(
    squidmesh: Typed, postgres_dsn: str
) -> None:
    """As that of most of these tests may, which is to be quick."""
    assert 0 == squidmesh("migrate", "--url", postgres_dsn).code

    assert ["look", "fsync", "off"] in squidmesh("doctor", "--url", postgres_dsn).records


def test_tables_of_a_newer_release_are_left_alone(squidmesh: Typed, url: str) -> None:
    """Unless that only added to them: then both releases work side by side."""
    assert 0 == squidmesh("migrate", "--url", url).code
    execute(url, "update squidmesh.schema set version = 99")
    assert (0, "") == ((said := squidmesh("runs", "--url", url)).code, said.out)
    execute(url, "update squidmesh.schema set oldest = 99")

    for command in (("runs",), ("migrate",), ("migrate", "--plan"), ("migrate", "--sql")):
        refused(squidmesh(*command, "--url", url), "SM607", "99")


def test_a_missing_driver_says_what_to_install(
    squidmesh: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words can be typed as they stand."""
    for name in [name for name in sys.modules if name.startswith("squidmesh_storage.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    said = squidmesh("runs", "--url", f"postgresql://ana:{SECRET}@127.0.0.1/shop")

    refused(said, "SM703", 'pip install "squidmesh[postgres]"')


def test_a_server_that_is_too_old_says_which_one_is_wanted(squidmesh: Typed, url: str) -> None:
    """Before anything is done with it."""
    execute(url, _OLD.format(name=urlsplit(url).path.removeprefix("/")))

    refused(squidmesh("runs", "--url", url), "PostgreSQL 14 is too old; 15 or newer")
    assert [(None,)] == execute(url, "select to_regclass('squidmesh.journal')")


def test_a_standby_is_refused(squidmesh: Typed, durable_server: Server, url: str) -> None:
    """What it shows may be old, and nothing can be written."""
    assert 0 == squidmesh("migrate", "--url", url).code
    with durable_server.as_standby():
        refused(squidmesh("runs", "--url", url), "standby", "primary")

    assert 0 == squidmesh("runs", "--url", url).code
