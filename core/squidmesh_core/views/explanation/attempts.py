"""Attempts in words: what each is, how it stands, and what holds it back."""

from typing import Final, assert_never

from squidmesh_core.decide.claim import MOST_DELIVERIES
from squidmesh_core.definition.spec import LogNode, WaitNode
from squidmesh_core.ids import visit_number
from squidmesh_core.plan.admission import Refusal, rate_to_text
from squidmesh_core.protocol.entries import AttemptFailed, Failure
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.causes import reason_text
from squidmesh_core.views.explanation.standing import Standing
from squidmesh_core.views.explanation.surroundings import Line
from squidmesh_core.views.words import clipped, failure_text, listed, quoted, somebody

#: Holders of a full queue that are named.
_MOST_HOLDERS: Final = 5


def name_of(case: Case, attempt: Attempt) -> str:
    """What an attempt is."""
    intent = attempt.intent
    visit = visit_number(intent.visit_key)
    node = repr(str(intent.step)) + (f" (visit {visit})" if visit > 1 else "")
    if attempt.key in case.state.timers:
        return f"the time-out of {node}" if intent.step else "the time-out of the whole run"
    return f"undoing {node}" if intent.kind == "compensation" else node


def standing_text(case: Case, standing: Standing) -> str:
    """How one attempt stands, in a sentence."""
    name = name_of(case, standing.attempt)
    match standing.kind:
        case "later":
            return _later(case, standing, name)
        case "at_work":
            return _at_work(case, standing, name)
        case "expired":
            return f"{_expired(case, standing)}; {_taken_over(case, standing)}"
        case "ready":
            return _ready(case, standing, name)
    assert_never(standing.kind)


def tries_text(attempt: Attempt) -> str | None:
    """How many tries are left; null: its step is tried once, or it is no step."""
    policy, number = attempt.intent.retry, attempt.intent.number
    if policy is None or policy.max_attempts <= 1:
        return None
    left = policy.max_attempts - number
    return f"attempt {number} of {policy.max_attempts}, {left or 'none'} left after it"


def last_failure(case: Case, attempt: Attempt) -> Failure | None:
    """Why the try before this one failed; null: it is the first, or a continuation."""
    if attempt.intent.number == 1:
        return None
    failures = (
        one.settlement
        for one in case.state.settled.values()
        if one.intent.visit_key == attempt.intent.visit_key
        and isinstance(one.settlement, AttemptFailed)
    )
    newest = max(failures, key=lambda one: one.revision, default=None)
    return newest.error if newest else None


# --- how it stands


def _later(case: Case, standing: Standing, name: str) -> str:
    attempt, when = standing.attempt, case.when(standing.attempt.intent.visible_at)
    failure = last_failure(case, attempt)
    if attempt.status == "retry_scheduled" and failure is not None:
        return f"{name} failed with {failure_text(failure)}; it is tried again at {when}"
    if attempt.intent.deferred is not None:
        why = reason_text(attempt.intent.deferred.reason)
        return f"{name} asked to go on later ({why}); it goes on at {when}"
    if isinstance(case.spec.nodes.get(attempt.intent.step), WaitNode):
        return f"{name} waits until {when}"
    return f"{name} may start at {when}"


def _at_work(case: Case, standing: Standing, name: str) -> str:
    attempt = standing.attempt
    claim, lease_until = attempt.claim, attempt.lease_until
    by = f" on {somebody(claim.owner)} since {case.when(claim.at)}" if claim else ""
    lease = f"; the lease lasts until {case.when(lease_until)}" if lease_until else ""
    return f"{name} is at work{by}{lease}{_progress(attempt)}"


def _progress(attempt: Attempt) -> str:
    if attempt.progress is None:
        return ""
    done, of, note = (attempt.progress.get(member) for member in ("done", "of", "note"))
    far = f"{done} of {of}" if of is not None else f"{done}"
    said = f" ({clipped(note)})" if isinstance(note, str) else ""
    return f"; it says {far} is done{said}"


def _expired(case: Case, standing: Standing) -> str:
    attempt = standing.attempt
    owner = somebody(attempt.claim.owner if attempt.claim else None)
    until = case.when(attempt.lease_until) if attempt.lease_until else "some time ago"
    doing = name_of(case, attempt)
    return f"{doing} was at work on {owner}, whose lease ended at {until}"


