"""
Reading a run: from a checkpoint if there is a usable one, then what came after.

Losing, deleting or garbling a checkpoint changes nothing but time: one that
cannot be read, or that another codec wrote, is passed over.
"""

from contextlib import suppress
from hashlib import sha256
from typing import Final

from squidmesh.known import Known, Memory
from squidmesh.requests import Trip, load, put_checkpoint, read_definition
from squidmesh_core import canonical
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import DefinitionError, StorageError
from squidmesh_core.ids import BEGINNING, RunId
from squidmesh_core.protocol.codec import CODEC_VERSION, decode
from squidmesh_core.protocol.converter import from_json, to_json
from squidmesh_core.state.fold import Draft
from squidmesh_core.state.run import STATE_VERSION, RunState
from squidmesh_storage.api import Checkpoint, Loaded

#: A cold start that replays more entries than this leaves a checkpoint behind.
CHECKPOINT_AFTER: Final = 500
#: What a stored state depends on: the entries' codec and the state's own form.
VERSION: Final = CODEC_VERSION * 1000 + STATE_VERSION
#: Characters of the digest that a stored state begins with.
_DIGEST: Final = 64


def recall(memory: Memory, run_id: RunId) -> Trip[Known]:
    """
    Read a run that this process does not know.

    Raises:
        RunNotFound: There is no such run.
        StorageError: Its journal or its definition is unreadable.
    """
    loaded = yield from load(run_id, BEGINNING)
    begin = _thawed(run_id, loaded.checkpoint)
    if begin is None and loaded.checkpoint is not None:
        loaded = yield from load(run_id, BEGINNING, whole=True)
    state = _folded(begin or RunState(run_id=run_id), loaded)
    spec = yield from definition_of(memory, state)
    known = Known(state=state, hash=loaded.head.hash, spec=spec)
    memory.put(known)
    replayed = state.revision - (begin.revision if begin else BEGINNING)
    if replayed > CHECKPOINT_AFTER and state.terminal is None:
        yield from _leave_checkpoint(known)
    return known


def catch_up(memory: Memory, known: Known) -> Trip[Known]:
    """
    Read what was appended since.

    Raises:
        RunNotFound: There is no such run (any more).
        StorageError: Its journal is unreadable.
    """
    if known.state.revision == BEGINNING:
        return (yield from recall(memory, known.state.run_id))
    loaded = yield from load(known.state.run_id, known.state.revision)
    if not loaded.records:
        return known
    state = _folded(known.state, loaded)
    newer = Known(state=state, hash=loaded.head.hash, spec=known.spec)
    memory.put(newer)
    return newer


def definition_of(memory: Memory, state: RunState) -> Trip[Spec]:
    """
    The definition that a run started with.

    Raises:
        StorageError: The run never started, or its definition is not stored.
    """
    if state.started is None:
        raise _unreadable(state.run_id, "its journal holds no run_started")
    fingerprint = state.started.definition
    known = memory.spec(fingerprint)
    if known is not None:
        return known
    text = yield from read_definition(fingerprint)
    if text is None:
        raise _unreadable(state.run_id, f"its definition {fingerprint} is not stored")
    try:
        spec = Spec.from_dict(canonical.decode(text))
    except DefinitionError as error:
        # It was right when it was stored: what is wrong with it came with a newer release.
        raise StorageError(
            f"run {state.run_id} has a definition that this squidmesh cannot read "
            f"({error.code}); the run is left alone",
            "newer_entries",
            {"run_id": state.run_id, "definition": fingerprint},
        ) from error
    except ValueError as error:
        raise _unreadable(state.run_id, f"its definition {fingerprint} is no JSON") from error
    if spec.fingerprint != fingerprint:
        raise _unreadable(state.run_id, f"its definition {fingerprint} was changed")
    memory.keep_spec(spec)
    return spec


def _folded(state: RunState, loaded: Loaded) -> RunState:
    draft = Draft(state)
    for record in loaded.records:
        entries = decode(record.body, run_id=record.run_id, first=record.first)
        if len(entries) != record.last - record.first + 1:
            raise _unreadable(
                state.run_id, f"revision {record.first} holds another number of entries than said"
            )
        for entry in entries:
            draft.take(entry)
    return draft.state()


def _leave_checkpoint(known: Known) -> Trip[None]:
    state = known.state
    body = canonical.encode(to_json(state, RunState, state.run_id))
    checkpoint = Checkpoint(
        revision=state.revision,
        hash=known.hash,
        codec_version=VERSION,
        body=_digest(body) + body,
    )
    # Whoever reads a run must not fail because the storage is busy or read-only.
    with suppress(StorageError):
        yield from put_checkpoint(state.run_id, checkpoint)


def _thawed(run_id: RunId, checkpoint: Checkpoint | None) -> RunState | None:
    if checkpoint is None or checkpoint.codec_version != VERSION:
        return None
    digest, body = checkpoint.body[:_DIGEST], checkpoint.body[_DIGEST:]
    if digest != _digest(body):
        return None
    try:
        state = from_json(canonical.decode(body), RunState, run_id)
    except ValueError:
        return None
    # A state that says another run or revision than its row is somebody's mistake.
    fits = (state.run_id, state.revision) == (run_id, checkpoint.revision)
    return state if fits else None


def _digest(body: str) -> str:
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable(run_id: RunId, why: str) -> StorageError:
    return StorageError(
        f"run {run_id} cannot be read: {why}; nothing was changed",
        "run_quarantined",
        {"run_id": run_id, "reason": why},
    )
