"""
Bugs to plant around the deciders: reading runs, the files, what people are shown.

Each names the tests that are to find it; those of the core need no name.
"""

import sqlite3
from pathlib import Path

import pytest

from squidmesh.door import checkpoints, recall
from squidmesh.door import handle as handle_module
from squidmesh.door.known import Memory
from squidmesh.door.requests import Trip
from squidmesh.workers.claim import Claim
from squidmesh.workers.outlook import Outlook
from squidmesh_core.decide import advance, settle
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.plan import progress
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.checkpoint import thaw
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState
from squidmesh_core.values import redaction
from squidmesh_storage.api import Batch, Checkpoint, Committed, Conflict
from squidmesh_storage.sqlite import connection as connection_module
from support.planted import Plant

# --- reading runs


def checkpoint_without_digest(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint is believed whatever it says."""

    def thawed(run_id: RunId, checkpoint: Checkpoint | None) -> RunState | None:
        if checkpoint is None:
            return None
        return thaw(checkpoint.body[64:], run_id)

    patch.setattr(recall, "thawed", thawed)


def checkpoint_of_another_run(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint may be of another run or revision than its row says."""
    honest = checkpoints.thawed

    def thawed(run_id: RunId, checkpoint: Checkpoint | None) -> RunState | None:
        if checkpoint is None or honest(run_id, checkpoint) is not None:
            return honest(run_id, checkpoint)
        try:
            return thaw(checkpoint.body[64:], run_id)
        except ValueError:
            return None

    patch.setattr(recall, "thawed", thawed)


def damaged_row_skipped(patch: pytest.MonkeyPatch) -> None:
    """An append that cannot be read is passed over without a word."""

    def readable(record: AppendRecord) -> tuple[Entry, ...]:
        try:
            return entries_of(record)
        except StorageError:
            return ()

    patch.setattr(recall, "entries_of", readable)


def damaged_run_not_set_aside(patch: pytest.MonkeyPatch) -> None:
    """A run that cannot be read stays in everybody's way."""

    def set_aside(memory: Memory, run_id: RunId, error: StorageError) -> Trip[None]:
        yield from ()

    patch.setattr(recall, "set_aside", set_aside)


def newer_run_taken_for_damaged(patch: pytest.MonkeyPatch) -> None:
    """A process that is too old for a run spoils it for those that are not."""
    honest = recall.set_aside

    def set_aside(memory: Memory, run_id: RunId, error: StorageError) -> Trip[None]:
        yield from honest(
            memory, run_id, StorageError(error.message, "run_quarantined", error.details)
        )

    patch.setattr(recall, "set_aside", set_aside)


# --- writing


def conflict_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """Somebody was first, and the result is dropped as if it were written."""
    honest = handle_module._append

    def append(batch: Batch) -> Trip[Committed | Conflict]:
        outcome = yield from honest(batch)
        return Committed(run_id=outcome.run_id, revision=batch.record.last)

    patch.setattr(handle_module, "_append", append)


def commits_not_durable(patch: pytest.MonkeyPatch) -> None:
    """A commit does not wait for the disk."""
    honest = connection_module._configure

    def configure(connection: sqlite3.Connection, path: Path | None) -> None:
        honest(connection, path)
        connection.execute("pragma synchronous = normal")

    patch.setattr(connection_module, "_configure", configure)


def driver_error_to_the_caller(patch: pytest.MonkeyPatch) -> None:
    """What the driver raises is raised as it is."""

    def translated(error: sqlite3.Error, path: Path | None) -> sqlite3.Error:
        return error

    patch.setattr(connection_module, "translated", translated)


# --- progress


def successor_not_in_the_append(patch: pytest.MonkeyPatch) -> None:
    """What a result leads to is left for somebody else to plan."""
    patch.setattr(settle, "advance", lambda desk: None)


def end_beside_an_open_gate(patch: pytest.MonkeyPatch) -> None:
    """A run ends when no attempt is live, though a person is still asked."""
    honest = progress.plan

    def plan(state: RunState | Draft, spec: Spec) -> progress.Plan:
        asked = honest(state, spec)
        over = state.terminal is not None or state.started is None or state.saga.started is not None
        done = not over and not asked.enter and not state.live
        return progress.Plan(enter=asked.enter, complete=done)

    patch.setattr(advance, "plan", plan)


def urgency_compared_the_wrong_way(patch: pytest.MonkeyPatch) -> None:
    """A slot goes on for what is less urgent than what waits, and stops for what is more."""

    def comes_later(attempt: Attempt, offer: Offer) -> bool:
        waiting = offer.waiting.get(attempt.intent.queue)
        return waiting is not None and waiting > attempt.intent.priority

    patch.setattr(advance, "_comes_later", comes_later)


def sight_believed_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was seen to wait is taken to wait though it was claimed since."""
    patch.setattr(Outlook, "clear", lambda outlook: None)


# --- what people are shown


def lists_not_redacted(patch: pytest.MonkeyPatch) -> None:
    """A secret in an object in a list is shown."""
    honest = redaction._redacted

    def redacted(value: object, names: frozenset[str]) -> object:
        return value if isinstance(value, list | tuple) else honest(value, names)

    patch.setattr(redaction, "_redacted", redacted)


def token_in_repr(patch: pytest.MonkeyPatch) -> None:
    """Whoever logs a claim logs what it is worth."""
    patch.setattr(Claim, "__repr__", lambda claim: f"Claim(token={claim.token!r})")


#: The bug, and the tests that find it.
WIDER: tuple[tuple[Plant, str], ...] = (
    (checkpoint_without_digest, "tests/shell/runtime/test_recall.py"),
    (checkpoint_of_another_run, "tests/shell/runtime/test_recall.py"),
    (damaged_row_skipped, "tests/shell/runtime/test_quarantine.py"),
    (damaged_run_not_set_aside, "tests/shell/runtime/test_quarantine.py"),
    (newer_run_taken_for_damaged, "tests/shell/runtime/test_quarantine.py"),
    (conflict_taken_for_success, "tests/shell/runtime/test_door.py"),
    (commits_not_durable, "tests/storage/test_sqlite_durability.py"),
    (driver_error_to_the_caller, "tests/storage/test_sqlite_files.py"),
    (successor_not_in_the_append, "tests/core/decide"),
    (end_beside_an_open_gate, "tests/core/decide"),
    (urgency_compared_the_wrong_way, "tests/core/decide"),
    (sight_believed_for_ever, "tests/shell/runtime/test_urgency.py"),
    (lists_not_redacted, "tests/core/values"),
    (token_in_repr, "tests/shell/runtime/test_worker_protocol.py"),
)
