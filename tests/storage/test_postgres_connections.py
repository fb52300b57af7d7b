"""Connections: which servers will do, what becomes of lost ones, and what is never shown."""

import multiprocessing
import os
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import NoReturn, cast

import psycopg
import pytest
from attrs import evolve
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from squidmesh_core.errors import OutcomeUnknown, StorageError, StorageUnavailable
from squidmesh_core.ids import Revision
from squidmesh_storage.api import Batch, Choice, Conflict, Offered, Outcome, Unknown
from squidmesh_storage.conformance.kit import (
    attempt,
    commit,
    first,
    hold,
    key,
    on,
    puts,
    records_of,
    run_id,
    then,
)
from squidmesh_storage.postgres import PostgresJournal, clock, listening, trips
from squidmesh_storage.postgres.adapting import ADAPTERS
from squidmesh_storage.postgres.clock import CarriedClock
from squidmesh_storage.postgres.connecting import Session, Target, greet
from squidmesh_storage.postgres.driving import drive
from squidmesh_storage.postgres.errors import not_connected, translated
from squidmesh_storage.postgres.listening import Ear
from squidmesh_storage.postgres.pool import Pool, SyncSession
from squidmesh_storage.postgres.scripts import Call, Rows, ask
from support.postgres import PASSWORD, STRICT_ROLE, execute

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "tentacle"


@pytest.fixture
def opened(postgres_dsn: str) -> Iterator[PostgresJournal]:
    opened = PostgresJournal(postgres_dsn)
    yield opened
    opened.close()


def _kill_all(url: str) -> None:
    """End all other connections to this database, as an administrator would."""
    execute(
        url,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()",
    )


# --- which servers will do


class _Info:
    backend_pid = 7
    transaction_status = TransactionStatus.IDLE


class _Connection:
    info = _Info()
    connection = None
    adapters = ADAPTERS
    prepare_threshold: int | None = 3


def _session() -> SyncSession:
    connection = cast("psycopg.Connection[TupleRow]", _Connection())  # all that a greeting sees
    return Session(connection=connection, target=Target.of("postgresql://host/shop"))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((7, False, 14, "UTF8"), "PostgreSQL 14 is too old; 15 or newer is needed"),
        ((7, True, 18, "UTF8"), "this server is a standby"),
        ((7, False, 18, "LATIN1"), "the database stores LATIN1"),
    ],
)
def test_a_server_that_will_not_do_is_refused(told: tuple[object, ...], why: str) -> None:
    """In a sentence that says what to do, before anything is asked of it."""
    greeting = greet(_session())
    next(greeting)

    with pytest.raises(StorageError, match=re.escape(why)):
        greeting.send([[told]])


def test_whoever_answers_for_another_server_process_is_a_pooler() -> None:
    """Then nothing may rest on the session: no settings, no plans that are kept."""
    session = _session()
    greeting = greet(session)
    next(greeting)

    with pytest.raises(StopIteration):
        greeting.send([[(8, False, 18, "UTF8")]])

    assert (True, None) == (session.pooled, session.connection.prepare_threshold)


def test_a_direct_connection_is_told_its_limits(opened: PostgresJournal) -> None:
    """No statement, lock or idle transaction of ours holds up others for long."""
    asked = (
        "select current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout'),"
        " current_setting('synchronous_commit'), current_setting('application_name')"
    )
    with opened._process.pool.session() as session:
        row = session.connection.execute(asked.encode()).fetchone()

    assert ("10s", "3s", "5s", "on", "squidmesh") == row


def test_behind_a_pooler_each_transaction_is_told_its_limits(
    pgbouncer_dsn: str,
) -> None:
    """For it alone: the next one on that server connection may be somebody else's."""
    behind = PostgresJournal(pgbouncer_dsn)
    process = behind._process
    with process.pool.session() as session:
        assert session.pooled
        connection = session.connection
        inside = "select current_setting('statement_timeout')"
        ((within,),) = drive(session, ask(Call(inside)))
        outside = connection.execute(inside.encode()).fetchone()

    assert ("10s", ("0",)) == (within, outside)
    behind.close()


