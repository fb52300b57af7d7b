"""
The entries of a journal: immutable facts, in the past tense.

One run has one journal; `revision` numbers its entries from 1.  Every entry is
built with its revision, because a decision knows the head it was made on; the
wire form leaves it out (an append stores its first revision).  Wire names and
versions are the codec's business (specs/protocol.md §1).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from attrs import Factory, frozen

from squidmesh_core.ids import (
    BEGINNING,
    AttemptKey,
    ClaimId,
    Fingerprint,
    NodeName,
    Revision,
    RunId,
    VisitKey,
)
from squidmesh_core.protocol.making import quick
from squidmesh_core.values import Binding, DeadlinePolicy, RecoveryPolicy, RetryPolicy

AttemptKind = Literal["step", "compensation", "dynamic", "timer"]
RunEnd = Literal["completed", "failed", "cancelled"]
#: The commands that begin a run.
Beginning = Literal["start", "replay", "retry_compensation"]
#: A hold is an operator's, of the whole run; the others are nodes.
GateKind = Literal["pause", "approval", "hold"]
GateAction = Literal["resumed", "approved", "rejected"]
#: Its callback failed for good; nobody knows whether it had an effect; given up.
UnrecoveredReason = Literal["compensation_failed", "effect_unknown", "abandoned"]


# --- values that entries carry


@frozen(kw_only=True)
class InputFrom:
    """The input is bound from the run context; null bindings: the whole context."""

    bindings: Mapping[str, Binding] | None = None


@frozen(kw_only=True)
class InputOf:
    """The input is that of an earlier attempt (deferral)."""

    attempt_key: AttemptKey


@frozen(kw_only=True)
class InputUndo:
    """The input is what a visit took in and gave out (compensation)."""

    visit_key: VisitKey


@frozen(kw_only=True)
class InputValue:
    """The input has no other home (dynamic work, host-given input)."""

    value: object


Input = InputFrom | InputOf | InputUndo | InputValue


@frozen(kw_only=True)
class Deadline:
    """A policy with the instant its clock started at."""

    policy: DeadlinePolicy
    #: The attempt's `visible_at`, or the instant a gate opened.
    started_at: datetime


@frozen(kw_only=True)
class Deferred:
    """Why an attempt is the continuation of another."""

    reason: object
    from_attempt: AttemptKey
    deferred_at: datetime


@frozen(kw_only=True)
class Failure:
    """What went wrong, as far as a person needs it; sensitive data."""

    #: An exception's class name, or one of the runtime's words (docs/reference/errors.md).
    kind: str
    message: str = ""
    #: A word of the step's own, beside the kind; the code of an error of ours that it raised.
    code: str | None = None
    details: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class NextAttempt:
    """The retry that is born with a failure."""

    attempt_key: AttemptKey
    number: int
    visible_at: datetime
    deadline: Deadline | None = None


@quick
@frozen(kw_only=True)
class Decided:
    """The route that was taken, and the values that decided it."""

    source: NodeName
    on: Literal["ok", "error", "timeout"]
    target: NodeName
    #: The condition's JSON form, as the definition had it.
    condition: Mapping[str, object] | None = None
    recovery: Literal["compensation", "undo"] | None = None
    #: Dotted path → the value that the conditions of this outcome read there.
    values: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class Schedule:
    """The cron slot that a run was started for."""

    cron: str
    timezone: str
    window: str
    signal_id: str | None = None


@frozen(kw_only=True)
class Parent:
    """The attempt that started a child run."""

    run_id: RunId
    step: NodeName
    child_key: str
    attempt_key: AttemptKey | None = None


@frozen(kw_only=True)
class Reused:
    """A result that another run brought; `value` is a copy, so this run outlives that one."""

    run_id: RunId
    value: object = None
    #: Only where the result is here to be undone: what its step was given.
    input: Mapping[str, object] | None = None
    #: Only where it is here to be undone: the key that its callback hands to the outside.
    undo_key: str | None = None


@frozen(kw_only=True)
class Unrecovered:
    """A finished or unfinished effect that compensation did not undo; a person must look."""

    visit_key: VisitKey
    step: NodeName
    reason: UnrecoveredReason
    error: Failure | None = None


# --- entries


@quick
@frozen(kw_only=True)
class RunSignalReceived:
    """A command arrived: the receipt, in the same append as its effect, before it."""

    at: datetime
    revision: Revision = BEGINNING
    #: The verb: start, cancel, approve …
    command: str
    #: The command as given; empty for a start, whose payload is in `RunStarted`.
    payload: Mapping[str, object] = Factory(dict)
    actor: object = None
    comment: str | None = None
    #: Redacted before it gets here.
    metadata: Mapping[str, object] = Factory(dict)
    idempotency_key: str | None = None
    #: SHA-256 of the command as given, without key and metadata.
    digest: str
    #: When it was given, if it says so; the journal's own instant is `at`.
    occurred_at: datetime | None = None


@quick
@frozen(kw_only=True)
class RunStarted:
    """The run exists."""

    at: datetime
    revision: Revision = BEGINNING
    workflow: str
    #: Fingerprint of the stored spec that the run keeps for good.
    definition: Fingerprint
    definition_version: str | None = None
    trigger: str
    #: The trigger's payload with its defaults applied.
    input: Mapping[str, object] = Factory(dict)
    queue: str = "default"
    priority: int = 0
    tags: tuple[str, ...] = ()
    partition_key: str | None = None
    schedule: Schedule | None = None
    parent: Parent | None = None
    replayed_from: RunId | None = None
    forked_at: NodeName | None = None


@quick
@frozen(kw_only=True)
class AttemptScheduled:
    """One try at a step may be claimed from `visible_at`."""

    at: datetime
    revision: Revision = BEGINNING
    attempt_key: AttemptKey
    visit_key: VisitKey
    step: NodeName
    number: int = 1
    kind: AttemptKind = "step"
    input: Input
    queue: str = "default"
    #: Null: any worker may take it (waits, logs, timers).
    action: str | None = None
    priority: int = 0
    visible_at: datetime
    #: What the step hands to the outside: the key of the visit's first attempt.
    idempotency_key: str
    recovery: RecoveryPolicy | None = None
    retry: RetryPolicy | None = None
    deadline: Deadline | None = None
    deferred: Deferred | None = None
    #: Deliveries after which a lost attempt fails as `worker_lost`.
    max_deliveries: int | None = None


@quick
@frozen(kw_only=True)
class AttemptClaimed:
    """A worker holds the attempt; this entry's revision is its fencing token."""

    at: datetime
    revision: Revision = BEGINNING
    attempt_key: AttemptKey
    claim_id: ClaimId
    claim_token_hash: str
    owner: str
    #: The worker may act while `now < lease_until`.
    lease_until: datetime


