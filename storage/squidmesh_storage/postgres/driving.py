"""Carrying scripts out: on a thread, or on an event loop."""

import random
from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from squidmesh_core.errors import OutcomeUnknown, StorageError
from squidmesh_storage.postgres.connecting import AnyConnection, Session
from squidmesh_storage.postgres.errors import CONTENDED, LOST, translated
from squidmesh_storage.postgres.scripts import (
    BEGIN,
    COMMIT,
    ROLLBACK,
    Round,
    Rows,
    Script,
    T,
)
from squidmesh_storage.postgres.trips import trip

#: Seconds before another try; each is drawn between nothing and this.
PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6)

_OPEN: Final = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})


def drive(session: Session[Connection[TupleRow]], script: Script[T]) -> T:
    """
    What a script returns, carried out on the calling thread.

    Raises:
        StorageError: What a statement came to that the script does not deal with.
    """
    try:
        calls = next(script)
        while True:
            before = session.in_transaction
            try:
                rows = _send(session, calls)
            except psycopg.Error as error:
                told = _told(session, calls, error, before=before)
                _clean_up(session)
                calls = script.throw(told)
            else:
                calls = script.send(rows)
    except StopIteration as end:
        answer: T = end.value
        return answer
    finally:
        _clean_up(session)


async def drive_async(session: Session[AsyncConnection[TupleRow]], script: Script[T]) -> T:
    """
    What a script returns, carried out on the running event loop.

    Raises:
        StorageError: What a statement came to that the script does not deal with.
    """
    try:
        calls = next(script)
        while True:
            before = session.in_transaction
            try:
                rows = await _send_async(session, calls)
            except psycopg.Error as error:
                told = _told(session, calls, error, before=before)
                await _clean_up_async(session)
                calls = script.throw(told)
            else:
                calls = script.send(rows)
    except StopIteration as end:
        answer: T = end.value
        return answer
    finally:
        await _clean_up_async(session)


def may_repeat(error: StorageError, *, harmless: bool) -> bool:
    """
    Whether a script that failed so may be carried out again from its beginning.

    Args:
        error: What it failed with.
        harmless: Whether doing it twice is as good as doing it once.
    """
    state = error.details.get("sqlstate")
    if isinstance(error, OutcomeUnknown):
        return harmless
    return state in CONTENDED or state in LOST


def jittered(pause: float) -> float:
    """A pause somewhere up to this, so that many who failed together do not come together."""
    return random.uniform(0, pause)  # noqa: S311 (no secret)


def _send(session: Session[Connection[TupleRow]], calls: Round) -> Sequence[Rows]:
    return session.connection.wait(trip(session, calls))


async def _send_async(session: Session[AsyncConnection[TupleRow]], calls: Round) -> Sequence[Rows]:
    return await session.connection.wait(trip(session, calls))


def _told(
    session: Session[AnyConnection], calls: Round, error: psycopg.Error, *, before: bool
) -> StorageError:
    """The error in our words; what would have lasted is in doubt if the connection is gone."""
    alone = not before and calls[0] is not BEGIN
    lasting = any(call.writes if alone else call is COMMIT for call in calls)
    told = translated(error, session.target.url, lost=session.lost, in_doubt=lasting)
    told.__cause__ = error
    return told


def _clean_up(session: Session[Connection[TupleRow]]) -> None:
    """Leave no transaction open; a connection that cannot be cleaned is thrown away."""
    connection = session.connection
    if connection.closed or not (session.in_transaction or session.lost):
        return
    if connection.pgconn.transaction_status in _OPEN and not session.lost:
        try:
            _send(session, (ROLLBACK,))
        except psycopg.Error:
            connection.close()
    else:
        connection.close()


async def _clean_up_async(session: Session[AsyncConnection[TupleRow]]) -> None:
    connection = session.connection
    if connection.closed or not (session.in_transaction or session.lost):
        return
    if connection.pgconn.transaction_status in _OPEN and not session.lost:
        try:
            await _send_async(session, (ROLLBACK,))
        except psycopg.Error:
            await connection.close()
    else:
        await connection.close()