# --- lost connections


def test_reads_do_not_notice_a_server_that_closed_idle_connections(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """They are replaced before anything is sent."""
    begun = first(run_id(1))
    commit(opened, begun)

    _kill_all(postgres_dsn)

    assert records_of(begun) == opened.load(run_id(1)).records
    commit(opened, then(begun))


def test_an_append_whose_connection_is_lost_meanwhile_is_unknown(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """Nobody may guess; whoever looks for the append id learns it."""
    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    commit(opened, begun)
    held = attempt(run_id(1), held_until=opened.now() + timedelta(hours=1))
    late = then(begun, rows=puts(held))
    outcomes: list[Outcome] = []

    with psycopg.connect(postgres_dsn) as blocker:
        blocker.execute("select 1 from squidmesh.waiting for update")
        appending = Thread(target=lambda: outcomes.extend(opened.append((late,))))
        appending.start()
        _await_waiting(postgres_dsn)
        execute(
            postgres_dsn,
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'",
        )
        appending.join()

    assert [Unknown(run_id=run_id(1), append_id=late.record.append_id)] == outcomes
    assert opened.find(run_id(1), late.record.append_id) is None
    commit(opened, late)


def _await_waiting(url: str) -> None:
    asked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    for _ in range(1000):
        if execute(url, asked) != [(0,)]:
            return
    raise AssertionError("nobody waits for a lock")


def test_a_lock_that_is_not_had_in_time_is_told_and_nothing_is_written(
    opened: PostgresJournal, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries of its own."""
    monkeypatch.setattr("squidmesh_storage.postgres.pool.PAUSES", (0.01, 0.01))
    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    commit(opened, begun)

    with opened._process.writer.session() as session:
        session.connection.execute("set lock_timeout = '1ms'")
    with psycopg.connect(postgres_dsn) as blocker:
        blocker.execute("select 1 from squidmesh.waiting for update")
        with pytest.raises(StorageUnavailable, match="others were at the same rows"):
            opened.append((then(begun, rows=puts(attempt(run_id(1), priority=1))),))

    assert records_of(begun) == opened.load(run_id(1)).records


def _name(opened: PostgresJournal) -> str:
    return opened.url.partition("?")[0].rpartition("/")[2]


def test_a_claim_that_decides_needs_no_second_connection(
    opened: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many claims as there are connections would wait for each other."""
    commit(opened, first(run_id(1), rows=puts(attempt(run_id(1)))))
    opened._process.pool.close()
    opened._process.pool = Pool(opened._target, 1, patience=0.01)

    def claim(offered: Offered) -> Choice:
        assert opened.load(run_id(1)).head == offered.candidates[0].head
        return Choice(batches=[hold(one, offered.now) for one in offered.candidates])

    assert 1 == len(opened.claimable(("default",), ("act",), 1, claim).outcomes)


def _in_child(opened: PostgresJournal, begun: Batch) -> None:
    commit(opened, then(begun))
    with opened.listen(("default",)) as wakeups:
        assert wakeups.longest > 5
    opened.close()
    os._exit(0)


def test_a_forked_process_opens_connections_of_its_own(opened: PostgresJournal) -> None:
    """And leaves those of its parent as they are."""
    begun = first(run_id(1))
    commit(opened, begun)

    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(opened, begun))
    child.start()
    child.join(30)

    assert 0 == child.exitcode
    assert Revision(2) == opened.load(run_id(1)).head.revision
    (outcome,) = opened.append((then(begun),))
    assert Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(2)) == outcome


# --- what is shown


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ana:{SECRET}@127.0.0.1:1/shop",
        f"postgresql://ana@127.0.0.1:1/shop?password={SECRET}",
        f"host=127.0.0.1 port=1 user=ana dbname=shop password={SECRET}",
        f"postgresql://ana:{SECRET}@127.0.0.1:one/shop",
        f"postgresql://ana:{SECRET}@[::1/shop",
        f"postgresql://ana:{SECRET}@127.0.0.1:1/shop?nonsense=1",
        f"postgresql://ana:%{SECRET}@127.0.0.1:1/shop",
        f"postgresql://ana:a@{SECRET}@127.0.0.1:1/shop",
        f"postgresql://ana:a/{SECRET}@127.0.0.1:1/shop",
        f"postgresql://ana:{SECRET}/a@127.0.0.1:1/shop",
        f"postgresql://ana:a?{SECRET}@127.0.0.1:1/shop",
        f"postgresql://ana:{SECRET}?sslmode=a@127.0.0.1:1/shop",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    """Neither where it cannot be reached nor where the URL cannot be read, traceback and all."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 (whatever is raised)
        PostgresJournal(url)

    told = "".join(traceback.format_exception(caught.value))
    shown = f"{told} {caught.value!r} {getattr(caught.value, 'details', None)}"
    assert SECRET not in shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db:5432?user=ana@shop",
        "postgresql://one:5432,two:5433?user=ana@shop",
        "postgresql://[::1]:5432?user=ana@shop",
        "postgresql:///shop?user=ana@shop",
    ],
)
def test_a_user_with_an_at_sign_among_the_parameters_is_no_password(url: str) -> None:
    """Some clouds have such users."""
    assert (
        "user='ana@shop'" in Target.of(url).conninfo or "user=ana@shop" in Target.of(url).conninfo
    )


def test_a_password_is_not_part_of_where_a_journal_is(postgres_dsn: str) -> None:
    """What is shown opens it again, for whoever has the password elsewhere."""
    target = Target.of(f"postgres://ana:{SECRET}@db.example:5433/shop?sslmode=require&schema=one")

    assert "postgresql://ana@db.example:5433/shop?schema=one" == target.url
    assert SECRET not in repr(target)
    assert "sslmode=require" in target.conninfo


def test_a_wrong_password_is_one_sentence(postgres_dsn: str) -> None:
    """That says where to look."""
    execute(postgres_dsn, f"drop role if exists {STRICT_ROLE}")
    execute(postgres_dsn, f"create role {STRICT_ROLE} login password '{PASSWORD}'")
    wrong = re.sub(r"://[^@]*@", f"://{STRICT_ROLE}:{SECRET}@", postgres_dsn)

    with pytest.raises(StorageError, match="the password is wrong") as caught:
        PostgresJournal(wrong)

    assert "\n" not in str(caught.value)
    execute(postgres_dsn, f"drop role {STRICT_ROLE}")


def test_missing_rights_are_one_sentence(postgres_dsn: str) -> None:
    """With what the server says is missing."""
    execute(postgres_dsn, f"drop role if exists {STRICT_ROLE}")
    execute(postgres_dsn, f"create role {STRICT_ROLE} login password '{PASSWORD}'")
    theirs = re.sub(r"://[^@]*@", f"://{STRICT_ROLE}:{PASSWORD}@", postgres_dsn)

    with pytest.raises(StorageError, match=r"lacks a right .*permission denied for database"):
        PostgresJournal(theirs)

    execute(postgres_dsn, f"drop role {STRICT_ROLE}")


@pytest.mark.parametrize(
    ("state", "lost", "in_doubt", "kind", "said"),
    [
        ("40001", False, True, StorageUnavailable, "try again"),
        ("40P01", False, True, StorageUnavailable, "try again"),
        ("55P03", False, True, StorageUnavailable, "try again"),
        ("57014", False, True, StorageUnavailable, "took too long"),
        ("57P01", True, False, StorageUnavailable, "connection was lost"),
        ("57P01", True, True, OutcomeUnknown, "nobody knows"),
        (None, True, True, OutcomeUnknown, "nobody knows"),
        (None, True, False, StorageUnavailable, "connection was lost"),
        ("53100", False, True, StorageError, "disk is full"),
        ("25006", False, True, StorageError, "only lets itself be read"),
        ("42501", False, True, StorageError, "lacks a right"),
        ("XX000", False, True, StorageError, "PostgreSQL says"),
    ],
)
def test_errors_are_told_by_what_they_mean(
    state: str | None, lost: bool, in_doubt: bool, kind: type[StorageError], said: str
) -> None:
    """And what became of the data."""
    error = psycopg.errors.lookup(state)("boom\nLINE 1") if state else psycopg.OperationalError("x")

    told = translated(error, "postgresql://host/shop", lost=lost, in_doubt=in_doubt)

    assert kind is type(told)
    assert said in str(told)
    assert "\n" not in str(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('FATAL:  password authentication failed for user "ana"', "the password is wrong"),
        ('FATAL:  database "shop" does not exist', "no such database"),
        ('FATAL:  role "ana" does not exist', "does not let this user in"),
        ("fe_sendauth: no password supplied", "the password is wrong"),
        ("connection refused", "cannot be reached"),
    ],
)
def test_a_refusal_at_the_door_says_what_to_do(text: str, said: str) -> None:
    """libpq hands it on as words only."""
    assert said in str(not_connected(psycopg.OperationalError(text), "postgresql://host/shop"))


# --- the clock


def test_the_clock_is_carried_by_what_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ten seconds; then it has to be asked again."""
    passed = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: passed)
    carried = CarriedClock()
    assert carried.now() is None

    carried.learn(EPOCH)
    passed = 109.5
    assert EPOCH + timedelta(seconds=9.5) == carried.now()
    passed = 110.0
    assert carried.now() is None
    carried.learn(EPOCH)
    assert EPOCH == carried.now()


