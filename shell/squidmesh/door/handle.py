"""
The one door: the one path by which any run is ever changed.

    load      journal → entries → RunState
    decide    RunState + Spec + Command + now → Decision
    append    entries + index rows, expected revision
              conflict? load what is new, decide afresh

`handle` is a generator of storage requests (see `requests`); it holds no rule
about workflows.  State moves in memory only after *committed*, and an unknown
outcome is resolved by its `append_id`, never guessed (specs/protocol.md §8.4).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from attrs import Factory, frozen

from squidmesh.door.known import Known, Memory
from squidmesh.door.recall import catch_up, recall
from squidmesh.door.requests import Trip, find, read_clock, write
from squidmesh_core.decide import Answer, Decision, decide
from squidmesh_core.errors import OutcomeUnknown, RevisionConflict, RunNotFound, StorageError
from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, link
from squidmesh_core.protocol.codec import encode
from squidmesh_core.protocol.commands import Command
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.rows import Head, RowChanges
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import changes
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome

#: Decisions that meet a newer revision are made afresh, so often.
MOST_TRIES: Final = 25
#: Identical appends sent while the outcome stays unknown.
MOST_RESENDS: Final = 5


@frozen(kw_only=True)
class Handled:
    """What became of a command."""

    answer: Answer
    state: RunState
    rows: RowChanges = Factory(RowChanges)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was appended; nothing for a refusal or a repetition."""
        return self.answer.entries if isinstance(self.answer, Decision) else ()


def handle(
    memory: Memory,
    run_id: RunId,
    command: Command,
    *,
    append_ids: Callable[[], AppendId],
    begin: Known | None = None,
    now: datetime | None = None,
) -> Trip[Handled]:
    """
    Carry out one command on one run.

    Args:
        memory: What this process knows of runs.
        run_id: The run.
        command: What is asked for.
        append_ids: Draws the identity of each new append.
        begin: For a start: the empty state, tried first without reading.
        now: The instant to decide at; null: the storage's clock.

    Raises:
        RunNotFound: There is no such run.
        RevisionConflict: Others were first, `MOST_TRIES` times in a row.
        OutcomeUnknown: It could not be learnt whether the append is durable.
        StorageError: The storage failed, or the run's journal is unreadable.
    """
    actual: Revision | None = None
    known = begin or memory.get(run_id)
    fresh = known is None
    if known is None:
        known = yield from recall(memory, run_id)
    for _ in range(MOST_TRIES):
        at = now if now is not None else (yield from read_clock())
        answer = decide(known.state, known.spec, command, at)
        if isinstance(answer, Decision):
            rows = changes(known.state, answer.state, known.spec)
            batch = batch_of(run_id, known.head, answer.entries, rows, append_ids())
            outcome = yield from _append(batch)
            if isinstance(outcome, Committed):
                memory.put(Known(state=answer.state, hash=batch.record.hash, spec=known.spec))
                return Handled(answer=answer, state=answer.state, rows=rows)
            actual = outcome.actual
        elif fresh:
            return Handled(answer=answer, state=known.state)
        # A no may rest on a state that somebody else has moved on: look once.
        try:
            known = yield from catch_up(memory, known)
        except RunNotFound:
            if isinstance(answer, Decision) or begin is None:
                raise
            return Handled(answer=answer, state=known.state)  # a start that will not be
        fresh = True
    raise RevisionConflict(
        f"run {run_id} moved on {MOST_TRIES} times while this was decided; nothing was written",
        "revision_conflict",
        {"run_id": run_id, "expected": known.state.revision, "actual": actual},
    )


def handle_once(
    memory: Memory,
    run_id: RunId,
    command: Command,
    *,
    append_ids: Callable[[], AppendId],
    begin: Known | None = None,
    now: datetime | None = None,
) -> Trip[Handled]:
    """
    Carry out one command in a transaction that somebody else ends: read, decide, append.

    Once each.  A conflict there is the host's to repeat, with all that it did, and what
    was not heard of is not there: the transaction is gone (specs/protocol.md §8.6).

    Args:
        memory: Knows definitions; runs are read afresh.
        run_id: As for `handle`.
        command: As for `handle`.
        append_ids: As for `handle`.
        begin: For a start: the empty state, if there is no such run.
        now: As for `handle`.

    Raises:
        RunNotFound: There is no such run.
        RevisionConflict: Somebody else was first.
        StorageError: The storage failed, or the run's journal is unreadable.
    """
    try:
        known = yield from recall(memory, run_id)
    except RunNotFound:
        if begin is None:
            raise
        known = begin
    at = now if now is not None else (yield from read_clock())
    answer = decide(known.state, known.spec, command, at)
    if not isinstance(answer, Decision):
        return Handled(answer=answer, state=known.state)
    rows = changes(known.state, answer.state, known.spec)
    outcome = yield from write(batch_of(run_id, known.head, answer.entries, rows, append_ids()))
    if isinstance(outcome, Committed):
        return Handled(answer=answer, state=answer.state, rows=rows)
    raise RevisionConflict(
        f"run {run_id} was moved on by somebody else while this was decided; nothing was "
        "written: roll the transaction back, and do all of it again",
        "revision_conflict",
        {
            "run_id": run_id,
            "expected": known.state.revision,
            "actual": outcome.actual if isinstance(outcome, Conflict) else None,
        },
    )


def batch_of(
    run_id: RunId, head: Head, entries: Sequence[Entry], rows: RowChanges, append_id: AppendId
) -> Batch:
    """The append of these entries after a head."""
    body = encode(entries, run_id)
    return Batch(
        record=AppendRecord(
            run_id=run_id,
            first=entries[0].revision,
            last=entries[-1].revision,
            append_id=append_id,
            at=entries[-1].at,
            body=body,
            hash=link(head.hash, body),
        ),
        expected=head.revision,
        rows=rows,
    )


def _append(batch: Batch) -> Trip[Committed | Conflict]:
    """Send the append, again and unchanged while nobody knows what became of it."""
    record = batch.record
    outcome = yield from write(batch)
    for _ in range(MOST_RESENDS):
        if isinstance(outcome, Committed | Conflict):
            return outcome
        # "Nothing was written" of a later error speaks of that try, not of the first.
        with suppress(StorageError):
            outcome = yield from _resolved(batch)
    if isinstance(outcome, Committed | Conflict):
        return outcome
    raise OutcomeUnknown(
        f"it is not known whether the append after revision {batch.expected} of run "
        f"{record.run_id} is durable; asking again with the same key is safe",
        "outcome_unknown",
        {"run_id": record.run_id, "append_id": record.append_id},
    )


def _resolved(batch: Batch) -> Trip[Outcome]:
    """Look for an append whose outcome is unknown; send it again if it is not there."""
    record = batch.record
    durable = Committed(run_id=record.run_id, revision=record.last)
    if (yield from find(record.run_id, record.append_id)):
        return durable
    outcome = yield from write(batch)
    # After a resend even a conflict may be our own first try, come late.
    if isinstance(outcome, Conflict) and (yield from find(record.run_id, record.append_id)):
        return durable
    return outcome
