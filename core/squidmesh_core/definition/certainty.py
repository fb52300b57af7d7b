"""
Which outputs are certain to be there when a node is entered.

With routes this is the "available expressions" analysis of compilers: a node
can count on what *every* way into it has produced.  Sets of nodes are the bits
of integers, so the largest workflow takes milliseconds, not a walk per node.
"""

from collections import deque
from graphlib import TopologicalSorter

from attrs import frozen

from squidmesh_core.definition.spec import ApprovalNode, Node, Spec, Transition
from squidmesh_core.ids import NodeName


@frozen(kw_only=True)
class Certainty:
    """Whose outputs each node of one workflow can count on."""

    #: Node → its bit.
    bit: dict[NodeName, int]
    #: Node → the bits of the nodes whose output it can count on.
    known: dict[NodeName, int]

    def can_count_on(self, consumer: NodeName, producer: NodeName) -> bool:
        """Whether the producer's output is there each time the consumer is entered."""
        return bool(self.known[consumer] & self.bit[producer])


def certainty(spec: Spec) -> Certainty:
    """
    What every node of the workflow can count on.

    Raises:
        graphlib.CycleError: The dependencies have a cycle.
    """
    bit = {node.name: 1 << i for i, node in enumerate(spec.steps)}
    known = _ancestors(spec, bit) if spec.by_dependencies else _on_every_route(spec, bit)
    return Certainty(bit=bit, known=known)


def leaves_output(node: Node, transition: Transition) -> bool:
    """
    Whether the node's output is there once this route was taken.

    A step that failed leaves none; an approval leaves its decision either way,
    unless the route also serves its time-out.
    """
    if transition.on == "ok":
        return True
    return isinstance(node, ApprovalNode) and transition.on == "error" and node.timeout_ms is None


def _ancestors(spec: Spec, bit: dict[NodeName, int]) -> dict[NodeName, int]:
    after = {node.name: [name for name in node.after if name in bit] for node in spec.steps}
    known: dict[NodeName, int] = {}
    for name in TopologicalSorter(after).static_order():
        known[name] = 0
        for earlier in after[name]:
            known[name] |= known[earlier] | bit[earlier]
    return known


def _on_every_route(spec: Spec, bit: dict[NodeName, int]) -> dict[NodeName, int]:
    nodes = {node.name: node for node in spec.steps}
    # From a node to a target, with the bit that taking the route adds.
    leaving: dict[NodeName, list[tuple[NodeName, int]]] = {name: [] for name in nodes}
    for route in spec.transitions:
        if route.source in nodes and route.target in nodes:
            adds = bit[route.source] if leaves_output(nodes[route.source], route) else 0
            leaving[route.source].append((route.target, adds))
    everything = (1 << len(nodes)) - 1
    # Start from "all is certain" and take away until nothing changes; a node
    # that no route reaches keeps everything, and is reported as such elsewhere.
    known = dict.fromkeys(nodes, everything)
    changed = deque(name for name in spec.entry_steps if name in nodes)
    for name in changed:
        known[name] = 0
    while changed:
        name = changed.popleft()
        for target, adds in leaving[name]:
            fewer = known[target] & (known[name] | adds)
            if fewer != known[target]:
                known[target] = fewer
                changed.append(target)
    return known
