"""
What a spec can say and this release cannot run yet.

Registering or starting such a workflow is refused loudly; nothing of it is
quietly ignored.  A feature that gets built leaves this page.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from squidmesh_core.definition.problem import Place, Problem
from squidmesh_core.definition.spec import ChildrenNode, CronTrigger, Node, Spec

#: Node kinds without a runtime, and how a message calls them.
_KINDS: Final[Mapping[type[Node], str]] = {
    ChildrenNode: "children nodes",
}


def unsupported(spec: Spec) -> tuple[Problem, ...]:
    """One problem for each use of something that is not built yet."""
    nodes = tuple(
        _problem(("steps", i, "kind"), _KINDS[type(node)])
        for i, node in enumerate(spec.steps)
        if type(node) in _KINDS
    )
    return (*nodes, *_schedules(spec))


def _schedules(spec: Spec) -> Iterator[Problem]:
    """Only warnings: whoever has a scheduler of their own starts such runs by hand."""
    for i, trigger in enumerate(spec.triggers):
        if isinstance(trigger, CronTrigger):
            yield Problem(
                path=("triggers", i, "type"),
                code="unsupported_feature",
                message=f"this release does not fire cron triggers: nobody starts {trigger.name!r}",
                hint="Start it by a scheduler of yours, with the slot as its key.",
                severity="warning",
            )


def _problem(path: Place, feature: str) -> Problem:
    return Problem(
        path=path,
        code="unsupported_feature",
        message=f"this release defines {feature}, and cannot run them yet",
    )
