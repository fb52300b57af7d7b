"""
The normalised spec of a workflow: the form that is stored, compared and run.

A class compiles to it, an editor writes it, a run names its fingerprint.
Members and their JSON form are fixed in specs/spec.md; reading and writing
them is `definition.form`, judging them is `definition.validate`.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from squidmesh_core.definition.problem import Problem, definition_error
from squidmesh_core.ids import Fingerprint, NodeName
from squidmesh_core.values import (
    Binding,
    Condition,
    DeadlinePolicy,
    FromPath,
    RecoveryPolicy,
    RetryPolicy,
)
from squidmesh_core.values.binding import Path

if TYPE_CHECKING:
    from squidmesh_core.definition.diff import SpecDiff

FieldType = Literal["string", "integer", "float", "boolean", "map", "list", "any"]
Outcome = Literal["ok", "error", "timeout"]
RecoveryMarker = Literal["compensation", "undo"]
Join = Literal["all", "settled", "none"]
LogLevel = Literal["debug", "info", "warning", "error"]
#: What a second start in one slot of a schedule gets.
Idempotency = Literal["return_existing_run", "skip_duplicate"]

#: The target of a route that ends its strand.
COMPLETE: Final = NodeName("complete")
#: What stands for a step where the time-out of the whole run is scheduled.
WHOLE_RUN: Final = NodeName("")


@frozen(kw_only=True)
class Default:
    """A default value: a constant, or the instant of the start as a text."""

    value: object = None
    #: `now`: ISO 8601 instant; `today`: ISO 8601 date, both UTC.
    clock: Literal["now", "today"] | None = None


@frozen(kw_only=True)
class Field:
    """One field of a payload, a form or a message."""

    name: str
    type: FieldType
    required: bool = True
    default: Default | None = None
    nullable: bool = False
    choices: tuple[object, ...] | None = None


@frozen(kw_only=True)
class ManualTrigger:
    """A run is started by a caller."""

    name: str
    payload: tuple[Field, ...] = ()


@frozen(kw_only=True)
class CronTrigger:
    """A run is started for each slot of a schedule."""

    name: str
    expression: str
    timezone: str = "UTC"
    idempotency: Idempotency | None = None
    payload: tuple[Field, ...] = ()


Trigger = ManualTrigger | CronTrigger


@frozen(kw_only=True)
class StepNode:
    """A unit of work, performed by an action."""

    name: NodeName
    action: str
    after: tuple[NodeName, ...] = ()
    #: Parameter → where its value comes from; null: the whole context.
    input: Mapping[str, Binding] | None = None
    output: str | None = None
    retry: RetryPolicy | None = None
    deadline: DeadlinePolicy | None = None
    timeout_ms: int | None = None
    queue: str | None = None
    priority: int | None = None
    max_visits: int | None = None
    max_deliveries: int | None = None
    compensate: str | None = None
    compensate_retry: RetryPolicy | None = None
    irreversible: bool = False
    compensatable: bool = True
    transaction: bool = False

    @property
    def recovery(self) -> RecoveryPolicy | None:
        """What is frozen into each attempt about undoing it; null: the default policy."""
        if self.compensate is None and self.compensatable and not self.irreversible:
            return None
        return RecoveryPolicy(
            irreversible=self.irreversible,
            compensatable=self.compensatable and not self.irreversible,
            compensate=self.compensate,
            compensate_retry=self.compensate_retry,
        )


@frozen(kw_only=True)
class WaitNode:
    """The workflow says: later."""

    name: NodeName
    duration_ms: int
    after: tuple[NodeName, ...] = ()


@frozen(kw_only=True)
class LogNode:
    """A constant line in the host's log."""

    name: NodeName
    message: str
    level: LogLevel = "info"
    after: tuple[NodeName, ...] = ()


@frozen(kw_only=True)
class PauseNode:
    """A gate: a person says go on."""

    name: NodeName
    question: str
    after: tuple[NodeName, ...] = ()
    output: str | None = None
    deadline: DeadlinePolicy | None = None
    timeout_ms: int | None = None
    max_visits: int | None = None


@frozen(kw_only=True)
class ApprovalNode:
    """A gate: a person says yes or no."""

    name: NodeName
    question: str
    form: tuple[Field, ...] | None = None
    after: tuple[NodeName, ...] = ()
    output: str | None = None
    deadline: DeadlinePolicy | None = None
    timeout_ms: int | None = None
    max_visits: int | None = None


