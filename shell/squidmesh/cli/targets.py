"""
What `run` and `start` begin: a workflow of a module, or one that the application registered.

    shop.flows:Billing          a class, which the mesh is opened with
    shop.flows:Billing.nightly  one of its triggers
    billing, billing.nightly    by the name that the application registered it under
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import isclass
from typing import Final, Protocol, Unpack

from attrs import frozen

from squidmesh.authoring.triggers import Trigger
from squidmesh.authoring.workflow import Workflow
from squidmesh.cli.application import load, wrong
from squidmesh.cli.session import Session
from squidmesh.mesh import Mesh
from squidmesh.starting import StartOptions
from squidmesh_core.definition.spec import Field, Spec
from squidmesh_core.views.inspection import Run

_OPTION: Final = "workflow"


class Target(Protocol):
    """What a run can be started of."""

    @property
    def spec(self) -> Spec:
        """Its definition."""

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the trigger's payload."""

    def start(
        self, mesh: Mesh, payload: Mapping[str, object], **options: Unpack[StartOptions]
    ) -> Run:
        """
        Start a run.

        Raises:
            SquidmeshError: What `Mesh.start` raises.
        """


@frozen(kw_only=True)
class OfClass:
    """A trigger of a workflow class."""

    workflow: type[Workflow]
    trigger: Trigger[object]

    @property
    def spec(self) -> Spec:
        """The definition of the class."""
        return self.workflow.spec

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the trigger's payload."""
        return _fields(self.spec, self.trigger.name)

    def start(
        self, mesh: Mesh, payload: Mapping[str, object], **options: Unpack[StartOptions]
    ) -> Run:
        """Start a run; the payload is read by the trigger's contract first."""
        return mesh.start(self.trigger, self.trigger.parse(payload), **options)


@frozen(kw_only=True)
class Registered:
    """A trigger of a definition that the application registered."""

    spec: Spec
    trigger: str

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the trigger's payload."""
        return _fields(self.spec, self.trigger)

    def start(
        self, mesh: Mesh, payload: Mapping[str, object], **options: Unpack[StartOptions]
    ) -> Run:
        """Start a run; the payload is read by the definition."""
        return mesh.start_spec(self.spec, self.trigger, payload, actions=mesh.actions, **options)


@contextmanager
def opened(
    session: Session, reference: str, *, fallback: str | None = None
) -> Iterator[tuple[Mesh, Target]]:
    """
    The application's mesh, and what a reference names in it.

    Raises:
        ConfigError: It names nothing of the kind, or the workflow has several triggers.
        SquidmeshError: What `open_mesh` raises.
    """
    if ":" in reference:
        target = of_class(reference)
        with session.mesh([target.workflow], fallback=fallback) as mesh:
            yield mesh, target
        return
    if session.config.app is None:
        reason = f"{reference!r} is not MODULE:WORKFLOW, and no --app says whose name it is"
        raise wrong(_OPTION, reason)
    with session.mesh(fallback=fallback) as mesh:
        yield mesh, registered(mesh.workflows, reference)


def of_class(reference: str) -> OfClass:
    """
    What `module:Workflow` or `module:Workflow.trigger` names.

    Raises:
        ConfigError: It names nothing of the kind, or the workflow has several triggers.
        DefinitionError: The module defines a workflow that is wrong.
    """
    found = load(reference, _OPTION)
    if isinstance(found, Trigger):
        workflow = load(reference.rpartition(".")[0], _OPTION)
        if isclass(workflow) and issubclass(workflow, Workflow):
            return OfClass(workflow=workflow, trigger=found)
    if not (isclass(found) and issubclass(found, Workflow) and found.nodes):
        raise wrong(_OPTION, f"{reference!r} is neither a workflow nor a trigger of one")
    return OfClass(workflow=found, trigger=getattr(found, _only_trigger(found.spec, reference)))


def registered(workflows: Mapping[str, Spec], reference: str) -> Registered:
    """
    What the name of a registered workflow, or `name.trigger`, names.

    Raises:
        ConfigError: It names nothing that is registered, or the workflow has several triggers.
    """
    spec = workflows.get(reference)
    if spec is not None:
        return Registered(spec=spec, trigger=_only_trigger(spec, reference))
    name, _, trigger = reference.rpartition(".")
    spec = workflows.get(name)
    if spec is not None and spec.trigger(trigger) is not None:
        return Registered(spec=spec, trigger=trigger)
    known = ", ".join(names_of(workflows.values())) or "none"
    raise wrong(_OPTION, f"{reference!r} is not registered with the application (known: {known})")


def names_of(specs: Iterable[Spec]) -> list[str]:
    """What can be started of some definitions, by name."""
    return sorted(
        spec.workflow if len(spec.triggers) == 1 else f"{spec.workflow}.{trigger.name}"
        for spec in specs
        for trigger in spec.triggers
    )


def _only_trigger(spec: Spec, reference: str) -> str:
    names = [trigger.name for trigger in spec.triggers]
    if len(names) == 1:
        return names[0]
    known = ", ".join(f"{reference}.{name}" for name in names)
    raise wrong(_OPTION, f"{reference!r} has {len(names)} triggers; name one of {known}")


def _fields(spec: Spec, trigger: str) -> Sequence[Field]:
    declared = spec.trigger(trigger)
    return declared.payload if declared is not None else ()
