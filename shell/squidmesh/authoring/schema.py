"""JSON Schema of fields, for forms and API documentation."""

from collections.abc import Iterable, Mapping
from typing import Final

from squidmesh_core.definition.spec import Field, FieldType

_TYPES: Final[Mapping[FieldType, str]] = {
    "string": "string",
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "map": "object",
    "list": "array",
}


def schema_of(title: str, fields: Iterable[Field]) -> dict[str, object]:
    """The schema of a record with these fields and no others."""
    listed = tuple(fields)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {field.name: _property(field) for field in listed},
        "required": [field.name for field in listed if field.required],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, object]:
    schema: dict[str, object] = {}
    if field.type in _TYPES:
        kind = _TYPES[field.type]
        schema["type"] = [kind, "null"] if field.nullable else kind
    if field.choices is not None:
        schema["enum"] = [*field.choices, None] if field.nullable else list(field.choices)
    if field.default is not None and field.default.clock is None:
        schema["default"] = field.default.value
    return schema
