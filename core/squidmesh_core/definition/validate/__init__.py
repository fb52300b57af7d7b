"""
Judging a spec: every problem at once.

    problems   the one door
    triggers   payload contracts of several triggers
    steps      names, recovery markers, outputs, actions
    routes     transitions, dependencies, loops, reachability
    wiring     what inputs, conditions and markers read

Each rule looks at records; what a single member may be is judged where it is
read (`definition.reading`), and records built by hand go through that as well.
"""

from collections.abc import Collection
from typing import Final

from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.reading.document import read_members
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.validate import routes, steps, triggers, wiring
from squidmesh_core.definition.writing import spec_to_dict

#: With one of these there is no graph through which anything could flow.
_GRAPHLESS: Final = frozenset(
    {
        "duplicate_step_name",
        "self_step_dependency",
        "dependency_cycle",
        "dependency_transitions",
    }
)


def problems(spec: Spec, actions: Collection[str] | None = None) -> tuple[Problem, ...]:
    """
    Everything that is wrong with a spec; empty, or only warnings, if it may run.

    Args:
        actions: Keys that can be performed; a mapping's `False` marks a key as
            disabled.  Without it actions are not looked at.
    """
    readable, found = read_members(spec_to_dict(spec))
    if readable is None:
        return found
    return (*found, *judge(readable, actions))


def judge(spec: Spec, actions: Collection[str] | None = None) -> tuple[Problem, ...]:
    """What is wrong between the members of a spec whose members are well-formed."""
    found = [
        *triggers.problems(spec),
        *steps.problems(spec, actions),
        *routes.problems(spec),
    ]
    if any(problem.code in _GRAPHLESS for problem in found):
        return tuple(found)
    return (*found, *wiring.problems(spec))
