"""Bugs to plant in undoing: each is a mistake that somebody could make there."""

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module

import pytest
from attrs import evolve

from squidmesh_core.decide import Answer, advance, apply, settle, source
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import Node, Spec, StepNode
from squidmesh_core.ids import VisitKey, visit_key
from squidmesh_core.plan import compensation
from squidmesh_core.plan.compensation import Undo
from squidmesh_core.protocol.commands import Cancel
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Failure,
    Unrecovered,
)
from squidmesh_core.state import fold, inputs
from squidmesh_core.state.attempt import Reason
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState
from squidmesh_core.state.saga import Saga, Undone
from support.planted import Plant

#: The package's attributes of these names are functions.
decide_package = import_module("squidmesh_core.decide")
cancel_module = import_module("squidmesh_core.decide.cancel")
waiting_module = import_module("squidmesh_core.views.waiting")


# --- what is undone


def forward_order(patch: pytest.MonkeyPatch) -> None:
    """What was applied first is undone first."""
    patch.setattr(compensation, "_by_revision", lambda applied: -applied.revision)


def restart_from_the_top(patch: pytest.MonkeyPatch) -> None:
    """After each callback, all of them are due again."""

    def forgetful(self: Saga, visit: VisitKey, how: Undone) -> Saga:
        return self

    patch.setattr(Saga, "with_undone", forgetful)


def failing_step_undone(patch: pytest.MonkeyPatch) -> None:
    """The step whose failure it was is undone too."""

    def with_the_failing(state: RunState | Draft, spec: Spec, honest: list[Undo]) -> list[Undo]:
        begun = state.saga.started
        node = spec.nodes.get(begun.step) if begun and begun.step else None
        if not isinstance(node, StepNode) or node.compensate is None:
            return honest
        visit = visit_key(state.run_id, node.name, state.visits[node.name])
        if visit in state.saga.undone or visit in state.applied:
            return honest
        policy = compensation.CALLBACK_RETRY
        failing = Undo(visit=visit, node=node, action=node.compensate, retry=policy, key=None)
        return [failing, *honest]

    _candidates(patch, with_the_failing)
    patch.setattr(inputs, "_undo_input", lambda draft, visit: {})


def error_routed_undone(patch: pytest.MonkeyPatch) -> None:
    """What was applied counts as done, also where it failed and was routed away."""
    honest = compensation._took_effect
    patch.setattr(compensation, "_took_effect", lambda a: a.reused_from is None or honest(a))
    patch.setattr(inputs, "_undo_input", lambda draft, visit: {})


def reused_undone(patch: pytest.MonkeyPatch) -> None:
    """A fork undoes what it only took over."""
    honest = compensation._took_effect
    patch.setattr(compensation, "_took_effect", lambda a: a.reused_from is not None or honest(a))


def result_of_a_sibling_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What came in after the turn is not undone."""

    def before_the_turn(state: RunState | Draft, spec: Spec, honest: list[Undo]) -> list[Undo]:
        begun = state.saga.started
        return [u for u in honest if not begun or state.applied[u.visit].revision < begun.revision]

    _candidates(patch, before_the_turn)


def every_callback_twice(patch: pytest.MonkeyPatch) -> None:
    """A callback that failed for good has another turn."""
    honest = Saga.with_undone

    def only_successes(self: Saga, visit: VisitKey, how: Undone) -> Saga:
        return honest(self, visit, how) if how == "compensated" else self

    patch.setattr(Saga, "with_undone", only_successes)


# --- when it is undone


def sibling_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """The first callback is due while others are still at work."""
    honest = advance.undo_next

    def undo_next(desk: Desk) -> None:
        live = desk.draft.live
        desk.draft.live = {k: a for k, a in live.items() if a.intent.kind == "compensation"}
        honest(desk)
        desk.draft.live = {**live, **desk.draft.live}

    patch.setattr(advance, "undo_next", undo_next)


def second_failure_takes_over(patch: pytest.MonkeyPatch) -> None:
    """A sibling that fails turns the run round once more."""

    def apply_failure(
        desk: Desk, visit: VisitKey, node: Node, failure: Failure, *, attempted: bool
    ) -> None:
        if desk.draft.saga.started is None:
            apply.apply_failure(desk, visit, node, failure, attempted=attempted)
        else:
            apply.fail_run(desk, node.name, failure)

    def compensating(draft: Draft, entry: CompensationStarted) -> Reason | None:
        draft.saga = evolve(draft.saga, started=entry)
        draft.nothing_forward()
        return None

    patch.setattr(settle, "apply_failure", apply_failure)
    patch.setattr(fold, "_compensating", compensating)


def second_failure_plans_again(patch: pytest.MonkeyPatch) -> None:
    """A sibling that fails plans the callback that is due already, or would be."""
    honest = apply.apply_failure

    def apply_failure(
        desk: Desk, visit: VisitKey, node: Node, failure: Failure, *, attempted: bool
    ) -> None:
        honest(desk, visit, node, failure, attempted=attempted)
        undo = next(compensation.candidates(desk.draft, desk.spec), None)
        if desk.draft.saga.started is not None and undo is not None:
            desk.write(advance._callback(desk, undo))

    patch.setattr(settle, "apply_failure", apply_failure)


def sibling_retried(patch: pytest.MonkeyPatch) -> None:
    """A step that fails while the run is undone gets its next attempt."""
    patch.setattr(settle, "final", lambda state, attempt: False)
    for name in ("_failed", "_scheduled"):
        _blind_to_the_turn(patch, name)


def first_failing_callback_stops_the_rest(patch: pytest.MonkeyPatch) -> None:
    """One that cannot be undone is the end of it."""
    honest = advance.undo_next

    def undo_next(desk: Desk) -> None:
        if "failed" in desk.draft.saga.undone.values() and desk.draft.terminal is None:
            apply.end_run(desk, "failed")
        else:
            honest(desk)

    patch.setattr(advance, "undo_next", undo_next)


def last_callback_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The end comes before the last of several callbacks."""

    def but_the_last(state: RunState | Draft, spec: Spec, honest: list[Undo]) -> list[Undo]:
        return honest[:-1] if state.saga.undone else honest

    _candidates(patch, but_the_last)


