"""
Whoever borrows a connection of ours for one transaction: what they may leave it in.

They get the driver's own connection, and so may do anything to it.  What makes the
transaction unfit fails whoever borrowed it; what would stay behind is taken back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from attrs import frozen
from psycopg import Connection, IsolationLevel
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from squidmesh_core.errors import StorageError
from squidmesh_storage import lending
from squidmesh_storage.postgres.connecting import FOR_NEXT, FOR_TRANSACTION
from squidmesh_storage.postgres.errors import translated
from squidmesh_storage.postgres.pool import SyncSession

#: A transaction in which nothing happened for too long.
_STOOD_STILL: Final = "25P03"


@frozen(kw_only=True)
class Borrower(lending.Borrower):
    """The host inside one of our transactions."""

    held: Connection[TupleRow]
    declared: bool = True

    def connection(self) -> Connection[TupleRow]:
        """
        The connection, if its transaction can still be committed.

        Raises:
            StorageError: It cannot.
        """
        if self.held.lock.locked():
            raise _spoilt(
                "the connection is still in use: a stream() or copy() was not read to its end, "
                "or a thread goes on with it"
            )
        status = self.held.info.transaction_status
        if self.held.info.pipeline_status != PipelineStatus.OFF:
            raise _spoilt("the transaction was left in a pipeline by whoever borrowed it")
        if status == TransactionStatus.IDLE or (self.held.closed and not self.held.broken):
            raise _spoilt("the transaction was ended by whoever borrowed it")
        if status == TransactionStatus.INERROR:
            raise _spoilt(
                "a statement has failed, and the transaction with it: what may fail "
                "needs a `with connection.transaction()` of its own"
            )
        return self.held

    def blamed(self, error: psycopg.Error) -> StorageError | None:
        """What an error says of whoever borrowed it; null: nothing."""
        if error.sqlstate == _STOOD_STILL:
            # Not a connection that was lost: it would be so the next time as well.
            return _spoilt("the transaction stood still for too long, and the server ended it")
        return None


@contextmanager
def transaction(session: SyncSession) -> Iterator[None]:
    """
    Commit at the end; whatever the block raises comes out as it is.

    Raises:
        StorageError: It could not be begun or committed.
    """
    connection = session.connection
    raised: BaseException | None = None
    ending = False
    try:
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        with connection.transaction():
            if session.pooled:
                connection.execute(FOR_TRANSACTION.text.encode())
            try:
                yield
            except BaseException as error:
                raised = error
                if connection.lock.locked():
                    # By a stream() that a traceback keeps, say: a rollback would wait for it.
                    connection.close()
                raise
            ending = True
    except psycopg.Error as error:
        if error is raised:
            raise
        told = translated(error, session.target.url, lost=session.lost, in_doubt=ending)
        raise told from error
    finally:
        _take_back(session)


def _take_back(session: SyncSession) -> None:
    """Leave nothing of whoever borrowed it to the next one; close what cannot be used again."""
    connection = session.connection
    connection.row_factory = tuple_row
    if session.lost or session.in_transaction:
        connection.close()
    elif not session.pooled:
        try:
            connection.execute(FOR_NEXT.text.encode())
        except psycopg.Error:
            connection.close()


def _spoilt(why: str) -> StorageError:
    """What a borrowed transaction was made unfit by; the attempt of the step fails with it."""
    return StorageError(f"{why}; nothing of it is recorded", "storage_error", {})
