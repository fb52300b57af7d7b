"""
Nodes: what a class body names and routes lead between.

`out` is declared to return the real type and returns a recording path.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar, cast

from attrs import frozen

from squidmesh.authoring.conditions import (
    CONSTANT,
    WHY_CONSTANT,
    BareTruth,
    Condition,
    Expression,
    Unknown,
    expression_of,
)
from squidmesh.authoring.frames import Location, here
from squidmesh.authoring.notes import Source, note, stopped
from squidmesh.authoring.paths import path_to
from squidmesh_core.definition.spec import COMPLETE, Outcome, RecoveryMarker
from squidmesh_core.definition.spec import Node as SpecNode
from squidmesh_core.errors import DefinitionError
from squidmesh_core.ids import NodeName
from squidmesh_core.values import Binding

R = TypeVar("R")
N = TypeVar("N", bound="Target")


class Target:
    """Where a route may lead: a node, or `complete`."""

    @property
    def name(self) -> str:
        """How routes call it."""
        raise NotImplementedError


class Complete(Target):
    """The end of a strand."""

    @property
    def name(self) -> str:
        """How routes call it."""
        return COMPLETE


#: The target that ends one strand: `x.then(complete, when=…)`.
complete = Complete()


@frozen(kw_only=True)
class Route:
    """A route as it was written."""

    on: Outcome
    target: Target
    when: Expression | None
    recovery: RecoveryMarker | None
    location: Location


class Wiring(Protocol):
    """What nodes ask of the compiler: names and keys that are known only when a class ends."""

    @property
    def workflow(self) -> str:
        """The name of the workflow."""

    def name_of(self, node: "BaseNode") -> NodeName:
        """The name of a node of this class."""

    def names_of(self, nodes: "Sequence[BaseNode]") -> tuple[NodeName, ...]:
        """The names of several nodes."""

    def binding(self, node: "BaseNode", value: object, wanted: object, tail: str) -> Binding | None:
        """Where a value of a wanted type comes from; `None` where a problem has been noted."""

    def inputs_of(self, step: "BaseNode") -> dict[str, Binding]:
        """The bindings of a step's parameters."""


class BaseNode(Source, Target):
    """What all nodes share, whatever they put out."""

    def __init__(self, after: Sequence["BaseNode"]) -> None:
        super().__init__()
        self._routes: list[Route] = []
        self._after = self._checked_after(after)

    def then(self, target: N, *, when: bool | None = None) -> N:
        """
        Go on there; of several routes the first true `when` wins.

        Args:
            target: A node or `complete`.
            when: A condition; a route without one is the fallback, wherever it stands.

        Returns:
            The target, so that routes chain.

        Raises:
            DefinitionError: The target is neither.
        """
        return self._route("ok", target, when=when)

    def _route(
        self,
        on: Outcome,
        target: N,
        *,
        when: object = None,
        recovery: RecoveryMarker | None = None,
    ) -> N:
        if not isinstance(target, Target):
            raise _no_target(target)
        self._must_be_open()
        expression = None if when is None else self._condition(when)
        self._routes.append(
            Route(on=on, target=target, when=expression, recovery=recovery, location=here())
        )
        return target

    def _condition(self, when: object) -> Expression:
        if isinstance(when, Condition | BareTruth):
            return expression_of(when)
        note(self, "constant_condition", CONSTANT, WHY_CONSTANT)
        return Unknown()

    def _checked_after(self, after: Sequence["BaseNode"]) -> tuple["BaseNode", ...]:
        given: Sequence[object] = after if isinstance(after, list | tuple) else (after,)
        kept = tuple(item for item in given if isinstance(item, BaseNode))
        if len(kept) < len(given):
            note(self, "invalid_step_option", "after: expected a list of nodes", tail=("after",))
        return kept

    def _output_key(self) -> str | None:
        """Where the output lies in the run context; `None` if there is none."""
        return None

    def _output_hint(self) -> object:
        """The type of the output, as it is wired to other nodes."""
        return type(None)

    def _context_hint(self) -> object:
        """The type of what may lie in the run context; a rejection brings no form."""
        return self._output_hint()

    def _spec(self, wiring: Wiring) -> SpecNode:
        """The node of the spec; called once, when everything has its name."""
        raise NotImplementedError


def _no_target(given: object) -> DefinitionError:
    """What to raise for a route that leads to something else, such as a name."""
    message = f"a route leads to a node or to complete, not to {type(given).__name__}"
    hint = "write the node's name without quotes" if isinstance(given, str) else ""
    return stopped("unknown_transition_target", message, hint)


class Node(BaseNode, Generic[R]):
    """A node that puts out an `R`."""

    @property
    def out(self) -> R:
        """The output; in a class body a path to it."""
        return cast("R", path_to(self, self._output_hint()))
