"""
What is kept beside the journals: definitions, checkpoints, records; and the verbs.

All of it is opaque text to an adapter.
"""

from typing import Protocol

from attrs import frozen

from squidmesh_core.ids import Fingerprint, Revision, RunId


@frozen(kw_only=True)
class Checkpoint:
    """A stored state; losing or garbling it changes nothing but time."""

    revision: Revision
    #: Chain hash at that revision: a checkpoint of another history is not used.
    hash: str
    codec_version: int
    body: str


@frozen(kw_only=True)
class Record:
    """
    A small fact outside runs: how a queue is set up, which worker lives.

    The adapter looks at nothing in it.
    """

    kind: str
    key: str
    #: Canonical JSON text.
    body: str
    #: 1 when it is new, one more with each change: what a conditional write compares.
    version: int = 0


class Keeping(Protocol):
    """The verbs for what is no journal."""

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """The canonical text stored under a fingerprint, or null."""
        ...

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """Store a definition in a transaction of its own; the first one stays."""
        ...

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """The stored checkpoint of a run, if it has one."""
        ...

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """Store a checkpoint in the place of the last one."""
        ...

    def delete_checkpoint(self, run_id: RunId) -> None:
        """Forget a run's checkpoint; forgetting none is fine."""
        ...

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """
        The records of a kind, by key.

        Args:
            kind: What sort of facts; no key is empty.
            prefix: Only those whose key begins so.
            after: Only those behind this key.
            limit: At most so many; null: all.
        """
        ...

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """
        Store a record; whether it was.

        Args:
            kind: What sort of fact.
            key: Which one.
            body: Canonical JSON text.
            expected: Only if this version is stored, 0 meaning none; null: whatever is.
        """
        ...

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """
        Forget a record; whether none is left.

        Args:
            kind: What sort of fact.
            key: Which one.
            expected: Only if this version is stored; null: whatever is.
        """
        ...
