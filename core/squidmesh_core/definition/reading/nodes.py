"""Steps of every kind, of untrusted data."""

from collections.abc import Callable
from typing import Final, get_args

from squidmesh_core.definition.reading import members, policies
from squidmesh_core.definition.reading.fields import fields
from squidmesh_core.definition.reading.source import Source
from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    Join,
    LogLevel,
    LogNode,
    Node,
    PauseNode,
    ReceiveNode,
    StepNode,
    WaitNode,
)
from squidmesh_core.ids import NodeName
from squidmesh_core.values import DeadlinePolicy, FromPath
from squidmesh_core.values.policy import LONGEST_DELAY_MS

_OPTION: Final = "invalid_step_option"
_RETRY: Final = "invalid_step_retry_opts"
_MARKER: Final = "invalid_step_recovery_marker"
_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)
_JOINS: Final[tuple[Join, ...]] = get_args(Join)

_limit: Final = members.milliseconds(1, members.LONGEST_LIMIT_MS)
_count: Final = members.whole(1)
_priority: Final = members.whole(-members.LARGEST_COLUMN)


def node(source: Source) -> Node:
    """One node; without `kind` it is a step."""
    name = source.essential(
        "name", members.node_name, instead=members.NOBODY, code="invalid_step_name"
    )
    before = len(source.report.problems)
    kind = source.optional(
        "kind", members.one_of(tuple(_KINDS)), default="step", code="invalid_step_kind"
    )
    if len(source.report.problems) > before:
        # Its members would all be unknown ones; say only what is the matter.
        source.report.broken = True
        return WaitNode(name=name, duration_ms=1)
    after: tuple[NodeName, ...] = source.optional(
        "after", members.node_names, default=(), code="invalid_step_dependencies"
    )
    read = _KINDS[kind](source, name, after)
    source.close()
    return read


def _step(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> StepNode:
    irreversible = source.optional("irreversible", members.boolean, default=False, code=_MARKER)
    return StepNode(
        name=name,
        after=after,
        action=source.required(
            "action", members.action_key, instead="_", code="invalid_action_key"
        ),
        input=source.nullable("input", policies.bindings, code="invalid_step_input_mapping"),
        output=_output(source, name),
        retry=policies.retry(source.inside("retry", code=_RETRY)),
        deadline=_deadline(source),
        timeout_ms=source.nullable("timeout_ms", _limit, code=_OPTION),
        queue=source.nullable("queue", members.queue_name, code=_OPTION),
        priority=source.nullable("priority", _priority, code=_OPTION),
        max_visits=source.nullable("max_visits", _count, code=_OPTION),
        max_deliveries=source.nullable(
            "max_deliveries", members.whole(1, members.MOST_DELIVERIES), code=_OPTION
        ),
        compensate=source.nullable(
            "compensate", members.action_key, code="invalid_step_compensate_callback"
        ),
        compensate_retry=policies.retry(source.inside("compensate_retry", code=_RETRY)),
        irreversible=irreversible,
        compensatable=source.optional(
            "compensatable", members.boolean, default=not irreversible, code=_MARKER
        ),
        transaction=source.optional(
            "transaction",
            members.boolean,
            default=False,
            code="invalid_step_transaction_boundary",
        ),
    )


def _wait(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> WaitNode:
    duration = members.milliseconds(1, LONGEST_DELAY_MS)
    return WaitNode(
        name=name,
        after=after,
        duration_ms=source.required(
            "duration_ms", duration, instead=1, code="invalid_wait_duration"
        ),
    )


def _log(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> LogNode:
    return LogNode(
        name=name,
        after=after,
        message=source.required("message", members.text, instead="_", code="invalid_log_message"),
        level=source.optional(
            "level", members.one_of(_LEVELS), default="info", code="invalid_log_level"
        ),
    )


def _pause(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> PauseNode:
    return PauseNode(
        name=name,
        after=after,
        question=_question(source),
        output=_output(source, name),
        deadline=_deadline(source),
        timeout_ms=source.nullable("timeout_ms", _limit, code=_OPTION),
        max_visits=source.nullable("max_visits", _count, code=_OPTION),
    )


def _approval(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> ApprovalNode:
    return ApprovalNode(
        name=name,
        after=after,
        question=_question(source),
        form=fields(source, "form") if source.states("form") else None,
        output=_output(source, name),
        deadline=_deadline(source),
        timeout_ms=source.nullable("timeout_ms", _limit, code=_OPTION),
        max_visits=source.nullable("max_visits", _count, code=_OPTION),
    )


def _receive(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> ReceiveNode:
    return ReceiveNode(
        name=name,
        after=after,
        message=fields(source, "message"),
        correlation=source.nullable("correlation", policies.binding, code=_OPTION),
        output=_output(source, name),
        deadline=_deadline(source),
        timeout_ms=source.nullable("timeout_ms", _limit, code=_OPTION),
        max_visits=source.nullable("max_visits", _count, code=_OPTION),
    )


def _children(source: Source, name: NodeName, after: tuple[NodeName, ...]) -> ChildrenNode:
    return ChildrenNode(
        name=name,
        after=after,
        workflow=source.required("workflow", members.title, instead="_", code=_OPTION),
        trigger=source.required("trigger", members.node_name, instead=members.NOBODY, code=_OPTION),
        over=FromPath(path=source.required("over", members.path, instead=(), code=_OPTION)),
        key=source.required("key", members.key, instead="_", code=_OPTION),
        join=source.optional("join", members.one_of(_JOINS), default="all", code=_OPTION),
        output=_output(source, name),
        deadline=_deadline(source),
        max_visits=source.nullable("max_visits", _count, code=_OPTION),
    )


_KINDS: Final[dict[str, Callable[[Source, NodeName, tuple[NodeName, ...]], Node]]] = {
    "step": _step,
    "wait": _wait,
    "log": _log,
    "pause": _pause,
    "approval": _approval,
    "receive": _receive,
    "children": _children,
}


def _output(source: Source, name: NodeName) -> str | None:
    if not source.has("output"):
        return str(name)
    return source.nullable("output", members.key, code="invalid_step_output_mapping")


def _deadline(source: Source) -> DeadlinePolicy | None:
    return policies.deadline(source.inside("deadline", code="invalid_step_deadline"))


def _question(source: Source) -> str:
    return source.required("question", members.text, instead="_", code=_OPTION)
