"""Records as JSON documents: what `--json` prints, with the sensitive parts masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from squidmesh_core.views.plain import plain

if TYPE_CHECKING:
    from squidmesh.files.masking import Mask
    from squidmesh.views.snapshot import Snapshot
    from squidmesh_core.plan.deadline import Due
    from squidmesh_core.protocol.entries import Failure
    from squidmesh_core.state.run import Receipt
    from squidmesh_core.views.history import AuditView, CommandView
    from squidmesh_core.views.inspection import AttemptView, Run
    from squidmesh_core.views.waiting import AwaitedView, CompensationView, GateView

Document = dict[str, object]


def mask_of(snapshot: Snapshot) -> Mask:
    """What is sensitive in an inspected run."""
    from squidmesh.files.masking import Mask

    return Mask(snapshot.spec, snapshot.context)


def run_document(run: Run, mask: Mask | None = None) -> Document:
    """A run as lists and verbs show it."""
    return {
        "id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "fingerprint": run.fingerprint,
        "trigger": run.trigger,
        "status": run.status,
        "queue": run.queue,
        "priority": run.priority,
        "tags": list(run.tags),
        "key": run.key,
        "partition_key": run.partition_key,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "ended_at": run.ended_at,
        "revision": run.revision,
        "parent": run.parent,
        "replayed_from": run.replayed_from,
        "forked_at": run.forked_at,
        "error": mask.text(run.error) if mask and run.error else run.error,
        "deadline": plain(run.deadline),
        "duplicate": run.duplicate,
        "quarantined": run.quarantined,
        "newer": run.newer,
        "pruned_at": run.pruned_at,
    }


def snapshot_document(snapshot: Snapshot, *, history: bool) -> Document:
    """A run with everything that is known about it."""
    mask = mask_of(snapshot)
    return {
        "run": run_document(snapshot.run, mask),
        "reason": snapshot.reason,
        "terminal": snapshot.terminal,
        "error": failure_document(snapshot.error, mask),
        "failed_step": snapshot.failed_step,
        "input": mask.context(snapshot.input),
        "context": mask.context(snapshot.context),
        "steps": [
            {
                "name": step.name,
                "kind": step.kind,
                "status": step.status,
                "visits": step.visits,
                "after": list(step.after),
                "waits_for": list(step.waits_for),
                "recovery": plain(step.recovery),
                "undo": step.undo,
            }
            for step in snapshot.steps
        ],
        "current": list(snapshot.current),
        "waiting_on": list(snapshot.waiting_on),
        "attempts": [
            _attempt_document(attempt, mask, history=history) for attempt in snapshot.attempts
        ],
        "visible": list(snapshot.visible),
        "scheduled": list(snapshot.scheduled),
        "expired_claims": list(snapshot.expired_claims),
        "next_visible_at": snapshot.next_visible_at,
        "applied": list(snapshot.applied),
        "gates": [gate_document(gate) for gate in snapshot.gates],
        "awaited": [_awaited_document(awaited, mask) for awaited in snapshot.awaited],
        "compensation": _compensation_document(snapshot.compensation, mask),
        "commands": [command_document(command, mask) for command in snapshot.command_history],
        "audit": [_audit_document(one, mask) for one in snapshot.audit],
        "deadlines": [one.to_dict() for one in snapshot.deadlines],
        "children": list(snapshot.children),
        "dynamic": list(snapshot.dynamic),
        "anomalies": [
            {
                "reason": anomaly.reason,
                "entry_type": anomaly.entry_type,
                "revision": anomaly.revision,
                "keys": mask.value(anomaly.keys),
            }
            for anomaly in snapshot.anomalies
        ],
        "at_revision": snapshot.at_revision,
    }


def failure_document(failure: Failure | None, mask: Mask) -> Document | None:
    """What went wrong in a run or an attempt."""
    if failure is None:
        return None
    return {
        "kind": failure.kind,
        "message": mask.text(failure.message),
        "code": failure.code,
        "details": mask.value(failure.details),
    }


def _attempt_document(attempt: AttemptView, mask: Mask, *, history: bool) -> Document:
    document: Document = {
        "key": attempt.key,
        "node": attempt.node,
        "number": attempt.number,
        "visit": attempt.visit,
        "kind": attempt.kind,
        "status": attempt.status,
        "visible_at": attempt.visible_at,
        "idempotency_key": attempt.idempotency_key,
        "deliveries": attempt.deliveries,
        "claim_id": attempt.claim_id,
        "owner": attempt.owner,
        "lease_until": attempt.lease_until,
        "progress": mask.value(attempt.progress),
        "deadline": _deadline_document(attempt.deadline),
    }
    if history:
        document["input"] = taken_in(attempt, mask)
        document["output"] = mask.output(attempt.node, attempt.output)
        document["error"] = failure_document(attempt.error, mask)
    return document


def taken_in(attempt: AttemptView, mask: Mask) -> object:
    """What an attempt took in, of a step or of a callback that undoes one."""
    given = attempt.input or {}
    if attempt.kind == "compensation":
        return mask.undoing(attempt.node, given)
    return mask.input(attempt.node, given)


def _deadline_document(due: Due | None) -> Document | None:
    if due is None:
        return None
    return {
        "status": due.status,
        "started_at": due.started_at,
        "due_at": due.due_at,
        "due_soon_at": due.due_soon_at,
        "escalated_at": due.escalated_at,
        "remaining_ms": round(due.remaining.total_seconds() * 1000),
    }


def gate_document(gate: GateView) -> Document:
    """A person is waited for."""
    return {
        "kind": gate.kind,
        "node": gate.node,
        "visit_key": gate.visit_key,
        "question": gate.question,
        "opened_at": gate.opened_at,
        "targets": dict(gate.targets),
        "form": list(gate.form),
        "deadline": _deadline_document(gate.deadline),
        "times_out_at": gate.times_out_at,
    }


def _awaited_document(awaited: AwaitedView, mask: Mask) -> Document:
    found_by = awaited.correlation
    return {
        "node": awaited.node,
        "visit_key": awaited.visit_key,
        "since": awaited.since,
        "correlation": None if found_by is None else mask.correlation(awaited.node, found_by),
        "deadline": _deadline_document(awaited.deadline),
        "times_out_at": awaited.times_out_at,
    }


def _compensation_document(undoing: CompensationView | None, mask: Mask) -> Document | None:
    if undoing is None:
        return None
    return {
        "cause": undoing.cause,
        "started_at": undoing.started_at,
        "failure": failure_document(undoing.failure, mask),
        "node": undoing.node,
        "steps": [
            {"node": step.node, "visit_key": step.visit_key, "status": step.status}
            for step in undoing.steps
        ],
        "recovery": [
            {
                "node": left.step,
                "visit_key": left.visit_key,
                "reason": left.reason,
                "error": failure_document(left.error, mask),
            }
            for left in undoing.recovery
        ],
    }


def command_document(command: CommandView | Receipt, mask: Mask) -> Document:
    """A command that reached a run."""
    return {
        "revision": command.revision,
        "command": command.command,
        "at": command.at,
        "actor": mask.value(command.actor),
        "comment": command.comment and mask.text(command.comment),
        "idempotency_key": command.idempotency_key,
        "metadata": mask.value(command.metadata),
    }


def _audit_document(event: AuditView, mask: Mask) -> Document:
    """Something that somebody decided."""
    return {
        **event.to_dict(),
        "actor": mask.value(event.actor),
        "comment": event.comment and mask.text(event.comment),
    }


def plain_mapping(value: object) -> Mapping[str, object]:
    """A masked value that was a mapping before it was masked."""
    return value if isinstance(value, Mapping) else {}
