"""
Bindings: where one parameter of a step gets its value from.

    ["risk", "score"]                       a path into the run context
    {"value": x}                            a constant
    {"path": ["note"], "default": null}     a path that may be missing
    {"object": {"to": ["email"]}}           a record made of paths
"""

from collections.abc import Mapping
from typing import assert_never

from attrs import frozen

from squidmesh_core.canonical import storable

Path = tuple[str, ...]


@frozen(kw_only=True)
class FromPath:
    """The value at a path; the empty path is the whole context."""

    path: Path


@frozen(kw_only=True)
class Constant:
    """A value written into the definition."""

    value: object


@frozen(kw_only=True)
class OptionalPath:
    """The value at a path, or the default where the path is missing."""

    path: Path
    default: object = None


@frozen(kw_only=True)
class ObjectOf:
    """A record with one field per path."""

    fields: Mapping[str, Path]


Binding = FromPath | Constant | OptionalPath | ObjectOf


@frozen(kw_only=True)
class MissingPath:
    """A path that could not be read, and how far reading got."""

    #: The parameter that wanted the value.
    target: str
    path: Path
    #: The path up to and including the first segment that could not be read.
    missing_at: Path


_ABSENT = object()


def lookup(context: object, path: Path) -> tuple[bool, object]:
    """Whether the path can be read in the context, and the value there, in storable form."""
    value = context
    for segment in path:
        if not isinstance(value, Mapping):
            return False, None
        if len(value) == 1 and isinstance(inner := value.get("$map"), Mapping):
            value = inner  # what a context holds is storable, so this is a tag
        value = value.get(segment, _ABSENT)
        if value is _ABSENT:
            return False, None
    return True, value


def bind(
    bindings: Mapping[str, Binding], context: Mapping[str, object]
) -> dict[str, object] | MissingPath:
    """
    The value of each parameter in storable form, or the first path that is missing.

    A null in the middle of a path is missing at the next segment; a null at
    its end is a value.
    """
    values: dict[str, object] = {}
    for target, binding in bindings.items():
        match binding:
            case FromPath(path=path):
                found, value = lookup(context, path)
                if not found:
                    return _missing(target, path, context)
            case Constant(value=constant):
                value = _stored(constant)
            case OptionalPath(path=path, default=default):
                found, value = lookup(context, path)
                value = value if found else _stored(default)
            case ObjectOf(fields=fields):
                record: dict[str, object] = {}
                for name, path in fields.items():
                    found, record[name] = lookup(context, path)
                    if not found:
                        return _missing(target, path, context)
                value = record
            case _:
                assert_never(binding)
        values[target] = value
    return values


def _stored(constant: object) -> object:
    """A constant of a definition as journals hold it; most are plain and stay as they are."""
    plain = constant is None or type(constant) in (str, bool, float)
    return constant if plain else storable(constant, where="a constant of the definition")


def binding_to_json(binding: Binding) -> object:
    """The JSON form of a binding, as a spec and a journal show it."""
    match binding:
        case FromPath(path=path):
            return list(path)
        case Constant(value=value):
            return {"value": value}
        case OptionalPath(path=path, default=default):
            return {"path": list(path), "default": default}
        case ObjectOf(fields=fields):
            return {"object": {name: list(path) for name, path in fields.items()}}
    assert_never(binding)


def binding_from_json(data: object) -> Binding:
    """
    Read what `binding_to_json` wrote.

    Raises:
        ValueError: The data is no binding.
    """
    if isinstance(data, list):
        return FromPath(path=path_from_json(data))
    if isinstance(data, Mapping):
        if data.keys() == {"value"}:
            return Constant(value=data["value"])
        if data.keys() == {"path", "default"}:
            return OptionalPath(path=path_from_json(data["path"]), default=data["default"])
        if data.keys() == {"object"} and isinstance(data["object"], Mapping):
            return ObjectOf(
                fields={str(name): path_from_json(p) for name, p in data["object"].items()}
            )
    raise ValueError(f"expected a path, a value, an optional path or an object, not {data!r}")


def path_from_json(data: object) -> Path:
    """
    Read a list of names.

    Raises:
        ValueError: The data is no list of texts.
    """
    if isinstance(data, list) and all(isinstance(segment, str) for segment in data):
        return tuple(data)
    raise ValueError(f"expected a list of names, not {data!r}")


def _missing(target: str, path: Path, context: Mapping[str, object]) -> MissingPath:
    depth = 1
    while depth < len(path) and lookup(context, path[:depth])[0]:
        depth += 1
    return MissingPath(target=target, path=path, missing_at=path[:depth])