def _taken_over(case: Case, standing: Standing) -> str:
    if standing.obstacle is not None:
        return f"nobody takes it over: {obstacle_text(case, standing)}"
    attempt = standing.attempt
    most = attempt.intent.max_deliveries or MOST_DELIVERIES
    if case.state.undoing and attempt.intent.kind != "compensation":
        return "the next worker ends it, and nobody will know whether it took effect"
    if attempt.deliveries >= most:
        times = "once" if attempt.deliveries == 1 else f"{attempt.deliveries} times"
        return f"it was delivered {times} of {most}, so the next worker ends it"
    return f"another worker may take it over (delivery {attempt.deliveries + 1} of {most})"


def _ready(case: Case, standing: Standing, name: str) -> str:
    since = case.when(standing.attempt.intent.visible_at)
    node = case.spec.nodes.get(standing.attempt.intent.step)
    if standing.is_timeout:
        ends = "the waiting" if standing.attempt.intent.step else "the run"
        ready, then = f"{name} came at {since}", f"; any worker ends {ends}"
    elif isinstance(node, WaitNode):
        ready, then = f"{name} is over since {since}", "; any worker goes on from there"
    elif isinstance(node, LogNode):
        ready, then = f"{name} is ready since {since}", "; any worker writes its line"
    else:
        ready, then = f"{name} is ready since {since}", " and waits for a worker"
    if standing.obstacle is not None:
        return f"{ready}, but {obstacle_text(case, standing)}"
    return f"{ready}{then}{_place(standing)}"


def _place(standing: Standing) -> str:
    others = (standing.place or 1) - 1
    if others == 0:
        return ""
    before = "1 other comes" if others == 1 else f"{others} others come"
    return f"; {before} before it in queue {standing.attempt.intent.queue!r}"


# --- what holds it back


def obstacle_text(case: Case, standing: Standing) -> str:
    """What keeps a worker from taking an attempt."""
    queue = standing.attempt.intent.queue
    if standing.obstacle == "held":
        return "the run is held"
    if standing.refusal is None:
        return unserved_text(case, standing.attempt)
    if standing.refusal.kind == "paused":
        return _paused(case, queue)
    return _full(case, queue, standing.refusal)


def unserved_text(case: Case, attempt: Attempt) -> str:
    """Why no worker performs an attempt: its queue, or its action."""
    queue, action = attempt.intent.queue, attempt.intent.action
    workers = case.surroundings.workers or ()
    serving = [one for one in workers if one.takes_work and queue in one.queues]
    if serving:
        return f"no worker of queue {queue!r} performs {action!r}"
    gone = [one for one in workers if queue in one.queues]
    last = max(gone, key=lambda one: one.seen_at, default=None)
    seen = (
        "" if last is None else f" ({last.owner} gave its last sign at {case.when(last.seen_at)})"
    )
    return f"no worker serves queue {queue!r}{seen}"


def _paused(case: Case, queue: str) -> str:
    paused = case.surroundings.lines[queue].settings.paused
    by = f" by {somebody(paused.by)} since {case.when(paused.at)}" if paused else ""
    note = f": {clipped(paused.note)}" if paused and paused.note else ""
    return f"queue {queue!r} is paused{by}{note}"


def _full(case: Case, queue: str, refusal: Refusal) -> str:
    line = case.surroundings.lines[queue]
    if refusal.kind == "rate" and line.settings.rate is not None:
        until = f"; the next may start at {case.when(refusal.until)}" if refusal.until else ""
        return f"queue {queue!r} starts {rate_to_text(line.settings.rate)} at most{until}"
    one = refusal.limit == 1
    slots, taken = (
        ("the only slot", "is taken") if one else (f"all {refusal.limit} slots", "are taken")
    )
    if refusal.kind == "per_key":
        key = "without a partition key" if refusal.key is None else f"of key {refusal.key!r}"
        return f"{slots} of queue {queue!r} for work {key} {taken}{_by(case, line)}"
    return f"{slots} of queue {queue!r} {taken}{_by(case, line)}"


def _by(case: Case, line: Line) -> str:
    names = []
    for one in line.holders[:_MOST_HOLDERS]:
        own = one.run_id == case.state.run_id
        what = one.attempt_key.removeprefix(f"{one.run_id}:").rpartition(":")[0]
        owner = f" on {one.owner}" if one.owner else ""
        names.append(f"{what!r} of {'this run' if own else f'run {one.run_id}'}{owner}")
    more = " and others" if len(line.holders) > _MOST_HOLDERS else ""
    return f": by {listed(names)}{more}" if names else ""


def performers_text(standing: Standing) -> str | None:
    """Which workers could take an attempt; null: nobody looked, or none could."""
    if not standing.capable:
        return None
    names = quoted(sorted(one.owner for one in standing.capable)[:_MOST_HOLDERS])
    return f"workers for it: {names}"
