"""
What some appends change in the index, as the values of one statement.

A held attempt takes over the row of one that its append drops, so that a slot that
goes on from step to step changes one row in place.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from attrs import Factory, define

from squidmesh_core.ids import BEGINNING, AttemptKey, RunId
from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, IndexRows, RowChanges, RunRow
from squidmesh_storage.api import Batch
from squidmesh_storage.postgres.rows import (
    arrays,
    instants,
    plain,
    run_columns,
    short_key,
    texts,
)
from squidmesh_storage.records import HOOK, NOTICE, behind, hooks_of

_Pairs = tuple[list[tuple[AttemptKey, AttemptRow]], list[AttemptKey]]


@define
class Named:
    """A row of an attempt that may be there, and what becomes of it."""

    #: It must be there: the append was decided on seeing it.
    needed: bool = False
    leaves_waiting: bool = False
    leaves_held: bool = False


@define
class Changes:
    """The rows that some batches change, sorted into what one statement does."""

    named: dict[tuple[RunId, AttemptKey], Named] = Factory(dict)
    #: Claimed attempts, each with the key whose row it takes over.
    seats: list[tuple[AttemptKey, AttemptRow]] = Factory(list)
    #: Unclaimed ones, each with whether it is due at once.
    bench: list[tuple[AttemptRow, bool]] = Factory(list)
    runs: list[RunRow] = Factory(list)
    correlated: list[tuple[RunId, Sequence[CorrelationRow]]] = Factory(list)
    #: What hooks are to be told, if there are any.
    notices: list[tuple[RunId, NoticeRow]] = Factory(list)
    #: Runs without a row here that a rebuild of the index would have to wait for.
    guarded: set[RunId] = Factory(set)
    #: Whether no rows of these runs can be there.
    new: bool = True

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> "Changes":
        """What these batches change; drops come before puts."""
        changes = cls(new=all(batch.expected == BEGINNING for batch in batches))
        for batch in batches:
            seats, dropped = changes._add(batch.record.run_id, batch.rows, batch.record.at)
            changes.notices += ((batch.record.run_id, notice) for notice in batch.notices)
            if batch.expected != BEGINNING:  # else nothing is there yet
                changes._name(batch.record.run_id, batch.rows, seats, dropped)
        return changes

    @classmethod
    def afresh(cls, run_id: RunId, rows: IndexRows, at: datetime) -> "Changes":
        """These rows where there are none of the run; `at` tells due from delayed."""
        changes = cls()
        every = RowChanges(run=rows.run, put=rows.attempts, correlations=rows.correlations)
        changes._add(run_id, every, at)
        return changes

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the statement that have anything to do."""
        some = (
            ("part_batch", True),
            ("part_locked", not self.new),
            ("part_written", True),
            ("part_left", bool(self.named)),
            ("part_seats", bool(self.seats)),
            ("part_seated" if self.new else "part_moved", bool(self.seats)),
            ("part_waiting", bool(self.bench)),
            ("part_run", bool(self.runs)),
            ("part_listed" if self.new else "part_relisted", bool(self.runs)),
            ("part_tags", (not self.new and bool(self.runs)) or any(row.tags for row in self.runs)),
            ("part_correlations", bool(self.correlated)),
            ("part_notices", bool(self.notices)),
        )
        return tuple(part for part, used in some if used)

    @property
    def needed(self) -> int:
        """How many rows of attempts must be there."""
        return sum(one.needed for one in self.named.values())

    @property
    def queues(self) -> tuple[str, ...]:
        """Where unclaimed attempts come to lie."""
        return tuple(sorted({row.queue for row, _ in self.bench}))

    def values(self) -> dict[str, object]:
        """The values of all parts that are used."""
        values: dict[str, object] = {}
        if not self.new:
            values |= self.locks()
            values |= {
                "needed": plain(one.needed for one in self.named.values()),
                "leaves_waiting": plain(one.leaves_waiting for one in self.named.values()),
                "leaves_held": plain(one.leaves_held for one in self.named.values()),
            }
        if self.seats:
            values |= _seat_values(self.seats)
        if self.bench:
            values |= _bench_values(self.bench)
        if self.runs:
            values |= _run_values(self.runs)
        if self.correlated:
            values |= _correlation_values(self.correlated)
        if self.notices:
            values |= _notice_values(self.notices)
        return values

    def locks(self) -> dict[str, object]:
        """The rows of attempts that will change."""
        return {
            "named_run": plain(run_id for run_id, _ in self.named),
            "named_key": texts(short_key(run_id, key) for run_id, key in self.named),
        }

    def _add(self, run_id: RunId, rows: RowChanges, at: datetime) -> "_Pairs":
        if rows.run is not None:
            self.runs.append(rows.run)
        if rows.correlations is not None:
            self.correlated.append((run_id, rows.correlations))
        seats, bench, dropped = _paired(rows)
        self.seats += seats
        self.bench += ((row, row.visible_at <= at) for row in bench)
        return seats, dropped

    def _name(
        self,
        run_id: RunId,
        rows: RowChanges,
        seats: Sequence[tuple[AttemptKey, AttemptRow]],
        dropped: Sequence[AttemptKey],
    ) -> None:
        """Say which rows of the run may be there, and which of them go."""
        olds = {old for old, _ in seats}
        put = {row.attempt_key: row.held_until is None for row in rows.put}
        for key in (*olds, *dropped, *put):
            self.named[run_id, key] = Named(
                needed=key in olds or key in dropped,
                leaves_waiting=not put.get(key, False),
                leaves_held=key not in olds,
            )
        if not olds and not dropped:
            self.guarded.add(run_id)


