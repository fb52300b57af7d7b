"""
JSON Schemas of what `to_dict` writes, drawn from the records.

They describe documents for readers in other languages and for tests; nothing here
judges data at run time.  `specs/generate.py` writes them to specs/views/.
"""

import inspect
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Final, Literal, NewType, Union, get_args, get_origin

from attrs import fields_dict, has

from squidmesh_core.protocol.schemas import DIALECT, Schema, object_of
from squidmesh_core.views.board import Board
from squidmesh_core.views.bulk import Bulk
from squidmesh_core.views.counts import Counts
from squidmesh_core.views.explanation import Explanation
from squidmesh_core.views.hooks import Hook
from squidmesh_core.views.inspection import Run, Snapshot
from squidmesh_core.views.plain import member_names, plain_name

#: File → what it describes.
_VIEWS: Final[Mapping[str, type]] = {
    "board.schema.json": Board,
    "bulk.schema.json": Bulk,
    "counts.schema.json": Counts,
    "explanation.schema.json": Explanation,
    "hook.schema.json": Hook,
    "run.schema.json": Run,
    "snapshot.schema.json": Snapshot,
}
_PLAIN: Final[Mapping[object, Schema]] = {
    object: True,
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "integer", "description": "Milliseconds."},
}


def view_schemas() -> dict[str, dict[str, object]]:
    """Every schema under the name of its file."""
    return {name: view_schema(kind) for name, kind in _VIEWS.items()}


def view_schema(kind: type) -> dict[str, object]:
    """
    The schema of one view, with those of the records in it beside.

    Raises:
        TypeError: A member has a type that has no plain form.
    """
    parts: dict[str, dict[str, object]] = {}
    top = _record(kind, parts)
    parts.pop(kind.__name__, None)
    return {
        "$schema": DIALECT,
        "title": kind.__name__,
        "description": inspect.getdoc(kind) or "",
        **top,
        "$defs": dict(sorted(parts.items())),
    }


def _record(kind: type, parts: dict[str, dict[str, object]]) -> dict[str, object]:
    members: dict[str, Schema] = {}
    declared = fields_dict(kind)
    for name in member_names(kind):
        hint = declared[name].type
        written = plain_name(name, is_span=hint is timedelta)
        members[written] = _of(hint, parts)
    return object_of(members)


def _of(hint: object, parts: dict[str, dict[str, object]]) -> Schema:
    """The schema of values with this annotation."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, NewType):
        return _of(hint.__supertype__, parts)
    if isinstance(hint, type) and has(hint):
        return _reference(hint, parts)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0], parts)}
    if origin in {Union, UnionType}:
        return {"anyOf": [_of(argument, parts) for argument in arguments]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], parts)}
    raise TypeError(f"{hint!r} has no plain form")


def _reference(kind: type, parts: dict[str, dict[str, object]]) -> dict[str, object]:
    if kind.__name__ not in parts:
        parts[kind.__name__] = {}  # a record may hold others of its kind
        parts[kind.__name__] = _record(kind, parts)
    return {"$ref": f"#/$defs/{kind.__name__}"}
