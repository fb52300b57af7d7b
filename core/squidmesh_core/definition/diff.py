"""What changed between two specs: nodes by name, edges by id."""

from collections.abc import Mapping

from attrs import frozen

from squidmesh_core.definition.graph import dependency_id, with_ids
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.writing import Json, node_to_dict, transition_to_dict


@frozen(kw_only=True)
class Changed:
    """A node or an edge that both specs have, with another content."""

    id: str
    before: Mapping[str, object]
    after: Mapping[str, object]


@frozen(kw_only=True)
class Changes:
    """What happened to the nodes, or to the edges."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@frozen(kw_only=True)
class SpecDiff:
    """The difference between two specs; false when the graphs are equal."""

    nodes: Changes
    edges: Changes

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges)


def diff(before: Spec, after: Spec) -> SpecDiff:
    """From one spec to another, in declaration order."""
    return SpecDiff(
        nodes=_changes(_nodes(before), _nodes(after)),
        edges=_changes(_edges(before), _edges(after)),
    )


def _changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> Changes:
    return Changes(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=tuple(
            Changed(id=key, before=content, after=after[key])
            for key, content in before.items()
            if key in after and after[key] != content
        ),
    )


def _nodes(spec: Spec) -> dict[str, Json]:
    return {node.name: node_to_dict(node) for node in spec.steps}


def _edges(spec: Spec) -> dict[str, Json]:
    edges = {own: transition_to_dict(route) for own, route in with_ids(spec.transitions)}
    for node in spec.steps:
        for earlier in node.after:
            edges[dependency_id(earlier, node.name)] = {"from": earlier, "to": node.name}
    return edges
