"""
What people did to a run, and where failures were routed to a recovery.

    commands   every command that reached the run, as its receipt has it
    audit      holds, answers, cancels and recoveries: who, when, where to

Both are read off the state; no second account of them is kept.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

from attrs import Factory, frozen

from squidmesh_core.canonical import restore
from squidmesh_core.ids import NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import ManualStepResolved, RunSignalReceived, StepApplied
from squidmesh_core.state.run import RunState
from squidmesh_core.views.given import given_whole
from squidmesh_core.views.plain import View

AuditEvent = Literal[
    "paused",
    "resumed",
    "approved",
    "rejected",
    "compensation_routed",
    "undo_routed",
    "cancelled",
]
#: Commands whose receipt says all there is to say of them.
_BY_RECEIPT: Final[Mapping[str, AuditEvent]] = {"pause": "paused", "cancel": "cancelled"}
_BY_MARKER: Final[Mapping[str, AuditEvent]] = {
    "compensation": "compensation_routed",
    "undo": "undo_routed",
}


@frozen(kw_only=True)
class CommandView(View):
    """A command that reached the run."""

    revision: Revision
    command: str
    at: datetime
    actor: object = None
    comment: str | None = None
    idempotency_key: str | None = None
    metadata: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class AuditView(View):
    """Something that somebody decided, or that a route decided for them."""

    event: AuditEvent
    at: datetime
    revision: Revision
    #: Null: it is about the whole run.
    node: NodeName | None = None
    visit_key: VisitKey | None = None
    #: Null for routes, and where nobody said.
    actor: object = None
    comment: str | None = None
    #: The node that it led to, or `complete`; null: nowhere.
    target: NodeName | None = None


def command_views(state: RunState) -> tuple[CommandView, ...]:
    """Every command that reached the run, in order."""
    return tuple(command_view(receipt) for receipt in state.receipts)


def last_command(state: RunState, command: str) -> RunSignalReceived | None:
    """The newest receipt of a command; null: it was never given."""
    return next((one for one in reversed(state.receipts) if one.command == command), None)


def command_view(receipt: RunSignalReceived) -> CommandView:
    """One command, as its receipt has it."""
    return CommandView(
        revision=receipt.revision,
        command=receipt.command,
        at=receipt.at,
        actor=restore(receipt.actor),
        comment=receipt.comment,
        idempotency_key=receipt.idempotency_key,
        metadata=given_whole(receipt.metadata),
    )


def audit_views(state: RunState) -> tuple[AuditView, ...]:
    """Holds, answers, cancels and recoveries, in the order of the journal."""
    found = [*_received(state), *_answered(state), *_routed(state)]
    return tuple(sorted(found, key=lambda view: view.revision))


def _received(state: RunState) -> Iterator[AuditView]:
    for receipt in state.receipts:
        event = _BY_RECEIPT.get(receipt.command)
        if event is not None:
            yield AuditView(
                event=event,
                at=receipt.at,
                revision=receipt.revision,
                actor=restore(receipt.actor),
                comment=receipt.comment,
            )


def _answered(state: RunState) -> Iterator[AuditView]:
    for answer in state.gates.answers:
        yield AuditView(
            event=answer.action,
            at=answer.at,
            revision=answer.revision,
            node=answer.step,
            visit_key=answer.visit_key,
            actor=restore(answer.actor),
            comment=answer.comment,
            target=_led_to(state, answer),
        )


def _led_to(state: RunState, answer: ManualStepResolved) -> NodeName | None:
    applied = None if answer.visit_key is None else state.applied.get(answer.visit_key)
    return _target(applied) if applied is not None else None


def _routed(state: RunState) -> Iterator[AuditView]:
    for applied in state.applied.values():
        marker = applied.transition.recovery if applied.transition else None
        if marker is not None:
            yield AuditView(
                event=_BY_MARKER[marker],
                at=applied.at,
                revision=applied.revision,
                node=applied.step,
                visit_key=applied.visit_key,
                target=_target(applied),
            )


def _target(applied: StepApplied) -> NodeName | None:
    return applied.transition.target if applied.transition else None
