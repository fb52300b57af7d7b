"""
Taking claims: free attempts for free slots, in one transaction with their facts.

A fresh attempt is claimed from its exact index row.  Anything else (a lost
lease, a wait that is over, a log line) is decided on the run's state, like
every other command (specs/protocol.md §8.10).  Which of the free attempts may
start, where limits are set, is decided by `squidmesh_core.plan.admission`.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from squidmesh.door.door import Door
from squidmesh.door.handle import batch_of
from squidmesh.door.known import Known
from squidmesh.door.reindex import reindex_run
from squidmesh.workers.claim import Claim, claim_in
from squidmesh.workers.interrupted import give_back
from squidmesh.workers.lanes import Lanes, lane_of
from squidmesh_core.decide import Decision, claim_row, decide
from squidmesh_core.errors import SquidmeshError, StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.plan.admission import admit, state_to_text, states_after
from squidmesh_core.protocol import commands
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import AttemptClaimed, Entry
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import AttemptRow, RowChanges
from squidmesh_core.state.fold import fold
from squidmesh_core.views.index import changes
from squidmesh_core.views.notices import notices
from squidmesh_storage.api import Batch, Candidate, Choice, Committed, Offered, Record
from squidmesh_storage.lanes import STATE

#: Claim transactions in a row that meet only what has to be read or mended first.
MOST_ROUNDS: Final = 25
#: Limits that let go when an attempt settles, wherever that is.
_SLOTS: Final = frozenset({"concurrency", "per_key"})

#: Makes a fresh offer and its token for each slot.
MakeOffer = Callable[[], tuple[Offer, str]]


@quick
@frozen(kw_only=True)
class Taken:
    """What one claim transaction brought."""

    claims: tuple[Claim, ...] = ()
    #: Appends that were made, claims or not (a wait that was over moved its run).
    appends: int = 0
    #: How long until something else is due, in seconds; null: nothing is known of.
    due_in: float | None = None
    #: Whether something waits for a slot that is taken, here or elsewhere, by another attempt.
    held_back: bool = False


def take(
    door: Door,
    queues: Sequence[str],
    actions: frozenset[str],
    limit: int,
    make_offer: MakeOffer,
    *,
    lanes: Lanes | None = None,
    now: datetime | None = None,
) -> Taken:
    """
    Claim up to `limit` attempts, in claim order as far as limits allow.

    Args:
        door: Whose journal.
        queues: Where to look.
        actions: What can be performed.
        limit: Free slots.
        make_offer: Makes the claims.
        lanes: Told what the queues' settings are now.
        now: The instant to decide at; null: the storage's clock.

    Raises:
        StorageError: The storage failed.
    """
    for _ in range(MOST_ROUNDS):
        round_ = _Round(door, queues, make_offer, limit, lanes or Lanes())
        taken = _transact(round_, queues, actions, limit + len(door.memory.left_alone), now)
        if taken.appends or not round_.prepared():
            break
    return taken


def _transact(
    round_: "_Round",
    queues: Sequence[str],
    actions: frozenset[str],
    limit: int,
    now: datetime | None,
) -> Taken:
    door = round_.door
    door.ports.site("claim.before")
    try:
        claimed = door.journal.claimable(queues, actions, limit, round_.decide, at=now)
        door.ports.site("claim.after")
    except KeyboardInterrupt:  # the host ends, and may have claimed something
        round_.give_back(now)
        raise
    made = [
        plan
        for plan, outcome in zip(round_.plans, claimed.outcomes, strict=True)
        if isinstance(outcome, Committed)
    ]
    due_in = None
    if claimed.next_due is not None:
        due_in = max(0.0, (claimed.next_due - claimed.now).total_seconds())
    claims = tuple(round_.claims_of(made))
    return Taken(claims=claims, appends=len(made), due_in=due_in, held_back=round_.held_back)


@frozen(kw_only=True)
class _Plan:
    """One batch of a claim transaction, and what it rests on."""

    #: The candidates that it claims.
    rows: tuple[AttemptRow, ...]
    batch: Batch
    entries: tuple[Entry, ...]
    #: The run after the batch; null where only the index row was looked at.
    after: Known | None
    #: The offers that went into it, each with its token.
    offers: tuple[tuple[Offer, str], ...]
    #: The whole journal before the batch, if it came with the candidate.
    begun: AppendRecord | None = None

    @property
    def run_id(self) -> RunId:
        """Whose batch it is."""
        return self.batch.record.run_id


class _Round:
    """Decides one claim transaction; a run is touched once in it."""

    def __init__(
        self,
        door: Door,
        queues: Sequence[str],
        make_offer: MakeOffer,
        limit: int,
        known: Lanes,
    ) -> None:
        self.door = door
        self._queues = queues
        self._make_offer = make_offer
        self._limit = limit
        self._known = known
        self.plans: list[_Plan] = []
        #: Whether a limit on what is held refused somebody.
        self.held_back = False
        #: Runs that must be read first: no journal is folded under a write lock.
        self._unread: list[RunId] = []
        #: Runs that trip over an assertion of the core: they stop, the worker does not.
        self._broken: dict[RunId, Exception] = {}
        #: Runs whose index row promises an attempt that their state does not have.
        self._misleading: list[RunId] = []

    def decide(self, offered: Offered) -> Choice:
        """What claims of these candidates; called inside the transaction, and again if that fails."""
        self.plans.clear()
        now, lanes = offered.now, [lane_of(lane) for lane in offered.lanes]
        self._known.saw(self._queues, lanes)
        left_alone = self.door.memory.left_alone
        wanted = [one for one in offered.candidates if one.row.run_id not in left_alone]
        admission = admit([one.row for one in wanted], lanes, self._limit, now)
        self.held_back = any(one.refusal.kind in _SLOTS for one in admission.refused)
        self._plan(admission.admitted, wanted, now)
        planned = {row for plan in self.plans for row in plan.rows}
        claimed = [row for row in admission.admitted if row in planned]
        states = states_after(admission, lanes, claimed, now)
        return Choice(
            batches=[plan.batch for plan in self.plans],
            records=[
                Record(kind=STATE, key=queue, body=state_to_text(state))
                for queue, state in states.items()
            ],
            next_due=admission.next_due,
        )

    def prepared(self) -> bool:
        """
        Read, mend or set aside what was in the way; whether another round may do better.

        Raises:
            StorageError: The storage failed.
        """
        for run_id, known in zip(self._unread, self.door.fresh_all(self._unread), strict=True):
            if isinstance(known, Exception):
                self._suffer(run_id, known)
        for run_id in self._misleading:
            try:
                reindex_run(self.door, run_id)
            except Exception as error:
                self._suffer(run_id, error)
        for run_id, bug in self._broken.items():
            self.door.stop(run_id, bug)
        return bool(self._unread or self._broken or self._misleading)

    def give_back(self, now: datetime | None) -> None:
        """Give back what was to be claimed, whether or not it was."""
        for plan in self.plans:
            for entry in plan.entries:
                if isinstance(entry, AttemptClaimed):
                    give_back(self.door, plan.run_id, entry, now)

    def claims_of(self, plans: Sequence[_Plan]) -> Iterator[Claim]:
        """The claims that committed batches made; their runs are known from here on."""
        states = {plan.run_id: self._remembered(plan) for plan in plans}
        unknown = [run_id for run_id, known in states.items() if known is None]
        found = zip(unknown, self.door.fresh_all(unknown), strict=True)
        states |= {run_id: one for run_id, one in found if isinstance(one, Known)}
        for plan in plans:
            known = states[plan.run_id]
            if known is None:
                # Nobody performs it, its lease runs out; the other claims are made by now.
                continue
            claims = (claim_in(known.state, plan.entries, *offer) for offer in plan.offers)
            yield from (claim for claim in claims if claim is not None)

    def _plan(
        self, admitted: Sequence[AttemptRow], candidates: Sequence[Candidate], now: datetime
    ) -> None:
        """Make a batch for each run that has something to start."""
        by_row = {candidate.row: candidate for candidate in candidates}
        by_run: dict[RunId, list[Candidate]] = {}
        for row in admitted:
            by_run.setdefault(row.run_id, []).append(by_row[row])
        for run_id, of_run in by_run.items():
            try:
                plan = self._fresh(of_run, now) or self._by_state(run_id, of_run[0], now)
            except Exception as bug:  # whatever it is, it must not stop the other runs
                self._broken[run_id] = bug
                continue
            if plan is not None:
                self.plans.append(plan)

    def _suffer(self, run_id: RunId, error: Exception) -> None:
        """Bear what reading or mending a run came to: it must not stop the other runs."""
        if isinstance(error, StorageUnavailable):
            raise error
        if not isinstance(error, SquidmeshError):
            self._broken[run_id] = error  # any other was set aside by now, or is gone

    def _fresh(self, candidates: Sequence[Candidate], now: datetime) -> _Plan | None:
        """The claim of unclaimed attempts, from their rows alone; null if any is not."""
        head = candidates[0].head
        entries: list[AttemptClaimed] = []
        offers: list[tuple[Offer, str]] = []
        for candidate in candidates:
            if entries:
                head = evolve(head, revision=entries[-1].revision)
            offer, token = self._make_offer()
            entry = claim_row(candidate.row, head, offer, now)
            if entry is None:
                return None
            entries.append(entry)
            offers.append((offer, token))
        rows = RowChanges(
            put=tuple(
                evolve(candidate.row, held_until=entry.lease_until)
                for candidate, entry in zip(candidates, entries, strict=True)
            )
        )
        run_id = candidates[0].row.run_id
        after = candidates[0].head
        batch = batch_of(run_id, after, entries, rows, self.door.mint.append_id())
        return _Plan(
            rows=tuple(candidate.row for candidate in candidates),
            batch=batch,
            entries=tuple(entries),
            after=None,
            offers=tuple(offers),
            begun=candidates[0].begun,
        )

    def _by_state(self, run_id: RunId, candidate: Candidate, now: datetime) -> _Plan | None:
        offer, token = self._make_offer()
        command = commands.Claim(attempt_key=candidate.row.attempt_key, offer=offer)
        known = self.door.at_head(run_id, candidate.head)
        if known is None:
            self._unread.append(run_id)
            return None
        answer = decide(known.state, known.spec, command, now)
        if not isinstance(answer, Decision):
            self._misleading.append(run_id)
            return None
        rows = changes(known.state, answer.state, known.spec)
        told = notices(answer.entries, answer.state)
        append_id = self.door.mint.append_id()
        batch = batch_of(run_id, known.head, answer.entries, rows, append_id, told=told)
        after = Known(state=answer.state, hash=batch.record.hash, spec=known.spec)
        return _Plan(
            rows=(candidate.row,),
            batch=batch,
            entries=answer.entries,
            after=after,
            offers=((offer, token),),
        )

    def _remembered(self, plan: _Plan) -> Known | None:
        """The run after a committed batch, from what is at hand; null: it has to be read."""
        door, record = self.door, plan.batch.record
        known = plan.after
        if known is None:
            before = door.memory.get(plan.run_id) or self._begun(plan)
            if before is None or before.state.revision != plan.batch.expected:
                return None
            state = fold(before.state, plan.entries)
            known = Known(state=state, hash=record.hash, spec=before.spec)
        door.remember(known, plan.entries, plan.batch.rows)
        return known

    def _begun(self, plan: _Plan) -> Known | None:
        if plan.begun is None:
            return None
        try:
            return self.door.begun(plan.begun)
        except Exception:  # whatever it is, reading the run comes upon it again
            return None
