"""The nodes that no function performs: waits, log lines, gates, messages, children."""

from collections.abc import Sequence
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from squidmesh.authoring.answers import Children, Decision
from squidmesh.authoring.contracts import InvalidContract, fields_of
from squidmesh.authoring.nodes import BaseNode, N, Node, Wiring
from squidmesh.authoring.notes import note
from squidmesh.authoring.options import (
    checked_deadline,
    checked_duration,
    checked_timeout,
    refuse_unknown,
)
from squidmesh.authoring.policies import Deadline
from squidmesh.authoring.triggers import Trigger
from squidmesh.duration import Duration
from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    Field,
    Join,
    LogLevel,
    LogNode,
    PauseNode,
    ReceiveNode,
    RecoveryMarker,
    WaitNode,
)
from squidmesh_core.values import FromPath

F = TypeVar("F")
M = TypeVar("M")
P = TypeVar("P")
R = TypeVar("R")


class Wait(Node[None]):
    """The workflow says: later."""

    def __init__(self, duration: Duration, after: Sequence[BaseNode]) -> None:
        super().__init__(after)
        self._duration = duration

    def _spec(self, wiring: Wiring) -> WaitNode:
        code = "invalid_wait_duration"
        return WaitNode(
            name=wiring.name_of(self),
            after=wiring.names_of(self._after),
            duration_ms=checked_duration(self, "duration_ms", self._duration, code=code) or 1,
        )


class Log(Node[None]):
    """A constant line in the host's log."""

    def __init__(self, message: object, level: LogLevel, after: Sequence[BaseNode]) -> None:
        super().__init__(after)
        self._message = message
        self._level = level

    def _constant_text(self) -> str:
        if isinstance(self._message, str):
            return self._message
        message = "the message of a log is a constant text"
        note(self, "path_as_value", message, tail=("message",), location=self._location)
        return "-"

    def _spec(self, wiring: Wiring) -> LogNode:
        return LogNode(
            name=wiring.name_of(self),
            after=wiring.names_of(self._after),
            message=self._constant_text(),
            level=self._level,
        )


class ChildrenOptions(TypedDict, total=False):
    """The options of all nodes that wait for something outside."""

    #: Nodes that must be done before; instead of routes, in the whole workflow.
    after: Sequence[BaseNode]
    #: When people should notice that it is late; changes nothing.
    deadline: Deadline | None
    #: The key of the output in the run context, instead of the node's name.
    output: str | None
    #: How often the node may be entered in one run.
    max_visits: int | None


class GateOptions(ChildrenOptions, total=False):
    """The options of gates and messages."""

    #: Acts, where a deadline only warns.
    timeout: Duration | None


class Gate(Node[R]):
    """A node that waits for somebody or something outside."""

    def __init__(self, options: GateOptions) -> None:
        super().__init__(options.get("after", ()))
        self._options = options
        #: Of its form or message; known once the class has ended.
        self._fields: tuple[Field, ...] = ()

    def on_timeout(self, target: N) -> N:
        """Go on there when the time-out strikes; without it the error route is taken."""
        return self._route("timeout", target)

    def _output_key(self) -> str | None:
        output = self._options.get("output")
        return self._label if output is None else output

    def _contract(self, contract: object, option: str) -> tuple[Field, ...]:
        try:
            self._fields = fields_of(contract, self._names)
        except InvalidContract as exc:
            note(self, "invalid_contract", str(exc), tail=(option,), location=self._location)
        return self._fields


class Pause(Gate["Decision[None]"]):
    """A gate: a person says go on."""

    def __init__(self, question: str, options: GateOptions) -> None:
        super().__init__(options)
        self._question = question

    def _output_hint(self) -> object:
        return Decision[None]

    def _spec(self, wiring: Wiring) -> PauseNode:
        options = self._options
        return PauseNode(
            name=wiring.name_of(self),
            question=self._question,
            after=wiring.names_of(self._after),
            output=self._output_key(),
            deadline=checked_deadline(self, options.get("deadline")),
            timeout_ms=checked_timeout(self, options.get("timeout")),
            max_visits=options.get("max_visits"),
        )


class Approval(Gate[Decision[F]], Generic[F]):
    """A gate: a person says yes or no, and may fill in a form."""

    def __init__(self, question: str, form: object, options: GateOptions) -> None:
        super().__init__(options)
        self._question = question
        self._form = form

    def on_reject(self, target: N) -> N:
        """Go on there when the answer is no."""
        return self._route("error", target)

    def _output_hint(self) -> object:
        return Decision[self._form]  # type: ignore[name-defined]  # a class at run time

    def _context_hint(self) -> object:
        form: Any = self._form
        optional = None if form is None else form | None
        return Decision[optional]  # type: ignore[valid-type]  # a class at run time

    def _spec(self, wiring: Wiring) -> ApprovalNode:
        options = self._options
        return ApprovalNode(
            name=wiring.name_of(self),
            question=self._question,
            form=None if self._form is None else self._contract(self._form, "form"),
            after=wiring.names_of(self._after),
            output=self._output_key(),
            deadline=checked_deadline(self, options.get("deadline")),
            timeout_ms=checked_timeout(self, options.get("timeout")),
            max_visits=options.get("max_visits"),
        )


