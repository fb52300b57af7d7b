"""Workflows made by code: the same triggers and nodes, named by hand."""

from typing import Any, TypeVar, cast

from squidmesh.authoring.frames import caller
from squidmesh.authoring.nodes import BaseNode
from squidmesh.authoring.notes import Source, stopped
from squidmesh.authoring.triggers import Trigger
from squidmesh.authoring.workflow import Workflow
from squidmesh.duration import Duration
from squidmesh_core.definition.reading.members import title
from squidmesh_core.definition.reading.source import UnreadableError

T = TypeVar("T", bound=Trigger[Any])
N = TypeVar("N", bound=BaseNode)


class WorkflowBuilder:
    """
    A workflow that is put together by code.

    Args:
        name: The whole name, such as `generated.words`.
        version: A label of this definition.
        queue: For steps and starts that name none.
        priority: Likewise.
        timeout: Bounds the whole run.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> None:
        self._name = name
        self._body: dict[str, object] = {} if version is None else {"version": version}
        self._keywords = {"queue": queue, "priority": priority, "timeout": timeout}

    def trigger(self, name: str, trigger: T) -> T:
        """
        Add a trigger.

        Raises:
            DefinitionError: The name is taken.
        """
        self._add(name, trigger)
        return trigger

    def add(self, name: str, node: N) -> N:
        """
        Add a node.

        Raises:
            DefinitionError: The name is taken.
        """
        self._add(name, node)
        return node

    def build(self) -> type[Workflow]:
        """
        The finished workflow.

        Raises:
            DefinitionError: With every problem at once; an invalid name is reported alone.
        """
        try:
            title(self._name)
        except UnreadableError as no:
            raise stopped("invalid_workflow", no.message) from None
        body = {"__module__": caller().f_globals.get("__name__"), **self._body}
        label = self._name.rpartition(".")[2]
        made = type(label, (Workflow,), body, name=self._name, **self._keywords)
        return cast("type[Workflow]", made)

    def _add(self, name: str, source: Source) -> None:
        if name in self._body:
            raise stopped("reserved_name", f"'{name}' is taken already", "choose another name")
        if source._label is not None:
            message = f"'{name}' would be a second name of '{source._label}'"
            raise stopped("reserved_name", message, "make another node of the same function")
        source._label = name
        self._body[name] = source
