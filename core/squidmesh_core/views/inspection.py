"""
Inspection: one run as people and programs see it, at one instant.

`snapshot` reads a state and never writes.  Payloads, outputs and errors of
attempts are only in it when asked for (`history`); the token of a claim never
is, because no state holds one.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from attrs import evolve, frozen

from squidmesh_core.canonical import restore
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import (
    AttemptKey,
    ClaimId,
    Fingerprint,
    NodeName,
    Revision,
    RunId,
    visit_number,
)
from squidmesh_core.plan.deadline import Due, evaluate
from squidmesh_core.protocol.entries import AttemptCompleted, AttemptFailed, Failure
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import Head, RunRow, RunStatus
from squidmesh_core.state.attempt import Attempt, AttemptStatus
from squidmesh_core.state.run import Anomaly, RunState
from squidmesh_core.values.deadline import Thresholds
from squidmesh_core.views.deadlines import DeadlineView, deadline_views
from squidmesh_core.views.given import failure_given, given, given_whole
from squidmesh_core.views.history import AuditView, CommandView, audit_views, command_views
from squidmesh_core.views.index import run_row
from squidmesh_core.views.plain import View
from squidmesh_core.views.reason import Reason, reason_of
from squidmesh_core.views.steps import StepView, step_views
from squidmesh_core.views.waiting import (
    AwaitedView,
    CompensationView,
    GateView,
    awaited_views,
    compensation_view,
    gate_views,
)


@quick
@frozen(kw_only=True)
class Run(View):
    """A run as the verbs and lists return it."""

    id: RunId
    workflow: str
    version: str | None
    fingerprint: Fingerprint
    trigger: str
    status: RunStatus
    queue: str
    priority: int
    tags: tuple[str, ...]
    key: str | None
    partition_key: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    revision: Revision
    parent: RunId | None = None
    replayed_from: RunId | None = None
    forked_at: NodeName | None = None
    #: Kind and message of the error that ended the run.
    error: str | None = None
    #: The first instant of each kind over all deadlines that run; `status(now)` is that
    #: of the most urgent one.  Null: none runs.
    deadline: Thresholds | None = None
    #: Whether the verb found that this was done before.
    duplicate: bool = False
    #: Why nobody works on it: its journal cannot be read; `verify` tells more.
    quarantined: str | None = None
    #: Whether a newer squidmesh than this one works on it.
    newer: bool = False
    #: When it was removed, all but its identity, status and times; null: it is there.
    pruned_at: datetime | None = None


@frozen(kw_only=True)
class AttemptView(View):
    """One attempt, without what only `history` shows."""

    key: AttemptKey
    node: NodeName
    number: int
    visit: int
    kind: str
    status: AttemptStatus
    visible_at: datetime
    idempotency_key: str
    deliveries: int
    claim_id: ClaimId | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    progress: Mapping[str, object] | None = None
    deadline: Due | None = None
    #: Only with history.
    input: Mapping[str, object] | None = None
    output: object = None
    error: Failure | None = None


@frozen(kw_only=True)
class Snapshot(View):
    """One run at one instant."""

    run: Run
    reason: Reason
    terminal: bool
    #: Why the run failed; null otherwise.
    error: Failure | None
    #: The node whose failure ended the run.
    failed_step: NodeName | None
    input: Mapping[str, object]
    #: Payload and outputs so far.
    context: Mapping[str, object]
    steps: tuple[StepView, ...]
    #: Nodes with an attempt that is not settled, a gate that is open, a message awaited.
    current: tuple[NodeName, ...]
    #: Those of them that nobody works on: attempts due or later, gates, messages.
    waiting_on: tuple[NodeName, ...]
    attempts: tuple[AttemptView, ...]
    visible: tuple[AttemptKey, ...]
    scheduled: tuple[AttemptKey, ...]
    expired_claims: tuple[AttemptKey, ...]
    next_visible_at: datetime | None
    #: Visits whose result was taken in, in order.
    applied: tuple[NodeName, ...]
    gates: tuple[GateView, ...]
    awaited: tuple[AwaitedView, ...]
    #: Null unless something was, is or will be undone.
    compensation: CompensationView | None
    command_history: tuple[CommandView, ...]
    #: Holds, answers, cancels and recoveries, in order.
    audit: tuple[AuditView, ...]
    #: Those that run, the soonest first.
    deadlines: tuple[DeadlineView, ...]
    #: Runs that this one started.
    children: tuple[RunId, ...] = ()
    #: Keys of work that was added while the run went on.
    dynamic: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...]
    at_revision: Revision

    @property
    def id(self) -> RunId:
        """The run's id."""
        return self.run.id

    @property
    def status(self) -> RunStatus:
        """The run's status."""
        return self.run.status


