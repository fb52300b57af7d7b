"""
The journal contract: what every adapter promises.

Each promise below is repeated as a test in `squidmesh_storage.conformance`,
which any adapter's author can run.  An adapter decides nothing about
workflows: entries and rows come ready-made from the core, and only the
revision, the `append_id` and the clock are its own business.

One file, so that whoever writes an adapter reads all that it owes in one place:
first the records that go in and out, then the verbs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Protocol

from attrs import Factory, frozen

from squidmesh_core.ids import BEGINNING, AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_core.protocol.rows import (
    AttemptRow,
    CorrelationRow,
    Head,
    IndexRows,
    RowChanges,
    RunRow,
    RunStatus,
)
from squidmesh_core.values.deadline import DeadlineStatus


@frozen(kw_only=True)
class Batch:
    """One append to one run, with the index rows that it implies."""

    record: AppendRecord
    #: The head this append must follow; 0 for a run's first append.
    expected: Revision
    rows: RowChanges
    #: Batches of one call that name the same group stand or fall together.
    group: str | None = None
    #: What a process has to know to read the run from here on.  Whoever appends has
    #: read all that came before, so that of the last append speaks for the whole run.
    codec: int = CODEC_VERSION
    #: What hooks are to be told of it.
    notices: tuple[NoticeRow, ...] = ()

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: The record does not begin right after `expected`.
        """
        if self.record.first != self.expected + 1 or self.record.last < self.record.first:
            raise ValueError(
                f"an append after revision {self.expected} begins at {self.expected + 1}, "
                f"not at {self.record.first} (to {self.record.last})"
            )


@frozen(kw_only=True)
class Committed:
    """The batch is durable."""

    run_id: RunId
    revision: Revision


@frozen(kw_only=True)
class Conflict:
    """
    Somebody appended first (or the head is elsewhere); nothing was written.

    A batch that fell only with its group, or whose run is quarantined, has
    `actual` equal to `expected`.
    """

    run_id: RunId
    expected: Revision
    actual: Revision


@frozen(kw_only=True)
class Unknown:
    """The connection broke around COMMIT; look for the `append_id`."""

    run_id: RunId
    append_id: AppendId


Outcome = Committed | Conflict | Unknown


@frozen(kw_only=True)
class Checkpoint:
    """A stored state; losing or garbling it changes nothing but time."""

    revision: Revision
    #: Chain hash at that revision: a checkpoint of another history is not used.
    hash: str
    codec_version: int
    body: str


@frozen(kw_only=True)
class Quarantine:
    """The mark of a run whose journal cannot be read."""

    #: The first revision that does not fit; null: no single one.
    revision: Revision | None
    reason: str


@frozen(kw_only=True)
class Loaded:
    """What `load` returns: appends in order, without gaps."""

    #: Those after the asked revision, or after the checkpoint if there is one.
    records: tuple[AppendRecord, ...]
    #: A checkpoint whose revision and hash are in this journal; only if `after` was 0
    #: and not the whole journal was asked for.
    checkpoint: Checkpoint | None = None
    #: Head at the moment of reading; behind `after` if the journal ends before it.
    head: Head
    #: Why the run is marked as unreadable, or null.  The mark hides nothing here.
    quarantined: Quarantine | None = None


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
class Record:
    """
    A small fact outside runs: how a queue is set up, which worker lives.

    The adapter looks at nothing in it.
    """

    kind: str
    key: str
    #: Canonical JSON text.
    body: str
    #: 1 when it is new, one more with each change: what a conditional write compares.
    version: int = 0


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

#: Candidates of one queue with settings that are offered at once, at most.
LANE_WINDOW: Final = 256


