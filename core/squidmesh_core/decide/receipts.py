"""
What all commands of people and systems have in common.

Each leaves a receipt before its effect, in the same append.  The same key
again answers with the first time and writes nothing; with another payload it
is refused.  A refusal is not stored and leaves the key free (specs/protocol.md §6).
"""

from collections.abc import Mapping
from typing import Final, assert_never

from squidmesh_core.decide.answer import Already, Refusal
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.payload import beyond_defaults
from squidmesh_core.definition.spec import ApprovalNode, ReceiveNode, Spec
from squidmesh_core.errors import PayloadError
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.commands import (
    Cancel,
    Operating,
    Pause,
    Receipted,
    Resume,
    Review,
    Send,
    Verb,
)
from squidmesh_core.protocol.entries import RunSignalReceived
from squidmesh_core.protocol.requests import review, send
from squidmesh_core.protocol.wire import instant_to_text
from squidmesh_core.state.run import RunState

_REVIEWS: Final[Mapping[str, Verb]] = {"approved": "approve", "rejected": "reject"}


def verb_of(command: Operating) -> Verb:
    """The word that the command's receipt carries."""
    match command:
        case Cancel():
            return "cancel"
        case Pause():
            return "pause"
        case Resume():
            return "resume"
        case Review(decision=decision):
            return _REVIEWS[decision]
        case Send():
            return "send"
    assert_never(command)


def digest_of(spec: Spec, run_id: RunId, command: Operating, node: object) -> str:
    """
    What a command is told apart by, in the run that it is for.

    Of a form or message that is what goes beyond the run's own definition: whoever repeats
    it may know a field less, or one more, where that stays at its default.

    Args:
        spec: The definition that the run keeps.
        run_id: The run.
        command: What is asked for.
        node: The node that it is for, if any.
    """
    asked, said = spec.nodes.get(NodeName(str(node))), command.said
    match asked, command:
        case ApprovalNode(form=tuple() as fields), Review(form=Mapping() as given):
            beyond = beyond_defaults(fields, given, assumed=command.assumed)
            same = review(run_id, said, command.decision, node=command.node, form=beyond)
        case ReceiveNode(message=fields), Send(payload=Mapping() as given):
            beyond = beyond_defaults(fields, given, assumed=command.assumed)
            same = send(run_id, said, node=command.node, payload=beyond)
        case _:
            return command.digest
    return same.command.digest if len(beyond) < len(given) else command.digest


def early_answer(state: RunState, spec: Spec, command: Operating) -> Already | Refusal | None:
    """The answer to a repetition, or to a command that this run is past; null: go on."""
    verb, said = verb_of(command), command.said
    before = state.receipt(verb, said.key) if said.key is not None else None
    if before is not None:
        # Receipts of earlier releases hold the digest of all that was handed in.
        own = digest_of(spec, state.run_id, command, before.payload.get("node"))
        if before.digest in {own, command.digest}:
            return Already(revision=before.revision, state=state)
        return key_taken(state, verb, said.key)
    if state.started is None:
        return Refusal(
            code="not_found",
            message=f"there is no run {state.run_id}; nothing was written",
            details={"run_id": state.run_id},
        )
    if state.terminal is not None:
        answered = last_answer(state) if isinstance(command, Resume | Review) else {}
        why = f"the run is {state.status} already"
        return refused(state, "invalid_transition", why, **answered)
    return None


def last_answer(state: RunState) -> dict[str, object]:
    """Who answered a gate of this run last, when and how; empty: nobody did."""
    if not state.gates.answers:
        return {}
    said = state.gates.answers[-1]
    return {
        "node": said.step,
        "reason": said.action,
        "actor": said.actor,
        "at": instant_to_text(said.at),
    }


def again(
    state: RunState, verb: Verb, digest: str, key: str | None, *, in_full: str | None = None
) -> Already | Refusal:
    """
    The answer to a start of a run that is there: the same one, or a conflict.

    Args:
        state: The run.
        verb: How it was asked for.
        digest: What the start is told apart by.
        key: Its idempotency key.
        in_full: See `Start.digest_in_full`.
    """
    for receipt in state.receipts:
        if receipt.command == verb and receipt.digest in {digest, in_full}:
            return Already(revision=receipt.revision, state=state)
    if key is not None:
        return key_taken(state, verb, key)
    return Refusal(
        code="idempotency_conflict",
        message=f"run id {state.run_id} already belongs to another start; nothing was written",
        details={"run_id": state.run_id, "command": verb, "key": None},
    )


def key_taken(state: RunState, verb: str, key: str | None) -> Refusal:
    """An idempotency key stands for one request only."""
    return Refusal(
        code="idempotency_conflict",
        message=f"key {key!r} already belongs to another {verb}; nothing was written",
        details={"run_id": state.run_id, "command": verb, "key": key},
    )


def refused(state: RunState, code: str, why: str, **details: object) -> Refusal:
    """No, because the run is not in a state for it."""
    return Refusal(
        code=code,
        message=f"run {state.run_id}: {why}; nothing was written",
        details={"run_id": state.run_id, "status": state.status, **details},
    )


def misfit(state: RunState, node: str | None, error: PayloadError) -> Refusal:
    """No, because a form or a message does not fit the definition that the run keeps."""
    why, unknown = error.message, error.details.get("unknown_fields")
    if unknown:
        why = (
            f"{why} Where a deploy has added a field, run {state.run_id} keeps the definition it "
            "started with, and takes the field only with its default."
        )
    return Refusal(
        code=error.code,
        message=why,
        details={"run_id": state.run_id, "node": node, **error.details},
    )


def undoing(state: RunState) -> Refusal | None:
    """The refusal of whatever would still go forward while the run undoes its steps."""
    if not state.undoing:
        return None
    return refused(state, "compensating", "it is undoing its steps and goes nowhere else")


def write_receipt(
    desk: Desk, verb: Verb, said: Receipted, digest: str, payload: Mapping[str, object]
) -> None:
    """The command arrived; no value in it that stands elsewhere in the journal."""
    desk.write(
        RunSignalReceived(
            at=desk.now,
            revision=desk.next_revision,
            command=verb,
            payload=payload,
            actor=said.actor,
            comment=said.comment,
            metadata=said.metadata,
            idempotency_key=said.key,
            digest=digest,
            occurred_at=said.occurred_at,
        )
    )
