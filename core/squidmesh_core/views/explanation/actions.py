"""
What may be done now, and what would be refused.

Every candidate is put to the decider that the real command would reach: what that would
follow is listed with its effect, what it would refuse with the same code.  There is no
second set of rules here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from squidmesh_core.decide import Answer, Decision, Refusal, decide
from squidmesh_core.decide.replay import ReplayPlan, plan_replay, replay, retry_compensation
from squidmesh_core.decide.source import Source
from squidmesh_core.ids import SIGNAL_KIND, ClaimId, NodeName, derived_run_id
from squidmesh_core.protocol.commands import Claim, Offer, Start
from squidmesh_core.protocol.entries import CompensationStarted
from squidmesh_core.protocol.requests import ReplayRequest, RetryRequest
from squidmesh_core.views.effects import Effects
from squidmesh_core.views.explanation.candidates import SOMEBODY, Candidate, candidates
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.records import Action, ActionName, RefusedAction
from squidmesh_core.views.explanation.standing import Standing
from squidmesh_core.views.words import clipped, listed, quoted

#: The verb of each action, where it is not the action's name.
_VERBS: Final = {"cancel_and_undo": "cancel", "abandon": "cancel"}

#: Characters of an effect.
_LONGEST_EFFECT: Final = 600


@frozen(kw_only=True)
class Judged:
    """What would be followed, and what would be refused."""

    possible: tuple[Action, ...]
    refused: tuple[RefusedAction, ...]


def judged(case: Case) -> Judged:
    """Everything that could be asked, and what would come of it."""
    possible: list[Action] = []
    refused: list[RefusedAction] = []
    for found in (*_around(case), *_commands(case), *_made_of(case)):
        if isinstance(found, Action):
            possible.append(found)
        else:
            refused.append(found)
    return Judged(possible=tuple(possible), refused=tuple(refused))


# --- commands on the run


def _commands(case: Case) -> Iterator[Action | RefusedAction]:
    for candidate in candidates(case):
        answer = decide(case.state, case.spec, candidate.command, case.now)
        if isinstance(answer, Refusal):
            yield _refused(candidate.name, answer, candidate.node)
        elif isinstance(answer, Decision) and not _idle(candidate, answer):
            yield _possible(case, candidate, answer)


def _idle(candidate: Candidate, answer: Decision) -> bool:
    """Whether it would do the same as another one: there is nothing to undo."""
    begins = any(isinstance(entry, CompensationStarted) for entry in answer.entries)
    return candidate.name == "cancel_and_undo" and not begins


def _possible(case: Case, candidate: Candidate, answer: Decision) -> Action:
    run_id, verb = case.state.run_id, _VERBS.get(candidate.name, candidate.name)
    arguments = f'"{run_id}"{f", {candidate.call}" if candidate.call else ""}'
    options = f" {candidate.options}" if candidate.options else ""
    lines = _effects(case, answer)
    effect = _joined(lines) or "nothing else follows at once"
    if candidate.uncertain:
        effect = f"{str(candidate.node)!r} takes it; where the run goes then hangs on what it says"
    return Action(
        name=candidate.name,
        label=candidate.label,
        node=candidate.node,
        safe=not candidate.uncertain and _is_safe(answer),
        effect=effect,
        call=f"mesh.{verb}({arguments})",
        command=f"squidmesh {verb} {run_id}{options}",
    )


def _effects(case: Case, answer: Decision) -> tuple[str, ...]:
    """What would follow, a line each."""
    lines = Effects(case.state, case.spec).of(answer)
    if any(isinstance(entry, CompensationStarted) for entry in answer.entries):
        return "the run goes no further", *lines
    return lines


def _joined(lines: Iterable[str]) -> str:
    """What follows, in one line; of a run with very much in flight, the beginning."""
    return clipped("; ".join(lines), _LONGEST_EFFECT)


def _is_safe(answer: Answer) -> bool:
    """Whether the run still goes forward, or is over as it should be."""
    state = answer.state if isinstance(answer, Decision) else None
    return state is not None and state.status not in {"failed", "cancelled", "compensating"}


def _refused(name: ActionName, answer: Refusal, node: str | None = None) -> RefusedAction:
    return RefusedAction(name=name, node=node, code=answer.code, message=answer.message)


# --- runs made of this one


def _made_of(case: Case) -> Iterator[Action | RefusedAction]:
    # Results are copied from the journal; whether they may be is told by the state alone.
    source = Source(state=case.state, journal=(), spec=case.spec)
    yield from _replays(case, source, None)
    blamed = case.state.terminal.step if case.state.terminal else None
    if blamed:
        yield from _replays(case, source, blamed)
    yield _recompensation(case, source)


def _replays(
    case: Case, source: Source, from_step: NodeName | None
) -> Iterator[Action | RefusedAction]:
    """From the beginning or from a node on; allowed in so many words, where that is needed."""
    name: ActionName = "replay" if from_step is None else "fork"
    ask = ReplayRequest(run_id=case.state.run_id, from_step=from_step, said=SOMEBODY)
    answer = _replayed(case, source, ask)
    if isinstance(answer, Start):
        yield _replay_action(case, source, ask, name)
        return
    yield _refused(name, answer, from_step)
    allowed = evolve(ask, allow_irreversible=True)
    if from_step is None and isinstance(_replayed(case, source, allowed), Start):
        yield _replay_action(case, source, allowed, "replay_irreversible")


def _replayed(case: Case, source: Source, ask: ReplayRequest) -> Start | Refusal:
    run_id = derived_run_id(SIGNAL_KIND, "explained", case.state.run_id)
    return replay(source, ask, run_id=run_id, spec=case.spec, instant=case.now)


def _replay_action(case: Case, source: Source, ask: ReplayRequest, name: ActionName) -> Action:
    run_id, from_step = case.state.run_id, ask.from_step
    plan = plan_replay(source, ask, case.spec)
    call = option = ""
    if from_step is not None:
        call, option = f', from_step="{from_step}"', f" --from-step {from_step}"
    if ask.allow_irreversible:
        call, option = f"{call}, allow_irreversible=True", f"{option} --allow-irreversible"
    return Action(
        name=name,
        label=f"do it again from {str(from_step)!r} on" if from_step else "do it again",
        node=from_step,
        safe=not ask.allow_irreversible,
        effect=_joined(_repeats(plan)) if isinstance(plan, ReplayPlan) else plan.message,
        call=f'mesh.replay("{run_id}"{call})',
        command=f"squidmesh replay {run_id}{option}",
    )


def _repeats(plan: ReplayPlan) -> Iterator[str]:
    """What a replay would take over, and do once more."""
    yield f"a new run begins at {str(plan.from_step)!r}" if plan.from_step else "a new run begins"
    if plan.reused:
        yield f"taken over: {quoted(plan.reused)}"
    if plan.again:
        yield f"done before, and done again: {quoted(plan.again)}"
    if plan.unsafe:
        yield f"cannot be undone, and done twice: {quoted(plan.unsafe)}"
    yield "nothing of this one changes"


def _recompensation(case: Case, source: Source) -> Action | RefusedAction:
    ask = RetryRequest(run_id=case.state.run_id, said=SOMEBODY)
    run_id = derived_run_id(SIGNAL_KIND, "explained", case.state.run_id)
    answer = retry_compensation(source, ask, run_id=run_id)
    if isinstance(answer, Refusal):
        return _refused("retry_compensation", answer)
    return Action(
        name="retry_compensation",
        label="undo what was left",
        safe=True,
        effect=f"a new run undoes {quoted(dict.fromkeys(one.step for one in answer.copied))}",
        call=f'mesh.retry_compensation("{case.state.run_id}")',
        command=f"squidmesh retry-compensation {case.state.run_id}",
    )


# --- around the run


def _around(case: Case) -> Iterator[Action]:
    """Workers and queues: what lets attempts go on that are due."""
    by_queue: dict[str, list[Standing]] = {}
    for standing in case.standings:
        if standing.kind in {"ready", "expired"} and standing.obstacle != "held":
            by_queue.setdefault(standing.attempt.intent.queue, []).append(standing)
    for queue, due in by_queue.items():
        obstacles = {one.obstacle for one in due}
        if "queue_paused" in obstacles:
            yield _resume_queue(queue)
        yield from _more_room(queue, due)
        if obstacles & {None, "no_capable_worker"}:
            yield _work(case, queue, due)


def _claimed(case: Case, standing: Standing) -> Decision:
    """
    What the claim of an attempt would lead to at once: of a step, nothing but its lease.

    Raises:
        RuntimeError: It cannot be claimed, so it does not stand as it seemed to.
    """
    offer = Offer(
        owner="somebody",
        claim_id=ClaimId("explained"),
        claim_token_hash="",
        lease_ms=1,
        actions=frozenset(),
        queues=frozenset(),
    )
    command = Claim(attempt_key=standing.attempt.key, offer=offer)
    answer = decide(case.state, case.spec, command, case.now)
    if not isinstance(answer, Decision):
        raise RuntimeError(f"{standing.attempt.key} is not {standing.kind}: {answer}")
    return answer


def _resume_queue(queue: str) -> Action:
    return Action(
        name="resume_queue",
        label=f"let queue {queue!r} go on",
        safe=True,
        effect="whatever waits there can be claimed again, of every run",
        call=f'mesh.resume_queue("{queue}")',
        command=f"squidmesh resume-queue {queue}",
    )


def _more_room(queue: str, due: Sequence[Standing]) -> Iterator[Action]:
    """One slot more; a rate lets go by itself."""
    kinds = dict.fromkeys(one.refusal.kind for one in due if one.refusal is not None)
    for kind in kinds:
        limit = max(
            one.refusal.limit or 0 for one in due if one.refusal and one.refusal.kind == kind
        )
        if kind in {"concurrency", "per_key"}:
            yield Action(
                name="set_queue",
                label=f"widen queue {queue!r}",
                safe=True,
                effect=f"{limit + 1} of its attempts at once{', of each key' if kind == 'per_key' else ''}",
                call=f'mesh.set_queue("{queue}", {kind}={limit + 1})',
                command=f"squidmesh set-queue {queue} --{kind.replace('_', '-')} {limit + 1}",
            )


def _work(case: Case, queue: str, due: Sequence[Standing]) -> Action:
    free = [one for one in due if one.obstacle in {None, "no_capable_worker"}]
    needed = sorted({str(one.attempt.intent.action) for one in free if one.attempt.intent.action})
    lines = [f"a worker that knows {listed(map(repr, needed))}" if needed else "any worker will do"]
    able = sorted({worker.owner for one in free for worker in one.capable or ()})
    if able:
        lines.append(f"{quoted(able)} could do it already")
    answers = [_claimed(case, one) for one in free]
    for answer in answers:
        lines += _effects(case, answer)
    return Action(
        name="work",
        label=f"start a worker for queue {queue!r}",
        safe=all(_is_safe(answer) or case.state.undoing for answer in answers),
        effect=_joined(dict.fromkeys(lines)),
        call=f'mesh.worker(queues=["{queue}"]).run()',
        command=f"squidmesh work --app MODULE --queue {queue}",
    )