@frozen(kw_only=True)
class ReceiveNode:
    """A message from outside is waited for."""

    name: NodeName
    message: tuple[Field, ...]
    correlation: Binding | None = None
    after: tuple[NodeName, ...] = ()
    output: str | None = None
    deadline: DeadlinePolicy | None = None
    timeout_ms: int | None = None
    max_visits: int | None = None


@frozen(kw_only=True)
class ChildrenNode:
    """One child run for each item of a list."""

    name: NodeName
    workflow: str
    trigger: str
    over: FromPath
    key: str
    join: Join = "all"
    after: tuple[NodeName, ...] = ()
    output: str | None = None
    deadline: DeadlinePolicy | None = None
    max_visits: int | None = None


Node = StepNode | WaitNode | LogNode | PauseNode | ApprovalNode | ReceiveNode | ChildrenNode


@frozen(kw_only=True)
class Transition:
    """A route: from a node, on an outcome, to a node or to `complete`."""

    source: NodeName
    on: Outcome
    target: NodeName
    condition: Condition | None = None
    recovery: RecoveryMarker | None = None


@frozen(kw_only=True, slots=False)
class Spec:
    """
    A whole workflow, ready to be stored and run.

    Build one with `definition.form.read_spec` or by compiling a class; both
    refuse what `definition.validate` finds wrong, so the rest of the code
    trusts what it holds.
    """

    workflow: str
    triggers: tuple[Trigger, ...]
    steps: tuple[Node, ...]
    transitions: tuple[Transition, ...] = ()
    entry_steps: tuple[NodeName, ...] = ()
    version: str | None = None
    queue: str | None = None
    priority: int | None = None
    timeout_ms: int | None = None
    #: Context paths of all `Sensitive[...]` fields.
    sensitive: tuple[Path, ...] = ()

    @cached_property
    def nodes(self) -> Mapping[NodeName, Node]:
        """The nodes by name, in declaration order."""
        return {node.name: node for node in self.steps}

    @cached_property
    def routes(self) -> Mapping[tuple[NodeName, Outcome], tuple[Transition, ...]]:
        """The transitions by source and outcome, in the order written."""
        routes: dict[tuple[NodeName, Outcome], list[Transition]] = {}
        for transition in self.transitions:
            routes.setdefault((transition.source, transition.on), []).append(transition)
        return {key: tuple(found) for key, found in routes.items()}

    @cached_property
    def receivers(self) -> tuple[ReceiveNode, ...]:
        """The nodes that wait for messages."""
        return tuple(node for node in self.steps if isinstance(node, ReceiveNode))

    @cached_property
    def by_dependencies(self) -> bool:
        """Whether order comes from `after` rather than from routes."""
        return any(node.after for node in self.steps)

    def trigger(self, name: str) -> Trigger | None:
        """The trigger of this name, if there is one."""
        return next((trigger for trigger in self.triggers if trigger.name == name), None)

    # What can be asked of a spec lives in modules of its own, which import the
    # records above; hence the imports inside these methods.

    @classmethod
    def from_dict(cls, data: object) -> "Spec":
        """
        Read the JSON form of a spec, wherever it comes from.

        Raises:
            DefinitionError: With every problem at once.
        """
        from squidmesh_core.definition.form import read_spec

        spec, problems = read_spec(data)
        if spec is None:
            raise definition_error("The spec", problems)
        return spec

    def to_dict(self) -> dict[str, object]:
        """The JSON form, with every member that has one."""
        from squidmesh_core.definition.writing import spec_to_dict

        return spec_to_dict(self)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The content address; see `definition.fingerprint`."""
        from squidmesh_core.definition.fingerprint import fingerprint

        return fingerprint(self)

    def problems(self, actions: Collection[str] | None = None) -> tuple[Problem, ...]:
        """Everything that is wrong with this spec; see `definition.validate`."""
        from squidmesh_core.definition.validate import problems

        return problems(self, actions)

    def diff(self, other: "Spec") -> "SpecDiff":
        """What changed from this spec to the other."""
        from squidmesh_core.definition.diff import diff

        return diff(self, other)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        from squidmesh_core.definition.mermaid import to_mermaid

        return to_mermaid(self)
