"""One plain sentence for each reason."""

from squidmesh_core.definition.spec import ApprovalNode, Node, PauseNode
from squidmesh_core.plan.progress import waits_for
from squidmesh_core.protocol.entries import ManualStepPaused
from squidmesh_core.views.explanation.attempts import standing_text
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.ended import outcome_text
from squidmesh_core.views.explanation.gates import due_text
from squidmesh_core.views.explanation.reasons import Finding
from squidmesh_core.views.explanation.undoing import undoing_text
from squidmesh_core.views.history import last_command
from squidmesh_core.views.steps import step_status
from squidmesh_core.views.words import clipped, listed, quoted, somebody


def summary_of(case: Case, finding: Finding) -> str:
    """Why the run is where it is, in one sentence."""
    match finding.reason:
        case "terminal":
            return outcome_text(case)
        case "compensating":
            return undoing_text(case)
        case "manual_intervention_required":
            return _asked(case)
        case "waiting_for_join" if finding.node is not None:
            return f"{joining_text(case, case.spec.nodes[finding.node])}."
        case "waiting_for_message":
            return _message(case)
        case "idle":
            return "Nothing is at work, scheduled or awaited, and the run is not over."
        case "run_started":
            return "The run was started, and nothing of it was scheduled."
        case _:
            return _attempt(case, finding)


def joining_text(case: Case, node: Node) -> str:
    """What a join waits for, and how far that is."""
    missing = waits_for(node, case.state)
    open_ = [f"{name!r} ({step_status(case.state, name)})" for name in missing]
    done = [name for name in node.after if name not in missing]
    are = "is" if len(done) == 1 else "are"
    return f"{node.name!r} waits for {listed(open_)}; {quoted(done)} {are} done"


def hold_text(case: Case) -> str:
    """Who holds the run, since when and why."""
    hold, asked = case.state.gates.hold, last_command(case.state, "pause")
    who = somebody(asked.actor if asked else None)
    since = f" since {case.when(hold.at)}" if hold else ""
    note = f": {clipped(asked.comment)}" if asked and asked.comment else ""
    return f"the whole run is held by {who}{since}{note}; nothing is claimed until it is resumed"


def _attempt(case: Case, finding: Finding) -> str:
    if finding.standing is None:
        raise ValueError(f"a run is never {finding.reason} without an attempt")
    return _sentence(standing_text(case, finding.standing))


def _asked(case: Case) -> str:
    if case.state.gates.hold is not None:
        return _sentence(hold_text(case))
    gates = list(case.state.gates.open.values())
    if len(gates) > 1:
        return f"Waiting for {len(gates)} answers: at {listed(map(_place, gates))}."
    gate = gates[0]
    what = "a decision on" if gate.kind == "approval" else "somebody to go on at"
    node = case.spec.nodes.get(gate.step) if gate.step else None
    asks = f": {clipped(node.question)}" if isinstance(node, PauseNode | ApprovalNode) else ""
    return f"Waiting for {what} {_place(gate)}{asks}{'' if asks[-1:] in '?!.' and asks else '.'}{_due(case, gate)}"


def _place(gate: ManualStepPaused) -> str:
    return repr(str(gate.step))


def _due(case: Case, gate: ManualStepPaused) -> str:
    text = due_text(case, gate.deadline)
    return f" {_sentence(text)}" if text else ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _message(case: Case) -> str:
    entries = list(case.state.mail.awaited.values())
    if len(entries) > 1:
        return f"Waiting for messages at {quoted(entry.step for entry in entries)}."
    entry = entries[0]
    due = due_text(case, entry.deadline)
    since = f"since {case.when(entry.at)}"
    return f"Waiting for a message at {str(entry.step)!r} {since}{f'; {due}' if due else ''}."