class Receive(Gate[M]):
    """A message from outside is waited for."""

    def __init__(self, message: type[M], correlation: object, options: GateOptions) -> None:
        super().__init__(options)
        self._message = message
        self._correlation = correlation

    def _output_hint(self) -> object:
        return self._message

    def _spec(self, wiring: Wiring) -> ReceiveNode:
        options = self._options
        correlation = self._correlation
        if correlation is not None:
            correlation = wiring.binding(self, correlation, str, "correlation")
        return ReceiveNode(
            name=wiring.name_of(self),
            message=self._contract(self._message, "message"),
            correlation=correlation,
            after=wiring.names_of(self._after),
            output=self._output_key(),
            deadline=checked_deadline(self, options.get("deadline")),
            timeout_ms=checked_timeout(self, options.get("timeout")),
            max_visits=options.get("max_visits"),
        )


class ChildrenOf(Node[Children]):
    """One child run for each item of a list."""

    def __init__(
        self, trigger: Trigger[Any], over: object, key: str, join: Join, options: ChildrenOptions
    ) -> None:
        super().__init__(options.get("after", ()))
        self._trigger = trigger
        self._over = over
        self._key = key
        self._join = join
        self._options = options

    def on_error(
        self,
        target: N,
        *,
        when: bool | None = None,
        recovery: RecoveryMarker | None = None,
    ) -> N:
        """Go on there when a child did not complete."""
        return self._route("error", target, when=when, recovery=recovery)

    def _output_key(self) -> str | None:
        output = self._options.get("output")
        return self._label if output is None else output

    def _output_hint(self) -> object:
        return Children

    def _spec(self, wiring: Wiring) -> ChildrenNode:
        options = self._options
        items: object = Sequence[self._trigger._contract]  # type: ignore[name-defined]  # a class
        over = wiring.binding(self, self._over, items, "over")
        if not isinstance(over, FromPath):
            if over is not None:
                note(self, "incompatible_wiring", "over: expected a path to a list", tail=("over",))
            over = FromPath(path=())
        return ChildrenNode(
            name=wiring.name_of(self),
            workflow=self._trigger._owner or wiring.workflow,
            trigger=self._trigger._label or "",
            over=over,
            key=self._key,
            join=self._join,
            after=wiring.names_of(self._after),
            output=self._output_key(),
            deadline=checked_deadline(self, options.get("deadline")),
            max_visits=options.get("max_visits"),
        )


def wait(duration: Duration, *, after: Sequence[BaseNode] = ()) -> Wait:
    """Go on later."""
    return Wait(duration, after)


def log(message: str, *, level: LogLevel = "info", after: Sequence[BaseNode] = ()) -> Log:
    """Write a constant line to the host's log."""
    return Log(message, level, after)


def pause(question: str, **options: Unpack[GateOptions]) -> Pause:
    """Wait until a person says go on."""
    refuse_unknown("pause", options, GateOptions)
    return Pause(question, options)


@overload
def approval(question: str, **options: Unpack[GateOptions]) -> Approval[None]: ...
@overload
def approval(question: str, *, form: type[F], **options: Unpack[GateOptions]) -> Approval[F]: ...
def approval(
    question: str, *, form: type[Any] | None = None, **options: Unpack[GateOptions]
) -> Approval[Any]:
    """Wait until a person says yes or no; `on_reject` says where no leads."""
    refuse_unknown("approval", options, GateOptions)
    return Approval(question, form, options)


def receive(
    contract: type[M], *, correlation: str | None = None, **options: Unpack[GateOptions]
) -> Receive[M]:
    """
    Wait for a message from outside.

    Args:
        contract: What the message holds.
        correlation: A path or constant by which a sender finds the run.
        options: See `GateOptions`.
    """
    refuse_unknown("receive", options, GateOptions)
    return Receive(contract, correlation, options)


def children(
    trigger: Trigger[P],
    *,
    over: Sequence[P],
    key: str,
    join: Join = "all",
    **options: Unpack[ChildrenOptions],
) -> ChildrenOf:
    """
    Start one child run for each item of a list.

    Args:
        trigger: How each child starts; the items are its payloads.
        over: A path to the list.
        key: The field of the items that tells the children apart.
        join: `all`: every child must complete; `settled`: all must end; `none`: go on at once.
        options: See `ChildrenOptions`.
    """
    refuse_unknown("children", options, ChildrenOptions)
    return ChildrenOf(trigger, over, key, join, options)
