"""
Writing the JSON form of a spec: what editors show and diffs compare.

Members appear in a fixed order (specs/spec.md).  Most are always written;
those added since the first release only when set, so that they change no
fingerprint: `max_deliveries`, a deadline's `target`, the `timeout_ms` of a
gate, of `receive` and of the workflow.
"""

from collections.abc import Mapping
from typing import assert_never

from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    CronTrigger,
    Default,
    Field,
    LogNode,
    ManualTrigger,
    Node,
    PauseNode,
    ReceiveNode,
    Spec,
    StepNode,
    Transition,
    Trigger,
    WaitNode,
)
from squidmesh_core.values import (
    DeadlinePolicy,
    RetryPolicy,
    binding_to_json,
    condition_to_json,
    deadline_to_json,
    retry_to_json,
)

Json = dict[str, object]


def spec_to_dict(spec: Spec) -> Json:
    """The JSON form of a spec; `read_spec` of it gives an equal spec."""
    return {
        "workflow": spec.workflow,
        "version": spec.version,
        "queue": spec.queue,
        "priority": spec.priority,
        **_when_set("timeout_ms", spec.timeout_ms),
        "triggers": [trigger_to_dict(trigger) for trigger in spec.triggers],
        "steps": [node_to_dict(node) for node in spec.steps],
        "transitions": [transition_to_dict(transition) for transition in spec.transitions],
        "entry_steps": list(spec.entry_steps),
        "sensitive": [list(path) for path in spec.sensitive],
    }


def trigger_to_dict(trigger: Trigger) -> Json:
    """The JSON form of a trigger."""
    payload = _fields(trigger.payload)
    match trigger:
        case ManualTrigger():
            return {"name": trigger.name, "type": "manual", "payload": payload}
        case CronTrigger():
            return {
                "name": trigger.name,
                "type": "cron",
                "expression": trigger.expression,
                "timezone": trigger.timezone,
                "idempotency": trigger.idempotency,
                "payload": payload,
            }
    assert_never(trigger)


def node_to_dict(node: Node) -> Json:
    """The JSON form of a node."""
    match node:
        case StepNode():
            return {**_head(node, "step"), **_step(node)}
        case WaitNode():
            return {**_head(node, "wait"), "duration_ms": node.duration_ms}
        case LogNode():
            return {**_head(node, "log"), "message": node.message, "level": node.level}
        case PauseNode():
            return {**_gate(node, "pause"), "question": node.question}
        case ApprovalNode():
            form = None if node.form is None else _fields(node.form)
            return {**_gate(node, "approval"), "question": node.question, "form": form}
        case ReceiveNode():
            correlation = None if node.correlation is None else binding_to_json(node.correlation)
            message = _fields(node.message)
            return {**_gate(node, "receive"), "message": message, "correlation": correlation}
        case ChildrenNode():
            return {
                **_gate(node, "children"),
                "workflow": node.workflow,
                "trigger": node.trigger,
                "over": list(node.over.path),
                "key": node.key,
                "join": node.join,
            }
    assert_never(node)


def transition_to_dict(transition: Transition) -> Json:
    """The JSON form of a route."""
    condition = transition.condition
    return {
        "from": transition.source,
        "on": transition.on,
        "to": transition.target,
        "condition": None if condition is None else condition_to_json(condition),
        "recovery": transition.recovery,
    }


def default_to_json(default: Default) -> object:
    """The JSON form of a default: a value, or which clock to ask."""
    return default.value if default.clock is None else {default.clock: "iso8601"}


def _step(node: StepNode) -> Json:
    bindings = node.input
    return {
        "action": node.action,
        "input": bindings
        if bindings is None
        else {name: binding_to_json(binding) for name, binding in bindings.items()},
        "output": node.output,
        "retry": _retry(node.retry),
        "deadline": _deadline(node.deadline),
        "timeout_ms": node.timeout_ms,
        "queue": node.queue,
        "priority": node.priority,
        "max_visits": node.max_visits,
        **_when_set("max_deliveries", node.max_deliveries),
        "compensate": node.compensate,
        "compensate_retry": _retry(node.compensate_retry),
        "irreversible": node.irreversible,
        "compensatable": node.compensatable,
        "transaction": node.transaction,
    }


def _head(node: Node, kind: str) -> Json:
    return {"name": node.name, "kind": kind, "after": list(node.after)}


def _gate(node: PauseNode | ApprovalNode | ReceiveNode | ChildrenNode, kind: str) -> Json:
    timeout_ms = None if isinstance(node, ChildrenNode) else node.timeout_ms
    return {
        **_head(node, kind),
        "output": node.output,
        "deadline": _deadline(node.deadline),
        "max_visits": node.max_visits,
        **_when_set("timeout_ms", timeout_ms),
    }


def _fields(fields: tuple[Field, ...]) -> list[Json]:
    return [_field(field) for field in fields]


def _field(field: Field) -> Json:
    data: Json = {"name": field.name, "type": field.type, "required": field.required}
    if field.default is not None:
        data["default"] = default_to_json(field.default)
    if field.nullable:
        data["nullable"] = True
    if field.choices is not None:
        data["choices"] = list(field.choices)
    return data


def _retry(policy: RetryPolicy | None) -> Mapping[str, object] | None:
    return None if policy is None else retry_to_json(policy)


def _deadline(policy: DeadlinePolicy | None) -> Mapping[str, object] | None:
    return None if policy is None else deadline_to_json(policy)


def _when_set(name: str, value: object) -> Json:
    return {} if value is None else {name: value}
