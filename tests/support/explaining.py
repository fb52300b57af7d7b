"""
What must hold of every explanation, as checks of one run each.

What may be done is tried here, with commands made anew from an action's name and
node: nothing of the explanation's own is believed.
"""

from collections.abc import Iterator
from typing import Final

from squidmesh_core.decide import Answer, Decision, Refusal, decide
from squidmesh_core.decide.replay import retry_compensation
from squidmesh_core.definition.spec import ApprovalNode, Field, ReceiveNode
from squidmesh_core.ids import NodeName, VisitKey, visit_node
from squidmesh_core.plan.admission import Paused, QueueSettings
from squidmesh_core.protocol.commands import Claim, Command, Start
from squidmesh_core.protocol.entries import CompensationStarted
from squidmesh_core.views.explanation import Explanation, Line, Surroundings, WorkerAt, explain
from support.replays import a_replay, a_retry, asked, next_run_id, source_of
from support.scenario import EPOCH, Scenario, a_cancel, a_hold, a_message, a_resume, a_review

#: A value for each field type.
VALUES: Final = {
    "string": "x",
    "integer": 1,
    "float": 1.5,
    "boolean": True,
    "map": {},
    "list": [],
    "any": None,
}
#: The reasons that no history of ours brings about.
FOREIGN: Final = {"idle", "run_started"}


def explained(run: Scenario, around: Surroundings | None = None) -> Explanation:
    """Why a run is where it is, now."""
    return explain(run.state, run.spec, run.now, around)


def everybody(run: Scenario) -> Surroundings:
    """A worker that can do all that the workflow needs, and queues without limits."""
    offer = run.offer()
    worker = WorkerAt(
        owner="ana", queues=offer.queues, actions=offer.actions, seen_at=EPOCH, takes_work=True
    )
    return Surroundings(workers=(worker,), lines={"default": Line()})


def stopped() -> Surroundings:
    """A queue that somebody paused."""
    paused = QueueSettings(paused=Paused(at=EPOCH, by="olga"))
    return Surroundings(workers=(), lines={"default": Line(settings=paused)})


# --- the checks


def check_reason(run: Scenario) -> None:
    """Every state that a run can reach has a reason, and a sentence for it."""
    found = explained(run)
    over = run.state.terminal is not None

    assert found.reason not in FOREIGN
    assert ("terminal" == found.reason) == over
    assert found.summary.endswith((".", "?", "!"))
    assert "None" not in found.summary
    assert all(line and "None" not in line for line in found.why)


def check_listed(run: Scenario) -> None:
    """Every action that is listed succeeds when it is tried."""
    for action in explained(run).next_actions:
        for answer in attempts_at(run, action.name, action.node):
            assert not isinstance(answer, Refusal), (action, answer)


def check_refused(run: Scenario) -> None:
    """Every action that is listed as refused is refused when it is tried, with that code."""
    for refused in explained(run).refused_actions:
        answers = list(attempts_at(run, refused.name, refused.node))

        assert answers
        for answer in answers:
            assert isinstance(answer, Refusal), refused
            assert refused.code == answer.code
            assert refused.message == answer.message


def check_unlisted(run: Scenario) -> None:
    """Whatever could be asked and is not listed is refused, or is the same as what is."""
    found = explained(run)
    listed = {(action.name, action.node) for action in found.next_actions}
    for name, node in universe(run):
        # A command without a node means the one gate that is open.
        nodes = {each for one, each in listed if one == name}
        if nodes if node is None else nodes & {node, None, named(run, node)}:
            continue
        for answer in attempts_at(run, name, node):
            idle = name == "cancel_and_undo" and not begins_to_undo(answer)
            assert idle or isinstance(answer, Refusal), (name, node)


def check_claimable(run: Scenario) -> None:
    """What a worker could claim is said to be claimable, and nothing else is."""
    found = explained(run, everybody(run))
    claimable = {
        attempt.key
        for attempt in (*run.state.live.values(), *run.state.timers.values())
        if isinstance(
            decide(run.state, run.spec, Claim(attempt_key=attempt.key, offer=run.offer()), run.now),
            Decision,
        )
    }
    told = {
        fact["key"]
        for fact in facts(found)
        if fact["standing"] in {"ready", "expired"} and "held_back_by" not in fact
    }

    assert claimable == told
    assert bool(claimable) == ("work" in {action.name for action in found.next_actions})
    if claimable:
        assert found.reason in {
            "compensating",
            "manual_intervention_required",
            "expired_claim",
            "attempt_visible",
        }


