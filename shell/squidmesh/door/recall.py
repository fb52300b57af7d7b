"""
Reading a run: from a checkpoint if there is a usable one, then what came after.

A journal that does not fit is another matter: whoever finds that marks the run
for everybody, and nobody works on it until a clean `verify` lifts the mark.
"""

from contextlib import suppress
from typing import Final

from squidmesh.door.checkpoints import leave_checkpoint, thawed
from squidmesh.door.collector import resting
from squidmesh.door.known import Known, Memory
from squidmesh.door.requests import Trip, load, put_quarantine, read_definition
from squidmesh_core import canonical
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import DefinitionError, RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import first_break
from squidmesh_core.protocol.codec import check_codec, entries_of
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.fold import take
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Loaded, Quarantine

#: Why one run cannot be read while the storage itself is well.
UNREADABLE: Final = frozenset({"run_quarantined", "newer_entries"})


def recall(memory: Memory, run_id: RunId, *, for_long: bool = True) -> Trip[Known]:
    """
    Read a run that this process does not know.

    Args:
        memory: What this process knows of runs.
        run_id: The run.
        for_long: Whether it is there for others to read too: they find a checkpoint.

    Raises:
        RunNotFound: There is no such run.
        StorageError: Its journal or its definition is unreadable.
    """
    loaded = yield from _unmarked(memory, run_id, BEGINNING)
    known = yield from take_in(memory, run_id, loaded)
    if for_long:
        yield from leave_checkpoint(memory, run_id)
    return known


def take_in(memory: Memory, run_id: RunId, loaded: Loaded) -> Trip[Known]:
    """
    Know a run from what was read of it, from its beginning or a checkpoint on.

    Raises:
        StorageError: Its journal or its definition is unreadable.
    """
    try:
        known, covered = yield from _read(memory, run_id, loaded)
    except StorageError as error:
        yield from set_aside(memory, run_id, error)
        raise
    memory.put(known)
    memory.cover(run_id, covered)
    return known


def catch_up(memory: Memory, known: Known) -> Trip[Known]:
    """
    Read what was appended since.

    Raises:
        RunNotFound: There is no such run (any more).
        StorageError: Its journal is unreadable.
    """
    run_id = known.state.run_id
    if known.state.revision == BEGINNING:
        return (yield from recall(memory, run_id))
    try:
        loaded = yield from _unmarked(memory, run_id, known.state.revision)
    except RunNotFound:
        memory.forget(run_id)  # it was pruned
        raise
    if loaded.head.revision < known.state.revision:
        return (yield from _left_of(memory, known, loaded))
    try:
        newer = _continued(known, loaded)
    except StorageError as error:
        yield from set_aside(memory, run_id, error)
        raise
    if newer is not known:
        memory.put(newer)
    return newer


def _left_of(memory: Memory, known: Known, loaded: Loaded) -> Trip[Known]:
    """
    What stands where a longer journal was: the tombstone of a pruned run.

    Raises:
        RunNotFound: Nothing does.
        StorageError: It is another journal.
    """
    run_id = known.state.run_id
    memory.forget(run_id)
    left = yield from recall(memory, run_id)
    if left.state.pruned is not None:
        return left
    broken = Revision(loaded.head.revision + 1)
    error = unreadable(run_id, "the journal is not the one that was read before", broken)
    yield from set_aside(memory, run_id, error)
    raise error


def set_aside(memory: Memory, run_id: RunId, error: StorageError) -> Trip[None]:
    """
    Keep a run that turns out unreadable out of the way of the others.

    A damaged one is marked for everybody; one that a newer squidmesh wrote is
    left alone by this process.  Any other error says nothing of the run.
    """
    if error.code == "newer_entries":
        memory.left_alone.add(run_id)
    elif error.code == "run_quarantined":
        memory.forget(run_id)
        # Whoever reads a run must learn what is wrong with it, also where nobody can write.
        with suppress(StorageError):
            yield from put_quarantine(run_id, mark_of(error))


def mark_of(error: StorageError) -> Quarantine:
    """The mark that an error of code `run_quarantined` leads to."""
    revision = error.details.get("revision")
    return Quarantine(
        revision=Revision(revision) if isinstance(revision, int) else None,
        reason=str(error.details.get("reason", error.message)),
    )


