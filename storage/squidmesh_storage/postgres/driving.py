"""Carrying scripts out: on a thread, or on an event loop."""

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import psycopg
from psycopg import (
    AsyncConnection,
    AsyncCursor,
    AsyncRawCursor,
    Connection,
    Cursor,
    RawCursor,
)
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from squidmesh_core.errors import OutcomeUnknown, StorageError
from squidmesh_storage.postgres.connecting import OPENED, AnyConnection, Session
from squidmesh_storage.postgres.errors import CONTENDED, LOST, translated
from squidmesh_storage.postgres.scripts import (
    BEGIN,
    COMMIT,
    ROLLBACK,
    Call,
    Round,
    Rows,
    Script,
    T,
)

#: Seconds before another try; each is drawn between nothing and this.
PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6)

#: Where a value stands, or a per cent sign.
_NAME: Final = re.compile(r"%(?:%|\((\w+)\)s)")
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
    connection = session.connection
    if session.pooled:
        cursors = [_execute(connection, call) for call in _one_by_one(session, calls)]
        return [_rows_of(cursor) for cursor in _answers(cursors, calls)]
    if len(calls) == 1:
        return [_rows_of(_execute(connection, calls[0]))]
    with connection.pipeline():
        cursors = [_execute(connection, call) for call in calls]
    return [_rows_of(cursor) for cursor in cursors]


async def _send_async(session: Session[AsyncConnection[TupleRow]], calls: Round) -> Sequence[Rows]:
    connection = session.connection
    if session.pooled:
        cursors = [await _execute_async(connection, call) for call in _one_by_one(session, calls)]
        return [await _rows_of_async(cursor) for cursor in _answers(cursors, calls)]
    if len(calls) == 1:
        return [await _rows_of_async(await _execute_async(connection, calls[0]))]
    async with connection.pipeline():
        cursors = [await _execute_async(connection, call) for call in calls]
    return [await _rows_of_async(cursor) for cursor in cursors]


def _one_by_one(session: Session[AnyConnection], calls: Round) -> Sequence[Call]:
    """
    What goes to the server through a pooler: no pipeline, and settings in each transaction.

    Poolers hand answers on in pieces; the driver then takes a pause between two of
    them for the end, and leaves the connection in the middle of a pipeline.
    """
    if session.in_transaction or (len(calls) == 1 and calls[0].bare):
        return calls
    return (OPENED, *calls[1:]) if calls[0] is BEGIN else (OPENED, *calls, COMMIT)


def _answers(cursors: Sequence[T], calls: Round) -> Sequence[T]:
    """Those of the calls alone, of what was sent for them."""
    return cursors if len(cursors) == len(calls) else cursors[1:-1]


def _execute(connection: Connection[TupleRow], call: Call) -> Cursor[TupleRow]:
    text, values = _sent(call)
    return RawCursor(connection).execute(
        text, values, prepare=None if call.keeps else False, binary=values is not None
    )


async def _execute_async(
    connection: AsyncConnection[TupleRow], call: Call
) -> AsyncCursor[TupleRow]:
    text, values = _sent(call)
    return await AsyncRawCursor(connection).execute(
        text, values, prepare=None if call.keeps else False, binary=values is not None
    )


def _sent(call: Call) -> tuple[bytes, list[object] | None]:
    """What a raw cursor takes: the statement with numbers for names, and values by number."""
    if call.values is None:
        return call.text.encode(), None
    text, names = _numbered(call.text)
    return text, [call.values[name] for name in names]


@lru_cache(maxsize=1024)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    # The driver does this as well, anew each time for a text as long as some of ours.
    names = tuple(dict.fromkeys(name for name in _NAME.findall(text) if name))
    numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
    return _NAME.sub(lambda match: numbers.get(match[1], "%"), text).encode(), names


# Asked for a description of its rows, the driver puts one together, column by column.


def _rows_of(cursor: Cursor[TupleRow]) -> Rows:
    return cursor.fetchall() if cursor.rownumber is not None else ()


async def _rows_of_async(cursor: AsyncCursor[TupleRow]) -> Rows:
    return await cursor.fetchall() if cursor.rownumber is not None else ()


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
    if connection.info.transaction_status in _OPEN and not session.lost:
        try:
            connection.execute(ROLLBACK.text.encode())
        except psycopg.Error:
            connection.close()
    else:
        connection.close()


async def _clean_up_async(session: Session[AsyncConnection[TupleRow]]) -> None:
    connection = session.connection
    if connection.closed or not (session.in_transaction or session.lost):
        return
    if connection.info.transaction_status in _OPEN and not session.lost:
        try:
            await connection.execute(ROLLBACK.text.encode())
        except psycopg.Error:
            await connection.close()
    else:
        await connection.close()
