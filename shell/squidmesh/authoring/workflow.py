"""
The class that hosts extend: `class OrderFulfilment(Workflow): …`.

Its body names triggers and nodes; when it ends, it is a spec.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from attrs import frozen

from squidmesh.authoring.compile import Compiled, compile_workflow
from squidmesh.authoring.findings import Heading
from squidmesh.authoring.frames import Location, here
from squidmesh.authoring.modules import qualified_name
from squidmesh.authoring.nodes import BaseNode
from squidmesh.authoring.notes import Source
from squidmesh.authoring.report import definition_error
from squidmesh.duration import Duration, parse_duration
from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError


@frozen(kw_only=True)
class Keywords:
    """What a class hands down to its subclasses."""

    queue: str | None = None
    priority: int | None = None
    timeout: Duration | None = None


class Workflow:
    """
    A durable workflow, written as a class.

    Args:
        name: Instead of `module.qualname`.
        queue: For steps and starts that name none.
        priority: Likewise; smaller is claimed sooner.
        timeout: Bounds the whole run.
    """

    #: A label of this definition, kept with every run.
    version: ClassVar[str | None] = None
    #: The compiled form.  Only classes with triggers and nodes have one.
    spec: ClassVar[Spec]
    #: The nodes by name, in the order of the class body.
    nodes: ClassVar[Mapping[str, BaseNode]] = MappingProxyType({})

    _squid_keywords: ClassVar[Keywords] = Keywords()
    _squid_compiled: ClassVar[Compiled | None] = None

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> None:
        super().__init_subclass__()
        above = cls._squid_keywords
        keywords = Keywords(
            queue=above.queue if queue is None else queue,
            priority=above.priority if priority is None else priority,
            timeout=above.timeout if timeout is None else timeout,
        )
        cls._squid_keywords = keywords
        if cls._squid_compiled is not None:
            raise _not_extensible(cls, cls._squid_compiled.spec.workflow, here())
        body = vars(cls)
        if not any(isinstance(value, Source) for value in body.values()):
            return
        heading = _heading(cls, name, keywords, here())
        compiled = compile_workflow(heading, body)
        cls._squid_compiled = compiled
        cls.spec = compiled.spec
        cls.nodes = MappingProxyType(dict(compiled.nodes))


def compiled_form(workflow: type[Workflow]) -> Compiled:
    """
    What a class became.

    Raises:
        ConfigError: It has no triggers and nodes, it only hands down its keywords.
    """
    compiled = workflow._squid_compiled
    if compiled is None:
        reason = f"{workflow.__name__} has no triggers and nodes"
        message = f"{reason}, so there is nothing to run; nothing was registered"
        raise ConfigError(message, "invalid_option", {"option": "workflows", "reason": reason})
    return compiled


def _heading(
    cls: type[Workflow], name: str | None, keywords: Keywords, location: Location
) -> Heading:
    timeout_ms, problems = _timeout(keywords.timeout, location)
    version: object = cls.version
    if not isinstance(version, str | None | Source):
        message = f"version: expected a text, not {type(version).__name__}"
        problems = (*problems, _problem("version", "invalid_definition_version", message, location))
    return Heading(
        workflow=qualified_name(cls) if name is None else name,
        label=cls.__name__,
        location=location,
        version=version if isinstance(version, str) else None,
        queue=keywords.queue,
        priority=keywords.priority,
        timeout_ms=timeout_ms,
        problems=problems,
    )


def _timeout(
    timeout: Duration | None, location: Location
) -> tuple[int | None, tuple[Problem, ...]]:
    if timeout is None:
        return None, ()
    try:
        return parse_duration(timeout), ()
    except ValueError as exc:
        return None, (_problem("timeout_ms", "invalid_step_option", f"timeout: {exc}", location),)


def _problem(member: str, code: str, message: str, location: Location) -> Problem:
    return Problem(
        path=(member,), code=code, message=message, file=location.file, line=location.line
    )


def _not_extensible(cls: type[Workflow], base: str, location: Location) -> Exception:
    problem = Problem(
        path=(),
        code="workflow_not_extensible",
        message=f"{base} has nodes, so it cannot be extended",
        hint="share step functions, start it with children(...), or use WorkflowBuilder",
        file=location.file,
        line=location.line,
    )
    return definition_error(cls.__name__, [problem], [""])
