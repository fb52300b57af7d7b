"""
What a spec can say and this release cannot run yet.

Registering or starting such a workflow is refused loudly; nothing of it is
quietly ignored.  A feature that gets built leaves this table.
"""

from collections.abc import Mapping
from typing import Final

from squidmesh_core.definition.problem import Place, Problem
from squidmesh_core.definition.spec import ChildrenNode, Node, Spec

#: Node kinds without a runtime, and how a message calls them.
_KINDS: Final[Mapping[type[Node], str]] = {
    ChildrenNode: "children nodes",
}
#: Members of nodes that are not acted on; any value but none and false counts.
_MEMBERS: Final[Mapping[str, str]] = {
    "transaction": "transactional steps",
}


def unsupported(spec: Spec) -> tuple[Problem, ...]:
    """One problem for each use of something that is not built yet."""
    found: list[Problem] = []
    for i, node in enumerate(spec.steps):
        if feature := _KINDS.get(type(node)):
            found.append(_problem(("steps", i, "kind"), feature))
        found += [
            _problem(("steps", i, member), feature)
            for member, feature in _MEMBERS.items()
            if getattr(node, member, None)
        ]
    return tuple(found)


def _problem(path: Place, feature: str) -> Problem:
    return Problem(
        path=path,
        code="unsupported_feature",
        message=f"this release defines {feature}, and cannot run them yet",
    )
