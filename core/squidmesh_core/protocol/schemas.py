"""
JSON Schemas of the wire form, drawn from the records.

They describe what `codec.encode` writes, for readers in other languages and
for tests; nothing here judges data at run time.  `specs/generate.py` writes
them to specs/entries/: one per entry type, and one for the body of an append.
"""

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Final, Literal, NewType, Union, get_args, get_origin

import attrs

from squidmesh_core.ids import AttemptKey, Revision, RunId, VisitKey
from squidmesh_core.protocol.entries import Entry, Input
from squidmesh_core.protocol.wire import CONSTANTS, NAMES, TWINS, WIRE_TYPES

#: A schema is an object, or true for anything at all.
Schema = dict[str, object] | bool

#: What every schema of ours is written in.
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DIGITS: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z"


def schemas() -> dict[str, dict[str, object]]:
    """Every schema under the name of its file, those of the entries before the body's."""
    files = {_file(cls): entry_schema(cls) for cls in WIRE_TYPES}
    body: dict[str, object] = {
        "$schema": DIALECT,
        "title": "append",
        "description": "The body of an append: its entries in the order of their revisions.",
        "type": "array",
        "minItems": 1,
        "items": {"oneOf": [{"$ref": name} for name in files]},
    }
    return {**files, "append.schema.json": body}


def entry_schema(cls: type[Entry]) -> dict[str, object]:
    """The schema of one entry type, in the version written today."""
    return {
        "$schema": DIALECT,
        "title": WIRE_TYPES[cls],
        "description": inspect.getdoc(cls) or "",
        **_record(cls),
    }


def _file(cls: type[Entry]) -> str:
    return f"{WIRE_TYPES[cls]}.schema.json"


def _record(cls: type) -> dict[str, object]:
    names, twins = NAMES.get(cls, {}), TWINS.get(cls, {})
    fields = {field.name: field for field in attrs.fields(cls)}
    if cls in WIRE_TYPES:
        del fields["revision"]
    constants = CONSTANTS.get(cls, {})
    members: dict[str, Schema] = {name: {"const": value} for name, value in constants.items()}
    required = list(constants)
    for field in fields.values():
        name = names.get(field.name, field.name)
        members[name] = _of(fields[twins.get(field.name, field.name)].type)
        if field.default is attrs.NOTHING and field.name not in twins:
            required.append(name)
    return object_of(members, required)


def _of(hint: object) -> Schema:
    """The schema of values with this annotation; a null is never written."""
    if hint in _SCHEMAS:
        return _SCHEMAS[hint]
    if isinstance(hint, NewType):
        return _of(hint.__supertype__)
    if isinstance(hint, type) and attrs.has(hint):
        return _record(hint)
    arguments = [argument for argument in get_args(hint) if argument is not NoneType]
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if get_origin(hint) is Literal:
        return {"enum": arguments}
    if get_origin(hint) in {Union, UnionType} and len(arguments) == 1:
        return _of(arguments[0])
    raise TypeError(f"{hint!r} has no schema")


def object_of(
    members: Mapping[str, object], required: Sequence[str] | None = None
) -> dict[str, object]:
    """The schema of an object with these members and no other; all required unless said otherwise."""
    return {
        "type": "object",
        "properties": dict(members),
        "required": list(members if required is None else required),
        "additionalProperties": False,
    }


def _map_of(inner: Schema) -> dict[str, object]:
    return {"type": "object", "additionalProperties": inner}


_TEXTS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_KEY: Final[Schema] = {"type": "string", "pattern": "^([0-9a-f-]{36})?:.*$"}
_BINDING: Final[Schema] = {
    "oneOf": [
        _TEXTS,
        object_of({"value": True}),
        object_of({"path": _TEXTS, "default": True}),
        object_of({"object": _map_of(_TEXTS)}),
    ]
}
_SCHEMAS: Final[Mapping[object, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    object: True,
    datetime: {"type": "string", "pattern": f"^{_DIGITS}$"},
    RunId: {"type": "string", "pattern": "^[0-9a-f-]{36}$"},
    Revision: {"type": "integer", "minimum": 1},
    AttemptKey: _KEY,
    VisitKey: _KEY,
    Mapping[str, object]: {"type": "object"},
    Mapping[str, str]: {"type": "object", "additionalProperties": {"type": "string"}},
    Input: {
        "oneOf": [
            object_of({"from": {"oneOf": [_map_of(_BINDING), {"type": "array", "maxItems": 0}]}}),
            object_of({"of": _KEY}),
            object_of({"undo": _KEY}),
            object_of({"value": True}),
        ]
    },
}
