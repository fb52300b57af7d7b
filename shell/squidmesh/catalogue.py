"""
The workflows that a mesh knows, by name; each is checked before it is let in.

The package `authoring` loads with the first workflow class: a process that only looks at runs
has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import isclass
from types import ModuleType
from typing import TYPE_CHECKING, TypeGuard

from squidmesh import checks
from squidmesh.actions import ActionRegistry
from squidmesh_core.definition.problem import definition_error, errors_of
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.support import unsupported
from squidmesh_core.errors import ConfigError

if TYPE_CHECKING:
    from typing import TypeAlias

    from squidmesh.authoring.workflow import Workflow

#: What `workflows=` takes: classes, specs, and modules whose workflows are taken.
Registrable: TypeAlias = "type[Workflow] | Spec | ModuleType"


class Catalogue:
    """The registered specs, and the actions of the registered classes."""

    def __init__(self, workflows: Iterable[Registrable], actions: ActionRegistry) -> None:
        """
        Register everything, or nothing.

        Raises:
            DefinitionError: A workflow is wrong, or needs what this release lacks.
            ConfigError: Two workflows have one name, or two functions one key.
        """
        self._specs: dict[str, Spec] = {}
        for one in _classes_and_specs(workflows):
            spec = one if isinstance(one, Spec) else one.spec
            runnable(spec)
            present = self._specs.get(spec.workflow)
            if present is not None and present != spec:
                raise ConfigError(
                    f"two workflows are named {spec.workflow!r}; give one of them name=…",
                    "duplicate_workflow",
                    {"option": "workflows", "reason": spec.workflow},
                )
            self._specs[spec.workflow] = spec
            if not isinstance(one, Spec):
                actions.add_workflow(one)

    @property
    def specs(self) -> Mapping[str, Spec]:
        """The specs by workflow name."""
        return self._specs

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that a registered workflow names, and the default one."""
        named = {"default"}
        for spec in self._specs.values():
            named.update(queues_of(spec))
        return tuple(sorted(named))

    def spec(self, workflow: str) -> Spec:
        """
        The spec of a registered workflow.

        Raises:
            ConfigError: It is not registered with this mesh.
        """
        spec = self._specs.get(workflow)
        if spec is None:
            known = ", ".join(sorted(self._specs)) or "none"
            raise ConfigError(
                f"{workflow!r} is not registered with this mesh (known: {known}); "
                "open it with workflows=[…]",
                "unknown_workflow",
                {"option": "workflows", "reason": workflow},
            )
        return spec


def queues_of(spec: Spec) -> frozenset[str]:
    """The queues that a definition itself names."""
    named = (spec.queue, *(getattr(node, "queue", None) for node in spec.steps))
    return frozenset(queue for queue in named if queue is not None)


def runnable(spec: Spec, actions: ActionRegistry | None = None) -> None:
    """
    Make sure that a spec can be run by this release.

    Raises:
        DefinitionError: With every problem at once.
        ConfigError: It is not a spec but JSON, for instance, or these are not actions.
    """
    if not isinstance(spec, Spec):
        raise checks.wrong("spec", "expected a Spec, such as Spec.from_dict(data) makes")
    if actions is not None and not isinstance(actions, ActionRegistry):
        raise checks.wrong("actions", "expected an ActionRegistry")
    found = (*spec.problems(actions), *unsupported(spec))
    if errors_of(found):
        raise definition_error(spec.workflow, found)


def _classes_and_specs(workflows: object) -> Iterable[type[Workflow] | Spec]:
    if isinstance(workflows, str | Mapping) or not isinstance(workflows, Iterable):
        name = workflows.__name__ if isclass(workflows) else type(workflows).__name__
        raise ConfigError(
            f"workflows= takes a list, such as [Orders], not {name} alone",
            "invalid_option",
            {"option": "workflows", "reason": "expected a list"},
        )
    for one in workflows:
        if isinstance(one, ModuleType):
            yield from _workflows_of(one)
        elif isinstance(one, Spec) or is_workflow(one):
            yield one
        else:
            raise ConfigError(
                f"workflows= takes workflow classes, specs and modules, not {type(one).__name__}",
                "invalid_option",
                {"option": "workflows", "reason": "expected a class, a Spec or a module"},
            )


def is_workflow(one: object) -> TypeGuard[type[Workflow]]:
    """Whether this is a workflow class."""
    if not isclass(one):
        return False
    from squidmesh.authoring.workflow import Workflow

    return issubclass(one, Workflow)


def _workflows_of(module: ModuleType) -> list[type[Workflow]]:
    """The workflow classes that a module defines; those it only imports are not its own."""
    return [
        value
        for value in vars(module).values()
        if is_workflow(value) and value.__module__ == module.__name__ and vars(value).get("nodes")
    ]
