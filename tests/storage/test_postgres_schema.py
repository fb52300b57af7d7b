"""How a database comes to have its tables, and what happens to older and newer ones."""

from collections.abc import Callable
from threading import Barrier, Thread

import psycopg
import pytest
from attrs import evolve

from squidmesh_core.errors import ConfigError, SquidmeshError, StorageError
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import ListPage, RunFilter
from squidmesh_storage.conformance.kit import (
    EPOCH,
    attempt,
    commit,
    first,
    key,
    keys_of,
    look,
    puts,
    records_of,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.migrations import Migration, Plan
from squidmesh_storage.postgres import MIGRATIONS, PostgresJournal, migrate, plan, schema, script
from squidmesh_storage.postgres.statements import Names
from support.postgres import execute

NEWEST = MIGRATIONS[-1].number
EXTRA = Migration(
    number=NEWEST + 1,
    kind="expand",
    title="a remark on each run",
    sql="alter table squidmesh.runs add column remark text;\n"
    "create index squidmesh_runs_remark on squidmesh.runs (remark);\n",
)
CONTRACT = Migration(
    number=NEWEST + 2, kind="contract", title="no tags", sql="drop table squidmesh.tags;\n"
)
BROKEN = Migration(
    number=NEWEST + 1,
    kind="contract",
    title="one statement that works and one that does not",
    sql="drop table squidmesh.tags;\nselect nonsense;\n",
)
ALL_AT_ONCE = """
select table_schema, table_name, column_name, data_type, collation_name, is_nullable, column_default
from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
union all
select schemaname, tablename, indexname, indexdef, null, null, null
from pg_indexes where schemaname not in ('pg_catalog', 'information_schema')
union all
select n.nspname, c.relname, array_to_string(c.reloptions, ','), c.relpersistence::text, null, null,
    null
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
order by 1, 2, 3, 4
"""
ODD = ['odd " name', "per%cent", "it's", 'semi"; drop schema public; --', "%(x)s", "Üben"]


def _tables(url: str) -> list[tuple[object, ...]]:
    return execute(url, ALL_AT_ONCE)


def _together(*jobs: Callable[[], object]) -> list[Exception]:
    """Do them at the same moment; what went wrong."""
    barrier = Barrier(len(jobs))
    failed: list[Exception] = []

    def go(job: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            job()
        except SquidmeshError as error:
            failed.append(error)

    threads = [Thread(target=go, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    """A database's version says which of them it has."""
    assert list(range(1, len(MIGRATIONS) + 1)) == [one.number for one in MIGRATIONS]


def test_every_migration_says_in_its_file_what_kind_it_is() -> None:
    """What is read there is what is done."""
    for one in MIGRATIONS:
        assert one.sql.startswith(f"-- {one.kind}: {one.title}.\n")


def test_an_empty_database_gets_the_newest_schema(postgres_dsn: str) -> None:
    """There is nothing to migrate."""
    assert MIGRATIONS == plan(postgres_dsn).steps
    PostgresJournal(postgres_dsn).close()

    expected = Plan(found=NEWEST, wanted=NEWEST, steps=())

    assert expected == plan(postgres_dsn) == migrate(postgres_dsn)
    assert script(postgres_dsn) == ""


def test_an_older_schema_is_refused_with_the_command_to_run(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not touched."""
    PostgresJournal(postgres_dsn).close()
    before = _tables(postgres_dsn)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, EXTRA))

    with pytest.raises(StorageError) as caught:
        PostgresJournal(postgres_dsn)

    assert "schema_behind" == caught.value.code
    assert (NEWEST, NEWEST + 1) == (caught.value.details["found"], caught.value.details["wanted"])
    assert "`squidmesh migrate 'postgresql://" in str(caught.value)
    assert before == _tables(postgres_dsn)


@pytest.mark.parametrize("step", [EXTRA, BROKEN], ids=["expand", "contract"])
def test_processes_are_to_be_stopped_before_a_step_that_contracts(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, step: Migration
) -> None:
    """They would take what they cannot read for damaged; beside what is only added they go on."""
    PostgresJournal(postgres_dsn).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, step))

    with pytest.raises(StorageError) as caught:
        PostgresJournal(postgres_dsn)

    told = "; stop every process of the older release, then run `squidmesh migrate '" in str(
        caught.value
    )
    assert (step.kind == "contract") == told


def test_an_older_schema_is_migrated_when_asked_at_open(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in it stays."""
    old = PostgresJournal(postgres_dsn)
    begun = first(run_id(1))
    commit(old, begun)
    old.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, EXTRA))

    journal = PostgresJournal(postgres_dsn, migrate=True)

    assert Plan(found=NEWEST + 1, wanted=NEWEST + 1, steps=()) == plan(
        postgres_dsn, schema.MIGRATIONS
    )
    assert records_of(begun) == journal.load(run_id(1)).records
    journal.close()


def test_an_older_release_works_beside_what_was_only_added(postgres_dsn: str) -> None:
    """So that a rollout may migrate first, and replace processes one by one."""
    PostgresJournal(postgres_dsn).close()
    migrate(postgres_dsn, (*MIGRATIONS, EXTRA))

    journal = PostgresJournal(postgres_dsn)

    commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))
    assert (key(run_id(1)),) == keys_of(look(journal))
    journal.close()


def test_a_release_without_deadlines_writes_rows_that_have_none(postgres_dsn: str) -> None:
    """Before the migration and after it; what it leaves in the row of a run that ends is not read."""
    old = (
        'insert into squidmesh.runs (run_id, workflow, fingerprint, "trigger", status, queue,'
        " priority, tags, created_at) values ('{run}', 'w', 'f', 't', 'running', 'q', 0, '[]', now())"
    )
    migrate(postgres_dsn, MIGRATIONS[:1])
    execute(postgres_dsn, old.format(run=run_id(1)))
    journal = PostgresJournal(postgres_dsn, migrate=True)
    execute(postgres_dsn, old.format(run=run_id(2)))
    due = Thresholds(due_at=EPOCH)
    rows = RowChanges(run=run_row(run_id(3), deadline=due))
    commit(journal, *(first(run_id(n)) for n in (1, 2)), first(run_id(3), rows=rows))

    assert [run_id(3)] == [one.row.run_id for one in journal.deadlines(RunFilter(), None, 5).items]

    ended = f"update squidmesh.runs set ended_at = now() where run_id = '{run_id(3)}'"
    execute(postgres_dsn, ended)

    assert ListPage(items=(), next=None) == journal.deadlines(RunFilter(), None, 5)
    journal.close()


def test_what_took_something_away_is_refused_by_an_older_release(postgres_dsn: str) -> None:
    """It would miss it; whatever was only added afterwards does not change that."""
    PostgresJournal(postgres_dsn).close()
    migrate(postgres_dsn, (*MIGRATIONS, EXTRA, CONTRACT))
    before = _tables(postgres_dsn)

    for use in (PostgresJournal, migrate, plan):
        with pytest.raises(StorageError) as caught:
            use(postgres_dsn)
        assert "schema_ahead" == caught.value.code
        assert {"found": NEWEST + 2, "wanted": NEWEST} == caught.value.details
    assert before == _tables(postgres_dsn)


def test_a_schema_from_zero_equals_one_that_grew(
    postgres_dsn: str, pgbouncer_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Column for column, index for index; also by way of a pooler, and by hand."""
    both = (*MIGRATIONS, EXTRA)
    PostgresJournal(pgbouncer_dsn).close()
    migrate(pgbouncer_dsn, both)
    grown = _tables(postgres_dsn)
    execute(postgres_dsn, "drop schema squidmesh cascade")

    migrate(postgres_dsn, both)
    assert grown == _tables(postgres_dsn)
    execute(postgres_dsn, "drop schema squidmesh cascade")

    for statement in script(postgres_dsn, both).split(";\n\n"):
        execute(postgres_dsn, statement)
    assert grown == _tables(postgres_dsn)
    assert Plan(found=NEWEST + 1, wanted=NEWEST + 1, steps=()) == plan(postgres_dsn, both)


def test_a_migration_that_fails_changes_nothing(postgres_dsn: str) -> None:
    """All statements of it are one transaction."""
    PostgresJournal(postgres_dsn).close()
    before = _tables(postgres_dsn)

    with pytest.raises(StorageError, match="nonsense"):
        migrate(postgres_dsn, (*MIGRATIONS, BROKEN))

    assert before == _tables(postgres_dsn)
    PostgresJournal(postgres_dsn).close()


def test_an_empty_database_gets_all_of_its_tables_or_none(postgres_dsn: str) -> None:
    """Who opens it meanwhile, as processes of one server do, finds no older schema there."""
    before = _tables(postgres_dsn)

    with pytest.raises(StorageError, match="nonsense"):
        migrate(postgres_dsn, (*MIGRATIONS, BROKEN))

    assert before == _tables(postgres_dsn)
    assert 0 == plan(postgres_dsn).found


def test_a_migration_takes_as_long_as_it_needs(postgres_dsn: str) -> None:
    """An index of millions of rows is not made in the time that a statement of a worker has."""
    PostgresJournal(postgres_dsn).close()
    sql = "create table squidmesh.said as select current_setting('statement_timeout') as limit_;\n"
    slow = Migration(number=NEWEST + 1, kind="expand", title="how long", sql=sql)

    migrate(postgres_dsn, (*MIGRATIONS, slow))

    assert [("0",)] == execute(postgres_dsn, "select limit_ from squidmesh.said")


def test_who_may_create_no_schema_gets_a_script_without_it(postgres_dsn: str) -> None:
    """Somebody else has made it for them."""
    assert script(postgres_dsn).startswith('begin;\ncreate schema if not exists "squidmesh";\n')
    execute(postgres_dsn, "create schema squidmesh")

    assert script(postgres_dsn).startswith("begin;\ncreate table")


@pytest.mark.parametrize("what", ["for all tables", "for tables in schema squidmesh"])
def test_tables_that_are_published_can_be_written_to(postgres_dsn: str, what: str) -> None:
    """A publication refuses changes of rows that nothing tells apart, and so all settling."""
    opened = PostgresJournal(postgres_dsn)
    execute(postgres_dsn, f"create publication everything {what}")
    held = attempt(run_id(1), held_until=EPOCH)
    begun = first(run_id(1), rows=puts(held))
    commit(opened, begun)
    going = then(begun, rows=puts(evolve(held, visible_at=EPOCH)))
    commit(opened, going)
    commit(opened, then(going, rows=RowChanges(drop=(held.attempt_key,))))

    assert () == opened.rows_of(run_id(1)).attempts
    opened.close()
    execute(postgres_dsn, "update squidmesh.schema set oldest = oldest")


@pytest.mark.parametrize("left", ["delete from", "insert into {} select * from"])
def test_tables_that_do_not_say_which_they_are_are_refused(postgres_dsn: str, left: str) -> None:
    """As after half of a restore: no row, or that of two."""
    PostgresJournal(postgres_dsn).close()
    execute(postgres_dsn, left.format("squidmesh.schema") + " squidmesh.schema")

    with pytest.raises(StorageError, match=r'"squidmesh"\."schema" has [02] rows .* restore it'):
        PostgresJournal(postgres_dsn)


def test_of_many_migrators_one_migrates(postgres_dsn: str) -> None:
    """The others wait for it, and find nothing left to do."""
    failed = _together(*[lambda: migrate(postgres_dsn, (*MIGRATIONS, EXTRA))] * 6)

    assert [] == failed
    assert Plan(found=NEWEST + 1, wanted=NEWEST + 1, steps=()) == plan(
        postgres_dsn, (*MIGRATIONS, EXTRA)
    )


def test_what_a_connection_knew_before_its_lock_is_not_believed(postgres_dsn: str) -> None:
    """Somebody else may create the tables between a BEGIN and the lock that follows it."""
    migrator = psycopg.connect(postgres_dsn, autocommit=True)
    execute(postgres_dsn, "create schema squidmesh")
    for _ in range(8):  # what the server remembers of the tables, here that there are none
        assert 0 == _found_by(migrator).found
    migrator.execute("begin")

    migrate(postgres_dsn)

    assert NEWEST == _found_by(migrator).found
    migrator.close()


def _found_by(connection: psycopg.Connection) -> Plan:
    """What is lacking, as a connection with a transaction of its own sees it."""
    script = schema.planned_there(Names(), MIGRATIONS)
    try:
        calls = next(script)
        while True:
            cursors = [connection.execute(call.text, call.values) for call in calls]
            calls = script.send([cursor.fetchall() for cursor in cursors])
    except StopIteration as end:
        found: Plan = end.value
        return found


def test_workers_go_on_while_somebody_migrates(postgres_dsn: str) -> None:
    """Their appends wait for a moment, at most."""
    journal = PostgresJournal(postgres_dsn)

    def work() -> None:
        for number in range(1, 101):
            commit(journal, first(run_id(number), rows=puts(attempt(run_id(number)))))

    failed = _together(work, lambda: migrate(postgres_dsn, (*MIGRATIONS, EXTRA)))

    assert [] == failed
    assert 100 == len(journal.run_ids(None, 1000))
    journal.close()


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("part", ["schema", "prefix"])
def test_names_are_quoted_whatever_is_in_them(postgres_dsn: str, name: str, part: str) -> None:
    """In every statement, in the migrations, and in the channel of hints."""
    schema, prefix = (name, None) if part == "schema" else (None, name)
    journal = PostgresJournal(postgres_dsn, schema=schema, prefix=prefix)

    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    with journal.listen(("default",)) as wakeups:
        commit(journal, begun)
        assert wakeups.wait(5)
        assert "listening" == journal.survey().facts["hints"]
    assert (key(run_id(1)),) == keys_of(look(journal))
    again = PostgresJournal(journal.url)
    assert records_of(begun) == again.load(run_id(1)).records
    again.close()
    if part == "schema":
        asked = "select nspname from pg_namespace where nspname not like 'pg\\_%'"
        assert (name,) in execute(postgres_dsn, asked)
    journal.close()


def test_two_prefixes_share_a_schema(postgres_dsn: str) -> None:
    """As two hosts share a database: neither sees what is the other's."""
    one = PostgresJournal(postgres_dsn, prefix="one_")
    two = PostgresJournal(postgres_dsn, prefix="two_")

    commit(one, first(run_id(1)))

    assert ((run_id(1),), ()) == (one.run_ids(None, 5), two.run_ids(None, 5))
    one.close()
    two.close()


@pytest.mark.parametrize(
    ("schema", "prefix"), [("", None), ("x" * 64, None), ("nul\0", None), (None, "p" * 31)]
)
def test_a_name_that_cannot_be_one_is_refused(
    postgres_dsn: str, schema: str | None, prefix: str | None
) -> None:
    """The server would cut it, and two places would become one."""
    with pytest.raises(ConfigError) as caught:
        PostgresJournal(postgres_dsn, schema=schema, prefix=prefix)

    assert "invalid_option" == caught.value.code
