"""
Every problem of a class, each with its line.

Two kinds meet here.  What only a class can get wrong (contracts, wiring,
paths) has been noted by its triggers and nodes; what any spec can get wrong
is found by the core in the compiled one.  Where both speak of the same
member, the class knows more.
"""

from collections.abc import Iterator
from typing import Final

from attrs import evolve, field, frozen

from squidmesh.authoring.frames import Location
from squidmesh.authoring.nodes import BaseNode
from squidmesh.authoring.notes import Source
from squidmesh.authoring.report import definition_error
from squidmesh.authoring.steps import Step
from squidmesh.authoring.wiring import Wires
from squidmesh_core.definition.problem import Place, Problem, errors_of
from squidmesh_core.definition.spec import Spec

#: With one of these a payload or a name is not known, so nothing can be said about who reads it.
_BLINDING: Final = frozenset(
    {"invalid_contract", "reserved_name", "invalid_trigger_name", "invalid_step_name"}
)


@frozen(kw_only=True)
class Heading:
    """What is said of a workflow outside its body."""

    workflow: str
    #: How the class is called in messages.
    label: str
    location: Location
    version: str | None = None
    queue: str | None = None
    priority: int | None = None
    timeout_ms: int | None = None
    #: Problems of the class itself.
    problems: tuple[Problem, ...] = ()


@frozen(kw_only=True)
class Draft:
    """A spec on its way, with the lines its parts were written at."""

    heading: Heading
    wires: Wires
    #: Per transition: the node it leaves, and where it was written.
    routes: list[tuple[BaseNode, Location]] = field(factory=list)
    #: Nodes one of whose conditions is not known, because its problem has been noted.
    unsure: set[BaseNode] = field(factory=set)


def refuse_problems(draft: Draft, spec: Spec) -> None:
    """
    Report everything, if there is anything.

    Raises:
        DefinitionError: With every problem, in the order of the lines.
    """
    found = [(problem, "") for problem in draft.heading.problems]
    found += _noted(draft)
    if not any(problem.code in _BLINDING for problem, _ in found):
        found += _found_by_core(draft, spec)
    if found:
        found.sort(key=lambda pair: (pair[0].file or "", pair[0].line or 0))
        problems, labels = zip(*found, strict=True)
        raise definition_error(draft.heading.label, problems, labels)


def _noted(draft: Draft) -> Iterator[tuple[Problem, str]]:
    for member, sources in (("triggers", draft.wires.triggers), ("steps", draft.wires.nodes)):
        for i, (name, source) in enumerate(sources.items()):
            for item in source._notes:
                yield item.at((member, i), name), name


def _found_by_core(draft: Draft, spec: Spec) -> Iterator[tuple[Problem, str]]:
    for problem in errors_of(spec.problems()):
        source, location = _origin(draft, problem.path)
        if source is not None and _said_already(draft, source, problem):
            continue
        yield (
            evolve(problem, file=location.file, line=location.line),
            "" if source is None else source._label or "",
        )


def _origin(draft: Draft, path: Place) -> tuple[Source | None, Location]:
    """Who wrote the part of the spec at a path, and where."""
    match path:
        case ("transitions", int(i), *_):
            return draft.routes[i]
        case ("triggers", int(i), *_):
            trigger = list(draft.wires.triggers.values())[i]
            return trigger, trigger._location
        case ("steps", int(i), *below):
            node = list(draft.wires.nodes.values())[i]
            if isinstance(node, Step):
                if below[:1] == ["input"] and node._arguments is not None:
                    return node, node._arguments.location
                if below[:1] == ["compensate"] and node._undo is not None:
                    return node, node._undo.location
            return node, node._location
        case _:
            return None, draft.heading.location


def _said_already(draft: Draft, source: Source, problem: Problem) -> bool:
    if problem.path[0] == "transitions":
        return source in draft.unsure or any(
            item.code == "unknown_transition_target" for item in source._notes
        )
    below = problem.path[2:3]
    return any(item.tail[:1] == below or item.code == problem.code for item in source._notes)