@frozen(kw_only=True)
class RunFilter:
    """Which runs to list; null members do not filter."""

    workflow: str | None = None
    version: str | None = None
    status: RunStatus | None = None
    queue: str | None = None
    tag: str | None = None
    parent: RunId | None = None
    #: Created at this instant or later.
    since: datetime | None = None
    #: Created before this instant.
    until: datetime | None = None
    #: Part of the run id, key, workflow or error text, upper and lower case distinct.
    text: str | None = None
    #: How the most urgent deadline stands that runs, at `deadline_at`.  Of a run that
    #: is over none does, whatever its row says.
    deadline: DeadlineStatus | None = None
    deadline_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: A deadline is asked for, and not when.
        """
        if self.deadline is not None and self.deadline_at is None:
            raise ValueError("a deadline stands somehow at an instant: `deadline_at` is missing")


@frozen(kw_only=True)
class Listed:
    """A listed run: its row, and where its journal stands now."""

    row: RunRow
    head: Head
    #: Why the run is marked as unreadable, or null.
    quarantined: Quarantine | None = None
    #: The codec of its last append.
    codec: int = CODEC_VERSION


@frozen(kw_only=True)
class ListPage:
    """One page of runs, and where the next one begins."""

    items: tuple[Listed, ...]
    #: What the last item was listed by, (instant, run_id); null: this was the last page.
    next: tuple[datetime, RunId] | None


@frozen(kw_only=True)
class Tally:
    """How many listed runs there are, and of which kind; nothing is zero."""

    #: By workflow and status.
    runs: Mapping[tuple[str, RunStatus], int] = Factory(dict)
    #: Those with a deadline that runs, by workflow and how the most urgent one stands.
    deadlines: Mapping[tuple[str, DeadlineStatus], int] = Factory(dict)


@frozen(kw_only=True)
class Depth:
    """How much lies in one queue; nothing of quarantined or newer runs."""

    #: Attempts that can be claimed now: unclaimed and visible, or held with the lease past.
    waiting: int = 0
    #: Unclaimed ones that are visible later.
    delayed: int = 0
    #: Those whose lease is not past.
    held: int = 0
    #: Since when the unclaimed one has been visible that has waited longest; null: none waits.
    since: datetime | None = None


@frozen(kw_only=True)
class Survey:
    """What the index says as a whole: for people who ask how things stand."""

    #: Number of the tables' version; null: this place has none.
    schema: int | None = None
    #: How many runs have each status; none is left out.
    runs: Mapping[RunStatus, int] = Factory(dict)
    quarantined: Mapping[RunId, Quarantine] = Factory(dict)
    #: Runs with attempts that only a process with a newer codec may claim.
    newer: tuple[RunId, ...] = ()
    #: Action → attempts, unclaimed or held, that need it.
    actions: Mapping[str, int] = Factory(dict)
    #: Queue → what lies in it, of queues that hold anything.
    queues: Mapping[str, Depth] = Factory(dict)
    #: Since when the attempt has been claimable that has waited longest; null: none is.
    waiting_since: datetime | None = None
    #: What only this kind of place has: versions, settings, sizes in bytes.
    facts: Mapping[str, str | int] = Factory(dict)


class Journal(Protocol):
    """
    A place that keeps journals.  Every verb may be called from any thread.

    Any verb may raise `StorageUnavailable` when the place cannot be reached or
    stays busy, and `StorageError` when it says no; then nothing was written.
    """

    @property
    def url(self) -> str:
        """Where this is, with any password left out."""
        ...

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """
        The appends after a revision, in order and without gaps, from one snapshot.

        The hash chain of what is returned is checked: row on row, and the first
        row against its predecessor (or the run id).

        Args:
            run_id: Whose journal.
            after: 0, or the last revision of an append already known.
            whole: Leave a checkpoint aside: all appends are wanted.

        Raises:
            RunNotFound: No append of this run exists.
            StorageError: `run_quarantined`: a row does not fit the chain; the
                revision is in the details.
        """
        ...

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """
        What `load` says of each of several runs, from one snapshot.

        Runs of which it would raise are left out, and touch the others in nothing:
        `load` says what is wrong with them.

        Args:
            wanted: Each run with the revision after which its appends are wanted.
        """
        ...

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """
        Up to `limit` appends that begin after a revision, in order, and nothing checked.

        What `verify` walks: a journal of any length, a page at a time, damaged or not.
        """
        ...

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """
        Write each batch whose expected revision is the head; answer each on its own.

        Nothing is appended to a quarantined run: that is a conflict.  At most one batch per run in a call.  A conflict in one batch does not
        touch the others, but for batches of its group.  Entries and rows of a
        batch become visible together or not at all.  When this returns
        `Committed`, the batch survives a crash of the process and of the machine.

        Of a batch's rows, drops come before puts.  A row is due at once if it is
        visible at the record's `at`, whatever the clock says.

        Of a batch's notices one record of kind `notice` is kept, together with the
        entries, for each record of kind `hook` whose key begins with the event and a
        space: its key is the hook's, a space and the notice's id.  A hook that nobody
        stored before is told nothing, and one that is there already stays as it is.

        Raises:
            StorageError: Nothing of these batches was written.
            ValueError: Two batches name one run.
        """
        ...

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

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """Index rows by (created_at, run id), newest first; the cursor is exclusive."""
        ...

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """
        Index rows of runs with a deadline that runs, by (due_at, run id), the first due first.

        Runs that are over have none; other runs are not looked at.  The cursor is
        exclusive.
        """
        ...

    def tally(self, at: datetime) -> Tally:
        """How many runs are listed, and how their deadlines stand at an instant."""
        ...

    def rows_of(self, run_id: RunId) -> IndexRows:
        """The stored index rows of a run; none if nothing is known of it."""
        ...

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """What an outside message finds: open rows first, then by run id."""
        ...

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """Ids of all runs that have a journal, in order: what `reindex` walks."""
        ...

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """The canonical text stored under a fingerprint, or null."""
        ...

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """Store a definition in a transaction of its own; the first one stays."""
        ...

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """The stored checkpoint of a run, if it has one."""
        ...

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """Store a checkpoint in the place of the last one."""
        ...

    def delete_checkpoint(self, run_id: RunId) -> None:
        """Forget a run's checkpoint; forgetting none is fine."""
        ...

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """The last revision of the append of this id, or null."""
        ...

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """
        Put these rows in the place of all rows of a run, if `revision` is its head.

        Returns false, and changes nothing, when the head is elsewhere.
        """
        ...

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """
        Mark a run as unreadable (no candidates, no appends), or lift the mark with null.

        The mark is no fact of the run: `load` answers as before and shows it.
        """
        ...

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """
        Listed runs that ended before an instant, the oldest end first, then by run id.

        Args:
            before: Exclusive.
            limit: At most so many.
            after: Only those beyond this end and run id, exclusive; null: from the oldest on.
        """
        ...

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """
        Forget a run whose head is `revision`: its journal, rows, checkpoint and mark.

        A tombstone, an append that begins at revision 1, takes the journal's place,
        so that nothing else ever begins under the id.  Returns false, and changes
        nothing, when the head is elsewhere.
        """
        ...

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """
        The records of a kind, by key.

        Args:
            kind: What sort of facts; no key is empty.
            prefix: Only those whose key begins so.
            after: Only those behind this key.
            limit: At most so many; null: all.
        """
        ...

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """
        Store a record; whether it was.

        Args:
            kind: What sort of fact.
            key: Which one.
            body: Canonical JSON text.
            expected: Only if this version is stored, 0 meaning none; null: whatever is.
        """
        ...

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """
        Forget a record; whether none is left.

        Args:
            kind: What sort of fact.
            key: Which one.
            expected: Only if this version is stored; null: whatever is.
        """
        ...

    def survey(self) -> Survey:
        """How things stand; walks the index, so ask now and then only."""
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


__all__ = [
    "AppendRecord",
    "Batch",
    "Candidate",
    "Checkpoint",
    "Choice",
    "Claimed",
    "Committed",
    "Conflict",
    "DecideClaims",
    "Depth",
    "Head",
    "Joined",
    "Journal",
    "Lane",
    "ListPage",
    "Listed",
    "Loaded",
    "Offered",
    "Outcome",
    "Quarantine",
    "Record",
    "RunFilter",
    "Survey",
    "Tally",
    "Unknown",
    "Wakeups",
]
