# ruff: noqa: S101 (a test suite that ships with the package)
"""What the conformance tests are built with: a clock, a base class, made-up appends."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar, Final, TypedDict, Unpack
from uuid import UUID

import pytest
from attrs import define, evolve

from squidmesh_core.ids import (
    BEGINNING,
    AppendId,
    AttemptKey,
    Fingerprint,
    NodeName,
    Revision,
    RunId,
)
from squidmesh_core.protocol.chain import AppendRecord, link, origin
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.notices import Event, NoticeRow
from squidmesh_core.protocol.rows import (
    AttemptRow,
    CorrelationRow,
    Head,
    RowChanges,
    RunRow,
    RunStatus,
)
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import Batch, Candidate, Choice, Claimed, Committed, Journal, Offered

EPOCH: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)

_APPENDS: Final = count(1)


@define
class Clock:
    """A clock that stands still until a test moves it."""

    time: datetime = EPOCH

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += timedelta(seconds=seconds)


class Promises:
    """What an adapter tells about itself; the base of every group of promises."""

    #: Whether `open_journal` makes the journal read the clock it is given.
    obeys_clock: ClassVar[bool] = True

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        """A new, empty journal; the adapter's author writes this."""
        raise NotImplementedError

    def rewrite(self, journal: Journal, run_id: RunId, records: Sequence[AppendRecord]) -> None:
        """Put these rows in the place of a run's journal, behind the adapter's back."""
        del journal, run_id, records
        pytest.skip("this adapter offers no way to damage its rows: promise not tested")

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock that judges leases and visibility."""
        return Clock()

    @pytest.fixture
    def journal(self, clock: Clock, tmp_path: Path) -> Iterator[Journal]:
        """The journal under test."""
        journal = self.open_journal(clock, tmp_path)
        yield journal
        journal.close()

    def time_passes(self, clock: Clock, seconds: float) -> None:
        """Move the journal's clock, or skip the test."""
        if not self.obeys_clock:
            pytest.skip("this adapter's clock cannot be moved: promise not tested")
        clock.advance(seconds)


def run_id(number: int) -> RunId:
    """The n-th made-up run; ids sort by number."""
    return RunId(str(UUID(int=number)))


class AppendOptions(TypedDict, total=False):
    """What a made-up append may say; the body differs between a first one and others."""

    #: How many entries it has.
    entries: int
    body: str
    rows: RowChanges
    at: datetime
    group: str | None
    codec: int
    notices: tuple[NoticeRow, ...]


def first(run: RunId, **options: Unpack[AppendOptions]) -> Batch:
    """A run's first append."""
    start = Head(revision=BEGINNING, hash=origin(run), at=options.get("at", EPOCH))
    options.setdefault("body", '[{"n":1}]')
    return on(run, start, **options)


def then(before: Batch, **options: Unpack[AppendOptions]) -> Batch:
    """The append that follows another."""
    options.setdefault("body", '[{"n":2}]')
    return on(before.record.run_id, before.record.head, **options)


def on(run: RunId, head: Head, **options: Unpack[AppendOptions]) -> Batch:
    """An append that follows a head."""
    body = options.get("body", '[{"n":3}]')
    record = AppendRecord(
        run_id=run,
        first=Revision(head.revision + 1),
        last=Revision(head.revision + options.get("entries", 1)),
        append_id=AppendId(str(UUID(int=next(_APPENDS)))),
        at=options.get("at", EPOCH),
        body=body,
        hash=link(head.hash, body),
    )
    return Batch(
        record=record,
        expected=head.revision,
        rows=options.get("rows", RowChanges()),
        group=options.get("group"),
        codec=options.get("codec", CODEC_VERSION),
        notices=options.get("notices", ()),
    )


def key(run: RunId, step: str = "work") -> AttemptKey:
    """The key of the first attempt of a step."""
    return AttemptKey(f"{run}:{step}:1")


