"""
Annotations, resolved: what a class, a function or a hint really says.

`NotRequired` under `from __future__ import annotations` is invisible to
`__required_keys__`, so everything is read with `include_extras`.
"""

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from inspect import isroutine
from typing import (
    Annotated,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from weakref import WeakKeyDictionary

from squidmesh.authoring.frames import Names

_QUALIFIERS: Final = (Annotated, Required, NotRequired, Final)

_CLASS_HINTS: Final[WeakKeyDictionary[type, Mapping[str, object]]] = WeakKeyDictionary()


def class_hints(cls: type, names: Names | None = None) -> Mapping[str, object]:
    """
    The annotations of a class, by name; remembered once they are resolved.

    Raises:
        NameError: An annotation uses a name that cannot be seen.
    """
    known = _CLASS_HINTS.get(cls)
    if known is None:
        known = _CLASS_HINTS[cls] = _resolve(cls, names, local="<locals>" in cls.__qualname__)
    return known


def function_hints(fn: Callable[..., object], names: Names | None = None) -> Mapping[str, object]:
    """
    The annotations of a function, a method, a `partial` or a callable object.

    Raises:
        NameError: An annotation uses a name that cannot be seen.
    """
    while isinstance(fn, partial):
        fn = fn.func
    if not isroutine(fn) and not isinstance(fn, type):
        fn = type(fn).__call__
    return _resolve(fn, names, local="<locals>" in getattr(fn, "__qualname__", ""))


def _resolve(
    subject: type | Callable[..., object], names: Names | None, *, local: bool
) -> Mapping[str, object]:
    """A module's own names win, unless the subject is itself local to a function."""
    scopes = [] if names is None else [dict(scope) for scope in names.scopes()]
    visible: dict[str, object] = {}
    for scope in scopes:  # the inner scope hides the outer one
        visible.update(scope)
    with suppress(NameError):
        outermost = scopes[0] if local and scopes else None
        return get_type_hints(subject, localns=outermost, include_extras=True)
    return get_type_hints(subject, localns=visible, include_extras=True)


def bare(hint: object) -> object:
    """The hint without `Annotated`, `Required`, `Final`, `NewType` and alias names."""
    while True:
        if get_origin(hint) in _QUALIFIERS:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # `type X = …`, from Python 3.12 on
            hint = hint.__value__  # type: ignore[attr-defined]  # unknown to 3.11's typeshed
        else:
            return type(None) if hint is None else hint


def markers(hint: object) -> Iterator[object]:
    """The extras of every `Annotated` around the hint, outermost first."""
    while get_origin(hint) in _QUALIFIERS:
        if get_origin(hint) is Annotated:
            yield from hint.__metadata__  # type: ignore[attr-defined]  # its origin says it has one
        hint = get_args(hint)[0]


def parts(hint: object) -> tuple[object, ...]:
    """The members of a union as they are written, markers and all; or the hint alone."""
    inner = bare(hint)
    if get_origin(inner) not in {Union, types.UnionType}:
        return (hint,)
    return tuple(part for member in get_args(inner) for part in parts(member))


def members(hint: object) -> tuple[object, ...]:
    """The members of a union, or the hint alone, each of them bare."""
    return tuple(bare(part) for part in parts(hint))


def without_none(hint: object) -> tuple[object, ...]:
    """The members of a union except `None`."""
    return tuple(member for member in members(hint) if member is not type(None))


def union_of(hints: tuple[object, ...]) -> object:
    """The union of some hints; of one, the hint itself."""
    return Union[hints]  # noqa: UP007  # built from a tuple


def substitute(hint: object, values: Mapping[object, object]) -> object:
    """The hint with its type variables replaced: `list[F]` becomes `list[int]`."""
    if isinstance(hint, TypeVar):
        return values.get(hint, object)
    parameters: tuple[object, ...] = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(values.get(p, object) for p in parameters)]  # type: ignore[index]  # generic


def name_of(hint: object) -> str:
    """How a hint is called in messages: `Risk`, `str | None`, `list[Item]`."""
    listed = members(hint)
    if len(listed) > 1:
        return " | ".join(name_of(member) for member in listed)
    hint = listed[0]
    if hint is type(None):
        return "None"
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is not None and args:
        inner = ", ".join("..." if arg is ... else name_of(arg) for arg in args)
        return f"{name_of(origin)}[{inner}]"
    return hint.__name__ if isinstance(hint, type) else str(hint).removeprefix("typing.")
