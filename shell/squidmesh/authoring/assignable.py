"""Whether what one hint describes can stand where another is wanted."""

import types
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, is_typeddict

from squidmesh.authoring.encode import fits
from squidmesh.authoring.hints import bare, members


def assignable(source: object, target: object) -> bool:
    """
    Whether every value of the source type is a value of the target type.

    As checkers see it, but for bool, which is no int once it is JSON.  What
    is not understood is let through: checkers judge it better.
    """
    return all(any(_one(s, t) for t in members(target)) for s in members(source))


def _one(source: object, target: object) -> bool:
    if _is_open(source) or _is_open(target) or source == target:
        return True
    if get_origin(source) is Literal:
        return all(fits(value, target) for value in get_args(source))
    if get_origin(target) is Literal:
        return False
    source_class, target_class = _class_of(source), _class_of(target)
    if source_class is None or target_class is None:
        return True
    if not _subclass(source_class, target_class):
        return False
    return _arguments_fit(source, source_class, target)


def _is_open(hint: object) -> bool:
    return hint is Any or hint is object or isinstance(hint, TypeVar)


def _class_of(hint: object) -> type | None:
    origin = get_origin(hint) or hint
    return origin if isinstance(origin, type) else None


def _subclass(source: type, target: type) -> bool:
    if source is bool:
        return target is bool
    if source is int and target is float:
        return True
    if is_typeddict(source) or is_typeddict(target):
        return source is target or (is_typeddict(source) and target in {dict, Mapping})
    if source is types.NoneType or target is types.NoneType:
        return source is target
    return issubclass(source, target)


def _arguments_fit(source: object, source_class: type, target: object) -> bool:
    given, wanted = get_args(source), get_args(target)
    if not given or not wanted:
        return True
    if issubclass(source_class, Mapping):
        return len(given) == len(wanted) and all(map(assignable, given, wanted))
    if issubclass(source_class, Collection):
        if get_origin(target) is tuple and wanted[-1] is not ...:
            same_length = given[-1] is not ... and len(given) == len(wanted)
            return same_length and all(map(assignable, given, wanted))
        return all(assignable(item, wanted[0]) for item in given if item is not ...)
    return bool(given == wanted or any(isinstance(bare(w), TypeVar) for w in wanted))
