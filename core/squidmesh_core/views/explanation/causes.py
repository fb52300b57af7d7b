"""How a run came to be where it is: the last route that was taken, and what decided it."""

from collections.abc import Mapping
from typing import Final, assert_never

from squidmesh_core.canonical import restore
from squidmesh_core.definition.spec import COMPLETE, Transition
from squidmesh_core.protocol.entries import Decided, StepApplied
from squidmesh_core.values import AllOf, AnyOf, Compare, Condition, Not, condition_to_json
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.words import clipped, failure_text, quoted, value_text

#: How people write an operator.
_SIGNS: Final[Mapping[str, str]] = {
    "equals": "==",
    "not_equals": "!=",
    "greater_than": ">",
    "less_than": "<",
    "at_least": ">=",
    "at_most": "<=",
    "is_in": "in",
}


def last_routed(case: Case) -> StepApplied | None:
    """The visit that took the last route of the run; null: none was taken."""
    routed = (one for one in case.state.applied.values() if one.transition is not None)
    return max(routed, key=lambda one: one.revision, default=None)


def cause_of(case: Case) -> str | None:
    """How the run came here, in a sentence; null: it is where it began, or no route led here."""
    applied = last_routed(case)
    if applied is None or applied.transition is None:
        return None
    taken = applied.transition
    where = "the run was over" if taken.target == COMPLETE else f"{taken.target!r} came next"
    if taken.on == "error":
        return _after_error(case, applied, taken)
    if taken.on == "timeout":
        return (
            f"nothing came for {taken.source!r} in time, so its time-out route was taken: {where}"
        )
    routes = case.spec.routes.get((taken.source, "ok"), ())
    if not any(route.condition for route in routes):
        return f"{taken.source!r} was done, so {where}"
    return _decided(case, taken, routes)


def _after_error(case: Case, applied: StepApplied, taken: Decided) -> str:
    to = f"led to {taken.target!r}" if taken.target != COMPLETE else "ended the run"
    marker = f" (recovery: {taken.recovery})" if taken.recovery else ""
    failure = applied.error or case.state.failures.get(applied.visit_key)
    if failure is not None:
        return f"{applied.step!r} failed with {failure_text(failure)}; its error route {to}{marker}"
    return f"{applied.step!r} was rejected, which {to}{marker}"


def _decided(case: Case, taken: Decided, routes: tuple[Transition, ...]) -> str:
    """The values that decided, the conditions that they made false, and the route they led to."""
    values = ", ".join(
        f"{path} = {case.value(tuple(path.split('.')), restore(value))}"
        for path, value in taken.values.items()
    )
    known = f"{values}, so " if values else "the values asked for were missing, so "
    tried: list[str] = []
    for route in routes:
        if route.condition is None:
            continue
        if taken.condition == condition_to_json(route.condition):
            tried.append(f"'{said(case, route.condition)}' was true: {taken.target!r} was taken")
            break
        tried.append(f"'{said(case, route.condition)}' was false")
    else:
        tried.append(f"the fallback {taken.target!r} was taken")
    return known + "; ".join(tried)


def said(case: Case, condition: Condition, *, inside: bool = False) -> str:
    """A condition as people write it; what is compared with a sensitive value is hidden too."""
    match condition:
        case AllOf(conditions=parts) | AnyOf(conditions=parts):
            word = " and " if isinstance(condition, AllOf) else " or "
            text = word.join(said(case, part, inside=True) for part in parts)
            return f"({text})" if inside and len(parts) > 1 else text
        case Not(condition=inner):
            return f"not {said(case, inner, inside=True)}"
        case Compare(path=path, operator=operator, operand=operand):
            name = ".".join(path)
            if operator == "is_missing":
                return f"{name} is {'not ' if operand is False else ''}missing"
            return f"{name} {_SIGNS[operator]} {case.value(path, operand)}"
    assert_never(condition)


def dependencies_of(case: Case, applied_before: str) -> str | None:
    """Which nodes a node came after, in a dependency workflow; null: it came at the start."""
    node = next((one for one in case.spec.steps if one.name == applied_before), None)
    if node is None or not node.after:
        return None
    done = "was done" if len(node.after) == 1 else "were done"
    return f"{node.name!r} came next, once {quoted(node.after)} {done}"


def reused_text(case: Case) -> str | None:
    """Where a run comes from that was made of another; null: it was started as it is."""
    begun = case.state.started
    if begun is None or begun.replayed_from is None:
        return None
    how = f"from {begun.forked_at!r} on" if begun.forked_at else "from the beginning"
    if case.state.saga.started is not None and case.state.receipts[:1]:
        first = case.state.receipts[0].command
        how = "to undo what it left" if first == "retry_compensation" else how
    return f"the run was made of run {begun.replayed_from}, {how}"


def reason_text(reason: object) -> str:
    """Why a step asked to go on later, as far as a sentence holds it."""
    said = reason.get("message") if isinstance(reason, Mapping) else reason
    return clipped(said) if isinstance(said, str) else value_text(restore(reason))
