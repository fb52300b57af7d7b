"""
Checkpoints: stored states, so that whoever does not know a long run need not fold all of it.

Who works a run leaves one when it lets the run go, and who had to fold much of it to look
at it does; a short run has none.  Losing, deleting or garbling one changes nothing but
time: one that cannot be read, or that another codec wrote, is passed over.
"""

from contextlib import suppress
from hashlib import sha256
from typing import Final

from squidmesh.door.collector import resting
from squidmesh.door.known import Memory
from squidmesh.door.requests import Trip, put_checkpoint
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.state.checkpoint import freeze, thaw
from squidmesh_core.state.run import STATE_VERSION, RunState
from squidmesh_storage.api import Checkpoint

#: What a stored state depends on: the entries' codec and the state's own form.
VERSION: Final = CODEC_VERSION * 1000 + STATE_VERSION
#: Entries that a run has at least gone on by since its last checkpoint when it gets another.
GROWTH: Final = 1_000
#: It has also grown by one part in so many of what that one covers.  Storing a state costs
#: as much as it is long, so that all checkpoints of a run together cost four of its last.
PARTS: Final = 3
#: Characters of the digest that a stored state begins with.
_DIGEST: Final = 64


def has_outgrown(memory: Memory, run_id: RunId) -> bool:
    """Whether a run that this process knows has grown far beyond its last checkpoint."""
    known = memory.get(run_id)
    if known is None:
        return False
    covered = memory.covered(run_id)
    return known.state.revision - covered >= max(GROWTH, covered // PARTS)


def leave_checkpoint(memory: Memory, run_id: RunId) -> Trip[None]:
    """
    Store the state of a run that has outgrown its last checkpoint; of any other, nothing.

    Whoever works a run or reads it must not fail because the storage is busy or read-only,
    or because a damaged journal has keys that no text can hold.  Then there is none, and it
    is tried again when the run has grown by as much.
    """
    known = memory.get(run_id)
    if known is not None and has_outgrown(memory, run_id):
        memory.cover(run_id, known.state.revision)
        with suppress(StorageError, ValueError):
            yield from put_checkpoint(run_id, checkpoint_of(known.state, known.hash))


def checkpoint_of(state: RunState, chain_hash: str) -> Checkpoint:
    """What is stored of a state, beside the hash of the append that it ends with."""
    body = freeze(state)
    return Checkpoint(
        revision=state.revision,
        hash=chain_hash,
        codec_version=VERSION,
        body=_digest(body) + body,
    )


def thawed(run_id: RunId, checkpoint: Checkpoint | None) -> RunState | None:
    """The state that a checkpoint holds; null: there is none, or it is not usable here."""
    if checkpoint is None or checkpoint.codec_version != VERSION:
        return None
    digest, body = checkpoint.body[:_DIGEST], checkpoint.body[_DIGEST:]
    if digest != _digest(body):
        return None
    try:
        with resting(len(body)):
            state = thaw(body, run_id)
    except ValueError:
        return None
    # A state that says another run or revision than its row is somebody's mistake.
    fits = (state.run_id, state.revision) == (run_id, checkpoint.revision)
    return state if fits else None


def _digest(body: str) -> str:
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
