"""
Claims: what may be claimed is locked, offered, decided and appended in one transaction.

    glance ──nothing──▶ done                       one read, while there is nothing to do
    begin ▸ opening ▸ due                          one trip; locked by others is skipped
    expired                                        one more, if a lease is past
    decide; nothing is chosen: lane records ▸ next due ▸ commit
    lane records ▸ append ▸ commit                 one trip

One queue at a time: within a queue the index gives the claim order, so that only
the first few rows of a long backlog are ever read.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from attrs import Factory, frozen
from psycopg.rows import TupleRow

from squidmesh_core.errors import OutcomeUnknown
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import claim_order
from squidmesh_storage.api import (
    Candidate,
    Choice,
    Claimed,
    DecideClaims,
    Lane,
    Offered,
)
from squidmesh_storage.lanes import SETTINGS, earliest
from squidmesh_storage.postgres import lanes
from squidmesh_storage.postgres.appending import append_and_commit
from squidmesh_storage.postgres.rows import attempt_from, head_from, record_from, texts
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, Call, Rows, Script, ask
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.postgres.upkeep import put_record_call
from squidmesh_storage.problems import check_runs_differ, sound_beginning

#: What a claim's rows are known to lie behind: priority and visible instant.
Watermark = tuple[int, datetime]
#: Behind this lies everything.
LOWEST: Final[Watermark] = (-(2**63), datetime.min.replace(tzinfo=UTC))


@frozen(kw_only=True)
class Wanted:
    """What a worker asks for."""

    queues: tuple[str, ...]
    actions: frozenset[str]
    limit: int
    #: The instant to judge at; null: the clock's.
    at: datetime | None
    #: The name of this process.
    listener: str
    #: Where the rows of the queue begin, if it is only one.
    watermark: Watermark = LOWEST

    @classmethod
    def of(
        cls,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        at: datetime | None,
        listener: str,
    ) -> "Wanted":
        """A request; naming a queue twice is asking once."""
        return cls(
            queues=tuple(dict.fromkeys(queues)),
            actions=frozenset(actions),
            limit=max(0, limit),
            at=at,
            listener=listener,
        )

    def values(self) -> dict[str, object]:
        """What every statement of a claim may bind."""
        return {
            "queues": texts(self.queues),
            "actions": texts(sorted(self.actions)),
            "at": self.at,
            "codec": str(CODEC_VERSION),
            "settings": SETTINGS,
        }


@frozen(kw_only=True)
class Taken:
    """What a claim came to."""

    claimed: Claimed
    choice: Choice = Factory(Choice)
    #: In claim order.
    offered: tuple[Candidate, ...] = ()
    awaited: bool = False


def glance(sql: Statements, wanted: Wanted) -> Script[tuple[datetime, bool, datetime | None]]:
    """The clock, whether anything can be claimed, and when something will be."""
    ((now, anything, due_at),) = yield from ask(sql.call("glance", **wanted.values()))
    return now, anything and wanted.limit > 0, due_at


def foremost(sql: Statements, wanted: Wanted) -> Script[dict[str, int]]:
    """Of each queue where something unclaimed can be claimed, the first priority."""
    rows = yield from ask(sql.call("foremost", **wanted.values()))
    return dict(rows)


def claim(sql: Statements, wanted: Wanted, decide: DecideClaims) -> Script[Taken]:
    """Hand what can be claimed to `decide`, and append what it returns."""
    offered = yield from _offered(sql, wanted)
    choice = decide(offered) if offered.candidates else Choice()
    check_runs_differ(choice.batches)
    left = [put_record_call(sql, record.kind, record.key, record.body) for record in choice.records]
    if not choice.batches:
        next_due = yield from _ended_with_nothing(sql, wanted, offered.now, left)
        claimed = Claimed(
            outcomes=(), now=offered.now, next_due=earliest(next_due, choice.next_due)
        )
        return Taken(claimed=claimed, choice=choice, offered=offered.candidates)
    waiting = [one for one in offered.candidates if one.row.held_until is None]
    fresh = _only_claims(choice, waiting)
    appended = yield from append_and_commit(
        sql,
        choice.batches,
        wanted.listener,
        left,
        # Of a lane more is offered than chosen; and all that is offered is locked.
        locked=fresh or _only_claims(choice, offered.candidates),
        fresh=fresh,
    )
    claimed = Claimed(outcomes=appended.outcomes, now=offered.now, next_due=None)
    return Taken(
        claimed=claimed, choice=choice, offered=offered.candidates, awaited=appended.awaited
    )


def _ended_with_nothing(
    sql: Statements, wanted: Wanted, now: datetime, left: Sequence[Call]
) -> Script[datetime | None]:
    """End a claim that appends nothing; when something else is due."""
    try:
        *_, ((due_at,),), _ = yield (
            *left, sql.call("next_due", **wanted.values(), now=now), COMMIT,
        )  # fmt: skip
    except OutcomeUnknown:
        return None  # whatever became of the records, nobody waits for an answer to them
    found: datetime | None = due_at
    return found


def _offered(sql: Statements, wanted: Wanted) -> Script[Offered]:
    values = wanted.values()
    opening = sql.call("opening", **values)
    found: Rows = ()
    left: list[Call] = []
    if len(wanted.queues) == 1:
        _, opened, found = yield (
            BEGIN, opening, _due(sql, wanted, wanted.queues[0], wanted.limit, values),
        )  # fmt: skip
    else:
        front = _limited(sql, "front", wanted.limit, values)
        _, opened, shares = yield (BEGIN, opening, front)
        left = [_due(sql, wanted, queue, share, values) for queue, share in shares]
    now, any_expired = opened[0][:2]
    if any_expired:  # so rarely that it is not looked for in the trip before
        left.append(_limited(sql, "expired", wanted.limit, values))
    if left:
        found = [*found, *chain.from_iterable((yield left))]
    settings = [row[2:] for row in opened if row[2] is not None]
    candidates = sorted(map(_candidate, found), key=_order)
    del candidates[wanted.limit :]
    among: tuple[Lane, ...] = ()
    if settings:
        among, now, more = yield from lanes.offered(sql, values, settings, wanted.limit)
        candidates = sorted((*candidates, *map(_candidate, more)), key=_order)
    return Offered(candidates=tuple(candidates), lanes=among, now=now)


def _due(
    sql: Statements, wanted: Wanted, queue: str, limit: int, values: dict[str, object]
) -> Call:
    priority, visible_at = wanted.watermark
    place = {"queue": queue, "priority": str(priority), "visible_at": visible_at}
    return _limited(sql, "due", limit, values | place)


def _limited(sql: Statements, name: str, limit: int, values: dict[str, object]) -> Call:
    return sql.limited(name, limit)._replace(values=values)


def _candidate(row: TupleRow) -> Candidate:
    """A row of `due` or `expired`, or of a lane: that has no journal in it."""
    attempt, head, whole = attempt_from(row), head_from(row[8:11]), row[11:]
    if not whole or whole[0] is None:
        return Candidate(row=attempt, head=head)
    append_id, body, packed = whole
    stored = (1, head.revision, append_id, head.at, body, head.hash, packed)
    begun = sound_beginning(record_from(attempt.run_id, stored))
    return Candidate(row=attempt, head=head, begun=begun)


def _order(candidate: Candidate) -> tuple[object, ...]:
    return claim_order(candidate.row)


def _only_claims(choice: Choice, offered: Sequence[Candidate]) -> bool:
    """Whether all rows that change are among some that were offered."""
    keys = {(one.row.run_id, one.row.attempt_key) for one in offered}
    return all(
        not batch.rows.drop and all((row.run_id, row.attempt_key) in keys for row in batch.rows.put)
        for batch in choice.batches
    )
