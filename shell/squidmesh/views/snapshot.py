"""The snapshot that hosts see: the core's, with typed readers."""

from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import field, frozen

from squidmesh import checks
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh_core.canonical import restore
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import PayloadError, Refused
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
            ConfigError: That is no node.
        """
        from squidmesh.authoring.nodes import Node  # who has a node has loaded it

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
        read = reader_for(cast("Any", node._context_hint()))
        try:
            return cast("R", read(restore(self.context[key])))
        except ContractMismatch as exc:
            raise PayloadError(
                f"what '{node.name}' put out in run {self.id} does not fit: {exc}; "
                "nothing was changed",
                "invalid_payload",
                {"run_id": self.id, "node": node.name, **exc.details},
            ) from None

    def payload(self, trigger: "Trigger[P]") -> P:
        """
        The payload that the run started with, in the trigger's type.

        Raises:
            PayloadError: The trigger has another contract.
            Refused: The run was pruned.
        """
        self._check_there()
        restored = {name: restore(value) for name, value in self.input.items()}
        return trigger.parse(restored)

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