def test_instants_do_not_depend_on_what_the_server_thinks_of_time(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """They come back in UTC, whatever zone the session has."""
    commit(opened, first(run_id(1), at=EPOCH))
    execute(postgres_dsn, f"alter database \"{_name(opened)}\" set timezone = 'Asia/Kolkata'")
    again = PostgresJournal(postgres_dsn)

    at = again.load(run_id(1)).head.at

    assert (EPOCH, timedelta(0)) == (at, at.utcoffset())
    again.close()


@pytest.mark.parametrize(
    "setting",
    [
        "array_nulls = off",
        "bytea_output = escape",
        "client_encoding = latin1",
        "datestyle = 'SQL, DMY'",
        "default_transaction_isolation = serializable",
        "session_replication_role = replica",
        "standard_conforming_strings = off",
        "transform_null_equals = on",
    ],
)
def test_what_a_database_is_set_to_changes_nothing_of_ours(
    opened: PostgresJournal, postgres_dsn: str, setting: str
) -> None:
    """Two appends in one statement, with arrays that hold nulls, are read as they were written."""
    execute(postgres_dsn, f'alter database "{_name(opened)}" set {setting}')
    again = PostgresJournal(postgres_dsn)
    rows = [attempt(run_id(number), action=None) for number in (1, 2)]
    begun = [first(row.run_id, rows=puts(row)) for row in rows]
    held = [evolve(row, held_until=EPOCH) for row in rows]
    going = [then(one, rows=puts(row)) for one, row in zip(begun, held, strict=True)]

    commit(again, *begun)
    assert [(row,) for row in rows] == [opened.rows_of(row.run_id).attempts for row in rows]
    commit(again, *going)

    assert [(row,) for row in held] == [again.rows_of(row.run_id).attempts for row in held]
    for both in zip(begun, going, strict=True):
        assert records_of(*both) == opened.load(both[0].record.run_id).records
    again.close()


def test_what_only_lets_itself_be_read_is_not_claimed_from(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """Or a step would be performed again and again whose outcome cannot be stored."""
    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    commit(opened, begun)
    execute(
        postgres_dsn, f'alter database "{_name(opened)}" set default_transaction_read_only = on'
    )
    again = PostgresJournal(postgres_dsn)

    with pytest.raises(StorageError, match="only lets itself be read; nothing was written"):
        again.claimable(("default",), ("act",), 1, _claim)

    assert records_of(begun) == again.load(run_id(1)).records
    again.close()


def test_an_instant_that_none_of_ours_can_be_stops_no_list(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """A damaged row is told apart where its run is read."""
    commit(opened, first(run_id(1), rows=puts(attempt(run_id(1)))))
    execute(postgres_dsn, "update squidmesh.waiting set visible_at = '-infinity'")

    (row,) = opened.rows_of(run_id(1)).attempts

    assert (key(run_id(1)), datetime.min.replace(tzinfo=UTC)) == (row.attempt_key, row.visible_at)


# --- hints


def _alone(other: PostgresJournal, url: str) -> None:
    del url
    commit(other, first(run_id(1), rows=puts(attempt(run_id(1)))))


def _in_a_group(other: PostgresJournal, url: str) -> None:
    del url
    commit(other, first(run_id(1), rows=puts(attempt(run_id(1))), group="g"))


def _beside_a_group(other: PostgresJournal, url: str) -> None:
    del url
    commit(other, first(run_id(1), rows=puts(attempt(run_id(1)))), first(run_id(2), group="g"))


def _in_a_hosts_transaction(other: PostgresJournal, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("select 1")
        joined = other.transaction(connection)
        commit(joined, first(run_id(1), rows=puts(attempt(run_id(1)))))
        commit(joined, first(run_id(2)))
    joined.close()


def _by_a_claim(other: PostgresJournal, url: str) -> None:
    """It gives the attempt back to another queue."""
    del url
    commit(other, first(run_id(1), rows=puts(attempt(run_id(1), queue="mail"))))

    def decide(offered: Offered) -> Choice:
        (one,) = offered.candidates
        return Choice(batches=[on(run_id(1), one.head, rows=puts(attempt(run_id(1))))])

    other.claimable(("mail",), ("act",), 1, decide)


@pytest.mark.parametrize(
    "store", [_alone, _in_a_group, _beside_a_group, _in_a_hosts_transaction, _by_a_claim]
)
def test_work_of_another_process_is_heard_of(
    opened: PostgresJournal, postgres_dsn: str, store: Callable[[PostgresJournal, str], None]
) -> None:
    """Long before the next look, however it was stored: the other one has no bell of this one's."""
    other = PostgresJournal(postgres_dsn)
    with opened.listen(("default",)) as wakeups:
        assert wakeups.longest == 30
        assert wakeups.wait(20)  # others have come to know, so look once more
        rung: list[bool] = []
        waiting = Thread(target=lambda: rung.append(wakeups.wait(20)))
        waiting.start()

        store(other, postgres_dsn)
        waiting.join()

    assert [True] == rung
    other.close()


def test_hints_that_do_not_come_are_not_relied_on(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However often they are tried, it is said once; work is found by looking."""
    tries = [Event() for _ in range(3)]
    left = iter(tries)
    monkeypatch.setattr(listening, "_TRY_FOR", 0.01)
    monkeypatch.setattr(listening, "PAUSES", (0.01,))
    monkeypatch.setattr(Ear, "notify", lambda *_: next(left, tries[-1]).set())
    journal = PostgresJournal(postgres_dsn)

    with journal.listen(("default",)) as wakeups:
        assert tries[-1].wait(20)
        assert wakeups.longest == 6.5
        assert "polling" == journal.survey().facts["hints"]
    journal.close()

    (said,) = (one.getMessage() for one in caplog.records if one.name == "squidmesh.storage")
    assert "a hint that was sent has not come" in said


def test_who_cannot_say_that_it_waits_looks_by_itself(
    opened: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor take it back; neither is worth an error."""
    ear = opened._process.ear
    with opened.listen(("default",)) as wakeups:
        assert wakeups.wait(20)  # others have come to know
        monkeypatch.setattr(ear._pool, "run", _unavailable)

        ear.busy(("default",))

        assert not wakeups.wait(0.3)
        monkeypatch.undo()
        assert wakeups.wait(20)


def _unavailable(*_: object, **__: object) -> NoReturn:
    raise StorageUnavailable("away", "storage_unavailable", {})


def test_what_is_stored_is_stored_though_nobody_can_be_told(
    opened: PostgresJournal, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits looks by itself."""
    other = PostgresJournal(postgres_dsn)
    with other.listen(("default",)) as wakeups:
        assert wakeups.wait(20)
        monkeypatch.setattr(opened._process.ear, "notify", _unavailable)

        commit(opened, first(run_id(1), rows=puts(attempt(run_id(1)))))
    other.close()


def test_nobody_is_told_unless_somebody_waits(
    opened: PostgresJournal, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NOTIFY makes all commits of the database wait for each other."""
    told: list[str] = []
    monkeypatch.setattr(opened._process.ear, "notify", told.append)
    other = PostgresJournal(postgres_dsn)

    commit(opened, first(run_id(1), rows=puts(attempt(run_id(1)))))
    with other.listen(("default",)) as wakeups:
        wakeups.wait(20)
        commit(opened, first(run_id(2), rows=puts(attempt(run_id(2)))))
        commit(opened, first(run_id(3), rows=puts(attempt(run_id(3), queue="mail"))))
        other.claimable(("default",), ("act",), 1, _claim)
        commit(opened, first(run_id(4), rows=puts(attempt(run_id(4)))))

    assert ["default"] == told
    other.close()


def _claim(offered: Offered) -> Choice:
    until = offered.now + timedelta(hours=1)
    return Choice(batches=[hold(one, until) for one in offered.candidates])


def test_where_hints_do_not_come_work_is_found_by_looking(
    pgbouncer_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind a pooler LISTEN has no place; it is said once."""
    behind = PostgresJournal(pgbouncer_dsn)
    with behind.listen(("default",)) as wakeups, behind.listen(("default",)):
        assert wakeups.longest == 6.5
        commit(behind, first(run_id(1), rows=puts(attempt(run_id(1)))))
        assert wakeups.wait(5)

    said = [record.getMessage() for record in caplog.records if record.name.startswith("squidmesh")]
    assert 1 == len(said)
    assert "a pooler stands before the database" in said[0]
    facts = behind.survey().facts
    assert ("polling", "yes") == (facts["hints"], facts["pooler"])
    behind.close()


def test_behind_a_pooler_an_idle_worker_sends_single_statements(
    pgbouncer_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look and a sign of life need no transaction with settings around them."""
    behind = PostgresJournal(pgbouncer_dsn)
    behind.claimable(("default",), ("act",), 8, _claim)
    sent: list[Call] = []
    alone = trips._alone

    def noted(session: SyncSession, call: Call) -> PQGen[Rows]:
        sent.append(call)
        return alone(session, call)

    monkeypatch.setattr(trips, "_alone", noted)

    behind.claimable(("default",), ("act",), 8, _claim)
    behind.put_record("worker", "me", "{}")

    assert [False, True] == [call.writes for call in sent]
    behind.close()


def test_a_listener_that_lost_its_connection_listens_again(
    opened: PostgresJournal, postgres_dsn: str
) -> None:
    """And is believed only after a hint of its own has come."""
    with opened.listen(("default",)) as wakeups:
        assert wakeups.longest == 30
        _kill_all(postgres_dsn)
        again = Event()
        for _ in range(200):
            if not opened._process.ear.hears:
                break
            again.wait(0.01)
        for _ in range(1000):
            if wakeups.longest == 30:
                break
            again.wait(0.01)

        assert wakeups.longest == 30
