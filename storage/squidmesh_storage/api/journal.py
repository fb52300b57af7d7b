"""
The journal as a whole: all verbs, the same in a shared transaction, and hints of work.

    Loading      load, load_many, stored, run_ids, listed_ids
    Appending    append, find
    Claiming     claimable, foremost
    Listing      runs, deadlines, finished, tally, rows_of, correlated
    Keeping      definition, define; checkpoint, put_checkpoint, delete_checkpoint;
                 records, put_record, drop_record
    Upkeep       index, quarantine, remove, survey
    Journal      all of these, and url, now, listen, transaction, lend, close
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from squidmesh_storage.api.appending import Appending
from squidmesh_storage.api.claiming import Claiming
from squidmesh_storage.api.keeping import Keeping
from squidmesh_storage.api.listing import Listing
from squidmesh_storage.api.loading import Loading
from squidmesh_storage.api.upkeep import Upkeep


class Journal(Loading, Appending, Claiming, Listing, Keeping, Upkeep, Protocol):
    """
    A place that keeps journals.  Every verb may be called from any thread.

    Any verb may raise `StorageUnavailable` when the place cannot be reached or
    stays busy, and `StorageError` when it says no; then nothing was written.
    """

    @property
    def url(self) -> str:
        """Where this is, with any password left out."""
        ...

    def now(self) -> datetime:
        """The one clock that judges leases and visibility; aware, UTC."""
        ...

    def listen(self, queues: Sequence[str]) -> AbstractContextManager["Wakeups"]:
        """Wakes when something may be claimable; may miss, may over-report."""
        ...

    def transaction(self, connection: object) -> "Joined":
        """
        This journal as the host's own open transaction sees and changes it.

        Args:
            connection: The host's: the driver's own connection, or one of a library
                that `squidmesh_storage.hosts` knows.

        Raises:
            StorageError: `unsupported_transaction_storage`: this journal cannot be
                joined, or not through this connection; nothing was written.
        """
        ...

    def lend(self) -> AbstractContextManager["Joined"]:
        """
        A transaction of this journal's database, for others to write in as well.

        It begins with the block, is committed at its end, and rolled back if the
        block raises.  What is given is joined to it, and its `connection` is whose.
        Hints of what was appended through it, or by a `transaction` of that connection,
        are given after the commit.
        The borrower may not end it: that fails, there and then.

        Raises:
            StorageUnavailable: It could not begin, or the connection was lost; all was
                rolled back.
            StorageError: `unsupported_transaction_storage`: nobody else can write here;
                any other: the database refused the commit, and all was rolled back.
            OutcomeUnknown: The connection broke around COMMIT.
        """
        ...

    def close(self) -> None:
        """
        Let go of connections and files; closing twice is fine.

        Any other verb afterwards raises `StorageError`.
        """
        ...


class Joined(Journal, Protocol):
    """
    A journal inside a transaction that somebody else ends.

    It reads what that transaction has written, and what it appends and defines becomes
    durable, or is undone, with it: `Committed` says here that nothing stands in the way.
    An append is whole even where the host rolls back to a savepoint.  Nothing is ever
    sent again: if the transaction is gone, so is all that was done in it.

    Hints of new work are withheld until the transaction has ended, if the host's library
    tells; else until `close`, which ends nothing else.  The verbs that make no sense
    here (claims, checkpoints, upkeep, records, another `transaction`) raise
    `StorageError` and touch nothing.
    """

    @property
    def connection(self) -> object:
        """The driver's own connection; an error where it is in no transaction."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether nobody else can write while this transaction has written."""
        ...

    @property
    def beside(self) -> bool:
        """Whether the connection is an event loop's, so that verbs are called beside that loop."""
        ...

    def interrupt(self) -> None:
        """
        Have the verb that is called beside the loop end soon, whatever it waits for.

        Called on the loop, because whoever asked was cancelled.  Once the verb has ended
        nothing uses the connection, and none of the verbs will any more.  Where verbs are
        not called beside a loop, there is none to end.
        """
        ...


class Wakeups(Protocol):
    """A subscription to hints of new work."""

    @property
    def longest(self) -> float:
        """Seconds after which to look all the same: longer where hints were seen to come."""
        ...

    def wait(self, seconds: float) -> bool:
        """
        Wait for a hint, at most so long; whether there was one.

        Of a short wait other processes need not be told, and then it has none of their hints.
        """
        ...

    def ring(self) -> None:
        """Give a hint oneself: wake whoever waits, or the next one who does."""
        ...
