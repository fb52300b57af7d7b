"""
Bugs to plant: each is a mistake that somebody could make in the deciders or the fold.

Most are patched into both, as a mistake in what they share would be; otherwise
the fold, which believes nobody, would find it before the machine does.
"""

from datetime import datetime
from importlib import import_module

import pytest
from attrs import evolve

from squidmesh_core import ids
from squidmesh_core.decide import Answer, Refusal, advance, apply, settle
from squidmesh_core.decide import enter as enter_module
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import LogNode, Node, Spec, StepNode, WaitNode
from squidmesh_core.ids import NodeName, Revision, RunId, VisitKey
from squidmesh_core.plan import progress
from squidmesh_core.plan.retry import retry_delay
from squidmesh_core.protocol.commands import Complete, Defer, Held
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptHeartbeat,
    AttemptScheduled,
    Entry,
    Failure,
    NextAttempt,
    StepApplied,
)
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_core.state import attempt as attempt_module
from squidmesh_core.state import fold
from squidmesh_core.state import fold as fold_module
from squidmesh_core.state.attempt import Attempt, Reason
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState
from squidmesh_core.values import RetryPolicy

#: The package's attributes of these names are functions.
decide_package = import_module("squidmesh_core.decide")
claim_module = import_module("squidmesh_core.decide.claim")
index_module = import_module("squidmesh_core.views.index")


# --- leases and fences


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever knows the attempt may settle it."""
    patch.setattr(Attempt, "fenced_by", lambda self, claim_id, token: True)


def no_token(patch: pytest.MonkeyPatch) -> None:
    """The claim's id is enough."""

    def by_id(self: Attempt, claim_id: str | None, token: str | None) -> bool:
        return self.claim is not None and self.claim.claim_id == claim_id

    patch.setattr(Attempt, "fenced_by", by_id)


