"""The snapshot that hosts see: the core's, with typed readers."""

from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import frozen

from squidmesh.authoring.decode import reader_for
from squidmesh_core.canonical import restore
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import Refused
from squidmesh_core.views import inspection

if TYPE_CHECKING:
    from squidmesh.authoring.nodes import Node
    from squidmesh.authoring.triggers import Trigger

P = TypeVar("P")
R = TypeVar("R")


@frozen(kw_only=True)
class Snapshot(inspection.Snapshot):
    """One run at one instant, with outputs and payload in their own types."""

    #: The definition that the run started with.
    spec: Spec

    def out(self, node: "Node[R]") -> R:
        """
        The output of a node, in its type.

        Raises:
            Refused: The node has put nothing out so far.
        """
        key = node._output_key()
        if key is None or key not in self.context:
            raise Refused(
                f"'{node.name}' has put nothing out in run {self.id} so far",
                "output_not_certain",
                {"run_id": self.id, "node": node.name, "status": self.status},
            )
        read = reader_for(cast("Any", node._context_hint()))
        return cast("R", read(restore(self.context[key])))

    def payload(self, trigger: "Trigger[P]") -> P:
        """
        The payload that the run started with, in the trigger's type.

        Raises:
            PayloadError: The trigger has another contract.
        """
        restored = {name: restore(value) for name, value in self.input.items()}
        return trigger.parse(restored)
