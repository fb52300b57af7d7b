"""
Messages: what comes from outside finds the visit that waits for it.

It does not matter whether the message or its node comes first: an early one is
kept; the oldest message goes to the oldest visit, one each.
"""

from datetime import datetime

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Answer
from squidmesh_core.decide.apply import apply_success
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.receipts import (
    digest_of,
    early_answer,
    misfit,
    refused,
    undoing,
    write_receipt,
)
from squidmesh_core.definition.payload import resolve_payload
from squidmesh_core.definition.spec import ReceiveNode, Spec
from squidmesh_core.errors import PayloadError
from squidmesh_core.ids import NodeName
from squidmesh_core.plan.messages import room_for, went_without
from squidmesh_core.protocol.commands import Send
from squidmesh_core.protocol.entries import MessageReceived
from squidmesh_core.state.run import RunState


def send(state: RunState, spec: Spec, command: Send, now: datetime) -> Answer:
    """Take a message in: for the visit that has waited longest, else for one to come."""
    answer = early_answer(state, spec, command) or undoing(state)
    if answer is not None:
        return answer
    node = spec.nodes.get(NodeName(command.node))
    if not isinstance(node, ReceiveNode):
        what = (
            "receives no messages" if node else "is no node of the definition that it started with"
        )
        return refused(state, "not_awaited", f"{command.node!r} {what}", node=command.node)
    if not room_for(state, spec, node):
        # Who has a message that was waited for in vain must not take it for received.
        code, why = "already_received", "has taken every message it can"
        if went_without(state, node.name):
            code, why = "not_awaited", "waits for no message any more, and went on without one"
        return refused(state, code, f"{node.name!r} {why}", node=node.name)
    try:
        payload = resolve_payload(
            node.message, command.payload, now=now, what="message", assumed=command.assumed
        )
    except PayloadError as error:
        return misfit(state, node.name, error)
    desk = Desk(state, spec, now, None)
    digest = digest_of(spec, state.run_id, command, node.name)
    write_receipt(desk, "send", command.said, digest, {"node": node.name})
    desk.write(
        MessageReceived(at=now, revision=desk.next_revision, step=node.name, payload=payload)
    )
    visit = desk.draft.mail.oldest_visit(node.name)
    if visit is not None:
        apply_success(desk, visit, node, source=desk.draft.mail.oldest_message(node.name))
        advance(desk)
    return desk.decision()
