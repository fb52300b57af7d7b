"""
JSON values → values of hosts: one strict cattrs converter.

Nothing is coerced: "5" is no int, 1.7 is no int, "no" is no bool.  An int
stands for a float, as everywhere in Python.  Every misfit is reported, with
its path.
"""

import json
from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from dataclasses import fields as dataclass_fields
from enum import Enum
from functools import cache, partial
from types import UnionType
from typing import Final, Literal, TypeVar, cast, get_args, get_origin, is_typeddict

import attrs
from cattrs import (
    BaseValidationError,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.cols import list_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn

from squidmesh.authoring.hints import bare, class_hints, members, name_of
from squidmesh.authoring.mismatch import ContractMismatch, Misfit, Path
from squidmesh.authoring.records import is_pydantic, record_class, record_members
from squidmesh.authoring.scalars import (
    FROM_TEXT,
    PRIMITIVES,
    Hook,
    Reader,
    Unfit,
    enum,
    from_text,
    literal,
    primitive,
    strict,
)


def reader_for(wanted: object, *, closed: bool = False) -> Reader:
    """
    The compiled reader of a type, which every step's input comes by.

    Args:
        wanted: The type; any annotation will do.
        closed: Whether unknown members are refused too, as for what comes from outside.
            What a journal holds may be older than the class, so there they are ignored.
    """
    try:
        return _compiled(wanted, closed=closed)
    except TypeError:  # an unhashable hint, such as Annotated[int, []]
        return _compile(wanted, closed=closed)


@cache
def _compiled(wanted: object, *, closed: bool) -> Reader:
    return _compile(wanted, closed=closed)


def _compile(wanted: object, *, closed: bool) -> Reader:
    wanted = bare(wanted)
    if isinstance(wanted, type) and wanted in PRIMITIVES:
        return primitive(wanted)
    hook: Hook = _CONVERTERS[closed].get_structure_hook(wanted)

    def read(value: object) -> object:
        try:
            return hook(value, wanted)
        except ContractMismatch:
            raise
        except (BaseValidationError, Unfit) as exc:
            raise ContractMismatch(_misfits(exc, (), wanted)) from None

    return read


def _misfits(exc: BaseException, path: Path, wanted: object) -> Iterator[Misfit]:
    """Walk the groups of cattrs; their notes say which field, which index."""
    match exc:
        case ContractMismatch(problems=problems):
            yield from (m.under(*path) for m in problems)
        case ClassValidationError():
            noted, others = exc.group_exceptions()
            for error, note in noted:
                yield from _misfits(error, (*path, note.name), note.type)
            for other in others:
                yield from _misfits(other, path, wanted)
        case IterableValidationError():
            listed, others = exc.group_exceptions()
            for error, at in listed:
                yield from _misfits(error, (*path, at.index), at.type)
            for other in others:
                yield from _misfits(other, path, wanted)
        case ForbiddenExtraKeysError():
            yield from _unknown(path, exc.extra_fields, wanted)
        case KeyError():
            yield _missing(path, wanted)
        case Unfit(expected=expected):
            yield Misfit(path=path, expected=expected)
        case _:  # the class itself said no: __post_init__ or an attrs validator
            yield Misfit(path=path, expected=f"a {name_of(wanted)} ({type(exc).__name__})")


def _missing(path: Path, wanted: object) -> Misfit:
    return Misfit(path=path, expected=name_of(wanted), kind="missing")


def _unknown(path: Path, names: Iterable[str], wanted: object) -> Iterator[Misfit]:
    known = f"{name_of(wanted)} has {', '.join(record_members(wanted)) or 'no fields'}"
    for name in sorted(names):
        yield Misfit(path=(*path, name), expected=known, kind="unknown")


# -- hooks --


def _union(value: object, wanted: object, *, closed: bool) -> object:
    parts = members(wanted)
    if value is None and type(None) in parts:
        return None
    rest = [part for part in parts if part is not type(None)]
    if len(rest) == 1:
        return reader_for(rest[0], closed=closed)(value)
    rest.sort(key=partial(_unlike, value))
    # Two records may share members, so the one that knows every member is looked for first.
    for strictness in (True, closed):
        for part in rest:
            try:
                return reader_for(part, closed=strictness)(value)
            except ContractMismatch:
                continue
    raise Unfit(" or ".join(name_of(part) for part in parts))


def _unlike(value: object, part: object) -> tuple[int, bool, str]:
    """
    How far a value is from the form in which this member of a union is written.

    Any text is a `str`, so that comes last.  How the union is written does not matter:
    to Python `date | str` equals `str | date`, and either may be met first.
    """
    if isinstance(value, Mapping) and record_class(part) is not None:
        distance = len(value.keys() ^ record_members(part).keys())
    else:
        distance = int(type(value) is not int or part is not int)
    return distance, bare(part) is str, name_of(part)


def _only(hook: Hook, accepted: type | UnionType, wanted: object) -> Hook:
    """cattrs takes a text for a list of letters; we do not."""

    def read(value: object, _: object) -> object:
        if not isinstance(value, accepted):
            raise Unfit(name_of(wanted))
        return hook(value, wanted)

    return read


def _fixed_tuple(value: object, wanted: object, *, closed: bool) -> object:
    kinds = get_args(wanted)
    if not isinstance(value, list | tuple) or len(value) != len(kinds):
        raise Unfit(name_of(wanted))
    misfits: list[Misfit] = []
    found: list[object] = []
    for index, (kind, item) in enumerate(zip(kinds, value, strict=True)):
        try:
            found.append(reader_for(kind, closed=closed)(item))
        except ContractMismatch as exc:
            misfits += [m.under(index) for m in exc.problems]
    if misfits:
        raise ContractMismatch(misfits)
    return tuple(found)


def _typeddict(value: object, wanted: object, *, closed: bool) -> object:
    if not isinstance(value, Mapping):
        raise Unfit(name_of(wanted))
    known = record_members(wanted)
    misfits: list[Misfit] = []
    found: dict[str, object] = {}
    for name, member in known.items():
        if name in value:
            try:
                found[name] = reader_for(member.hint, closed=closed)(value[name])
            except ContractMismatch as exc:
                misfits += [m.under(name) for m in exc.problems]
        elif member.required:
            misfits.append(_missing((name,), member.hint))
    if closed:
        misfits += _unknown((), value.keys() - known.keys(), wanted)
    if misfits:
        raise ContractMismatch(misfits)
    return found


def _pydantic(value: object, wanted: object) -> object:
    try:
        # JSON mode: strict, and yet a text may stand for a date.
        return wanted.model_validate_json(json.dumps(value), strict=True)  # type: ignore[attr-defined]
    except ValueError as exc:
        errors: list[dict[str, str]] = getattr(exc, "errors", list)()
        raise ContractMismatch(
            Misfit(path=tuple(error["loc"]), expected=error["msg"]) for error in errors
        ) from None


def _resolve_fields(cls: type) -> None:
    """Give cattrs real types where annotations were postponed: it cannot see local names."""
    hints = class_hints(cls)
    for field in attrs.fields(cls) if attrs.has(cls) else dataclass_fields(cls):
        # As attrs.resolve_types does, which cannot be handed types that are resolved already.
        object.__setattr__(field, "type", hints.get(field.name, field.type))


# -- the converter --


def _converter(closed: bool) -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=closed)

    def record(wanted: object) -> Hook:
        cls = record_class(wanted)
        if cls is None or is_typeddict(cls):
            return partial(_typeddict, closed=closed)
        if is_pydantic(cls):
            return _pydantic
        _resolve_fields(cls)
        parameters: tuple[object, ...] = getattr(wanted, "__parameters__", ())
        kind = cast("type", wanted)
        if parameters and wanted is cls:  # nobody said of what: of anything
            kind = kind[(object,) * len(parameters)]  # type: ignore[index]  # it is generic
        generated: object = make_dict_structure_fn(
            kind, converter, _cattrs_forbid_extra_keys=closed
        )
        return _only(cast("Hook", generated), Mapping, wanted)

    def mapping(wanted: object) -> Hook:
        key, value = get_args(wanted) or (str, object)
        plain = cast("type", dict[key, value])  # type: ignore[valid-type]  # built from arguments
        return _only(cast("Hook", mapping_structure_factory(plain, converter)), Mapping, wanted)

    def collection(wanted: object) -> Hook:
        origin: object = get_origin(wanted) or wanted
        args = get_args(wanted)
        if origin is tuple and args and args[-1] != Ellipsis:
            return partial(_fixed_tuple, closed=closed)
        element = args[0] if args else object
        as_list = list_structure_factory(list[element], converter)  # type: ignore[valid-type]
        build = LISTS.get(origin, list)
        return _only(lambda value, _: build(as_list(value, list)), list | tuple, wanted)

    # The last one registered is asked first.
    factory = converter.register_structure_hook_factory
    predicate = converter.register_structure_hook_func
    factory(_is(Collection), collection)
    factory(_is(Mapping), mapping)
    predicate(lambda t: t is object or isinstance(t, TypeVar), lambda value, _: value)
    predicate(lambda t: len(members(t)) > 1, partial(_union, closed=closed))
    predicate(_is_literal, literal)
    predicate(_is(Enum), enum)
    factory(lambda t: record_class(t) is not None, record)
    for kind in (str, int, bool, float, type(None)):
        converter.register_structure_hook(kind, strict)
    for kind, parse, expected in FROM_TEXT:
        converter.register_structure_hook(kind, from_text(parse, expected))
    return converter


def _is_literal(wanted: object) -> bool:
    return get_origin(wanted) is Literal


def _is(base: type) -> Callable[[object], bool]:
    def judge(wanted: object) -> bool:
        origin = get_origin(wanted) or wanted
        return isinstance(origin, type) and issubclass(origin, base)

    return judge


#: The collections that are read: what makes each of a list.
LISTS: Final[Mapping[object, Callable[[list[object]], object]]] = {
    **dict.fromkeys((list, Collection, Sequence, MutableSequence), list),
    tuple: tuple,
    **dict.fromkeys((set, MutableSet), set),
    **dict.fromkeys((frozenset, Set), frozenset),
    deque: deque,
}
#: The mappings that are read, each as a dict.
MAPS: Final = frozenset({dict, Mapping, MutableMapping})
_CONVERTERS: Final[Mapping[bool, Converter]] = {
    False: _converter(closed=False),
    True: _converter(closed=True),
}
