"""
The tables, and how a database comes to have them.

An empty database gets all migrations at once, so a schema from zero and one that
grew are the same by construction, and in one transaction: processes that open it
together find no tables or all of them.  Older tables are never changed unasked, and
each of their migrations is a transaction of its own.  Only one process migrates at a
time.

A release works with tables that are ahead of it as long as only `expand`
migrations were added: the tables say which number one has to know.
"""

from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from typing import Final

from attrs import evolve

from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.migrations import Migration, Plan, behind, only_row, planned
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.pool import Pool
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, ROLLBACK, Call, Script, ask
from squidmesh_storage.postgres.statements import Names, read_sql

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
        title="runs by their deadlines",
        sql=read_sql("migrations", "0002_deadlines.sql"),
        remark="`squidmesh reindex` brings in what runs already",
    ),
    Migration(
        number=3,
        kind="contract",
        title="the bodies of appends are packed",
        sql=read_sql("migrations", "0003_packed_bodies.sql"),
        remark="first stop every process of an older release",
    ),
    Migration(
        number=4,
        kind="expand",
        title="tables that have no key can be published",
        sql=read_sql("migrations", "0004_published_tables.sql"),
    ),
)

_TABLE: Final = (
    "select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = %(schema)s and c.relname = %(table)s"
)
_VERSION: Final = "select version, oldest from squidmesh.schema"
#: An index of a large table is not made in the time that a statement has otherwise.
_UNHURRIED: Final = Call("select set_config('statement_timeout', '0', true)")
_MARK: Final = "update squidmesh.schema set version = {number}, oldest = {oldest}"


def plan(dsn: str, migrations: Sequence[Migration] = MIGRATIONS) -> Plan:
    """
    What `migrate` would do to a database; nothing is changed.

    Raises:
        StorageError: It cannot be reached, or holds a newer schema.
    """
    target = Target.of(dsn)
    with closing(Pool(target, 1)) as pool:
        return pool.run(lambda: planned_there(target.names, migrations))


def migrate(dsn: str, migrations: Sequence[Migration] = MIGRATIONS) -> Plan:
    """
    Bring a database to the newest schema; what was done.

    Raises:
        StorageError: It cannot be reached, holds a newer schema, or somebody else
            migrates it all the time; what is done is done whole.
    """
    target = Target.of(dsn)
    with closing(Pool(target, 1)) as pool:
        return bring_up(pool, target, migrations)


def script(dsn: str, migrations: Sequence[Migration] = MIGRATIONS) -> str:
    """
    What `migrate` would run, for somebody who has the right to.

    Raises:
        StorageError: It cannot be reached, or holds a newer schema.
    """
    target = Target.of(dsn)
    with closing(Pool(target, 1)) as pool:
        lacking = pool.run(lambda: planned_there(target.names, migrations))
        bare = not pool.run(lambda: _has_schema(target.names))
    blocks = (
        ("begin", *_executed(target.names, together, bare=bare), "commit")
        for together in _transactions(lacking)
    )
    return "\n\n".join(";\n".join(block) + ";" for block in blocks)


def ensure(
    pool: Pool, target: Target, migrations: Sequence[Migration], *, may_migrate: bool
) -> None:
    """
    Make sure of the tables: create them in an empty database, refuse older ones.

    Raises:
        StorageError: `schema_behind`, unless it may be migrated; `schema_ahead`.
    """
    found = pool.run(lambda: planned_there(target.names, migrations))
    if found.found and found.steps and not may_migrate:
        raise behind(found, target.url, f"'{target.url}'")
    if found.steps:
        bring_up(pool, target, migrations)


def bring_up(pool: Pool, target: Target, migrations: Sequence[Migration]) -> Plan:
    """
    Carry out what is lacking, one transaction after the other; what was done here.

    Raises:
        StorageError: It could not be done; what is done is done whole.
    """
    lacking = pool.run(lambda: planned_there(target.names, migrations))
    done: list[Migration] = []
    # Another migrator may be quicker.
    while together := pool.run(lambda: _next_transaction(target, migrations)):
        done += together
    return evolve(lacking, steps=tuple(done))


def planned_there(names: Names, migrations: Sequence[Migration]) -> Script[Plan]:
    """
    Which migrations a database lacks.

    Raises:
        StorageError: `schema_ahead`.
    """
    found, oldest = yield from _found(names)
    return planned(migrations, found, oldest=oldest)


def statements(names: Names, migration: Migration, *, first: bool) -> tuple[str, ...]:
    """What one migration executes, in order."""
    oldest = "oldest" if migration.kind == "expand" else str(migration.number)
    changed = names.placed(_MARK.format(number=migration.number, oldest=oldest))
    begun = (f"create schema if not exists {names.quoted_schema}",) if first else ()
    return (*begun, *_split(names.placed(migration.sql)), changed)


def _transactions(lacking: Plan) -> tuple[tuple[Migration, ...], ...]:
    """Which migrations stand or fall together: all of them in a database without tables."""
    if lacking.found == 0:
        return (lacking.steps,)
    return tuple((step,) for step in lacking.steps)


def _executed(names: Names, together: Sequence[Migration], *, bare: bool) -> tuple[str, ...]:
    """What a transaction executes, in order; bare: there is no schema yet."""
    return tuple(
        text
        for step in together
        for text in statements(names, step, first=bare and step.number == 1)
    )


def _next_transaction(
    target: Target, migrations: Sequence[Migration]
) -> Script[tuple[Migration, ...]]:
    """The first of what is lacking now, under the lock that only one process has."""
    names = target.names
    lock = Call("select pg_try_advisory_xact_lock(%(lock)s::bigint)", {"lock": str(_lock(names))})
    _, _, ((locked,),) = yield (BEGIN, _UNHURRIED, lock)
    if not locked:
        # Said like a lock that was not had in time, so that it is tried again.
        raise StorageUnavailable(
            f"{target.url}: somebody else is migrating it; nothing was changed, try again",
            "storage_unavailable",
            {"url": target.url, "sqlstate": "55P03"},
        )
    lacking = yield from planned_there(names, migrations)
    if not lacking.steps:
        yield (ROLLBACK,)
        return ()
    together, *_ = _transactions(lacking)
    bare = lacking.found == 0 and not (yield from _has_schema(names))
    texts = _executed(names, together, bare=bare)
    yield (*(Call(text, writes=True) for text in texts), COMMIT)
    return together


def _has_schema(names: Names) -> Script[bool]:
    """Whether it is there: creating it needs a right that using it does not."""
    asked = Call(
        "select 1 from pg_catalog.pg_namespace where nspname = %(name)s", {"name": names.schema}
    )
    return bool((yield from ask(asked)))


def _found(names: Names) -> Script[tuple[int, int | None]]:
    # Not `to_regclass`: it may answer from what the connection knew before its transaction
    # got the lock, when somebody else had not created the tables yet.
    asked = Call(_TABLE, {"schema": names.schema, "table": f"{names.prefix}schema"})
    if not (yield from ask(asked)):
        return 0, None
    rows = yield from ask(Call(names.placed(_VERSION)))
    version, oldest = only_row(rows, names.table("schema"))
    return version, oldest


def _lock(names: Names) -> int:
    """The number of the advisory lock: that of these tables, and hardly anybody else's."""
    digest = sha256(f"squidmesh migration {names.schema}.{names.prefix}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _split(script: str) -> list[str]:
    """The statements of a script; ours have no semicolon but at the end of a line."""
    return [text for part in script.split(";\n") if (text := _bare(part))]


def _bare(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip()
