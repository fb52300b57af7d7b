"""
Commands: requests to change a run, as values.  They may be refused.

Ids, token hashes, jitter and defaults resolved by the shell come in as
members; a command holds no secret and draws nothing (specs/protocol.md §6).
"""

from collections.abc import Mapping
from datetime import datetime

from attrs import Factory, frozen

from squidmesh_core.ids import AttemptKey, ClaimId, Fingerprint, RunId
from squidmesh_core.protocol.entries import Failure, Parent, Schedule


@frozen(kw_only=True)
class Offer:
    """A worker with a free slot: whatever it can perform next, it claims at once."""

    owner: str
    claim_id: ClaimId
    claim_token_hash: str
    lease_ms: int
    #: Action keys it can perform; work without an action it can always take.
    actions: frozenset[str]
    queues: frozenset[str]


@frozen(kw_only=True)
class Receipted:
    """What a person or a system may say along with a command."""

    actor: object = None
    comment: str | None = None
    metadata: Mapping[str, object] = Factory(dict)
    key: str | None = None


@frozen(kw_only=True)
class Start:
    """Begin a run."""

    run_id: RunId
    workflow: str
    definition: Fingerprint
    trigger: str
    #: The payload with its defaults applied.
    input: Mapping[str, object]
    #: SHA-256 of workflow, trigger, payload as given and parent.
    digest: str
    queue: str = "default"
    priority: int = 0
    tags: tuple[str, ...] = ()
    partition_key: str | None = None
    #: Not claimable before; null: at once.
    visible_at: datetime | None = None
    schedule: Schedule | None = None
    parent: Parent | None = None
    said: Receipted = Factory(Receipted)
    offer: Offer | None = None


@frozen(kw_only=True)
class Claim:
    """Take the right to settle an attempt; of work without an action, do it."""

    attempt_key: AttemptKey
    offer: Offer


@frozen(kw_only=True)
class Held:
    """Which attempt a holder speaks of, and the proof that it holds it."""

    attempt_key: AttemptKey
    claim_id: ClaimId
    claim_token_hash: str


@frozen(kw_only=True)
class Heartbeat:
    """Move the lease."""

    held: Held
    lease_ms: int
    progress: Mapping[str, object] | None = None


@frozen(kw_only=True)
class Complete:
    """The step succeeded."""

    held: Held
    output: object = None
    offer: Offer | None = None


@frozen(kw_only=True)
class Fail:
    """The step failed."""

    held: Held
    error: Failure
    #: False when the step said that no retry can help.
    retryable: bool = True
    #: Names of the exception's class and its bases.
    kinds: tuple[str, ...] = ()
    retry_after_ms: int | None = None
    #: The shell's drawn number, 0 ≤ jitter < 1.
    jitter: float = 0.0
    offer: Offer | None = None


@frozen(kw_only=True)
class Defer:
    """Same work, later; costs no attempt."""

    held: Held
    reason: object
    delay_ms: int | None = None
    until: datetime | None = None
    offer: Offer | None = None


@frozen(kw_only=True)
class Cancel:
    """End the run here."""

    said: Receipted = Factory(Receipted)
    digest: str


Command = Start | Claim | Heartbeat | Complete | Fail | Defer | Cancel
