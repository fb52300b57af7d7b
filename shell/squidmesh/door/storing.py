"""
Storing journals that come from a file: append by append, as they once were written.

The index rows of a run come with its last append, in the same transaction: until
then nobody sees the run or claims anything of it, and whoever stores it again after
a crash goes on where the first one stopped.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Self

from attrs import evolve, frozen

from squidmesh.door.door import Door
from squidmesh.door.fitting import check_fits
from squidmesh.door.handle import batch_of
from squidmesh.door.outcomes import refusal
from squidmesh.door.recall import read_spec
from squidmesh_core.checker.bundle import followed_by
from squidmesh_core.decide import Decision, Refusal, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import (
    IdempotencyConflict,
    OutcomeUnknown,
    RevisionConflict,
    StorageError,
)
from squidmesh_core.ids import BEGINNING, Fingerprint, Revision, RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.fold import fold_run
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import rows_of
from squidmesh_storage.api import Batch, Committed, Conflict

#: Appends read at once.
PAGE: Final = 500
#: Runs that are stored side by side, an append of each in one transaction.
_ABREAST: Final = 100
#: What the receipt of the hold says.
_HELD: Final = Receipted(
    actor="squidmesh load", comment="loaded from a bundle; resume it to have it performed here"
)


@frozen(kw_only=True)
class Kept:
    """A run as a file has it, which was found right."""

    run_id: RunId
    records: tuple[AppendRecord, ...]
    fingerprint: Fingerprint
    #: Canonical text.
    definition: str
    #: Appended after the file's own, so that nobody performs the run.
    hold: AppendRecord | None = None
    #: What the index holds of the run in the end.
    rows: IndexRows

    @classmethod
    def of(
        cls,
        run_id: RunId,
        records: tuple[AppendRecord, ...],
        definitions: Mapping[Fingerprint, str],
    ) -> Self:
        """
        Judge what a file has of a run.

        Raises:
            ValueError: It is damaged, its definition is not there, or it holds what not
                every database keeps.
            StorageError: `newer_entries`: a newer squidmesh wrote it.
        """
        fingerprint = followed_by(run_id, records)
        state = _state(run_id, records)
        try:
            spec = read_spec(state, definitions.get(fingerprint))
        except StorageError as error:
            if error.code == "newer_entries":
                raise
            raise ValueError(str(error.details.get("reason", error.message))) from error
        rows = rows_of(state, spec)
        check_fits(state, records, rows)
        if state.gates.hold is not None:  # somebody may lift it here
            going_on = evolve(state, gates=evolve(state.gates, hold=None))
            check_fits(going_on, (), rows_of(going_on, spec))
        _check_hangs_together(run_id, records, spec)
        return cls(
            run_id=run_id,
            records=records,
            fingerprint=fingerprint,
            definition=definitions[fingerprint],
            rows=rows,
        )

    def held(self, door: Door) -> "Kept":
        """
        The same run, with a hold at its end unless it is over or held already.

        Raises:
            Refused: `compensating`: it cannot be held.
        """
        state = _state(self.run_id, self.records)
        if state.terminal is not None or state.gates.hold is not None:
            return self
        decision, spec = _hold(door, state, self.definition)
        head = self.records[-1].head
        append_id = door.mint.append_id()
        batch = batch_of(self.run_id, head, decision.entries, RowChanges(), append_id)
        return evolve(self, hold=batch.record, rows=rows_of(decision.state, spec))


def store(door: Door, runs: Sequence[Kept]) -> int:
    """
    Store runs; those that are there already stay as they are.  How many were stored.

    Raises:
        IdempotencyConflict: One is here with another journal; nothing was stored.
        StorageError: The storage failed; doing it again stores the rest.
        RevisionConflict: Somebody else wrote to a run meanwhile.
    """
    missing = [(kept, left) for kept in runs if (left := tuple(_missing(door, kept)))]
    for fingerprint, text in {kept.fingerprint: kept.definition for kept, _ in missing}.items():
        door.journal.define(fingerprint, text)
    for begin in range(0, len(missing), _ABREAST):
        _store_abreast(door, missing[begin : begin + _ABREAST])
    return len(missing)


def _store_abreast(door: Door, runs: Sequence[tuple[Kept, tuple[AppendRecord, ...]]]) -> None:
    for turn in range(max(len(left) for _, left in runs)):
        batches = [
            Batch(
                record=left[turn],
                expected=Revision(left[turn].first - 1),
                rows=_all(kept.rows) if turn == len(left) - 1 else RowChanges(),
            )
            for kept, left in runs
            if turn < len(left)
        ]
        for outcome in door.journal.append(batches):
            if isinstance(outcome, Conflict):
                raise RevisionConflict(
                    f"somebody else wrote to run {outcome.run_id} meanwhile; it is not complete",
                    "revision_conflict",
                    {
                        "run_id": outcome.run_id,
                        "expected": outcome.expected,
                        "actual": outcome.actual,
                    },
                )
            if not isinstance(outcome, Committed):
                raise OutcomeUnknown(
                    f"the connection broke while run {outcome.run_id} was stored; do it again",
                    "outcome_unknown",
                    {"run_id": outcome.run_id, "append_id": outcome.append_id},
                )
    for kept, _ in runs:
        door.memory.forget(kept.run_id)


def _missing(door: Door, kept: Kept) -> Iterator[AppendRecord]:
    """
    What has to be appended so that the run is here.

    Raises:
        IdempotencyConflict: Something else is here under its id.
    """
    here = _stored(door, kept.run_id, len(kept.records) + 1)
    listed = bool(here) and door.journal.rows_of(kept.run_id).run is not None
    same = here[: len(kept.records)] == kept.records[: len(here)]
    if not same or (listed and len(here) < len(kept.records)):
        raise IdempotencyConflict(
            f"run {kept.run_id} is here with another journal; nothing was stored",
            "idempotency_conflict",
            {"run_id": kept.run_id},
        )
    yield from kept.records[len(here) :]
    # Not to a run that was here before the file came, and is at work.
    if kept.hold is not None and not listed:
        yield kept.hold


def _stored(door: Door, run_id: RunId, least: int) -> tuple[AppendRecord, ...]:
    """The first appends of a run here: all of them, or at least so many."""
    here: list[AppendRecord] = []
    while page := door.journal.stored(run_id, here[-1].last if here else BEGINNING, PAGE):
        here += page
        if len(here) >= least:
            break
    return tuple(here)


def _hold(door: Door, state: RunState, definition: str) -> tuple[Decision, Spec]:
    """
    A hold of a run that is not over.

    Raises:
        Refused: `compensating`: it cannot be held.
    """
    spec = read_spec(state, definition)
    command = requests.pause(state.run_id, _HELD).command
    answer = decide(state, spec, command, door.journal.now())
    if isinstance(answer, Decision):
        return answer, spec
    if isinstance(answer, Refusal):
        raise refusal(answer)
    raise TypeError("a hold without a key was never given before")


def _check_hangs_together(run_id: RunId, records: Sequence[AppendRecord], spec: Spec) -> None:
    """
    Refuse what whoever reads the run would be refused, once it is stored.

    Raises:
        ValueError: An entry contradicts itself, or names what the definition has not.
    """
    named = Named(run_id)
    try:
        for record in records:
            for entry in entries_of(record):
                named.take(entry)
        named.check(spec)
    except StorageError as error:
        raise ValueError(str(error.details["reason"])) from error


def _state(run_id: RunId, records: Sequence[AppendRecord]) -> RunState:
    return fold_run(run_id, (entry for record in records for entry in entries_of(record)))


def _all(rows: IndexRows) -> RowChanges:
    """Rows of a run that the index knows nothing of."""
    return RowChanges(run=rows.run, put=rows.attempts, correlations=rows.correlations)
