"""One trip to the server: how often it waits, what fails in it, which plans are kept."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.waiting import Wait

from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_storage.postgres.connecting import Session, Target, connect, connect_async
from squidmesh_storage.postgres.driving import drive, drive_async
from squidmesh_storage.postgres.plans import AFTER, Plans
from squidmesh_storage.postgres.pool import SyncSession
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, Call, Round, Rows, Script, ask
from squidmesh_storage.postgres.trips import trip

ONE, TWO, THREE = (Call(f"select {number}", {}, keeps=True) for number in (1, 2, 3))
BAD = Call("select 1 / %(by)s::integer", {"by": "0"})
#: What the server has plans for; none is kept for this itself.
KEPT = Call("select statement from pg_prepared_statements order by statement")


@pytest.fixture
def session(postgres_dsn: str) -> Iterator[SyncSession]:
    """A connection of ours, as the server welcomes it."""
    target = Target.of(postgres_dsn)
    with connect(target) as connection:
        yield Session(connection=connection, target=target, plans=Plans(most=2))


def _told(session: SyncSession, calls: Round) -> tuple[Sequence[Rows], list[Wait]]:
    """What a trip returns, and for what it waited."""
    waits: list[Wait] = []

    def noted(going: PQGen[Sequence[Rows]]) -> PQGen[Sequence[Rows]]:
        try:
            wait = next(going)
            while True:
                waits.append(wait)
                ready = yield wait
                while not ready:  # nothing has come for a tenth of a second
                    ready = yield wait
                wait = going.send(ready)
        except StopIteration as end:
            rows: Sequence[Rows] = end.value
            return rows

    return session.connection.wait(noted(trip(session, calls))), waits


def _kept(session: SyncSession) -> list[TupleRow]:
    return list(drive(session, ask(KEPT)))


def _keep(session: SyncSession, *calls: Call) -> None:
    """Send each until its plan is kept."""
    for call in calls:
        for _ in range(AFTER + 1):
            drive(session, ask(call))


@pytest.mark.parametrize("calls", [[ONE], [BEGIN, ONE, TWO, COMMIT]])
def test_a_trip_waits_once(session: SyncSession, calls: Round) -> None:
    """All statements have left before, and all answers have come after; plans are no exception."""
    for _ in range(2 * AFTER):
        answers, waits = _told(session, calls)

        assert ([Wait.R], len(calls)) == (waits, len(answers))


def test_what_is_said_alone_and_what_travels_together_come_back_alike(
    session: SyncSession,
) -> None:
    """With values by name, a per cent sign, one value in two places, and none at all."""
    call = Call(
        "select %(n)s::integer %% 4, %(a)s::text, %(n)s::integer, %(b)s::bytea",
        {"a": "ä", "b": b"\0\xff", "n": "7"},
    )

    alone = drive(session, ask(call))
    _, together, nothing, _ = _told(session, [BEGIN, call, Call("select", {}), COMMIT])[0]

    assert [(3, "ä", 7, b"\0\xff")] == alone == together
    assert [()] == nothing


def test_what_a_trip_fails_with_is_what_failed_first(session: SyncSession) -> None:
    """Nothing after it is carried out, and the connection is as good as before."""
    with pytest.raises(StorageError) as failed:
        drive(session, _sent([BEGIN, ONE, BAD, Call("select 1 / 0", {}), COMMIT]))

    assert "22012" == failed.value.details["sqlstate"]
    assert (False, False) == (session.lost, session.in_transaction)
    assert [(1,)] == drive(session, ask(ONE))


def test_a_text_with_a_nul_is_refused_before_anything_leaves(session: SyncSession) -> None:
    """The server's texts have none, and libpq would cut the text there."""
    text = Call("select %(text)s::text", {"text": "a\0b"})

    for calls in ([text], [BEGIN, ONE, text, COMMIT]):
        with pytest.raises(StorageError, match="NUL"):
            drive(session, _sent(calls))

        assert (False, False) == (session.lost, session.in_transaction)


def test_a_server_that_goes_away_in_the_middle_may_say_why(session: SyncSession) -> None:
    """Its last word is told, and not only that the connection broke."""
    away = Call("select pg_terminate_backend(pg_backend_pid())", {})

    with pytest.raises(StorageUnavailable) as failed:
        drive(session, _sent([BEGIN, away, ONE]))

    assert "57P01" == failed.value.details["sqlstate"]
    assert session.lost


def test_a_plan_is_kept_once_a_statement_has_been_sent_often(session: SyncSession) -> None:
    """Only if it is one of those whose plan fits all values."""
    other = ONE._replace(text="select 4", keeps=False)
    for _ in range(AFTER):
        drive(session, ask(ONE))
        drive(session, ask(other))
    before = _kept(session)
    drive(session, ask(ONE))
    drive(session, ask(other))

    assert ([], [("select 1",)]) == (before, _kept(session))


def test_a_statement_is_one_whatever_is_null_in_it(session: SyncSession) -> None:
    """Its text says of which type each value is."""
    calls = [Call("select %(b)s::bytea", {"b": b}, keeps=True) for b in (b"x", None)]

    for _ in range(AFTER):
        answers = [drive(session, ask(call)) for call in calls]

        assert [[(b"x",)], [(None,)]] == answers
    assert [("select $1::bytea",)] == _kept(session)


def test_the_plan_that_was_not_used_for_longest_makes_room(session: SyncSession) -> None:
    """And can be kept again later."""
    _keep(session, ONE, TWO)
    drive(session, ask(ONE))
    _keep(session, THREE)
    drive(session, ask(ONE))

    assert [("select 1",), ("select 3",)] == _kept(session)
    _keep(session, TWO)
    drive(session, ask(TWO))
    assert [("select 1",), ("select 2",)] == _kept(session)


def test_a_statement_that_fails_while_its_plan_is_made_is_tried_again(
    session: SyncSession,
) -> None:
    """No plan is taken for kept that the server does not have."""
    missing = Call("select * from not_there", {}, keeps=True)
    for _ in range(AFTER + 2):
        with pytest.raises(StorageError, match="a table is missing"):
            drive(session, _sent([BEGIN, missing, COMMIT]))
    assert [] == _kept(session)

    drive(session, ask(Call("create temporary table not_there as select 7 as number")))

    assert [(7,)] == drive(session, ask(missing))


def test_an_event_loop_makes_the_same_trips(postgres_dsn: str) -> None:
    """The same statements with the same answers and failures, on its own kind of connection."""

    async def there() -> tuple[Rows, object]:
        target = Target.of(postgres_dsn)
        async with await connect_async(target) as connection:
            session = Session(connection=connection, target=target)
            rows = await drive_async(session, _sent([BEGIN, ONE, TWO, COMMIT]))
            with pytest.raises(StorageError) as failed:
                await drive_async(session, _sent([BEGIN, BAD, COMMIT]))
            return rows, failed.value.details["sqlstate"]

    assert ([(1,)], "22012") == asyncio.run(there())


def _sent(calls: Round) -> Script[Rows]:
    """A script of one trip; the rows of its second call."""
    answers = yield calls
    return answers[1 if len(answers) > 1 else 0]
