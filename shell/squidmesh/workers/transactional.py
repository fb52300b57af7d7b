"""
Transactional steps: what the step writes, that it completed, and what follows, in one commit.

    borrow    a transaction of the journal's database
    perform   the step writes through its connection; no row of ours is touched yet
    settle    the completion is decided, with the claim of what follows, and appended
              inside that transaction
    commit    all of it, or nothing

Anything but a completion is settled the ordinary way, once all was rolled back.  A
completion that is refused, because the lease was lost or the run has ended, takes the
step's writes with it (specs/protocol.md §8.6).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from squidmesh.door.handle import Handled, handle
from squidmesh.door.known import Memory
from squidmesh.door.requests import drive
from squidmesh.workers.claim import Claim, claim_in
from squidmesh.workers.perform import Failed, Performed, Settled, Succeeded, perform
from squidmesh_core.decide import Refusal
from squidmesh_core.errors import OutcomeUnknown, StorageError, StorageUnavailable
from squidmesh_core.ids import AppendId
from squidmesh_core.protocol.commands import Complete, Offer
from squidmesh_core.protocol.entries import Failure

if TYPE_CHECKING:  # where a call is for a transactional step, it comes here
    from squidmesh.workers.calling import Call
    from squidmesh.workers.crew import Crew
    from squidmesh_storage.api import Joined

T = TypeVar("T")

LOG: Final = logging.getLogger("squidmesh.worker")
#: Seconds between tries while the storage is away, or somebody else writes.
BETWEEN_TRIES: Final = 0.25
#: The code, and the kind of failure, where the host's rows cannot lie beside ours.
_UNSUPPORTED: Final = "unsupported_transaction_storage"


def perform_in_transaction(call: "Call") -> Performed:
    """
    Perform a step in a transaction of the journal's database, and settle it there.

    Raises:
        StorageUnavailable: The database went away; nothing was written.
        OutcomeUnknown: It went away around COMMIT.  Either all is durable or nothing;
            in that case the lease runs out, and the step is performed again.
    """
    settlement = _Settlement(call)
    call.crew.lanes.look()  # not while the transaction is open, which may lock all others out
    try:
        with _borrowed(call) as joined:
            with call.attended(alone=joined.exclusive):
                outcome = perform(
                    call.action,
                    call.claim,
                    lambda: call.context(joined.connection),
                    lambda coroutine: call.crew.run_async(coroutine, call.signals),
                )
            settlement.make(joined, call.judged(outcome))
    except _RolledBackError as back:
        return back.instead
    except OutcomeUnknown:
        if not settlement.is_durable():
            raise
    except StorageUnavailable:
        raise
    except StorageError as refused:
        return _failed(refused)
    return Settled(following=settlement.tell())


class _RolledBackError(Exception):
    """Takes a transaction back, and says what is left to be settled."""

    def __init__(self, instead: Performed) -> None:
        super().__init__()
        self.instead = instead


class _Settlement:
    """The completion of one transactional step."""

    def __init__(self, call: "Call") -> None:
        self._crew, self._claim, self._go_on = call.crew, call.claim, call.go_on
        # Of its own: what is decided here is not true before the commit.
        self._memory = Memory(call.crew.door.memory)
        self._memory.put(call.known)
        self._append_id: AppendId | None = None
        self._handled: Handled | None = None
        self._offer: tuple[Offer, str] | None = None

    def make(self, joined: "Joined", outcome: Performed) -> None:
        """
        Append the completion to the step's transaction.

        Raises:
            _RolledBackError: There is none, or it is refused.
            StorageError: The database said no.
        """
        if not isinstance(outcome, Succeeded):
            raise _RolledBackError(outcome)
        ports = self._crew.door.ports
        ports.site("settle.before")
        self._offer = self._crew.offer(settled=self._claim.queue) if self._go_on() else None
        handled = drive(
            handle(
                self._memory,
                self._claim.run_id,
                Complete(
                    held=self._claim.held,
                    output=outcome.output,
                    offer=self._offer and self._offer[0],
                ),
                append_ids=self._draw,
                now=self._crew.now,
            ),
            joined,
            ports,
        )
        if not handled.entries:
            if isinstance(handled.answer, Refusal):
                LOG.warning("%s; the step's transaction was rolled back", handled.answer.message)
                raise _RolledBackError(_refused(handled.answer))
            raise _RolledBackError(Settled())
        self._handled = handled

    def is_durable(self) -> bool:
        """Whether a commit that was not heard of stands in the journal."""
        door, run_id, append_id = self._crew.door, self._claim.run_id, self._append_id
        if append_id is None:
            return False
        try:
            found = _insist(self._crew, lambda: door.journal.find(run_id, append_id))
        except StorageUnavailable:
            return False
        return found is not None

    def tell(self) -> Claim | None:
        """
        Remember what is durable now, and tell what became visible.

        Returns the claim of the run's next attempt, if one was made.
        """
        door, handled = self._crew.door, self._handled
        door.ports.site("settle.after")
        known = self._memory.get(self._claim.run_id)
        if known is None or handled is None:
            return None
        door.remember(known, handled.entries, handled.rows)
        return claim_in(known.state, handled.entries, *self._offer) if self._offer else None

    def _draw(self) -> AppendId:
        self._append_id = self._crew.door.mint.append_id()
        return self._append_id


@contextmanager
def _borrowed(call: "Call") -> Iterator["Joined"]:
    journal = call.crew.door.journal
    with ExitStack() as stack:
        yield _insist(call.crew, lambda: stack.enter_context(journal.lend()))


def _insist(crew: "Crew", ask: Callable[[], T]) -> T:
    """Ask again while the storage is away, for as long as the lease could live."""
    ports = crew.door.ports
    until = ports.monotonic() + crew.lease_ms / 1000
    while True:
        try:
            return ask()
        except StorageUnavailable:
            if ports.monotonic() >= until:
                raise
        ports.pause(BETWEEN_TRIES)


def _refused(refusal: Refusal) -> Failed:
    """
    What is left of a completion that was refused.

    If the lease is lost or the run has ended, this is refused as well.  But a step may have
    ended its run in its own transaction: with that rolled back, its attempt is still held.
    """
    message = f"the step's transaction was rolled back: {refusal.message}"
    return Failed(error=Failure(kind="Refused", message=message, code=refusal.code))


def _failed(refused: StorageError) -> Failed:
    """What the database would not commit failed the step, which may try again."""
    if refused.code == _UNSUPPORTED:
        return Failed(error=Failure(kind=_UNSUPPORTED, message=refused.message), retryable=False)
    return Failed(
        error=Failure(kind=type(refused).__name__, message=refused.message, code=refused.code)
    )
