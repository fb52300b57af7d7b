"""
The reference model: what the other adapters are compared with.

Everything is a dict under one lock, and each verb is written the plainest way
there is.  Nothing survives the process.  It is long because the contract is, and
one class because nearly every verb reads the same few dicts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from threading import RLock
from typing import Final

from attrs import frozen

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, AppendId, AttemptKey, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, Head, IndexRows, RunRow
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import (
    Batch,
    Candidate,
    Checkpoint,
    Choice,
    Claimed,
    Committed,
    Conflict,
    DecideClaims,
    Depth,
    Joined,
    Lane,
    Listed,
    ListPage,
    Loaded,
    Offered,
    Outcome,
    Quarantine,
    Record,
    RunFilter,
    Survey,
    Tally,
    Wakeups,
)
from squidmesh_storage.lanes import SETTINGS, STATE, claim_order, earliest, window
from squidmesh_storage.problems import (
    check_chain,
    check_runs_differ,
    closed,
    not_joined,
    sound_beginning,
    writing_inside_decide,
)
from squidmesh_storage.records import HOOK, NOTICE, hooks_of, notice_key
from squidmesh_storage.wakeups import Bell

_NO_DATABASE: Final = "memory:// is no database that a host could write to"


@frozen(kw_only=True)
class _Attempt:
    row: AttemptRow
    #: Visible when it was appended, and so for good, even if the clock steps back.
    due: bool

    def claimable(self, now: datetime) -> bool:
        if self.row.held_until is not None:
            return self.row.held_until <= now
        return self.due or self.row.visible_at <= now

    @property
    def changes_at(self) -> datetime:
        return self.row.held_until or self.row.visible_at


class MemoryJournal:
    """Keeps journals in this process's memory."""

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = RLock()
        self._bell = Bell()
        self._closed = False
        self._deciding = False
        self._records: dict[RunId, list[AppendRecord]] = {}
        self._runs: dict[RunId, RunRow] = {}
        self._attempts: dict[RunId, dict[AttemptKey, _Attempt]] = {}
        self._correlations: dict[RunId, tuple[CorrelationRow, ...]] = {}
        #: The codec of each run's last append.
        self._codecs: dict[RunId, int] = {}
        self._definitions: dict[Fingerprint, str] = {}
        self._checkpoints: dict[RunId, Checkpoint] = {}
        self._quarantined: dict[RunId, Quarantine] = {}
        #: What lies outside of runs, by kind and key.
        self._facts: dict[tuple[str, str], Record] = {}

    @property
    def url(self) -> str:
        """Where this is: always `memory://`."""
        return "memory://"

    # -- journals

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """See `Journal.load`."""
        with self._reading():
            stored = self._records.get(run_id, [])
            checkpoint = None if after or whole else self._usable_checkpoint(run_id)
            start = checkpoint.revision if checkpoint else after
            records = tuple(record for record in stored if record.first > start)
            before = next((record for record in reversed(stored) if record.first <= start), None)
            check_chain(run_id, records, before=before, after=start)
            return Loaded(
                records=records,
                checkpoint=checkpoint,
                head=_head_of(stored[-1]),
                quarantined=self._quarantined.get(run_id),
            )

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """See `Journal.load_many`."""
        loaded: dict[RunId, Loaded] = {}
        with self._reading():
            for run_id, after in wanted.items():
                with suppress(RunNotFound, StorageError):
                    loaded[run_id] = self.load(run_id, after)
        return loaded

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """See `Journal.stored`."""
        with self._reading():
            stored = self._records.get(run_id, [])
            return tuple(record for record in stored if record.first > after)[:limit]

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        check_runs_differ(batches)
        with self._writing():
            return self._append(batches)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """See `Journal.claimable`."""
        with self._writing():
            now = at or self._clock()
            lanes = self._lanes(queues, now)
            candidates = self._candidates(queues, actions, limit, now)
            offered = Offered(candidates=candidates, lanes=lanes, now=now)
            choice = self._decided(decide, offered) if candidates else Choice()
            check_runs_differ(choice.batches)
            outcomes = self._append(choice.batches)
            for record in choice.records:
                self._put_fact(record.kind, record.key, record.body)
            next_due = None
            if not choice.batches:
                next_due = earliest(self._next_due(queues, now), choice.next_due)
            return Claimed(outcomes=outcomes, now=now, next_due=next_due)

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """See `Journal.foremost`."""
        with self._reading():
            now = at or self._clock()
            waiting = [
                one.row
                for one in self._open_attempts(queues)
                if one.row.held_until is None
                and one.claimable(now)
                and (one.row.action is None or one.row.action in actions)
            ]
            return {
                queue: min(row.priority for row in waiting if row.queue == queue)
                for queue in {row.queue for row in waiting}
            }

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """See `Journal.find`."""
        with self._reading():
            stored = self._records.get(run_id, [])
            return next((one.last for one in stored if one.append_id == append_id), None)

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.run_ids`."""
        with self._reading():
            return tuple(sorted(one for one in self._records if after is None or one > after))[
                :limit
            ]

    # -- the index

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """See `Journal.runs`."""
        with self._reading():
            found = sorted(
                ((row.created_at, row.run_id) for row in self._listed() if _fits(row, where)),
                reverse=True,
            )
            return self._page([one for one in found if cursor is None or one < cursor], limit)

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """See `Journal.deadlines`."""
        with self._reading():
            found = sorted(
                (row.deadline.due_at, row.run_id)
                for row in self._listed()
                if row.deadline is not None and row.ended_at is None and _fits(row, where)
            )
            return self._page([one for one in found if cursor is None or one > cursor], limit)

    def tally(self, at: datetime) -> Tally:
        """See `Journal.tally`."""
        with self._reading():
            rows = self._listed()
            return Tally(
                runs=Counter((row.workflow, row.status) for row in rows),
                deadlines=Counter(
                    (row.workflow, due) for row in rows if (due := _due(row, at)) is not None
                ),
            )

    def rows_of(self, run_id: RunId) -> IndexRows:
        """See `Journal.rows_of`."""
        with self._reading():
            attempts = self._attempts.get(run_id, {})
            return IndexRows(
                run=self._runs.get(run_id),
                attempts=tuple(attempts[key].row for key in sorted(attempts)),
                correlations=self._correlations.get(run_id, ()),
            )

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """See `Journal.correlated`."""
        asked = (workflow, node, correlation)
        with self._reading():
            found = (
                row
                for rows in self._correlations.values()
                for row in rows
                if (row.workflow, row.node, row.correlation) == asked
            )
            return tuple(sorted(found, key=lambda row: (not row.open, row.run_id))[:limit])

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """See `Journal.index`."""
        with self._writing():
            stored = self._records.get(run_id, [])
            if not stored or stored[-1].last != revision:
                return False
            self._runs.pop(run_id, None)
            if rows.run is not None:
                self._runs[run_id] = rows.run
            self._attempts[run_id] = {}
            self._put(rows.attempts, at=stored[-1].at)
            self._correlate(run_id, rows.correlations)
        self._bell.ring(row.queue for row in rows.attempts)
        return True

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """See `Journal.quarantine`."""
        with self._writing():
            if mark is None:
                self._quarantined.pop(run_id, None)
            else:
                self._quarantined[run_id] = mark

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """See `Journal.finished`."""
        with self._reading():
            found = sorted(
                (row.ended_at, row.run_id)
                for row in self._listed()
                if row.ended_at is not None and row.ended_at < before
            )
            beyond = [one for one in found if after is None or one > after]
            return tuple(self._runs[run_id] for _, run_id in beyond[:limit])

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """See `Journal.remove`."""
        with self._writing():
            stored = self._records.get(run_id, [])
            if not stored or stored[-1].last != revision:
                return False
            del self._records[run_id], self._codecs[run_id]
            self._runs.pop(run_id, None)
            self._attempts.pop(run_id, None)
            self._correlations.pop(run_id, None)
            self._checkpoints.pop(run_id, None)
            self._quarantined.pop(run_id, None)
            if tombstone is not None:
                self._records[run_id] = [tombstone]
                self._codecs[run_id] = CODEC_VERSION
            return True

    def survey(self) -> Survey:
        """See `Journal.survey`."""
        with self._reading():
            now = self._clock()
            attempts = [
                attempt for of_run in self._attempts.values() for attempt in of_run.values()
            ]
            used = {one.row.queue for one in attempts if self._may_claim(one.row.run_id)}
            queues = {queue: _depth(self._open_attempts((queue,)), now) for queue in used}
            return Survey(
                runs=Counter(row.status for row in self._listed()),
                quarantined=dict(sorted(self._quarantined.items())),
                newer=tuple(
                    run_id
                    for run_id in sorted(self._attempts)
                    if self._attempts[run_id] and self._codecs.get(run_id, 0) > CODEC_VERSION
                ),
                actions=Counter(one.row.action for one in attempts if one.row.action is not None),
                queues=queues,
                waiting_since=earliest(*(depth.since for depth in queues.values())),
            )

    # -- beside the journals

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """See `Journal.definition`."""
        with self._reading():
            return self._definitions.get(fingerprint)

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """See `Journal.define`."""
        with self._writing():
            self._definitions.setdefault(fingerprint, text)

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """See `Journal.checkpoint`."""
        with self._reading():
            return self._checkpoints.get(run_id)

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """See `Journal.put_checkpoint`."""
        with self._writing():
            self._checkpoints[run_id] = checkpoint

    def delete_checkpoint(self, run_id: RunId) -> None:
        """See `Journal.delete_checkpoint`."""
        with self._writing():
            self._checkpoints.pop(run_id, None)

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """See `Journal.records`."""
        with self._reading():
            keys = sorted(key for of, key in self._facts if of == kind)
            wanted = [key for key in keys if key.startswith(prefix) and key > after]
            return tuple(self._facts[kind, key] for key in wanted[:limit])

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """See `Journal.put_record`."""
        with self._writing():
            stored = self._facts.get((kind, key))
            if expected not in {None, stored.version if stored else 0}:
                return False
            self._put_fact(kind, key, body)
        self._bell.ring_for_record(kind, key)
        return True

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """See `Journal.drop_record`."""
        with self._writing():
            stored = self._facts.get((kind, key))
            if stored is not None and expected not in {None, stored.version}:
                return False
            self._facts.pop((kind, key), None)
        self._bell.ring_for_record(kind, key)
        return True

    def now(self) -> datetime:
        """See `Journal.now`."""
        with self._reading():
            return self._clock()

    def listen(self, queues: Sequence[str]) -> AbstractContextManager[Wakeups]:
        """See `Journal.listen`."""
        with self._reading():
            return self._bell.listen(queues)

    def transaction(self, connection: object) -> Joined:
        """See `Journal.transaction`: no transaction of a host's is in here."""
        del connection
        raise not_joined(_NO_DATABASE)

    def lend(self) -> AbstractContextManager[Joined]:
        """See `Journal.lend`: a host's rows lie elsewhere."""
        raise not_joined(_NO_DATABASE)

    def close(self) -> None:
        """See `Journal.close`; what was kept is gone."""
        self._closed = True

    # -- helpers

    def _reading(self) -> AbstractContextManager[bool]:
        if self._closed:
            raise closed(self.url)
        return self._lock

    def _writing(self) -> AbstractContextManager[bool]:
        lock = self._reading()
        with lock:
            # Only the deciding thread itself can see this: it holds the lock.
            if self._deciding:
                raise writing_inside_decide()
        return lock

    def _append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        fallen = {batch.group for batch in batches if not self._follows(batch)}
        outcomes = tuple(self._append_one(batch, fallen) for batch in batches)
        self._bell.ring_for(batches)
        return outcomes

    def _append_one(self, batch: Batch, fallen: Collection[str | None]) -> Outcome:
        record = batch.record
        if not self._follows(batch) or (batch.group is not None and batch.group in fallen):
            actual = self._revision(batch)
            return Conflict(run_id=record.run_id, expected=batch.expected, actual=actual)
        self._records.setdefault(record.run_id, []).append(record)
        self._codecs[record.run_id] = batch.codec
        if batch.rows.run is not None:
            self._runs[record.run_id] = batch.rows.run
        for key in batch.rows.drop:
            self._attempts.get(record.run_id, {}).pop(key, None)
        self._put(batch.rows.put, at=record.at)
        if batch.rows.correlations is not None:
            self._correlate(record.run_id, batch.rows.correlations)
        self._keep_notices(batch)
        return Committed(run_id=record.run_id, revision=record.last)

    def _put(self, rows: Sequence[AttemptRow], *, at: datetime) -> None:
        for row in rows:
            attempt = _Attempt(row=row, due=row.visible_at <= at)
            self._attempts.setdefault(row.run_id, {})[row.attempt_key] = attempt

    def _keep_notices(self, batch: Batch) -> None:
        for notice in batch.notices:
            event = hooks_of(notice.event)
            hooks = [key for kind, key in self._facts if kind == HOOK and key.startswith(event)]
            for hook in hooks:
                key = notice_key(hook, notice.notice_id)
                if (NOTICE, key) not in self._facts:
                    self._put_fact(NOTICE, key, notice.body)

    def _correlate(self, run_id: RunId, rows: Sequence[CorrelationRow]) -> None:
        self._correlations[run_id] = tuple(
            sorted(rows, key=lambda row: (row.node, row.correlation))
        )

    def _follows(self, batch: Batch) -> bool:
        marked = batch.record.run_id in self._quarantined
        return not marked and self._revision(batch) == batch.expected

    def _revision(self, batch: Batch) -> Revision:
        stored = self._records.get(batch.record.run_id)
        return stored[-1].last if stored else Revision(0)

    def _open_attempts(self, queues: Sequence[str]) -> list[_Attempt]:
        return [
            attempt
            for run_id, attempts in self._attempts.items()
            for attempt in attempts.values()
            if attempt.row.queue in queues and self._may_claim(run_id)
        ]

    def _may_claim(self, run_id: RunId) -> bool:
        return (
            run_id in self._records
            and run_id not in self._quarantined
            and self._codecs[run_id] <= CODEC_VERSION
        )

    def _lanes(self, queues: Sequence[str], now: datetime) -> tuple[Lane, ...]:
        return tuple(
            Lane(
                queue=queue,
                settings=self._facts[SETTINGS, queue],
                state=self._facts.get((STATE, queue)),
                held=self._held(queue, now),
            )
            for queue in sorted(set(queues))
            if (SETTINGS, queue) in self._facts
        )

    def _held(self, queue: str, now: datetime) -> dict[str | None, int]:
        return Counter(
            attempt.row.partition_key
            for attempts in self._attempts.values()
            for attempt in attempts.values()
            if attempt.row.queue == queue
            and attempt.row.held_until is not None
            and attempt.row.held_until > now
        )

    def _candidates(
        self, queues: Sequence[str], actions: Collection[str], limit: int, now: datetime
    ) -> tuple[Candidate, ...]:
        claimable = sorted(
            (
                attempt.row
                for attempt in self._open_attempts(queues)
                if attempt.claimable(now)
                and (attempt.row.action is None or attempt.row.action in actions)
            ),
            key=claim_order,
        )
        offered = [row for row in claimable if (SETTINGS, row.queue) not in self._facts][:limit]
        for queue in set(queues):
            if (SETTINGS, queue) in self._facts:
                offered += window((row for row in claimable if row.queue == queue), limit)
        offered.sort(key=claim_order)
        return tuple(map(self._candidate, offered))

    def _candidate(self, row: AttemptRow) -> Candidate:
        *before, newest = self._records[row.run_id]
        whole = not before and (SETTINGS, row.queue) not in self._facts
        return Candidate(
            row=row, head=_head_of(newest), begun=sound_beginning(newest) if whole else None
        )

    def _decided(self, decide: DecideClaims, offered: Offered) -> Choice:
        self._deciding = True
        try:
            return decide(offered)
        finally:
            self._deciding = False

    def _next_due(self, queues: Sequence[str], now: datetime) -> datetime | None:
        return min(
            (
                attempt.changes_at
                for attempt in self._open_attempts(queues)
                if not attempt.claimable(now)
            ),
            default=None,
        )

    def _listed(self) -> list[RunRow]:
        return [row for row in self._runs.values() if row.run_id in self._records]

    def _page(self, found: Sequence[tuple[datetime, RunId]], limit: int) -> ListPage:
        return ListPage(
            items=tuple(
                Listed(
                    row=self._runs[run_id],
                    head=_head_of(self._records[run_id][-1]),
                    quarantined=self._quarantined.get(run_id),
                    codec=self._codecs[run_id],
                )
                for _, run_id in found[:limit]
            ),
            next=found[limit - 1] if len(found) > limit > 0 else None,
        )

    def _put_fact(self, kind: str, key: str, body: str) -> None:
        stored = self._facts.get((kind, key))
        version = stored.version + 1 if stored else 1
        self._facts[kind, key] = Record(kind=kind, key=key, body=body, version=version)

    def _usable_checkpoint(self, run_id: RunId) -> Checkpoint | None:
        checkpoint = self._checkpoints.get(run_id)
        if checkpoint is None:
            return None
        fits = any(
            (record.last, record.hash) == (checkpoint.revision, checkpoint.hash)
            for record in self._records.get(run_id, [])
        )
        return checkpoint if fits else None


def _depth(attempts: Sequence[_Attempt], now: datetime) -> Depth:
    ready = [one for one in attempts if one.claimable(now)]
    later = [one for one in attempts if not one.claimable(now)]
    return Depth(
        waiting=len(ready),
        delayed=sum(one.row.held_until is None for one in later),
        held=sum(one.row.held_until is not None for one in later),
        since=min(
            (one.row.visible_at for one in ready if one.row.held_until is None), default=None
        ),
    )


def _head_of(record: AppendRecord) -> Head:
    return Head(revision=record.last, hash=record.hash, at=record.at)


def _fits(row: RunRow, where: RunFilter) -> bool:
    searched = (row.run_id, row.key or "", row.workflow, row.error or "")
    return (
        where.workflow in {None, row.workflow}
        and where.version in {None, row.version}
        and where.status in {None, row.status}
        and where.queue in {None, row.queue}
        and where.parent in {None, row.parent}
        and (where.tag is None or where.tag in row.tags)
        and (where.since is None or row.created_at >= where.since)
        and (where.until is None or row.created_at < where.until)
        and (where.text is None or any(where.text in text for text in searched))
        and (where.deadline_at is None or where.deadline in {None, _due(row, where.deadline_at)})
    )


def _due(row: RunRow, now: datetime) -> DeadlineStatus | None:
    if row.deadline is None or row.ended_at is not None:
        return None
    return row.deadline.status(now)
