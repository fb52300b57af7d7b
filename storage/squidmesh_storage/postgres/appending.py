"""
Appends as scripts: one statement that writes, and tells of each batch whether it did.

The primary key of the journal is the revision check, so runs of one statement do
not disturb each other.  Rows of attempts are locked before any journal is written,
in order, by everybody: else a claim and a settlement of one run would wait for
each other.

The statement (writing.py) looks at everything as it stood when it began.  Should it
have waited for a lock meanwhile, rows may have been put in the place of those it knew;
it then finds less than it needs and writes nothing, and what it should have written is
written by a second statement, under locks that are held already.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from attrs import Factory, define, frozen

from squidmesh_core.errors import OutcomeUnknown, StorageError
from squidmesh_core.ids import Revision, RunId
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome, Unknown
from squidmesh_storage.postgres.changes import Changes
from squidmesh_storage.postgres.rows import plain
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, ROLLBACK, Call, Rows, Script, ask
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.postgres.usual import claim_of
from squidmesh_storage.postgres.writing import write_call, write_claims_call, write_locked_call

#: Somebody has stored an append of that revision since the statement began: nothing of it
#: was written.
_OVERTAKEN = "23505"
_SAVEPOINT = Call("savepoint squidmesh_group")
_RELEASE = Call("release savepoint squidmesh_group")
_UNDO = Call("rollback to savepoint squidmesh_group")


@frozen(kw_only=True)
class Appended:
    """What became of some batches."""

    #: In their order.
    outcomes: tuple[Outcome, ...]
    #: Whether another process waits for work of the queues that some of them fill.
    awaited: bool = False


@define
class _Written:
    """What is known to be written so far."""

    runs: set[RunId] = Factory(set)
    awaited: bool = False

    def add(self, rows: Rows) -> None:
        """Rows of a statement of parts."""
        self.runs.update(RunId(run_id) for run_id, _ in rows)
        self.awaited |= any(awaited for _, awaited in rows)


def append(sql: Statements, batches: Sequence[Batch], listener: str) -> Script[Appended]:
    """Append in transactions of their own: one for each group, one for all other batches."""
    outcomes: dict[RunId, Outcome] = {}
    awaited = False
    for group, of_group in _by_group(batches):
        written = _Written()
        try:
            if group is None:
                yield from _write_apart(sql, of_group, listener, written)
            else:
                yield from _write_whole(sql, of_group, listener, written)
            outcomes |= yield from _outcomes(sql, of_group, written.runs)
        except StorageError as error:
            if not isinstance(error, OutcomeUnknown) and not outcomes and not written.runs:
                raise  # nothing was written at all
            outcomes |= _in_doubt(of_group, written.runs)
        awaited |= written.awaited
    return _in_order(batches, outcomes, awaited=awaited)


def append_inside(sql: Statements, batches: Sequence[Batch], listener: str) -> Script[Appended]:
    """
    Append in a transaction that somebody else began and will end.

    Args:
        sql: The statements.
        batches: What to write.
        listener: The name of this process.
    """
    outcomes: dict[RunId, Outcome] = {}
    awaited = False
    for group, of_group in _by_group(batches):
        changes, written = Changes.of(of_group), _Written()
        locks = _locks(sql, changes)
        write = write_locked_call(sql, of_group, changes, listener)
        if group is None:
            *_, rows = yield (*locks, write)
            written.add(rows)
        else:
            *_, rows = yield (_SAVEPOINT, *locks, write)
            stands = len(rows) == len(of_group)
            yield (_RELEASE,) if stands else (_UNDO, _RELEASE)
            if stands:
                written.add(rows)
        awaited |= written.awaited
        outcomes |= yield from _outcomes(sql, of_group, written.runs)
    return _in_order(batches, outcomes, awaited=awaited)


def append_and_commit(
    sql: Statements,
    batches: Sequence[Batch],
    listener: str,
    before: Sequence[Call],
    *,
    locked: bool,
    fresh: bool,
) -> Script[Appended]:
    """
    Append at the end of a transaction of our own, and end it, in one trip if there is no group.

    Args:
        sql: The statements.
        batches: What to write.
        listener: The name of this process.
        before: What else to write in that trip.
        locked: The rows of attempts that batches without a group change are locked already.
        fresh: And nobody held these attempts before.
    """
    grouped = yield from append_inside(
        sql, [one for one in batches if one.group is not None], listener
    )
    outcomes = {one.run_id: one for one in grouped.outcomes}
    alone = [one for one in batches if one.group is None]
    calls, written = list(before), _Written()
    claims = [claim for batch in alone if fresh and (claim := claim_of(batch)) is not None]
    if alone and len(claims) == len(alone):
        calls.append(write_claims_call(sql, claims))
    elif alone:
        changes = Changes.of(alone)
        calls += () if locked else _locks(sql, changes)
        calls.append(write_locked_call(sql, alone, changes, listener))
    committed = False
    try:
        *rows, _ = yield (*calls, COMMIT)
        committed = True
        if alone:
            written.add(rows[-1])
        outcomes |= yield from _outcomes(sql, alone, written.runs)
    except OutcomeUnknown:
        outcomes |= _in_doubt(batches, ())
    except StorageError:
        if not committed:
            raise  # nothing was written at all
        outcomes |= _in_doubt(alone, written.runs)
    awaited = grouped.awaited or written.awaited
    return _in_order(batches, outcomes, awaited=awaited)


def _write_apart(
    sql: Statements, batches: Sequence[Batch], listener: str, written: _Written
) -> Script[None]:
    """Write batches that do not depend on each other."""
    write = write_call(sql, batches, listener)
    try:
        written.add((yield from ask(write)))
    except StorageError as error:
        if error.details.get("sqlstate") != _OVERTAKEN:
            raise
    left = [batch for batch in batches if batch.record.run_id not in written.runs]
    again = (yield from _still_possible(sql, left)) if left else []
    if again:
        changes = Changes.of(again)
        write = write_locked_call(sql, again, changes, listener)
        *_, rows, _ = yield (BEGIN, *_locks(sql, changes), write, COMMIT)
        written.add(rows)


def _write_whole(
    sql: Statements, batches: Sequence[Batch], listener: str, written: _Written
) -> Script[None]:
    """Write all batches, or none."""
    changes = Changes.of(batches)
    write = write_locked_call(sql, batches, changes, listener)
    *_, rows = yield (BEGIN, *_locks(sql, changes), write)
    if len(rows) == len(batches):
        yield (COMMIT,)
        written.add(rows)
    else:
        yield (ROLLBACK,)


def _outcomes(
    sql: Statements, batches: Sequence[Batch], written: Collection[RunId]
) -> Script[dict[RunId, Outcome]]:
    left = [batch for batch in batches if batch.record.run_id not in written]
    heads = (yield from _standing(sql, left)) if left else {}
    return {
        batch.record.run_id: (
            Committed(run_id=batch.record.run_id, revision=batch.record.last)
            if batch.record.run_id in written
            else Conflict(
                run_id=batch.record.run_id,
                expected=batch.expected,
                actual=heads[batch.record.run_id][0],
            )
        )
        for batch in batches
    }


def _still_possible(sql: Statements, batches: Sequence[Batch]) -> Script[list[Batch]]:
    """Those whose expected revision is the head for all that is known."""
    standing = yield from _standing(sql, batches)
    return [batch for batch in batches if standing[batch.record.run_id] == (batch.expected, False)]


def _standing(
    sql: Statements, batches: Sequence[Batch]
) -> Script[Mapping[RunId, tuple[Revision, bool]]]:
    """Where journals stand, and whether they are marked as unreadable."""
    rows = yield from ask(sql.call("standing", runs=plain(one.record.run_id for one in batches)))
    return {RunId(run_id): (Revision(last), marked) for run_id, last, marked in rows}


def _locks(sql: Statements, changes: Changes) -> tuple[Call, ...]:
    if not changes.named:
        return ()
    values = changes.locks()
    return sql.call("lock", **values), sql.call("lock_held", **values)


def _by_group(batches: Sequence[Batch]) -> list[tuple[str | None, list[Batch]]]:
    """Batches without a group first."""
    ordered = sorted(batches, key=lambda batch: (batch.group is not None, batch.group or ""))
    return [(group, list(of_group)) for group, of_group in groupby(ordered, lambda one: one.group)]


def _in_doubt(batches: Sequence[Batch], written: Collection[RunId]) -> dict[RunId, Outcome]:
    """What is not known to be written may be: whoever asked looks for the `append_id`."""
    records = [batch.record for batch in batches]
    return {
        one.run_id: Committed(run_id=one.run_id, revision=one.last)
        if one.run_id in written
        else Unknown(run_id=one.run_id, append_id=one.append_id)
        for one in records
    }


def _in_order(
    batches: Sequence[Batch], outcomes: Mapping[RunId, Outcome], *, awaited: bool
) -> Appended:
    answers = tuple(outcomes[batch.record.run_id] for batch in batches)
    return Appended(outcomes=answers, awaited=awaited)
