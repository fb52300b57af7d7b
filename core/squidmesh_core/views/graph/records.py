"""
What the graph of a run is made of.

Ids are one scheme, and no id changes while a run goes on:

    <node>                          a node of the definition
    trigger:<name>                  what started the run
    complete                        its good end
    compensate:<node>               what undoes a node, once undoing began

    <from>:<ok|error|timeout>:<to>[:condition:<12 hex digits>]    a route
    <from>:dependency:<to>                                        an `after`
    <from>:start:<to>               into the node that a run begins with
    <from>:compensation:<to>        to what undoes a node
"""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.definition.spec import Outcome, RecoveryMarker
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.run import Anomaly
from squidmesh_core.values import RecoveryPolicy
from squidmesh_core.views.deadlines import DeadlineView
from squidmesh_core.views.inspection import AttemptView
from squidmesh_core.views.plain import View
from squidmesh_core.views.steps import StepStatus
from squidmesh_core.views.waiting import GateView

NodeKind = Literal[
    "trigger",
    "step",
    "wait",
    "log",
    "pause",
    "approval",
    "receive",
    "children",
    "compensation",
    "end",
]
EdgeType = Literal["start", "transition", "dependency", "compensation"]
#: May still be taken; was taken; was not, and will not be; waits for what will never come.
EdgeStatus = Literal["pending", "selected", "skipped", "blocked"]

#: What plain data call the ends of an edge; `from` is no name in Python.
ENDS: Final[Mapping[str, str]] = {"source": "from", "target": "to"}
#: The id of the node that a run reaches when it completes.
END: Final = "complete"


@frozen(kw_only=True)
class GraphNode(View):
    """A node, and how far the run is with it."""

    id: str
    kind: NodeKind
    #: Action key, of a step or of the callback that undoes one.
    action: str | None = None
    status: StepStatus
    #: Whether the run is here: an attempt is not settled, a person or a message awaited.
    current: bool = False
    #: How often it was entered.
    visits: int = 0
    #: Which try its newest attempt is; null: it had none.
    attempt: int | None = None
    #: Id of the edge that its latest finished visit took; null: none, or there are no routes.
    decision: str | None = None
    #: Of a step alone: what may be done about it once it is applied.
    recovery: RecoveryPolicy | None = None
    #: The deadline that runs, the soonest of them.
    deadline: DeadlineView | None = None
    #: From here on only with history.  The newest attempt's input, output and error.
    input: Mapping[str, object] | None = None
    output: object = None
    error: Failure | None = None
    gate: GateView | None = None
    attempts: tuple[AttemptView, ...] = ()


@frozen(kw_only=True)
class GraphEdge(View):
    """A way from one node to another, and whether the run went it."""

    id: str
    source: str
    target: str
    type: EdgeType
    #: Of a route alone: the outcome that it is for.
    outcome: Outcome | None = None
    #: The condition's JSON form; null: unconditional.
    condition: Mapping[str, object] | None = None
    #: Whether it is taken where no condition of its outcome holds.
    otherwise: bool = False
    #: What decided: dotted path → the value that was read there.  Data of the run; whoever
    #: may not see that drops this member.
    values: Mapping[str, object] | None = None
    recovery: RecoveryMarker | None = None
    status: EdgeStatus
    #: How often it was taken.
    times: int = 0

    def to_dict(self) -> dict[str, object]:
        """The edge as JSON-safe data, its ends called `from` and `to`."""
        return {ENDS.get(name, name): member for name, member in super().to_dict().items()}


@frozen(kw_only=True)
class RunGraph(View):
    """The graph of one run at one instant; in a notebook it shows itself."""

    run_id: RunId
    workflow: str
    version: str | None
    status: RunStatus
    terminal: bool
    #: The revision it was drawn at.
    revision: Revision
    #: The trigger, the nodes of the definition in its order, the end, what undoes.
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    #: Ids of the nodes that the run is at.
    current: tuple[str, ...]
    anomalies: tuple[Anomaly, ...]

    def to_dict(self) -> dict[str, object]:
        """The graph as JSON-safe data; specs/views/graph.schema.json says what is in it."""
        return super().to_dict() | {"edges": [edge.to_dict() for edge in self.edges]}

    # How a graph is drawn lives in modules of its own, which import the records
    # above; hence the imports inside these methods.

    def to_svg(self) -> str:
        """A picture that needs nothing but itself: light and dark, no script, no network."""
        from squidmesh_core.views.graph.svg import to_svg

        return to_svg(self)

    def to_mermaid(self) -> str:
        """A flowchart for pages that draw Mermaid."""
        from squidmesh_core.views.graph.mermaid import to_mermaid

        return to_mermaid(self)

    def to_dot(self) -> str:
        """A digraph for Graphviz."""
        from squidmesh_core.views.graph.dot import to_dot

        return to_dot(self)

    def to_ascii(self, width: int = 80) -> str:
        """
        Lines for a terminal.

        Args:
            width: Columns there are; what is longer is cut, down to 40.
        """
        from squidmesh_core.views.graph.ascii import to_ascii

        return to_ascii(self, width)

    def _repr_svg_(self) -> str:
        return self.to_svg()