def lease_longer_by_an_instant(patch: pytest.MonkeyPatch) -> None:
    """`<` where `<=` is meant: at its very end a lease still lives."""

    def expired(self: Attempt, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until < now

    patch.setattr(Attempt, "expired", expired)


def dead_lease_revived(patch: pytest.MonkeyPatch) -> None:
    """A heartbeat does not look whether there is a lease to move."""
    honest = settle.fence

    def fence(state: RunState, held: Held, now: datetime) -> Attempt | Refusal:
        attempt = state.attempt(held.attempt_key)
        claimed_at = attempt.claim.at if attempt and attempt.claim else now
        return honest(state, held, claimed_at)

    def moved(attempt: Attempt, entry: AttemptHeartbeat) -> Attempt:
        return evolve(attempt, lease_until=entry.lease_until)

    patch.setattr(claim_module, "fence", fence)
    patch.setattr(attempt_module, "_heartbeat", moved)


def heartbeat_shortens(patch: pytest.MonkeyPatch) -> None:
    """The lease is what the newest heartbeat says, even if it was longer."""
    honest = attempt_module._heartbeat

    def moved(attempt: Attempt, entry: AttemptHeartbeat) -> Attempt | Reason:
        held = honest(attempt, entry)
        return evolve(held, lease_until=entry.lease_until) if isinstance(held, Attempt) else held

    heartbeat_entry_shortens(patch)
    patch.setattr(attempt_module, "_heartbeat", moved)


def heartbeat_entry_shortens(patch: pytest.MonkeyPatch) -> None:
    """The decider alone forgets it, the fold does not."""
    patch.setattr(claim_module, "max", lambda wanted, held: wanted, raising=False)


def completion_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """A repeated completion is not recognised."""
    patch.setattr(settle, "_completed_before", lambda state, command: None)


def number_bumped_on_reclaim(patch: pytest.MonkeyPatch) -> None:
    """A redelivery counts as another attempt."""
    honest = attempt_module._claimed

    def bumped(attempt: Attempt, entry: AttemptClaimed) -> Attempt | Reason:
        claimed = honest(attempt, entry)
        if isinstance(claimed, Attempt) and attempt.deliveries:
            number = claimed.intent.number + 1
            return evolve(claimed, intent=evolve(claimed.intent, number=number))
        return claimed

    patch.setattr(attempt_module, "_claimed", bumped)


def lost_attempt_delivered_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Deliveries are counted, but a lost attempt is handed out again all the same."""

    def lose(desk: Desk, attempt: Attempt) -> None:
        if desk.offer is not None:
            advance.claim_for(desk, attempt.key, desk.offer)

    patch.setattr(claim_module, "lose", lose)


# --- results and ends


def applied_twice(patch: pytest.MonkeyPatch) -> None:
    """A completion is taken in, and then once more."""
    honest, honest_fold = apply.apply_success, fold._applied

    def twice(desk: Desk, visit: VisitKey, node: Node, *, source: Revision | None) -> None:
        honest(desk, visit, node, source=source)
        if desk.draft.terminal is None:
            honest(desk, visit, node, source=None)

    def forgetful(draft: Draft, entry: StepApplied) -> Reason | None:
        draft.applied = {k: v for k, v in draft.applied.items() if k != entry.visit_key}
        return honest_fold(draft, entry if entry.source else evolve(entry, output=None))

    patch.setattr(settle, "apply_success", twice)
    patch.setattr(fold, "_applied", forgetful)


def output_lost(patch: pytest.MonkeyPatch) -> None:
    """A result is applied, but the context does not show it."""
    honest = fold._applied

    def applied(draft: Draft, entry: StepApplied) -> Reason | None:
        return honest(draft, evolve(entry, output=None))

    patch.setattr(fold, "_applied", applied)


def failure_counts_as_a_visit(patch: pytest.MonkeyPatch) -> None:
    """A failed attempt that is routed away is taken for a failure on the way in."""

    def apply_failure(
        desk: Desk, visit: VisitKey, node: Node, failure: Failure, *, attempted: bool
    ) -> None:
        apply.apply_failure(desk, visit, node, failure, attempted=False)

    patch.setattr(settle, "apply_failure", apply_failure)


def deferral_applied(patch: pytest.MonkeyPatch) -> None:
    """A deferral counts as the step's result and releases what waits for it."""
    honest = settle.defer

    def defer(state: RunState, spec: Spec, command: Defer, now: datetime) -> Answer:
        answer = honest(state, spec, command, now)
        if isinstance(answer, Refusal):
            return answer
        return settle.complete(state, spec, Complete(held=command.held), now)

    patch.setattr(decide_package, "defer", defer)


def end_not_checked(patch: pytest.MonkeyPatch) -> None:
    """Workers may settle after `run_terminal`."""
    honest = settle.fence

    def fence(state: RunState, held: Held, now: datetime) -> Attempt | Refusal:
        return honest(evolve(state, terminal=None), held, now)

    def believed(draft: Draft, entry: Entry) -> None:
        return None

    patch.setattr(settle, "fence", fence)
    patch.setattr(claim_module, "fence", fence)
    patch.setattr(fold, "_reason_against", believed)


def end_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A run with nothing left to do stays open."""
    honest = progress.plan

    def plan(state: RunState, spec: Spec) -> progress.Plan:
        return evolve(honest(state, spec), complete=False)

    patch.setattr(advance, "plan", plan)


# --- progress


def key_changes_on_retry(patch: pytest.MonkeyPatch) -> None:
    """A retry hands another idempotency key to the outside."""
    honest = fold_module.retried

    def retried(attempt: Attempt, retry: NextAttempt) -> Attempt:
        again = honest(attempt, retry)
        return evolve(again, intent=evolve(again.intent, idempotency_key=retry.attempt_key))

    patch.setattr(fold_module, "retried", retried)


def input_lost_on_retry(patch: pytest.MonkeyPatch) -> None:
    """A retry does not keep the input."""
    honest = fold_module.retried
    patch.setattr(fold_module, "retried", lambda a, retry: evolve(honest(a, retry), input={}))


def retry_without_end(patch: pytest.MonkeyPatch) -> None:
    """`max_attempts` is not looked at."""

    def delay(policy: RetryPolicy | None, **_: object) -> int | None:
        return None if policy is None else 30_000

    patch.setattr(settle, "retry_delay", delay)


def retry_at_once(patch: pytest.MonkeyPatch) -> None:
    """The backoff is not looked at."""
    patch.setattr(settle, "retry_delay", lambda policy, **a: retry_delay(policy, **a) and 0)


def join_planned_early(patch: pytest.MonkeyPatch) -> None:
    """One dependency of several is enough."""

    def ready(node: Node, state: RunState) -> bool:
        some = not node.after or any(state.done.get(name) for name in node.after)
        return some and not state.visits.get(node.name)

    patch.setattr(progress, "_ready", ready)


def join_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A step with several dependencies is never ready."""
    honest = progress._ready
    patch.setattr(progress, "_ready", lambda node, s: len(node.after) < 2 and honest(node, s))


def wait_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """A wait may be taken at once."""
    honest = enter_module._timer

    def timer(
        desk: Desk, node: WaitNode | LogNode, visit: VisitKey, over: datetime
    ) -> AttemptScheduled:
        return honest(desk, node, visit, desk.now)

    patch.setattr(enter_module, "_timer", timer)


def visits_share_a_key(patch: pytest.MonkeyPatch) -> None:
    """The number of a visit does not enter its key."""

    def key(run_id: RunId, node: NodeName, visit: int = 1) -> VisitKey:
        return ids.visit_key(run_id, node)

    patch.setattr(enter_module, "visit_key", key)


def visits_without_bound(patch: pytest.MonkeyPatch) -> None:
    """`max_visits` is not looked at."""
    honest = enter_module.enter

    def enter(desk: Desk, node: Node) -> None:
        honest(desk, evolve(node, max_visits=None) if isinstance(node, StepNode) else node)

    patch.setattr(advance, "enter", enter)


def index_keeps_what_is_settled(patch: pytest.MonkeyPatch) -> None:
    """Rows of attempts that ended stay in the index."""
    patch.setattr(
        index_module, "RowChanges", lambda **members: RowChanges(**members | {"drop": ()})
    )