def check_held_back(run: Scenario) -> None:
    """In a queue that is paused nothing can be claimed, and the pause is told."""
    found = explained(run, stopped())
    due = [fact for fact in facts(found) if fact["standing"] in {"ready", "expired"}]

    assert "work" not in {action.name for action in found.next_actions}
    assert all("held_back_by" in fact for fact in due)
    if any(fact["held_back_by"] == "queue_paused" for fact in due):
        assert "paused by olga" in " ".join([found.summary, *found.why])
        assert "resume_queue" in {action.name for action in found.next_actions}


CHECKS: Final = (
    check_reason,
    check_listed,
    check_refused,
    check_unlisted,
    check_claimable,
    check_held_back,
)


# --- trying


def universe(run: Scenario) -> Iterator[tuple[str, str | None]]:
    """What anybody could think of asking."""
    for visit, gate in run.state.gates.open.items():
        if gate.kind == "approval":
            yield from (("approve", visit), ("reject", visit))
        else:
            yield "resume", visit
    for node in run.spec.steps:
        if isinstance(node, ApprovalNode):
            yield from (("approve", None), ("reject", None))
        if isinstance(node, ReceiveNode):
            yield "send", node.name
    for name in ("resume", "pause", "cancel", "cancel_and_undo", "abandon"):
        yield name, None
    for name in ("replay", "retry_compensation"):
        yield name, None


def attempts_at(run: Scenario, name: str, node: str | None) -> Iterator[Answer | Start]:
    """The answers to what an action stands for; several where it covers several attempts."""
    match name:
        case "replay":
            yield begun(run, asked(run, a_replay(run)))
        case "replay_irreversible":
            yield begun(run, asked(run, a_replay(run, allow_irreversible=True)))
        case "fork":
            yield begun(run, asked(run, a_replay(run, from_step=node)))
        case "retry_compensation":
            ask, run_id = a_retry(run), next_run_id(run)
            yield begun(run, retry_compensation(source_of(run), ask, run_id=run_id))
        case "work":
            for attempt in (*run.state.live.values(), *run.state.timers.values()):
                if attempt.visible(run.now) and (
                    attempt.status != "claimed" or attempt.expired(run.now)
                ):
                    offer = run.offer()
                    command = Claim(attempt_key=attempt.key, offer=offer)
                    yield decide(run.state, run.spec, command, run.now)
        case _:
            yield decide(run.state, run.spec, command_of(run, name, node), run.now)


def command_of(run: Scenario, name: str, node: str | None) -> Command:
    """The command that an action stands for, with a form or message that fits."""
    match name:
        case "approve":
            return a_review("approved", node, form=form_for(run, node))
        case "reject":
            return a_review("rejected", node)
        case "resume":
            return a_resume(node)
        case "send":
            receiver = run.spec.nodes[NodeName(node or "")]
            assert isinstance(receiver, ReceiveNode)
            return a_message(receiver.name, filled(receiver.message))
        case "pause":
            return a_hold()
        case "cancel":
            return a_cancel()
        case "cancel_and_undo":
            return a_cancel(compensate=True)
        case "abandon":
            return a_cancel(abandon=True)
        case _:
            raise AssertionError(f"{name} is no command")


def form_for(run: Scenario, named: str | None) -> dict[str, object] | None:
    """What fits the form of the approval that is meant; null: it has none."""
    for visit, gate in run.state.gates.open.items():
        node = run.spec.nodes.get(gate.step) if gate.step else None
        if isinstance(node, ApprovalNode) and named in {None, visit, gate.step}:
            return None if node.form is None else filled(node.form)
    return None


def filled(fields: tuple[Field, ...]) -> dict[str, object]:
    """A form or message with everything that it must have."""
    return {
        field.name: field.choices[0] if field.choices else VALUES[field.type]
        for field in fields
        if field.required and field.default is None
    }


def begun(run: Scenario, start: Start | Refusal) -> Answer:
    """What becomes of the start of a run that is made of this one."""
    if isinstance(start, Refusal):
        return start
    return Scenario(run.spec, now=run.now, run_id=start.run_id).ask(start)


def begins_to_undo(answer: Answer | Start) -> bool:
    """Whether something is undone, now or soon."""
    entries = answer.entries if isinstance(answer, Decision) else ()
    return any(isinstance(entry, CompensationStarted) for entry in entries)


def named(run: Scenario, visit: str | None) -> str | None:
    """The node of a visit, by which it is named where no other visit of it is open."""
    return None if visit is None or ":" not in visit else visit_node(VisitKey(visit))


def facts(found: Explanation) -> list[dict[str, object]]:
    """What is said of each attempt, as data."""
    attempts = found.details.get("attempts", [])
    assert isinstance(attempts, list)
    return attempts
