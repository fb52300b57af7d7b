"""
Claiming: what a claim transaction finds, what is decided about it, and the verbs.

Only `decide` knows what a claim is; the adapter locks, offers, and writes what it says.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from attrs import frozen

from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import AttemptRow, Head
from squidmesh_storage.api.appending import Batch, Outcome
from squidmesh_storage.api.keeping import Record

#: Candidates of one queue with settings that are offered at once, at most.
LANE_WINDOW: Final = 256


@quick
@frozen(kw_only=True)
class Candidate:
    """An attempt that may be claimed, its row locked, with its run's head."""

    row: AttemptRow
    head: Head
    #: The run's whole journal if that is one append, as `load` has it: whoever claims a
    #: fresh run need not ask for it.  Null: it is longer or does not fit the chain, or
    #: the queue has settings (of those more is offered than claimed).
    begun: AppendRecord | None = None


@frozen(kw_only=True)
class Lane:
    """A queue that somebody has set up, as a claim transaction finds it."""

    queue: str
    #: The record of kind `queue` under its name, locked until the transaction ends.
    settings: Record
    #: That of kind `lane`: what earlier claims left for later ones.  Null: nothing yet.
    state: Record | None
    #: How many attempts of the queue are held, by partition key (null: those without
    #: one); leases that are past do not count.
    held: Mapping[str | None, int]


@frozen(kw_only=True)
class Offered:
    """What a claim transaction has locked, for `decide` to choose from."""

    #: In claim order.
    candidates: tuple[Candidate, ...]
    #: Those of the asked queues that have settings.
    lanes: tuple[Lane, ...]
    #: The clock's reading.
    now: datetime


@frozen(kw_only=True)
class Choice:
    """What `decide` made of it; all is written in the same transaction."""

    batches: Sequence[Batch] = ()
    #: Kind `lane` only; whatever version is there, it is replaced.
    records: Sequence[Record] = ()
    #: When a limit lets go of what was left, as far as that can be told.
    next_due: datetime | None = None


@frozen(kw_only=True)
class Claimed:
    """What a claim transaction did."""

    #: One outcome for each batch that `decide` returned, in its order.
    outcomes: tuple[Outcome, ...]
    #: The storage clock's reading that the candidates came with.
    now: datetime
    #: The first instant after `now` at which a delayed or held attempt of these
    #: queues becomes due, whatever its action, or at which a limit lets go.  Null: none,
    #: or `decide` returned batches: whoever claims something looks again anyway.
    next_due: datetime | None


#: Chooses what to claim and makes the batches.  It may call `load` and `load_many` of
#: the same journal; calling anything that writes is a RuntimeError.
DecideClaims = Callable[[Offered], Choice]


class Claiming(Protocol):
    """The verbs of workers that look for something to do."""

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """
        Hand the locked candidates to `decide` and append what it returns.

        Candidates: visible and unclaimed, or held with the lease past; their
        action is null or in `actions`; their run is not quarantined, and no newer
        codec than this process's (`CODEC_VERSION`) wrote its last append; in claim
        order (priority, visible_at, run id, attempt key).  All in one transaction:
        a conflict leaves its candidate as it was.  Without a candidate `decide` is
        not called.

        Of queues without settings there are at most `limit` candidates together.
        A queue with settings (a record of kind `queue` under its name) is a lane:
        its limits may refuse the first, so of each of its partition keys up to
        `limit` are offered, and `LANE_WINDOW` of the lane in all, every key's
        first before any key's second.  Claims of one lane wait for each other.

        Args:
            queues: Where to look.
            actions: What the worker can perform.
            limit: Free slots.
            decide: Makes the batches.
            at: Judge at this instant, and hand it to `decide`; null: the clock's reading.

        Raises:
            StorageError: Nothing was written.
            ValueError: Two batches name one run.
        """
        ...

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """
        Of each of some queues the most urgent priority that waits there; smaller is sooner.

        What counts is what `claimable` would offer, but for attempts whose lease is
        past.  Of delayed attempts that have become visible since the last claim, the
        first few are enough: a claim lets all of them into the order.  A queue where
        nothing counts is left out.  Settings are not looked at, and nothing is locked.

        Args:
            queues: Where to look.
            actions: What the worker can perform.
            at: Judge at this instant; null: the clock's reading.
        """
        ...
