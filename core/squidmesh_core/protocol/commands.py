"""
Commands: requests to change a run, as values.  They may be refused.

Ids, token hashes, jitter and defaults resolved by the shell come in as
members; a command holds no secret and draws nothing (specs/protocol.md §6).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from attrs import Factory, frozen

from squidmesh_core.ids import AttemptKey, ClaimId, Fingerprint, NodeName, RunId, VisitKey
from squidmesh_core.protocol.entries import (
    Beginning,
    Decided,
    Failure,
    Parent,
    Reused,
    Schedule,
)
from squidmesh_core.protocol.making import quick

#: Commands that people and systems give, and that leave a receipt.
Verb = Literal[
    "start",
    "cancel",
    "pause",
    "resume",
    "approve",
    "reject",
    "send",
    "replay",
    "retry_compensation",
]


@quick
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
    #: Those of the queues where only work without an action is done on the way:
    #: whether anything else may start there is asked for in a claim transaction.
    limited: frozenset[str] = frozenset()
    #: By queue, the most urgent priority known to wait there: less urgent work is not
    #: claimed on the way.
    waiting: Mapping[str, int] = Factory(dict)


@frozen(kw_only=True)
class Receipted:
    """What a person or a system may say along with a command."""

    actor: object = None
    comment: str | None = None
    metadata: Mapping[str, object] = Factory(dict)
    key: str | None = None
    #: When it was given, if it says so.
    occurred_at: datetime | None = None


@frozen(kw_only=True)
class Copied:
    """A result of another run that a start brings along."""

    visit_key: VisitKey
    step: NodeName
    output: str | None = None
    transition: Decided | None = None
    error: Failure | None = None
    reused_from: Reused


@frozen(kw_only=True)
class Undoing:
    """A start that begins by undoing what it copies."""

    cause: Literal["failure", "cancel"]
    failure: Failure | None = None
    step: NodeName | None = None


@frozen(kw_only=True)
class Start:
    """Begin a run: a fresh one, or one made of another."""

    run_id: RunId
    workflow: str
    definition: Fingerprint
    trigger: str
    #: The payload with its defaults applied.
    input: Mapping[str, object]
    #: SHA-256 of workflow, trigger, payload as given and parent; of a replay, of what was asked.
    digest: str
    #: That of all that was handed in, defaults too: receipts of earlier releases hold it;
    #: null: it is the same one.
    digest_in_full: str | None = None
    queue: str = "default"
    priority: int = 0
    tags: tuple[str, ...] = ()
    partition_key: str | None = None
    #: Not claimable before; null: at once.
    visible_at: datetime | None = None
    schedule: Schedule | None = None
    parent: Parent | None = None
    verb: Beginning = "start"
    #: What a replay was asked for, or the run id that a start was given; the payload of
    #: a start stands in `run_started`.
    asked: Mapping[str, object] = Factory(dict)
    replayed_from: RunId | None = None
    #: The node that a fork begins at.
    forked_at: NodeName | None = None
    #: Results that are not worked for again, in the order they were applied.
    copied: tuple[Copied, ...] = ()
    undoing: Undoing | None = None
    said: Receipted = Factory(Receipted)
    offer: Offer | None = None


@frozen(kw_only=True)
class Claim:
    """Take the right to settle an attempt; of work without an action, do it."""

    attempt_key: AttemptKey
    offer: Offer


@quick
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


@quick
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
    #: Undo what was done first.
    compensate: bool = False
    #: Of a run that undoes already: stop that, and list the rest.
    abandon: bool = False


@frozen(kw_only=True)
class Pause:
    """Hold the whole run: what is claimed settles, nothing else is claimed."""

    said: Receipted = Factory(Receipted)
    digest: str


@frozen(kw_only=True)
class Resume:
    """Lift the hold, or answer a pause node."""

    #: The node or visit; null: the hold, else the one pause that is open.
    node: str | None = None
    said: Receipted = Factory(Receipted)
    digest: str


@frozen(kw_only=True)
class Review:
    """Answer an approval."""

    decision: Literal["approved", "rejected"]
    #: The node or visit; null: the one approval that is open.
    node: str | None = None
    #: What the form was filled in with; null: nothing.
    form: Mapping[str, object] | None = None
    #: Fields of the form that say no more than the default they have in the sender's code.
    assumed: frozenset[str] = frozenset()
    said: Receipted = Factory(Receipted)
    digest: str


@frozen(kw_only=True)
class Send:
    """Hand a message in."""

    node: str
    payload: object
    #: Fields of the message that say no more than the default they have in the sender's code.
    assumed: frozenset[str] = frozenset()
    said: Receipted = Factory(Receipted)
    digest: str


Settling = Complete | Fail | Defer
Operating = Cancel | Pause | Resume | Review | Send
Command = Start | Claim | Heartbeat | Settling | Operating