def _paired(
    rows: RowChanges,
) -> tuple[list[tuple[AttemptKey, AttemptRow]], list[AttemptRow], list[AttemptKey]]:
    """Held rows with the keys they take over; unclaimed rows; keys that are merely dropped."""
    put = {row.attempt_key: row for row in rows.put}  # of two the last one counts
    dropped = dict.fromkeys(rows.drop)
    bench = [row for row in put.values() if row.held_until is None]
    held = [row for row in put.values() if row.held_until is not None]
    seats = [(row.attempt_key, row) for row in held if dropped.pop(row.attempt_key, 0) is None]
    rest = [row for row in held if (row.attempt_key, row) not in seats]
    free = list(dropped)
    pairs = zip_longest(free[: len(rest)], rest)
    seats += ((old or row.attempt_key, row) for old, row in pairs)
    return seats, bench, free[len(rest) :]


def _seat_values(seats: Sequence[tuple[AttemptKey, AttemptRow]]) -> dict[str, object]:
    rows = [row for _, row in seats]
    return {
        "seat_run": plain(row.run_id for row in rows),
        "seat_old": texts(short_key(row.run_id, old) for old, row in seats),
        "seat_key": texts(short_key(row.run_id, row.attempt_key) for row in rows),
        "seat_queue": texts(row.queue for row in rows),
        "seat_action": texts(row.action for row in rows),
        "seat_priority": plain(row.priority for row in rows),
        "seat_visible_at": instants(row.visible_at for row in rows),
        "seat_partition": texts(row.partition_key for row in rows),
        "seat_held_until": instants(row.held_until for row in rows),
    }


def _bench_values(bench: Sequence[tuple[AttemptRow, bool]]) -> dict[str, object]:
    rows = [row for row, _ in bench]
    return {
        "bench_run": plain(row.run_id for row in rows),
        "bench_key": texts(short_key(row.run_id, row.attempt_key) for row in rows),
        "bench_queue": texts(row.queue for row in rows),
        "bench_action": texts(row.action for row in rows),
        "bench_priority": plain(row.priority for row in rows),
        "bench_visible_at": instants(row.visible_at for row in rows),
        "bench_partition": texts(row.partition_key for row in rows),
        "bench_due": plain(due for _, due in bench),
    }


def _run_values(rows: Sequence[RunRow]) -> dict[str, object]:
    tags = [(row.run_id, tag) for row in rows for tag in row.tags]
    return {
        "run_run": plain(row.run_id for row in rows),
        **arrays("run", [run_columns(row) for row in rows]),
        "tag_run": plain(run_id for run_id, _ in tags),
        "tag": texts(tag for _, tag in tags),
    }


def _correlation_values(
    correlated: Sequence[tuple[RunId, Sequence[CorrelationRow]]],
) -> dict[str, object]:
    rows = [row for _, of_run in correlated for row in of_run]
    return {
        "correlated_run": plain(run_id for run_id, _ in correlated),
        "correlation_run": plain(row.run_id for row in rows),
        "correlation_workflow": texts(row.workflow for row in rows),
        "correlation_node": texts(row.node for row in rows),
        "correlation": texts(row.correlation for row in rows),
        "correlation_open": plain(row.open for row in rows),
    }


def _notice_values(notices: Sequence[tuple[RunId, NoticeRow]]) -> dict[str, object]:
    events = [hooks_of(notice.event) for _, notice in notices]
    return {
        "hook": HOOK,
        "notice": NOTICE,
        "notice_run": plain(run_id for run_id, _ in notices),
        "notice_event": texts(events),
        "notice_behind": texts(map(behind, events)),
        "notice_id": texts(notice.notice_id for _, notice in notices),
        "notice_body": texts(notice.body for _, notice in notices),
    }
