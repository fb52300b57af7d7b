"""
Values of hosts → JSON values, checked against their declared type on the way.

A step's result is not to be trusted: one declared `-> Reservation` that
returns a mapping, or a `Reservation` whose field holds the wrong type, is
refused, with every misfit and its path.  (cattrs structures, see `decode`;
its unstructuring believes whatever it is given.)

Writers are compiled once per type, because every step's output comes by here.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, is_typeddict

import attrs

from squidmesh.authoring.hints import bare, members, name_of, without_none
from squidmesh.authoring.mismatch import ContractMismatch, Misfit, Path
from squidmesh.authoring.records import is_pydantic, record_class, record_members
from squidmesh.authoring.scalars import WRITTEN
from squidmesh_core.canonical import MAX_DEPTH

Misfits = list[Misfit]
#: Gives the JSON form of a value at a path, or notes why there is none.
Writer = Callable[[object, Path, Misfits], object]

_JSON: Final = "a value with a JSON form"


def encode(value: object, declared: object) -> object:
    """
    The JSON form of a value of a declared type.

    Raises:
        ContractMismatch: The value is not of that type, or nests too deep.
    """
    if type(value) is declared and declared in _AS_IT_IS:
        return value
    misfits: Misfits = []
    try:
        written = writer_for(declared)(value, (), misfits)
    except RecursionError:  # so deep, or a value that holds itself
        written = _misfit(misfits, (), f"nested at most {MAX_DEPTH} levels deep")
    if misfits:
        raise ContractMismatch(misfits)
    return written


def fits(value: object, declared: object) -> bool:
    """Whether a value is of the declared type."""
    misfits: Misfits = []
    writer_for(declared)(value, (), misfits)
    return not misfits


def writer_for(hint: object) -> Writer:
    """The compiled writer of a type."""
    try:
        return _compiled(hint)
    except TypeError:  # an unhashable hint: Literal[[]], Annotated[int, []]
        return _compile(hint)


@cache
def _compiled(hint: object) -> Writer:
    return _compile(hint)


def _compile(hint: object) -> Writer:
    parts = members(hint)
    if len(parts) > 1:
        return _union(hint, parts)
    hint = parts[0]
    if hint in {Any, object} or isinstance(hint, TypeVar):
        return _write_anything
    origin = get_origin(hint) or hint
    if origin is Literal:
        return _literal(hint)
    if not isinstance(origin, type):
        return _refuse(name_of(hint))
    if origin in WRITTEN:
        return _scalar(origin)
    if record_class(hint) is not None:
        return _record(hint, origin)
    if issubclass(origin, Enum):
        return _enum(origin)
    if issubclass(origin, Mapping):
        return _mapping(hint, origin)
    if issubclass(origin, Collection) and not issubclass(origin, str | bytes | bytearray):
        return _collection(hint, origin)
    return _refuse(name_of(hint))


def _misfit(misfits: Misfits, path: Path, expected: str) -> object:
    misfits.append(Misfit(path=path, expected=expected))
    return None


def _refuse(expected: str) -> Writer:
    def write(_: object, path: Path, misfits: Misfits) -> object:
        return _misfit(misfits, path, expected)

    return write


_AS_IT_IS: Final = frozenset({str, bool, int, float, type(None)})


def _scalar(kind: type) -> Writer:
    accepted, render, expected = WRITTEN[kind]

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if isinstance(value, accepted) and (kind is bool or not isinstance(value, bool)):
            try:
                return render(value.value if isinstance(value, Enum) else value)
            except (ValueError, OverflowError):
                pass
        return _misfit(misfits, path, expected)

    return write


def _literal(hint: object) -> Writer:
    allowed = get_args(hint)
    expected = "one of " + ", ".join(map(repr, allowed))

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if any(type(value) is type(one) and value == one for one in allowed):
            return value.value if isinstance(value, Enum) else value
        return _misfit(misfits, path, expected)

    return write


def _enum(kind: type[Enum]) -> Writer:
    def write(value: object, path: Path, misfits: Misfits) -> object:
        if isinstance(value, kind):
            return _write_anything(value.value, path, misfits)
        return _misfit(misfits, path, kind.__name__)

    return write


def _union(hint: object, parts: tuple[object, ...]) -> Writer:
    expected = " or ".join(name_of(part) for part in parts)
    # An int is also a float: the exact type is asked first.
    writers = [(bare(part), writer_for(part)) for part in parts]
    is_doubtful = len(without_none(hint)) > 1

    def write(value: object, path: Path, misfits: Misfits) -> object:
        exact = [w for kind, w in writers if type(value) is kind]
        candidates = exact or [w for _, w in writers]
        collected: Misfits = []
        for writer in candidates:
            found: Misfits = []
            written = writer(value, path, found)
            if not found:
                another = _read_as_another(hint, writer, written) if is_doubtful else None
                if another is None:
                    return written
                return _misfit(misfits, path, f"{expected} (it would come back as {another})")
            collected = found
        if len(candidates) > 1:
            collected = [Misfit(path=path, expected=expected)]
        misfits.extend(collected)
        return None

    return write


def _read_as_another(hint: object, writer: Writer, written: object) -> str | None:
    """As what a union reads the JSON form of one of its members, if it reads it as another."""
    from squidmesh.authoring.decode import reader_for  # only here: it brings cattrs along

    try:
        back = reader_for(hint)(written)
    except ContractMismatch:
        return None  # its own class refuses it, which is said where it is read
    misfits: Misfits = []
    writer(back, (), misfits)
    return name_of(type(back)) if misfits else None


# -- many values --


def _record(hint: object, cls: type) -> Writer:
    if is_typeddict(cls):
        return _typeddict(hint)
    if is_pydantic(cls):
        return _pydantic(cls)
    fields: list[tuple[str, Writer]] = []
    expected = name_of(hint)

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if not isinstance(value, cls):
            return _misfit(misfits, path, expected)
        if not fields:  # compiled late: a tree refers to itself
            found = record_members(hint).values()
            fields.extend((member.name, writer_for(member.hint)) for member in found)
        return {
            name: writer(getattr(value, name), (*path, name), misfits) for name, writer in fields
        }

    return write


def _typeddict(hint: object) -> Writer:
    expected = name_of(hint)

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if not isinstance(value, Mapping):
            return _misfit(misfits, path, expected)
        known = record_members(hint)
        for key in value.keys() - known.keys():
            misfits.append(Misfit(path=(*path, str(key)), expected=expected, kind="unknown"))
        written: dict[str, object] = {}
        for name, member in known.items():
            if name in value:
                writer = writer_for(member.hint)
                written[name] = writer(value[name], (*path, name), misfits)
            elif member.required:
                wanted = name_of(member.hint)
                misfits.append(Misfit(path=(*path, name), expected=wanted, kind="missing"))
        return written

    return write


def _pydantic(cls: type) -> Writer:
    def write(value: object, path: Path, misfits: Misfits) -> object:
        if isinstance(value, cls):
            try:
                return value.model_dump(mode="json", warnings="error")  # type: ignore[attr-defined]  # a pydantic model
            except ValueError:
                pass
        return _misfit(misfits, path, cls.__name__)

    return write


def _mapping(hint: object, origin: type) -> Writer:
    _, value_hint = get_args(hint) or (str, object)
    inner = writer_for(value_hint)
    expected = name_of(hint)

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if not isinstance(value, origin) or not isinstance(value, Mapping):
            return _misfit(misfits, path, expected)
        if not all(isinstance(key, str) for key in value):
            return _misfit(misfits, path, expected)
        return {key: inner(item, (*path, key), misfits) for key, item in value.items()}

    return write


def _collection(hint: object, origin: type) -> Writer:
    args = get_args(hint)
    fixed = issubclass(origin, tuple) and bool(args) and args[-1] is not ...
    inner = [writer_for(arg) for arg in args if arg is not ...] or [_write_anything]
    expected = name_of(hint)
    is_set = issubclass(origin, set | frozenset)

    def write(value: object, path: Path, misfits: Misfits) -> object:
        if not isinstance(value, origin) or not isinstance(value, Collection):
            return _misfit(misfits, path, expected)
        if isinstance(value, str | bytes | Mapping):
            return _misfit(misfits, path, expected)
        if fixed and len(value) != len(inner):
            return _misfit(misfits, path, expected)
        writers = inner if fixed else inner * len(value)
        pairs = zip(value, writers, strict=True)
        written = [writer(item, (*path, i), misfits) for i, (item, writer) in enumerate(pairs)]
        # A set has no order of its own; the journal needs one that is always the same.
        return sorted(written, key=repr) if is_set else written

    return write


def _write_anything(value: object, path: Path, misfits: Misfits) -> object:
    """Where nothing is declared, the value's own class says how to write it."""
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, Mapping):
        return _ANY_MAPPING(value, path, misfits)
    if isinstance(value, list | tuple):
        return [_write_anything(item, (*path, i), misfits) for i, item in enumerate(value)]
    kind = type(value)
    writable = (Enum, set, frozenset, *WRITTEN)
    if attrs.has(kind) or dataclasses.is_dataclass(kind) or isinstance(value, writable):
        return writer_for(kind)(value, path, misfits)
    if is_pydantic(kind):
        return writer_for(kind)(value, path, misfits)
    return _misfit(misfits, path, _JSON)


_ANY_MAPPING: Final = _mapping(Mapping[str, object], Mapping)
