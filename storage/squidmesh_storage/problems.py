"""What every adapter says no with, in the same words."""

from collections.abc import Sequence

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, first_break, origin
from squidmesh_storage.api import Batch


def check_runs_differ(batches: Sequence[Batch]) -> None:
    """
    A call may append to each run once.

    Raises:
        ValueError: Two batches name one run.
    """
    if len(batches) > 1 and len({batch.record.run_id for batch in batches}) < len(batches):
        raise ValueError("two batches of one call name the same run; nothing was written")


def check_chain(
    run_id: RunId,
    records: Sequence[AppendRecord],
    *,
    before: AppendRecord | None,
    after: Revision,
) -> None:
    """
    Whether stored appends follow each other and what came before them.

    Args:
        run_id: Whose journal.
        records: The stored appends that begin after `after`, in order.
        before: The last stored append that begins at or before `after`.
        after: 0, or the revision at which `before` has to end.

    Raises:
        RunNotFound: There is neither.
        StorageError: `run_quarantined`, with the revision that does not fit.
    """
    if before is None and not records:
        raise run_not_found(run_id)
    if before is None:
        broken = first_break(records, previous=origin(run_id), after=Revision(0))
    elif before.last > after:
        broken = Revision(after + 1)
    else:
        broken = first_break(records, previous=before.hash, after=before.last)
    if broken is not None:
        raise broken_chain(run_id, broken)


def sound_beginning(record: AppendRecord) -> AppendRecord | None:
    """An append, if it is one that a journal can begin with; null: it does not fit the chain."""
    broken = first_break((record,), previous=origin(record.run_id), after=Revision(0))
    return record if broken is None else None


def run_not_found(run_id: RunId) -> RunNotFound:
    """No append of this run exists."""
    return RunNotFound(f"no run {run_id} is kept here", "not_found", {"run_id": run_id})


def broken_chain(run_id: RunId, revision: Revision) -> StorageError:
    """A stored row does not fit the hash chain."""
    return StorageError(
        f"the journal of run {run_id} is damaged: what is stored at revision {revision} does not "
        f"follow what comes before it; no other run is affected",
        "run_quarantined",
        {
            "run_id": run_id,
            "revision": revision,
            "reason": "it does not follow what comes before it",
        },
    )


def journal_gone(run_id: RunId) -> StorageError:
    """The index lists a run of which no append is left."""
    return StorageError(
        f"the journal of run {run_id} is gone: the index lists the run, and no entry of it is "
        "stored; no other run is affected",
        "run_quarantined",
        {
            "run_id": run_id,
            "revision": Revision(1),
            "reason": "the index lists it, and its journal is gone",
        },
    )


def closed(url: str) -> StorageError:
    """The journal was used after `close`."""
    return StorageError(f"the journal {url} is closed; nothing was done", "storage_error", {})


def writing_inside_decide() -> RuntimeError:
    """`decide` called a verb that writes, inside its own transaction."""
    return RuntimeError("decide may call load, but nothing that writes; nothing was written")


def not_joined(why: str) -> StorageError:
    """Nobody can write in one transaction with this journal, or not through that connection."""
    return StorageError(
        f"no transaction can be shared: {why}; nothing was written",
        "unsupported_transaction_storage",
        {"reason": why},
    )


def writing_beside_loan(url: str) -> StorageError:
    """Whoever borrowed a transaction wrote beside it, and would wait for its end."""
    return StorageError(
        f"the transaction of this very step keeps everybody else from writing to {url}, so this "
        "would wait for ever; nothing was done: use the verbs of `mesh.using(tx.connection)`",
        "storage_error",
        {},
    )


def not_here() -> StorageError:
    """A verb that makes no sense inside a transaction that is shared."""
    return StorageError(
        "this cannot be done inside a transaction that is shared; nothing was done",
        "storage_error",
        {},
    )
