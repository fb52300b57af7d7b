"""Retries, deadlines, conditions and bindings of untrusted data."""

from collections.abc import Mapping
from typing import Final, assert_never

from squidmesh_core.definition.problem import Place
from squidmesh_core.definition.reading import members
from squidmesh_core.definition.reading.source import Source, UnreadableError, a_list, shown
from squidmesh_core.values import (
    AllOf,
    AnyOf,
    Binding,
    Compare,
    Condition,
    Constant,
    DeadlinePolicy,
    Exponential,
    FromPath,
    Not,
    ObjectOf,
    OptionalPath,
    RetryPolicy,
)
from squidmesh_core.values.condition import OPERATORS, Operator
from squidmesh_core.values.policy import ESCALATIONS, LONGEST_DELAY_MS

_RETRY: Final = "invalid_step_retry_opts"
_BACKOFF: Final = "invalid_step_retry_backoff"
_DEADLINE: Final = "invalid_step_deadline"


def retry(source: Source | None) -> RetryPolicy | None:
    """A retry policy, or none."""
    if source is None:
        return None
    policy = RetryPolicy(
        max_attempts=source.required(
            "max_attempts", members.whole(1), instead=1, code="invalid_step_retry_max_attempts"
        ),
        backoff=_backoff(source.inside("backoff", code=_BACKOFF)),
        jitter=source.optional("jitter", members.boolean, default=False, code=_RETRY),
        retry_on=source.optional("retry_on", _class_names, default=(), code=_RETRY),
    )
    source.close()
    return policy


def deadline(source: Source | None) -> DeadlinePolicy | None:
    """A deadline, or none."""
    if source is None:
        return None
    limit = members.milliseconds(1, members.LONGEST_LIMIT_MS)
    later = members.milliseconds(0, members.LONGEST_LIMIT_MS)
    policy = DeadlinePolicy(
        within_ms=source.required(
            "within_ms", limit, instead=members.LONGEST_LIMIT_MS, code=_DEADLINE
        ),
        due_soon_ms=source.nullable("due_soon_ms", later, code=_DEADLINE),
        escalate_after_ms=source.nullable("escalate_after_ms", later, code=_DEADLINE),
        escalation=source.optional(
            "escalation", members.one_of(ESCALATIONS), default="diagnostic", code=_DEADLINE
        ),
        target=source.nullable("target", members.title, code=_DEADLINE),
    )
    if policy.due_soon_ms is not None and policy.due_soon_ms >= policy.within_ms:
        source.problem(
            _DEADLINE,
            f"due_soon_ms {policy.due_soon_ms} is not less than within_ms {policy.within_ms}",
            place=("due_soon_ms",),
        )
    source.close()
    return policy


def condition(data: object) -> Condition:
    """
    A condition.

    Raises:
        UnreadableError: With the path to the part that is none.
    """
    # The document's depth was checked before, so this ends soon enough.
    if not isinstance(data, Mapping):
        raise UnreadableError(f"expected a condition, not {shown(data)}")
    match dict(data):
        case {"all": parts, **rest} if not rest:
            return AllOf(conditions=_parts("all", parts))
        case {"any": parts, **rest} if not rest:
            return AnyOf(conditions=_parts("any", parts))
        case {"not": inner, **rest} if not rest:
            return Not(condition=_below(("not",), inner))
    return _comparison(data)


def bindings(data: object) -> dict[str, Binding]:
    """
    One binding per parameter.

    Raises:
        UnreadableError: With the path to the first that is none.
    """
    if not isinstance(data, Mapping):
        raise UnreadableError(f"expected an object, one binding per parameter, not {shown(data)}")
    read: dict[str, Binding] = {}
    for name, item in data.items():
        try:
            read[members.key(name)] = binding(item)
        except UnreadableError as problem:
            raise UnreadableError(
                problem.message, hint=problem.hint, path=(name, *problem.path)
            ) from None
    return read


def binding(data: object) -> Binding:
    """
    Where one value comes from.

    Raises:
        UnreadableError: The data is no binding.
    """
    if isinstance(data, list):
        return FromPath(path=members.path(data) if data else ())
    if isinstance(data, Mapping):
        if data.keys() == {"value"}:
            return Constant(value=data["value"])
        if data.keys() == {"path", "default"}:
            return OptionalPath(path=members.path(data["path"]), default=data["default"])
        if data.keys() == {"object"} and isinstance(data["object"], Mapping):
            return ObjectOf(
                fields={members.key(name): members.path(p) for name, p in data["object"].items()}
            )
    raise UnreadableError(
        f"expected a binding, not {shown(data)}",
        hint='Write a path ["risk", "score"], {"value": 3}, {"path": [...], "default": null} '
        'or {"object": {"name": [...]}}.',
    )


def _backoff(source: Source | None) -> Exponential | None:
    if source is None:
        return None
    delay = members.milliseconds(1, LONGEST_DELAY_MS)
    source.required("type", members.one_of(["exponential"]), instead="exponential", code=_BACKOFF)
    first = source.required("min_ms", delay, instead=1, code=_BACKOFF)
    cap = source.required("max_ms", delay, instead=LONGEST_DELAY_MS, code=_BACKOFF)
    if first > cap:
        source.problem(_BACKOFF, f"min_ms {first} is more than max_ms {cap}", place=("min_ms",))
    source.close()
    return Exponential(min_ms=first, max_ms=cap)


def _class_names(value: object) -> tuple[str, ...]:
    return tuple(members.title(name) for name in a_list(value))


def _parts(joint: str, data: object) -> tuple[Condition, ...]:
    if not isinstance(data, list) or not data:
        raise UnreadableError("expected a list of conditions that is not empty", path=(joint,))
    return tuple(_below((joint, i), part) for i, part in enumerate(data))


def _below(place: Place, data: object) -> Condition:
    try:
        return condition(data)
    except UnreadableError as problem:
        raise UnreadableError(
            problem.message, hint=problem.hint, code=problem.code, path=(*place, *problem.path)
        ) from None


def _comparison(data: Mapping[str, object]) -> Condition:
    operators = [OPERATORS[name] for name in data if name in OPERATORS]
    if len(operators) != 1 or data.keys() != {"path", operators[0]}:
        raise UnreadableError(
            "expected one operator and a path, or one of all, any, not",
            hint=f"Operators are {', '.join(OPERATORS)}.",
        )
    operator = operators[0]
    try:
        path = members.path(data["path"])
    except UnreadableError as problem:
        raise UnreadableError(problem.message, path=("path",)) from None
    if wrong := _operand_problem(operator, data[operator]):
        raise UnreadableError(wrong, code="invalid_operand", path=(operator,))
    return Compare(path=path, operator=operator, operand=data[operator])


def _operand_problem(operator: Operator, operand: object) -> str:
    match operator:
        case "greater_than" | "less_than" | "at_least" | "at_most":
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                return f"{operator} compares numbers, not {shown(operand)}"
        case "is_in":
            if not isinstance(operand, list) or not operand:
                return f"is_in wants a list that is not empty, not {shown(operand)}"
        case "is_missing":
            if not isinstance(operand, bool):
                return f"is_missing wants true or false, not {shown(operand)}"
        case "equals" | "not_equals":
            pass
        case _:
            assert_never(operator)
    return ""