# --- how it ends


def cancel_accepted_while_undoing(patch: pytest.MonkeyPatch) -> None:
    """A plain cancel ends a run that undoes its steps."""
    honest = cancel_module.cancel

    def cancel(state: RunState, spec: Spec, command: Cancel, now: datetime) -> Answer:
        if state.undoing:
            command = evolve(command, abandon=True, compensate=False)
        answer: Answer = honest(state, spec, command, now)
        return answer

    patch.setattr(decide_package, "cancel", cancel)


def recovery_list_empty(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told what was left."""
    patch.setattr(apply, "unrecovered", lambda state, spec: ())


def doubtful_not_listed(patch: pytest.MonkeyPatch) -> None:
    """Only callbacks that failed are listed, not what nobody knows the effect of."""
    honest = compensation.unrecovered

    def known(state: RunState | Draft, spec: Spec) -> tuple[Unrecovered, ...]:
        return tuple(left for left in honest(state, spec) if left.reason != "effect_unknown")

    patch.setattr(apply, "unrecovered", known)


def nothing_is_ever_undone(patch: pytest.MonkeyPatch) -> None:
    """A failure ends the run at once, callbacks or not."""
    patch.setattr(apply, "compensable", lambda state, spec: False)


def new_key_for_a_retry(patch: pytest.MonkeyPatch) -> None:
    """A retried callback hands another key to the outside."""
    patch.setattr(source, "_undo_key", lambda applied: f"again:{applied.visit_key}")


# --- what plants have in common


Choice = Callable[[RunState | Draft, Spec, list[Undo]], list[Undo]]


def _candidates(patch: pytest.MonkeyPatch, choose: Choice) -> None:
    """Have all who ask get other candidates than the honest ones."""
    honest = compensation.candidates

    def candidates(state: RunState | Draft, spec: Spec) -> Iterator[Undo]:
        yield from choose(state, spec, list(honest(state, spec)))

    for module in (compensation, advance, waiting_module):
        patch.setattr(module, "candidates", candidates)


def _blind_to_the_turn(patch: pytest.MonkeyPatch, name: str) -> None:
    """Have the fold take a kind of entry as if the run still went forward."""
    honest = getattr(fold, name)

    def blind(draft: Draft, entry: AttemptScheduled | AttemptFailed) -> Reason | None:
        if ":compensate:" in entry.attempt_key:
            return honest(draft, entry)  # type: ignore[no-any-return]  # a method by name
        saga = draft.saga
        draft.saga = Saga()
        reason: Reason | None = honest(draft, entry)
        draft.saga = saga
        return reason

    patch.setattr(fold, name, blind)


SAGA: tuple[Plant, ...] = (
    forward_order,
    restart_from_the_top,
    failing_step_undone,
    error_routed_undone,
    reused_undone,
    result_of_a_sibling_forgotten,
    every_callback_twice,
    sibling_not_waited_for,
    second_failure_takes_over,
    second_failure_plans_again,
    sibling_retried,
    first_failing_callback_stops_the_rest,
    last_callback_forgotten,
    cancel_accepted_while_undoing,
    recovery_list_empty,
    doubtful_not_listed,
    nothing_is_ever_undone,
    new_key_for_a_retry,
)