def definition_of(memory: Memory, state: RunState) -> Trip[Spec]:
    """
    The definition that a run started with.

    Raises:
        StorageError: The run never started, or its definition is not stored.
    """
    fingerprint = fingerprint_of(state)
    known = memory.spec(fingerprint)
    if known is not None:
        return known
    text = yield from read_definition(fingerprint)
    spec = read_spec(state, text)
    memory.keep_spec(spec)
    return spec


def fingerprint_of(state: RunState) -> Fingerprint:
    """
    What names the definition that a run started with.

    Raises:
        StorageError: The run never started.
    """
    if state.started is None:
        raise unreadable(state.run_id, "the journal holds no run_started", Revision(1))
    return state.started.definition


def read_spec(state: RunState, text: str | None) -> Spec:
    """
    The definition of a run from its stored text.

    Raises:
        StorageError: It is missing, was changed, or is beyond this release; the
            revision is that of the entry that names it.
    """
    fingerprint = fingerprint_of(state)
    revision = state.started.revision if state.started else Revision(1)
    if text is None:
        raise unreadable(state.run_id, f"the definition {fingerprint} is not stored", revision)
    try:
        spec = Spec.from_dict(canonical.restore(canonical.decode(text)))
    except DefinitionError as error:
        # It was right when it was stored: what is wrong with it came with a newer release.
        raise StorageError(
            f"run {state.run_id} has a definition that this squidmesh cannot read "
            f"({error.code}); the run is left alone",
            "newer_entries",
            {"run_id": state.run_id, "revision": revision, "definition": fingerprint},
        ) from error
    except ValueError as error:
        why = f"the definition {fingerprint} is no JSON"
        raise unreadable(state.run_id, why, revision) from error
    if spec.fingerprint != fingerprint:
        raise unreadable(state.run_id, f"the definition {fingerprint} was changed", revision)
    return spec


def unreadable(run_id: RunId, reason: str, revision: Revision | None) -> StorageError:
    """A run whose journal, or what belongs to it, does not fit."""
    where = "" if revision is None else f" at revision {revision}"
    return StorageError(
        f"run {run_id} cannot be read{where}: {reason}; nothing was changed, and no other run "
        "is affected",
        "run_quarantined",
        {"run_id": run_id, "revision": revision, "reason": reason},
    )


def _unmarked(memory: Memory, run_id: RunId, after: Revision) -> Trip[Loaded]:
    """The appends after a revision, of a run that nobody has marked."""
    try:
        loaded = yield from load(run_id, after)
    except StorageError as error:
        yield from set_aside(memory, run_id, error)
        raise
    if loaded.quarantined is not None:
        # Not `set_aside`: whoever lifts the mark meanwhile must not find it again.
        memory.forget(run_id)
        raise unreadable(run_id, loaded.quarantined.reason, loaded.quarantined.revision)
    return loaded


def _read(memory: Memory, run_id: RunId, loaded: Loaded) -> Trip[tuple[Known, Revision]]:
    """A run, and up to which revision a checkpoint knew it."""
    check_codec(loaded.codec, run_id=run_id, head=loaded.head.revision)
    begin = thawed(run_id, loaded.checkpoint)
    if begin is None and loaded.checkpoint is not None:
        loaded = yield from load(run_id, BEGINNING, whole=True)
    named = Named(run_id)
    state = _folded(begin or RunState(run_id=run_id), loaded, named)
    spec = yield from definition_of(memory, state)
    named.check(spec)
    known = Known(state=state, hash=loaded.head.hash, spec=spec)
    return known, begin.revision if begin else BEGINNING


def _continued(known: Known, loaded: Loaded) -> Known:
    """
    What is known of a run, and what was appended since.

    Raises:
        StorageError: The journal is not the one that was read before.
    """
    state, head = known.state, loaded.head
    check_codec(loaded.codec, run_id=state.run_id, head=head.revision)
    broken = first_break(loaded.records[:1], previous=known.hash, after=state.revision)
    if not loaded.records and head.hash != known.hash:
        broken = state.revision
    if broken is not None:
        raise unreadable(state.run_id, "the journal is not the one that was read before", broken)
    if not loaded.records:
        return known
    named = Named(state.run_id)
    state = _folded(state, loaded, named)
    named.check(known.spec)
    return Known(state=state, hash=head.hash, spec=known.spec)


def _folded(state: RunState, loaded: Loaded, named: Named) -> RunState:
    draft = Draft(state)
    with resting(sum(len(record.body) for record in loaded.records)):
        for record in loaded.records:
            for entry in entries_of(record):
                named.take(entry)
                take(draft, entry)
    return draft.state()