def run_view(
    row: RunRow,
    head: Head,
    *,
    duplicate: bool = False,
    quarantined: str | None = None,
    newer: bool = False,
) -> Run:
    """A run from its index row and the head of its journal."""
    return Run(
        id=row.run_id,
        workflow=row.workflow,
        version=row.version,
        fingerprint=row.fingerprint,
        trigger=row.trigger,
        status=row.status,
        queue=row.queue,
        priority=row.priority,
        tags=row.tags,
        key=row.key,
        partition_key=row.partition_key,
        created_at=row.created_at,
        updated_at=head.at,
        ended_at=row.ended_at,
        revision=head.revision,
        parent=row.parent,
        replayed_from=row.replayed_from,
        forked_at=row.forked_at,
        error=row.error,
        # An older process ends a run and leaves the instants in its row.
        deadline=row.deadline if row.ended_at is None else None,
        duplicate=duplicate,
        quarantined=quarantined,
        newer=newer,
    )


def run_of(state: RunState, *, duplicate: bool = False) -> Run:
    """
    A run from its state.

    Raises:
        ValueError: The journal holds no start.
    """
    row = run_row(state)
    if row is None or state.at is None:
        raise ValueError(f"the journal of {state.run_id} holds no run_started")
    head = Head(revision=state.revision, hash="", at=state.at)
    run = run_view(row, head, duplicate=duplicate)
    return run if state.pruned is None else evolve(run, pruned_at=state.pruned.at)


def snapshot(
    state: RunState,
    spec: Spec,
    now: datetime,
    *,
    history: bool = False,
    shown: Callable[[AttemptView], AttemptView] | None = None,
) -> Snapshot:
    """
    Everything about one run at an instant.

    Args:
        state: The fold of the run's journal.
        spec: The definition that the run keeps.
        now: What leases and deadlines are judged at.
        history: Also what attempts took in and gave out, and their errors.
        shown: What becomes of each attempt before the next is looked at.  There may be
            thousands: shortened one by one, they are never all there twice.
    """
    open_ = not state.terminal
    live = tuple(state.live.values()) if open_ else ()
    unclaimed = [a for a in live if a.status != "claimed"]
    scheduled = sorted((a for a in unclaimed if not a.visible(now)), key=_by_time)
    by_birth = sorted(state.attempts.values(), key=_by_birth)
    attempts = (_attempt(attempt, now, history=history) for attempt in by_birth)
    terminal = state.terminal
    return Snapshot(
        run=run_of(state),
        reason=reason_of(state, spec, now),
        terminal=terminal is not None,
        error=failure_given(terminal.error) if terminal else None,
        failed_step=terminal.step if terminal else None,
        input=given(state.started.input) if state.started else {},
        context=given(state.context),
        steps=step_views(state, spec),
        current=_names(live, state),
        waiting_on=_names(unclaimed, state),
        attempts=tuple(attempts if shown is None else map(shown, attempts)),
        visible=tuple(a.key for a in unclaimed if a.visible(now)),
        scheduled=tuple(a.key for a in scheduled),
        expired_claims=tuple(a.key for a in live if a.status == "claimed" and a.expired(now)),
        next_visible_at=scheduled[0].intent.visible_at if scheduled else None,
        applied=tuple(applied.step for applied in state.applied.values()),
        gates=gate_views(state, spec, now),
        awaited=awaited_views(state, now),
        compensation=compensation_view(state, spec),
        command_history=command_views(state),
        audit=audit_views(state),
        deadlines=deadline_views(state, now),
        anomalies=state.anomalies,
        at_revision=state.revision,
    )


def _attempt(attempt: Attempt, now: datetime, *, history: bool) -> AttemptView:
    intent, claim, settled = attempt.intent, attempt.claim, attempt.settlement
    output = settled.output if isinstance(settled, AttemptCompleted) else None
    error = settled.error if isinstance(settled, AttemptFailed) else None
    return AttemptView(
        key=intent.attempt_key,
        node=intent.step,
        number=intent.number,
        visit=visit_number(intent.visit_key),
        kind=intent.kind,
        status=attempt.status,
        visible_at=intent.visible_at,
        idempotency_key=intent.idempotency_key,
        deliveries=attempt.deliveries,
        claim_id=claim.claim_id if claim else None,
        owner=claim.owner if claim else None,
        lease_until=attempt.lease_until,
        progress=None if attempt.progress is None else given_whole(attempt.progress),
        deadline=evaluate(intent.deadline, now) if intent.deadline else None,
        input=given(attempt.input) if history else None,
        output=restore(output) if history else None,
        error=failure_given(error) if history else None,
    )


def _names(attempts: Iterable[Attempt], state: RunState) -> tuple[NodeName, ...]:
    gates = [gate.step for gate in state.gates.open.values() if gate.step is not None]
    names = [attempt.intent.step for attempt in attempts] + gates
    names += [entry.step for entry in state.mail.awaited.values()]
    return tuple(dict.fromkeys(names))


def _by_time(attempt: Attempt) -> tuple[datetime, str]:
    return attempt.intent.visible_at, attempt.intent.attempt_key


def _by_birth(attempt: Attempt) -> tuple[int, int]:
    """Retries are born in a failure and carry the first attempt's revision."""
    return attempt.intent.revision, attempt.intent.number
