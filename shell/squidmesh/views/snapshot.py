"""The snapshot that hosts see: the core's, with typed readers."""

from typing import TYPE_CHECKING, TypeVar, cast

from attrs import field, frozen

from squidmesh import checks
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.mismatch import ContractMismatch, misfit_error
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import Refused
from squidmesh_core.protocol.wire import instant_to_text
from squidmesh_core.views import inspection
from squidmesh_core.views.plain import NOT_PLAIN

if TYPE_CHECKING:
    from squidmesh.authoring.nodes import Node
    from squidmesh.authoring.triggers import Trigger

P = TypeVar("P")
R = TypeVar("R")


@frozen(kw_only=True)
class Snapshot(inspection.Snapshot):
    """One run at one instant, with outputs and payload in their own types."""

    #: The definition that the run started with.
    spec: Spec = field(metadata=NOT_PLAIN)

    def out(self, node: "Node[R]") -> R:
        """
        The output of a node, in its type.

        Raises:
            PayloadError: What lies there is of another type; the run's definition may be older.
            Refused: The node has put nothing out so far, or the run was pruned.
            ConfigError: That is not a node.
        """
        from squidmesh.authoring.nodes import Node  # a caller with a node has loaded it

        if not isinstance(node, Node):
            raise checks.wrong("node", "expected a node of a workflow; names are in `context`")
        self._check_there()
        key = node._output_key()
        if key is None or key not in self.context:
            raise Refused(
                f"'{node.name}' has put nothing out in run {self.id} so far",
                "output_not_certain",
                {"run_id": self.id, "node": node.name, "status": self.status},
            )
        read = reader_for(node._context_hint())
        try:
            return cast("R", read(self.context[key]))
        except ContractMismatch as exc:
            what = f"what '{node.name}' put out in run {self.id}"
            raise misfit_error(what, exc, {"run_id": self.id, "node": node.name}) from None

    def payload(self, trigger: "Trigger[P]") -> P:
        """
        The payload that the run started with, in the trigger's type.

        Raises:
            PayloadError: It is of another type; the run's definition may be older.
            Refused: The run was pruned.
            ConfigError: That is not a trigger.
        """
        from squidmesh.authoring.triggers import Trigger  # a caller with a trigger has loaded it

        if not isinstance(trigger, Trigger):
            raise checks.wrong("trigger", "expected a trigger of a workflow; data is in `input`")
        self._check_there()
        if trigger._contract is None:
            return cast("P", None)
        read = reader_for(trigger._contract)
        try:
            return cast("P", read(self.input))
        except ContractMismatch as exc:
            what = f"the payload of run {self.id} by '{trigger.name}'"
            raise misfit_error(what, exc, {"run_id": self.id}) from None

    def _check_there(self) -> None:
        """
        See that the run is more than a tombstone.

        Raises:
            Refused: It is not.
        """
        if self.run.pruned_at is not None:
            at = instant_to_text(self.run.pruned_at)
            raise Refused(
                f"run {self.id} was pruned at {at}; what it was given and gave is gone",
                "terminal_run",
                {"run_id": self.id, "status": self.status, "reason": "pruned", "at": at},
            )


#: How verbs name a run: by its id, or by any record of it.
RunRef = str | inspection.Run | Snapshot