def attempt(
    run: RunId,
    *,
    step: str = "work",
    queue: str = "default",
    action: str | None = "act",
    priority: int = 0,
    visible_at: datetime = EPOCH,
    held_until: datetime | None = None,
    partition_key: str | None = None,
) -> AttemptRow:
    """The row of an attempt."""
    return AttemptRow(
        run_id=run,
        attempt_key=key(run, step),
        queue=queue,
        action=action,
        priority=priority,
        visible_at=visible_at,
        held_until=held_until,
        partition_key=partition_key,
    )


def run_row(
    run: RunId,
    *,
    workflow: str = "orders",
    version: str | None = None,
    status: RunStatus = "running",
    queue: str = "default",
    tags: tuple[str, ...] = (),
    workflow_key: str | None = None,
    created_at: datetime = EPOCH,
    ended_at: datetime | None = None,
    parent: RunId | None = None,
    error: str | None = None,
    deadline: Thresholds | None = None,
) -> RunRow:
    """The listed facts of a run."""
    return RunRow(
        run_id=run,
        workflow=workflow,
        version=version,
        fingerprint=Fingerprint("f" * 64),
        trigger="start",
        status=status,
        queue=queue,
        priority=3,
        tags=tags,
        key=workflow_key,
        partition_key="customer-7",
        created_at=created_at,
        ended_at=ended_at,
        parent=parent,
        replayed_from=run_id(999),
        forked_at=NodeName("pay"),
        error=error,
        deadline=deadline,
    )


def correlation(
    run: RunId, text: str = "order-7", *, node: str = "settled", open: bool = True
) -> CorrelationRow:
    """Something that a message finds a run by."""
    return CorrelationRow(run_id=run, workflow="orders", node=node, correlation=text, open=open)


def notice(event: Event = "run_failed", id: str = "7:1", *, body: str = "{}") -> NoticeRow:
    """What the hooks of an event are to be told."""
    return NoticeRow(event=event, notice_id=id, body=body)


def puts(*rows: AttemptRow) -> RowChanges:
    """Index rows to store."""
    return RowChanges(put=rows)


def drops(*keys: AttemptKey) -> RowChanges:
    """Index rows to forget."""
    return RowChanges(drop=keys)


def commit(journal: Journal, *batches: Batch) -> None:
    """Append, and insist that every batch was written."""
    expected = tuple(
        Committed(run_id=batch.record.run_id, revision=batch.record.last) for batch in batches
    )

    assert expected == journal.append(batches)


def records_of(*batches: Batch) -> tuple[AppendRecord, ...]:
    """The stored appends that batches lead to."""
    return tuple(batch.record for batch in batches)


def head_of(batch: Batch) -> Head:
    """Where a journal stands after a batch."""
    return batch.record.head


def look(
    journal: Journal,
    *queues: str,
    actions: Sequence[str] = ("act",),
    limit: int = 100,
) -> tuple[Candidate, ...]:
    """The candidates of some queues; nothing is claimed."""
    seen, _ = look_and_tell(journal, *queues, actions=actions, limit=limit)
    return seen


def look_and_tell(
    journal: Journal,
    *queues: str,
    actions: Sequence[str] = ("act",),
    limit: int = 100,
) -> tuple[tuple[Candidate, ...], Claimed]:
    """The candidates of some queues, and what `claimable` returned; nothing is claimed."""
    seen: list[Candidate] = []

    def decide(offered: Offered) -> Choice:
        seen.extend(offered.candidates)
        return Choice()

    claimed = journal.claimable(queues or ("default",), actions, limit, decide)
    return tuple(seen), claimed


def hold(candidate: Candidate, until: datetime) -> Batch:
    """The append that claims a candidate until an instant."""
    row = evolve(candidate.row, held_until=until)
    return on(row.run_id, candidate.head, rows=puts(row))


def keys_of(candidates: Sequence[Candidate]) -> tuple[AttemptKey, ...]:
    """Which attempts these are."""
    return tuple(candidate.row.attempt_key for candidate in candidates)