@frozen(kw_only=True)
class AttemptHeartbeat:
    """The lease moved; never backwards."""

    at: datetime
    revision: Revision = BEGINNING
    attempt_key: AttemptKey
    claim_id: ClaimId
    claim_token_hash: str
    lease_until: datetime
    progress: Mapping[str, object] | None = None


@quick
@frozen(kw_only=True)
class AttemptCompleted:
    """The attempt succeeded, or was deferred."""

    at: datetime
    revision: Revision = BEGINNING
    attempt_key: AttemptKey
    claim_id: ClaimId
    claim_token_hash: str
    output: object = None
    #: Whether this settles a deferral: nothing is applied.
    deferred: bool = False


@frozen(kw_only=True)
class AttemptFailed:
    """The attempt failed; a retry, if any, is born here."""

    at: datetime
    revision: Revision = BEGINNING
    attempt_key: AttemptKey
    #: Null when the runtime ends a lost claim.
    claim_id: ClaimId | None = None
    claim_token_hash: str | None = None
    error: Failure
    retry: NextAttempt | None = None


@quick
@frozen(kw_only=True)
class StepApplied:
    """The run took a result in, and where it goes next."""

    at: datetime
    revision: Revision = BEGINNING
    visit_key: VisitKey
    step: NodeName
    #: Revision of the entry that holds the output; null: there is none.
    source: Revision | None = None
    #: The context key the output is visible under; null: none.
    output: str | None = None
    transition: Decided | None = None
    #: Why a visit failed that no attempt says it of (a missing input path, a time-out).
    error: Failure | None = None
    #: Where the result comes from if not from this run (forks).
    reused_from: Reused | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the visit ended with a result, in this run or in the one it comes from."""
        return self.source is not None or (self.reused_from is not None and self.error is None)


@frozen(kw_only=True)
class ManualStepPaused:
    """A person is waited for: at a gate, or by a hold of the whole run."""

    at: datetime
    revision: Revision = BEGINNING
    kind: GateKind
    #: Null for a hold.
    visit_key: VisitKey | None = None
    #: Null for a hold.
    step: NodeName | None = None
    #: Outcome → where each answer leads, frozen here; empty without routes.
    targets: Mapping[str, str] = Factory(dict)
    #: The context key that the decision will be visible under.
    output: str | None = None
    deadline: Deadline | None = None


@frozen(kw_only=True)
class ManualStepResolved:
    """A person has answered."""

    at: datetime
    revision: Revision = BEGINNING
    action: GateAction
    #: Null for a hold.
    visit_key: VisitKey | None = None
    #: Null for a hold.
    step: NodeName | None = None
    actor: object = None
    comment: str | None = None
    #: The decision, who, when and why; null for a hold.
    result: object = None


@frozen(kw_only=True)
class MessageAwaited:
    """A message from outside is waited for."""

    at: datetime
    revision: Revision = BEGINNING
    visit_key: VisitKey
    step: NodeName
    #: What `deliver` finds this run by.
    correlation: str | None = None
    deadline: Deadline | None = None


@frozen(kw_only=True)
class MessageReceived:
    """A message came; kept until a visit of its node takes it."""

    at: datetime
    revision: Revision = BEGINNING
    step: NodeName
    payload: object = None


@frozen(kw_only=True)
class CompensationStarted:
    """Nothing goes forward any more; what was done is undone (specs/protocol.md §5)."""

    at: datetime
    revision: Revision = BEGINNING
    cause: Literal["failure", "cancel"]
    #: The first failure, which stays the run's error; null for a cancel.
    failure: Failure | None = None
    #: The step whose failure it is.
    step: NodeName | None = None


@quick
@frozen(kw_only=True)
class RunTerminal:
    """The end; it fences everything after it."""

    at: datetime
    revision: Revision = BEGINNING
    status: RunEnd
    error: Failure | None = None
    #: The step whose failure ended the run.
    step: NodeName | None = None
    #: What compensation was to undo and did not.
    recovery: tuple[Unrecovered, ...] = ()


@frozen(kw_only=True)
class RunPruned:
    """
    A tombstone: the run ended and was removed, and this is all that is left of it.

    The only entry of its journal.  It keeps what makes a repeated start known as
    one, and nothing that anybody handed in.
    """

    at: datetime
    revision: Revision = BEGINNING
    workflow: str
    #: Fingerprint of the stored spec that the run followed.
    definition: Fingerprint
    definition_version: str | None = None
    trigger: str
    queue: str = "default"
    priority: int = 0
    #: The command that began the run.
    command: Beginning = "start"
    #: That command's digest.
    digest: str
    replayed_from: RunId | None = None
    status: RunEnd
    started_at: datetime
    ended_at: datetime


Entry = (
    RunSignalReceived
    | RunStarted
    | AttemptScheduled
    | AttemptClaimed
    | AttemptHeartbeat
    | AttemptCompleted
    | AttemptFailed
    | StepApplied
    | ManualStepPaused
    | ManualStepResolved
    | MessageAwaited
    | MessageReceived
    | CompensationStarted
    | RunTerminal
    | RunPruned
)
