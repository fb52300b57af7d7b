"""
What stands in the place of a hidden member: something of its type that tells nothing.

    text, or one of several words   `[redacted]`
    instant                         `HIDDEN_AT`, which plain data writes as null
    number, time                    0
    yes or no                       no
    list, map                       an empty one
    what may be null                null
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Any, Final, Literal, NewType, Union, get_args, get_origin

from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.views.plain import HIDDEN_AT

Make = Callable[[], object]

_BY_TYPE: Final[Mapping[object, object]] = {
    str: REDACTED,
    bool: False,
    int: 0,
    float: 0.0,
    datetime: HIDDEN_AT,
    timedelta: timedelta(0),
}


def hidden(hint: object) -> Make:
    """
    What makes the value that hides a member of this type.

    Raises:
        TypeError: Nothing of this type tells nothing; its table must not hide it.
    """
    if isinstance(hint, NewType):
        return hidden(hint.__supertype__)
    if hint in _BY_TYPE:
        value = _BY_TYPE[hint]
        return lambda: value
    origin = get_origin(hint) or hint
    if origin in {Union, UnionType}:
        choices = get_args(hint)
        return _nothing if NoneType in choices else hidden(choices[0])
    if origin is Literal:
        return lambda: REDACTED
    if origin is tuple:
        return tuple
    if origin is Mapping:
        return dict
    if hint in {object, Any}:
        return _nothing
    raise TypeError(f"nothing of type {hint!r} tells nothing")


def _nothing() -> None:
    return None
