"""
The append record and its hash chain (specs/protocol.md §8.1, §8.3).

    hash = SHA-256(previous hash ‖ canonical bytes), beginning with SHA-256(run id)

Any altered, missing, doubled or re-ordered row breaks the chain at a known
revision.  The chain detects; it does not defend against somebody who rewrites
all of it.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from attrs import frozen

from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import Head


@quick
@frozen(kw_only=True)
class AppendRecord:
    """One stored append: the unit of the journal."""

    run_id: RunId
    first: Revision
    last: Revision
    append_id: AppendId
    #: The decision's instant; that of every entry in it.
    at: datetime
    #: The entries as canonical JSON text.
    body: str
    #: Chain hash, lower-case hex.
    hash: str

    @property
    def head(self) -> Head:
        """Where the journal stands whose last append this is."""
        return Head(revision=self.last, hash=self.hash, at=self.at)


def origin(run_id: RunId) -> str:
    """The hash that a run's first append follows."""
    return sha256(run_id.encode()).hexdigest()


def link(previous: str, body: str) -> str:
    """The hash of an append that follows another."""
    return sha256(bytes.fromhex(previous) + body.encode()).hexdigest()


def first_break(
    records: Iterable[AppendRecord], *, previous: str, after: Revision
) -> Revision | None:
    """
    The first revision at which these records do not follow, or null.

    Args:
        records: Appends in stored order.
        previous: Hash of the append that ends at `after`.
        after: The revision that the first record must follow.
    """
    for record in records:
        follows = record.first == after + 1 and record.last >= record.first
        if not follows or record.hash != link(previous, record.body):
            return Revision(after + 1)
        previous, after = record.hash, record.last
    return None
