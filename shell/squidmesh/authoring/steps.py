"""Steps: plain functions as nodes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    Literal,
    ParamSpec,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from squidmesh.authoring.frames import Location, here
from squidmesh.authoring.naming import action_key
from squidmesh.authoring.nodes import BaseNode, N, Node, Wiring
from squidmesh.authoring.notes import note
from squidmesh.authoring.options import (
    checked_deadline,
    checked_retry,
    checked_timeout,
    refuse_unknown,
)
from squidmesh.authoring.policies import Deadline, Retries
from squidmesh.authoring.signature import Function, InvalidFunction, Signature
from squidmesh.context import Context, TxContext, UndoContext
from squidmesh.duration import Duration
from squidmesh.results import Defer, Fail, Retry
from squidmesh_core.definition.spec import RecoveryMarker, StepNode

P = ParamSpec("P")
R = TypeVar("R")


class CommonOptions(TypedDict, total=False):
    """The options that every step takes."""

    #: Nodes that must be done before; instead of routes, in the whole workflow.
    after: Sequence[BaseNode]
    #: Fixes the key that stored definitions use, so that the function can move.
    action: str
    #: Older keys that this function still answers to.
    aliases: Sequence[str]
    #: The key of the output in the run context, instead of the node's name.
    output: str
    #: How often it is tried, the first try included; left out: once, with nothing retried.
    retry: int | Retries
    #: When people should notice that it is late; changes nothing.
    deadline: Deadline
    #: Bounds one attempt, which then fails with `timed_out`.
    timeout: Duration
    #: Where it waits for a worker; left out: where the start or the workflow says.
    queue: str
    #: Smaller is claimed sooner; left out: that of the start or the workflow, else 0.
    priority: int
    #: How often the node may be entered in one run.
    max_visits: int
    #: How often an attempt is handed out, the first time included, before lost workers
    #: end it with `worker_lost`; left out: 5, at most 50.
    max_deliveries: int
    #: Nothing undoes it: a replay that would repeat it is refused unless allowed.
    irreversible: bool
    #: False: undoing it is nobody's plan.
    compensatable: bool


class StepOptions(CommonOptions, total=False):
    """The options of a step without a transaction."""

    transaction: Literal[False]


#: What an option must be, where nothing else looks at it.
_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "action": str,
    "aliases": (list, tuple),
    "output": str,
    "queue": str,
    "priority": int,
    "max_visits": int,
    "max_deliveries": int,
    "irreversible": bool,
    "compensatable": bool,
    "transaction": bool,
}


class Arguments:
    """What `.takes` was given, and where."""

    def __init__(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        self.args = args
        self.kwargs = kwargs
        self.location = here()


class Undo:
    """What `.undo` was given, and where."""

    def __init__(self, callback: Function, action: str | None, retry: object) -> None:
        self.callback = callback
        self.action = action
        self.retry = retry
        self.location: Location = here()


class Step(Node[R], Generic[P, R]):
    """A step; make one with `step(fn)`."""

    def __init__(self, fn: Function, options: Mapping[str, object]) -> None:
        super().__init__(cast("Sequence[BaseNode]", options.get("after", ())))
        self._fn = fn
        self._options = self._checked(options)
        self._arguments: Arguments | None = None
        self._undo: Undo | None = None
        self._read: Signature | None = None

    def takes(self, *args: P.args, **kwargs: P.kwargs) -> Self:
        """Say where the inputs come from: paths, constants, `maybe(path)`."""
        self._must_be_open()
        self._arguments = Arguments(args, kwargs)
        return self

    def undo(
        self,
        callback: Callable[[R], object] | Callable[[UndoContext, R], object],
        *,
        action: str | None = None,
        retry: int | Retries | None = None,
    ) -> Self:
        """
        Say what undoes the step, given its output.

        Args:
            callback: Sync or async; may ask for an `UndoContext` first.
            action: Fixes the callback's key.
            retry: How often it is tried.
        """
        self._must_be_open()
        self._undo = Undo(callback, action, retry)
        return self

    def on_error(
        self,
        target: N,
        *,
        when: bool | None = None,
        recovery: RecoveryMarker | None = None,
    ) -> N:
        """
        Go on there after the last retry.

        Args:
            target: A node or `complete`.
            when: A condition.
            recovery: A marker for readers and graphs.
        """
        return self._route("error", target, when=when, recovery=recovery)

    def _signature(self) -> Signature | None:
        """How the function is called; `None` where a problem has been noted."""
        if self._read is None:
            try:
                self._read = Signature.of(self._fn, self._names)
            except InvalidFunction as exc:
                if not any(n.message == str(exc) for n in self._notes):
                    note(self, "invalid_contract", str(exc), tail=("action",))
        return self._read

    def _aliases(self) -> Sequence[str]:
        return cast("CommonOptions", self._options).get("aliases", ())

    def _output_key(self) -> str | None:
        output = self._options.get("output")
        return output if isinstance(output, str) else self._label

    def _output_hint(self) -> object:
        read = self._signature()
        return Any if read is None else read.output

    def _checked(self, options: Mapping[str, object]) -> dict[str, object]:
        """The options that are right; the others are noted and left out."""
        kept: dict[str, object] = {}
        for name, value in options.items():
            wanted = _KINDS.get(name, object)
            is_wrong_bool = isinstance(value, bool) and wanted is int
            if isinstance(value, wanted) and not is_wrong_bool:
                kept[name] = value
            else:
                expected = wanted.__name__ if isinstance(wanted, type) else "a list"
                message = f"{name}: expected {expected}, not {type(value).__name__}"
                note(self, "invalid_step_option", message, tail=(name,))
        return kept

    def _spec(self, wiring: Wiring) -> StepNode:
        options = cast("CommonOptions", self._options)
        irreversible = options.get("irreversible", False)
        return StepNode(
            name=wiring.name_of(self),
            action=self._action(),
            after=wiring.names_of(self._after),
            input=wiring.inputs_of(self),
            output=self._output_key(),
            retry=checked_retry(self, "retry", options.get("retry")),
            deadline=checked_deadline(self, options.get("deadline")),
            timeout_ms=checked_timeout(self, options.get("timeout")),
            queue=options.get("queue"),
            priority=options.get("priority"),
            max_visits=options.get("max_visits"),
            max_deliveries=options.get("max_deliveries"),
            compensate=self._compensate(),
            compensate_retry=checked_retry(
                self, "compensate_retry", None if self._undo is None else self._undo.retry
            ),
            irreversible=irreversible,
            compensatable=options.get("compensatable", not irreversible),
            transaction=self._options.get("transaction") is True,
        )

    def _action(self) -> str:
        for alias in self._aliases():
            action_key(self, self._fn, alias, option="aliases")
        return action_key(self, self._fn, cast("CommonOptions", self._options).get("action"))

    def _compensate(self) -> str | None:
        undo = self._undo
        if undo is None:
            return None
        return action_key(self, undo.callback, undo.action, location=undo.location)


@overload
def step(
    fn: Callable[Concatenate[TxContext, P], Awaitable[R | Retry | Defer | Fail]],
    *,
    transaction: Literal[True],
    **options: Unpack[CommonOptions],
) -> Step[P, R]: ...
@overload
def step(
    fn: Callable[Concatenate[TxContext, P], R | Retry | Defer | Fail],
    *,
    transaction: Literal[True],
    **options: Unpack[CommonOptions],
) -> Step[P, R]: ...
@overload
def step(
    fn: Callable[Concatenate[Context, P], Awaitable[R | Retry | Defer | Fail]],
    **options: Unpack[StepOptions],
) -> Step[P, R]: ...
@overload
def step(
    fn: Callable[Concatenate[Context, P], R | Retry | Defer | Fail],
    **options: Unpack[StepOptions],
) -> Step[P, R]: ...
@overload
def step(
    fn: Callable[P, Awaitable[R | Retry | Defer | Fail]], **options: Unpack[StepOptions]
) -> Step[P, R]: ...
@overload
def step(
    fn: Callable[P, R | Retry | Defer | Fail], **options: Unpack[StepOptions]
) -> Step[P, R]: ...
def step(fn: Callable[..., Any], **options: Any) -> Step[..., Any]:
    """
    A unit of work: a plain function, sync or async.

    A first parameter annotated `Context` (or `TxContext`, with `transaction=True`) is filled by
    the runtime; all others are inputs.

    Args:
        fn: The function; it may return or raise `Retry`, `Fail` or `Defer` instead of an output.
        options: See `CommonOptions`; and `transaction=True`: it writes through `tx.connection`
            in the transaction that completes it.

    Raises:
        TypeError: An option does not exist, or `fn` cannot be called.
    """
    refuse_unknown("step", options, StepOptions)
    if not callable(fn):
        raise TypeError(f"step() takes a function, not {type(fn).__name__}")
    return Step(fn, options)
