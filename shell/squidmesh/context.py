# ruff: noqa: ARG002  # start_child and plan refuse whatever they are given
"""
What a step may ask while it runs.

A `Context` is handed to the step whose first parameter is annotated with it.
It never holds the claim token.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from attrs import field, frozen

from squidmesh import checks
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.mismatch import ContractMismatch, misfit_error
from squidmesh.authoring.policies import Retries
from squidmesh_core.errors import Refused

if TYPE_CHECKING:  # they need the contexts themselves
    from squidmesh.authoring.nodes import Node
    from squidmesh.authoring.triggers import Trigger

P = TypeVar("P")
R = TypeVar("R")

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Signals(Protocol):
    """The line between a running step and the worker that performs it."""

    @property
    def lost(self) -> bool:
        """Whether the lease is gone: whatever the step returns will be refused."""

    @property
    def cancelled(self) -> bool:
        """Whether the step should stop: its time is over, or its run ended or undoes its steps."""

    def progress(self, done: float, of: float | None, note: str | None) -> None:
        """Keep it for the next heartbeat to carry."""


@frozen(kw_only=True)
class Schedule:
    """The slot of a cron trigger that a run belongs to."""

    trigger: str
    slot: datetime


@frozen(init=False)
class Work:
    """One piece of dynamic work: an action that a step asks for while it runs."""

    id: str
    action: str
    input: Mapping[str, object]
    retry: Retries | None
    after: tuple[str, ...]
    metadata: Mapping[str, object]

    def __init__(
        self,
        id: str,
        action: str,
        input: Mapping[str, object] = _NOTHING,
        *,
        retry: Retries | None = None,
        after: Iterable[str] = (),
        metadata: Mapping[str, object] = _NOTHING,
    ) -> None:
        self.__attrs_init__(id, action, input, retry, tuple(after), metadata)


@frozen
class ChildHandle:
    """A child run that a step asked for; its id is known at once."""

    run_id: str
    key: str


@frozen(kw_only=True)
class Context:
    """
    One attempt, seen from inside the step.

    The runtime makes it; tests of steps may make their own.
    """

    run_id: str
    workflow: str
    #: The name of the step in its workflow.
    node: str
    #: Number of this try, from 1.
    attempt: int
    #: Number of this entry into the node, from 1.
    visit: int
    #: Identifies the attempt in the journal.
    attempt_key: str
    #: Hand it to the outside, so that a redelivery is harmless there: the same for every
    #: try of this visit, over retries, deferrals, lost leases and crashes.
    idempotency_key: str
    #: Identifies this worker's claim; no secret, and no proof.
    claim_id: str
    #: Grows with each claim; outside systems can use it to refuse older ones.
    fencing_token: int
    queue: str = "default"
    #: Of the start.
    tags: tuple[str, ...] = ()
    #: When the node's deadline falls, if it has one.
    due_at: datetime | None = None
    #: The slot that the run was started for; null: by hand, as always in this release.
    schedule: Schedule | None = None
    #: Payload and outputs so far, by name, as JSON values.
    state: Mapping[str, object] = field(factory=dict)
    #: Its line to the worker; steps ask `lost`, `cancelled` and `progress` instead.
    signals: Signals = field(repr=False, eq=False)

    @property
    def lost(self) -> bool:
        """Whether the lease is gone: whatever the step returns will be refused."""
        return self.signals.lost

    @property
    def cancelled(self) -> bool:
        """Whether the step should stop; a sync step asks now and then."""
        return self.signals.cancelled

    def out(self, node: "Node[R]") -> R:
        """
        What a node has put out, structured to its type.

        Raises:
            PayloadError: What lies there does not fit the type.
            Refused: The node has put nothing out in this run so far.
            ConfigError: That is not a node.
        """
        from squidmesh.authoring.nodes import Node  # it needs the contexts itself

        if not isinstance(node, Node):
            raise checks.wrong("node", "expected a node of a workflow; names are in `ctx.state`")
        key = node._output_key()
        if key is None or key not in self.state:
            raise Refused(
                f"'{node.name}' has put nothing out in this run so far; nothing was changed",
                "output_not_certain",
                {"run_id": self.run_id, "node": node.name},
            )
        read = reader_for(node._context_hint())
        try:
            return cast("R", read(self.state[key]))
        except ContractMismatch as exc:
            what = f"what '{node.name}' put out in run {self.run_id}"
            raise misfit_error(what, exc, {"run_id": self.run_id, "node": node.name}) from None

    def progress(self, done: float, *, of: float | None = None, note: str | None = None) -> None:
        """Say how far the step is; rides on the next heartbeat, so it costs no write."""
        self.signals.progress(done, of, note)

    def start_child(
        self,
        trigger: "Trigger[P]",
        payload: P,
        *,
        key: str,
        queue: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> ChildHandle:
        """
        Ask for a child run, committed with this step's result.

        Raises:
            Refused: This version cannot start children yet.
        """
        raise self._not_yet("start_child", "no child run was started")

    def plan(self, key: str, work: Iterable[Work], *, reason: str | None = None) -> None:
        """
        Ask for dynamic work, committed with this step's result.

        Raises:
            Refused: This version cannot plan dynamic work yet.
        """
        raise self._not_yet("plan", "no work was planned")

    def _not_yet(self, verb: str, outcome: str) -> Refused:
        message = f"ctx.{verb} does not exist in this version yet; {outcome}"
        details = {"run_id": self.run_id, "node": self.node}
        return Refused(message, "unsupported_feature", details)


@frozen(kw_only=True)
class TxContext(Context):
    """The context of a step with `transaction=True`."""

    #: The open transaction; what is written through it commits with the step's result.
    connection: Any


@frozen(kw_only=True)
class UndoContext(Context):
    """The context of a callback that undoes a finished step."""

    #: What the step had been given, by parameter, as JSON values.
    input: Mapping[str, object]
    #: Why the run is undone: `kind`, `message`, `code`, `details`; empty when it was cancelled.
    failure: Mapping[str, object]
