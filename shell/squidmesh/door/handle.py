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
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_core.protocol.rows import Head, RowChanges
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import changes
from squidmesh_core.views.notices import notices
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome

#: Decisions that meet a newer revision are made afresh, so often.
MOST_TRIES: Final = 25
#: Identical appends sent while the outcome stays unknown.
MOST_RESENDS: Final = 5


@quick
@frozen(kw_only=True)
class Handled:
    """What became of a command."""

    answer: Answer
    #: The run as it is now: after all that was appended together with this.
    state: RunState
    #: What that append changed in the index.
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
    Carry out one command on one run; see `handle_together`.

    Raises:
        SquidmeshError: What `handle_together` raises.
    """
    (handled,) = yield from handle_together(
        memory, run_id, (command,), append_ids=append_ids, begin=begin, now=now
    )
    if isinstance(handled, Exception):
        raise handled
    return handled


def handle_together(
    memory: Memory,
    run_id: RunId,
    commands: Sequence[Command],
    *,
    append_ids: Callable[[], AppendId],
    begin: Known | None = None,
    now: datetime | None = None,
) -> Trip[list[Handled | Exception]]:
    """
    Carry out commands on one run in one append, each decided on what the one before left.

    One that is refused, or trips over a bug, writes nothing; the others go on without it.

    Args:
        memory: What this process knows of runs.
        run_id: The run.
        commands: What is asked for, in order.
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
        answers, state, entries = _decided(known, commands, at)
        if entries:
            rows = changes(known.state, state, known.spec)
            told = notices(entries, state)
            batch = batch_of(run_id, known.head, entries, rows, append_ids(), told=told)
            outcome = yield from _append(batch)
            if isinstance(outcome, Committed):
                # It follows the head that all of them were decided on, the refused ones too.
                memory.put(Known(state=state, hash=batch.record.hash, spec=known.spec))
                return _told(answers, state, rows)
            actual = outcome.actual
        elif fresh:
            return _told(answers, state, RowChanges())
        # A no may rest on a state that somebody else has moved on: look once.
        try:
            known = yield from catch_up(memory, known)
        except RunNotFound:
            if entries or begin is None:
                raise
            return _told(answers, state, RowChanges())  # a start that will not be
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
    told = notices(answer.entries, answer.state)
    batch = batch_of(run_id, known.head, answer.entries, rows, append_ids(), told=told)
    outcome = yield from write(batch)
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


def _decided(
    known: Known, commands: Sequence[Command], at: datetime
) -> tuple[list[Answer | Exception], RunState, list[Entry]]:
    """The answers, the state that they leave, and what is to be appended for it."""
    answers, state, entries = list[Answer | Exception](), known.state, list[Entry]()
    for command in commands:
        try:
            answer = decide(state, known.spec, command, at)
        except Exception as bug:  # what one command trips over is no matter of the others
            answers.append(bug)
            continue
        answers.append(answer)
        if isinstance(answer, Decision):
            state = answer.state
            entries += answer.entries
    return answers, state, entries


def _told(
    answers: Sequence[Answer | Exception], state: RunState, rows: RowChanges
) -> list[Handled | Exception]:
    return [
        one if isinstance(one, Exception) else Handled(answer=one, state=state, rows=rows)
        for one in answers
    ]


def batch_of(
    run_id: RunId,
    head: Head,
    entries: Sequence[Entry],
    rows: RowChanges,
    append_id: AppendId,
    *,
    told: tuple[NoticeRow, ...] = (),
) -> Batch:
    """The append of these entries after a head, with what hooks are told of it."""
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
        notices=told,
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
