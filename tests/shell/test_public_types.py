"""What a host can name: every type that the public surface hands it, or wants of it."""

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import attrs

import squidmesh
from squidmesh import RunStatus, Snapshot

#: What a host never writes, and why.
NEVER_NAMED: Final = {
    "keywords of a verb, which a host writes as keywords": {
        "BoardFilters",
        "BulkOptions",
        "ChildrenOptions",
        "CommandOptions",
        "GateOptions",
        "QueueCommand",
        "QueueLimits",
        "RunFilters",
        "StartOptions",
    },
    "nodes of a stored definition, which `Spec.to_dict` gives as data": {
        "ApprovalNode",
        "ChildrenNode",
        "LogNode",
        "ManualTrigger",
        "PauseNode",
        "ReceiveNode",
        "StepNode",
        "Transition",
        "WaitNode",
    },
    "nodes that no verb takes; `Node` is what they are": {"BaseNode", "ChildrenOf", "Log", "Wait"},
    "parts of a record that are read where it is read": {
        "Anomaly",
        "AuditView",
        "AwaitedView",
        "CommandView",
        "CompensationView",
        "Due",
        "Evidence",
        "FactDiff",
        "FailingNotice",
        "PathDiff",
        "Paused",
        "Quarantine",
        "QueueChange",
        "RecoveryPolicy",
        "Refusal",
        "Schedule",
        "Side",
        "SpecDiff",
        "StepDiff",
        "Thresholds",
        "ValueDiff",
        "Violation",
    },
    "in a module of its own that is public": {"Signal"},
    "a protocol, which a function of the right parameters fits": {"VisibilityPolicy"},
    "the insides": {
        "AsyncDoor",
        "AsyncEngine",
        "Door",
        "Held",
        "Offer",
        "Signals",
    },
}


def test_every_type_of_the_public_surface_can_be_named() -> None:
    """By a host that annotates what it keeps and hands on; or there is a reason why not."""
    never = set().union(*NEVER_NAMED.values())
    found = {cls.__name__ for name in squidmesh.__all__ for cls in _named_by(name)}

    assert [] == sorted(found - set(squidmesh.__all__) - never)
    assert [] == sorted(never - found)
    assert [] == sorted(never & set(squidmesh.__all__))


def test_the_statuses_of_a_run_can_be_named() -> None:
    """A `Literal` has no name of its own that could be found, so this one is asked for."""
    assert RunStatus == get_type_hints(Snapshot.status.fget)["return"]  # type: ignore[attr-defined]  # a property


def _named_by(name: str) -> Iterator[type]:
    """Our classes in the annotations of a public name."""
    value = getattr(squidmesh, name)
    if not inspect.isclass(value):
        for hint in _hints(value) if callable(value) else ():
            yield from _ours(hint)
        return
    for member in dir(value):
        if not member.startswith("_"):
            for function in _functions(inspect.getattr_static(value, member)):
                for hint in _hints(function):
                    yield from _ours(hint)
    if attrs.has(value):
        hints = get_type_hints(value, localns=_imported(value.__module__))
        for field in attrs.fields(value):
            if not field.name.startswith("_"):
                yield from _ours(hints[field.name])


def _functions(member: object) -> Iterator[Callable[..., object]]:
    if isinstance(member, property) and member.fget is not None:
        yield member.fget
    elif isinstance(member, staticmethod | classmethod):
        yield member.__func__
    elif inspect.isfunction(member):
        yield member


def _hints(function: Callable[..., Any]) -> Iterator[object]:
    if inspect.isfunction(function) and function.__module__.startswith("squidmesh"):
        yield from get_type_hints(function, localns=_imported(function.__module__)).values()


def _imported(module: str) -> dict[str, object]:
    """What a module imports, also for its annotations alone."""
    file = Path(inspect.getsourcefile(import_module(module)) or "")
    names: dict[str, object] = {name: getattr(squidmesh, name) for name in squidmesh.__all__}
    names["ModuleType"] = ModuleType  # quoted in an alias of another module
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            home = import_module(node.module)
            names |= {one.asname or one.name: getattr(home, one.name, None) for one in node.names}
    return names


def _ours(hint: object) -> Iterator[type]:
    """The classes of squidmesh in an annotation."""
    if get_origin(hint) is Literal:
        return
    for part in (get_origin(hint), *get_args(hint)):
        for one in part if isinstance(part, list) else (part,):
            yield from _ours(one) if one is not None else ()
    if inspect.isclass(hint) and hint.__module__.startswith("squidmesh"):
        yield hint
