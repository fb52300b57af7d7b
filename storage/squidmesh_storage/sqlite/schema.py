"""
The tables, and how a file comes to have them.

A new file gets all migrations at once, so a schema from zero and one that grew
are the same by construction.  An older file is never changed unasked.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final

from squidmesh_core.errors import StorageError
from squidmesh_storage.migrations import Migration, Plan, behind, only_row
from squidmesh_storage.migrations import planned as migrations_lacking
from squidmesh_storage.sqlite import files
from squidmesh_storage.sqlite.connection import connect, translated
from squidmesh_storage.sqlite.statements import read_sql

#: In order, numbered from 1 without gaps.
MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(
        number=1,
        kind="expand",
        title="the first tables",
        sql=read_sql("migrations", "0001_first_tables.sql"),
    ),
    Migration(
        number=2,
        kind="expand",
        title="what a message finds a run by, where damage begins, who can read an append",
        sql=read_sql("migrations", "0002_what_finds_a_run.sql"),
    ),
    Migration(
        number=3,
        kind="expand",
        title="small facts outside runs, queues with limits, runs in the order they ended",
        sql=read_sql("migrations", "0003_records_and_lanes.sql"),
    ),
    Migration(
        number=4,
        kind="expand",
        title="runs by their deadlines",
        sql=read_sql("migrations", "0004_deadlines.sql"),
        remark="`squidmesh reindex` brings in what runs already",
    ),
)

_MARK: Final = "update squidmesh_schema set version = {version:d}"


def plan(path: str | Path, migrations: Sequence[Migration] = MIGRATIONS) -> Plan:
    """
    What `migrate` would do to a file; nothing is changed.

    Raises:
        StorageError: The file is missing, or holds a newer schema.
    """
    with _existing(path, only_look=True) as connection:
        return planned(connection, migrations)


def migrate(path: str | Path, migrations: Sequence[Migration] = MIGRATIONS) -> Plan:
    """
    Bring a file to the newest schema, in one transaction; what was done.

    Raises:
        StorageError: The file is missing, or holds a newer schema; nothing was
            changed.
    """
    with _existing(path) as connection:
        return migrate_here(connection, migrations)


def script(path: str | Path, migrations: Sequence[Migration] = MIGRATIONS) -> str:
    """
    What `migrate` would execute.

    Raises:
        StorageError: The file is missing, or holds a newer schema.
    """
    lacking = plan(path, migrations)
    if not lacking.steps:
        return ""
    texts = (step.sql.strip() for step in lacking.steps)
    return "\n\n".join(("begin immediate;", *texts, _marked(lacking.wanted) + ";", "commit;"))


def ensure(
    connection: sqlite3.Connection,
    path: Path | None,
    migrations: Sequence[Migration],
    *,
    may_migrate: bool,
) -> None:
    """
    Make sure of the tables: create them in a new file, refuse an older schema.

    Raises:
        StorageError: `schema_behind`, unless it may be migrated; `schema_ahead`.
    """
    try:
        steps = planned(connection, migrations)
        if steps.found and steps.steps and not may_migrate:
            raise behind(steps, str(path), quote(f"sqlite:///{path}"))
        if steps.steps:
            migrate_here(connection, migrations)
    except sqlite3.Error as error:
        raise translated(error, path) from error


def planned(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> Plan:
    """
    Which migrations a database lacks.

    Raises:
        StorageError: `schema_ahead`.
    """
    return migrations_lacking(migrations, _found(connection))


def migrate_here(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> Plan:
    """
    Bring a database to the newest schema, under its write lock.

    Raises:
        StorageError: `schema_ahead`.
    """
    connection.execute("begin immediate")
    try:
        # Again, now that nobody else can be at it.
        done = planned(connection, migrations)
        for migration in done.steps:
            for statement in _statements(migration.sql):
                connection.execute(statement)
        connection.execute(_marked(done.wanted))
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return done


def _found(connection: sqlite3.Connection) -> int:
    ours = "select 1 from sqlite_schema where type = 'table' and name = 'squidmesh_schema'"
    if connection.execute(ours).fetchone() is None:
        return 0
    rows = connection.execute("select version from squidmesh_schema").fetchall()
    (version,) = only_row(rows, "squidmesh_schema")
    return int(version)


def _marked(version: int) -> str:
    return _MARK.format(version=version)


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit before them."""
    found: list[str] = []
    begun = ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found


@contextmanager
def _existing(path: str | Path, *, only_look: bool = False) -> Iterator[sqlite3.Connection]:
    file = Path(path).absolute()
    if not file.exists():
        raise StorageError(
            f"there is no file {file}; nothing to migrate", "storage_error", {"path": str(file)}
        )
    files.check_file(file, files.file_system_of)
    connection = connect(file, only_look=only_look)
    try:
        yield connection
    except sqlite3.Error as error:
        raise translated(error, Path(path)) from error
    finally:
        connection.close()
