"""Who is waited for, until when, and what they may say."""

from collections.abc import Iterator
from typing import assert_never

from squidmesh_core.definition.spec import ApprovalNode, Field, Node, PauseNode, ReceiveNode
from squidmesh_core.ids import VisitKey, timeout_key
from squidmesh_core.plan.deadline import evaluate
from squidmesh_core.protocol.entries import Deadline, ManualStepPaused, MessageAwaited
from squidmesh_core.values import FromPath, OptionalPath
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.words import clipped, quoted


def gate_lines(case: Case, *, told: bool) -> Iterator[str]:
    """What is to be known of every open gate; `told`: its question and deadline are."""
    for visit, gate in case.state.gates.open.items():
        node = case.spec.nodes.get(gate.step) if gate.step else None
        if not told:
            yield f"{str(gate.step)!r} is open since {case.when(gate.at)}{_asks(node)}"
            yield from _warned(case, repr(str(gate.step)), gate.deadline)
        yield from _times_out(case, visit, gate)
        yield from _fields(node)


def awaited_lines(case: Case, *, told: bool) -> Iterator[str]:
    """What is to be known of every message that is waited for; `told`: since and until when is."""
    for visit, entry in case.state.mail.awaited.items():
        name = repr(str(entry.step))
        if not told:
            yield f"{name} waits for a message since {case.when(entry.at)}"
            yield from _warned(case, name, entry.deadline)
        yield from _found_by(case, entry)
        yield from _times_out(case, visit, entry)
        yield from _fields(case.spec.nodes.get(entry.step))


def kept_lines(case: Case) -> Iterator[str]:
    """Messages that came before their node."""
    kept = list(case.state.mail.kept.values())
    for name in dict.fromkeys(kept):
        count = kept.count(name)
        yield f"{count} message{'s' if count > 1 else ''} for {str(name)!r} came early and is kept"


def due_text(case: Case, deadline: Deadline | None) -> str:
    """How a deadline stands; empty without one."""
    if deadline is None:
        return ""
    due = evaluate(deadline, case.now)
    at = case.when(due.due_at)
    match due.status:
        case "on_time":
            soon = f", due soon from {case.when(due.due_soon_at)}" if due.due_soon_at else ""
            return f"due at {at}{soon}"
        case "due_soon":
            return f"due soon, at {at}"
        case "overdue":
            return f"overdue, was due at {at}"
        case "escalated":
            to = f" to {clipped(deadline.policy.target)}" if deadline.policy.target else ""
            return f"overdue and escalated{to}, was due at {at}"
    assert_never(due.status)


def step_deadline_lines(case: Case) -> Iterator[str]:
    """How the deadlines of steps stand; they only warn."""
    for standing in case.standings:
        text = due_text(case, standing.attempt.intent.deadline)
        if text:
            yield f"the deadline of {str(standing.attempt.intent.step)!r}: {text}"


def run_time_out_line(case: Case) -> Iterator[str]:
    """When the run as a whole is over, whatever it does."""
    for timer in case.state.timers.values():
        if not timer.intent.step and case.now < timer.intent.visible_at:
            yield f"the whole run times out at {case.when(timer.intent.visible_at)}"


def _asks(node: Node | None) -> str:
    return f": {clipped(node.question)}" if isinstance(node, PauseNode | ApprovalNode) else ""


def _warned(case: Case, name: str, deadline: Deadline | None) -> Iterator[str]:
    text = due_text(case, deadline)
    if text:
        yield f"the deadline of {name}: {text}; it only warns"


def _times_out(
    case: Case, visit: VisitKey, entry: ManualStepPaused | MessageAwaited
) -> Iterator[str]:
    timer = case.state.timers.get(timeout_key(visit))
    if timer is not None and case.now < timer.intent.visible_at:
        routes = case.spec.routes.get((entry.step, "timeout"), ()) if entry.step else ()
        routes = routes or (case.spec.routes.get((entry.step, "error"), ()) if entry.step else ())
        then = f"the run goes to {str(routes[0].target)!r}" if routes else "the run fails"
        yield f"{str(entry.step)!r} times out at {case.when(timer.intent.visible_at)}; then {then}"


def _fields(node: Node | None) -> Iterator[str]:
    fields: tuple[Field, ...] = ()
    if isinstance(node, ApprovalNode):
        fields = node.form or ()
    elif isinstance(node, ReceiveNode):
        fields = node.message
    if not fields or node is None:
        return
    needed = [field.name for field in fields if field.required and field.default is None]
    other = [field.name for field in fields if field.name not in needed]
    parts = [f"needs {quoted(needed)}"] if needed else []
    parts += [f"may say {quoted(other)}"] if other else []
    what = "answer" if isinstance(node, ApprovalNode) else "message"
    yield f"the {what} for {str(node.name)!r} {' and '.join(parts)}"


def _found_by(case: Case, entry: MessageAwaited) -> Iterator[str]:
    if entry.correlation is None:
        return
    node = case.spec.nodes.get(entry.step)
    binding = node.correlation if isinstance(node, ReceiveNode) else None
    # A constant of the definition is no secret; what is read from the context may be one.
    path = binding.path if isinstance(binding, FromPath | OptionalPath) else ("",)
    shown = case.value(path, entry.correlation)
    yield f"a message finds {str(entry.step)!r} by correlation {shown}"
