"""
The definition of the wire form, as a cattrs converter with hooks.

Everything of a run that is kept as JSON goes by these rules: members at their
default are left out, unknown ones are refused, texts and numbers are never
coerced, instants carry a zone, keys leave out the run id, user values pass
through untouched.  The codec of entries is a faster equal of it (`members`),
and so is the text of checkpoints (`columns`).  It takes milliseconds to build,
so that is done on first use.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from squidmesh_core.ids import AttemptKey, RunId, VisitKey
from squidmesh_core.protocol.entries import Entry, Input
from squidmesh_core.protocol.wire import (
    CLASSES,
    CONSTANTS,
    NAMES,
    TWINS,
    input_from_json,
    input_to_json,
    instant_from_text,
    instant_to_text,
    key_prefix,
    long_key,
    short_key,
)

T = TypeVar("T")

#: What the keys of the run being converted begin with; hooks take no further argument.
_prefix: ContextVar[str] = ContextVar("prefix")


def to_json(value: object, hint: object, run_id: RunId) -> object:
    """
    The JSON form of a record of a run, or of anything made of records.

    Args:
        hint: The value's type, an annotation such as `tuple[Entry, ...]`.
        run_id: The run whose keys are written short.

    Raises:
        ValueError: An instant has no time zone, or a key no run id.
    """
    token = _prefix.set(key_prefix(run_id))
    try:
        return converter().unstructure(value, unstructure_as=hint)
    finally:
        _prefix.reset(token)


def from_json(data: object, hint: type[T], run_id: RunId) -> T:
    """
    Read what `to_json` wrote for the same type and run.

    Raises:
        ValueError: The data does not fit the type.
    """
    token = _prefix.set(key_prefix(run_id))
    try:
        return converter().structure(data, hint)
    except Exception as exc:  # cattrs raises a dozen kinds, several of them bare
        raise ValueError(f"the data is no {hint}: {exc!r}") from exc
    finally:
        _prefix.reset(token)


def entry_form(entry: Entry, run_id: RunId) -> dict[str, object]:
    """
    The definition of `codec.entry_to_json`: all but the revision.

    A journal numbers its entries; a checkpoint keeps single ones, numbers and all.
    """
    data = cast("dict[str, object]", to_json(entry, type(entry), run_id))
    return {name: value for name, value in data.items() if name != "revision"}


@cache
def converter() -> Converter:
    """The converter behind `to_json` and `from_json`, which say whose keys are meant."""
    made = Converter(
        omit_if_default=True,
        forbid_extra_keys=True,
        detailed_validation=False,
        unstruct_collection_overrides={tuple: list},
    )
    _add_scalars(made)
    _add_unions(made)
    made.register_unstructure_hook_factory(attrs.has, lambda cls: _writer(made, cls))
    made.register_structure_hook_factory(attrs.has, lambda cls: _reader(made, cls))
    return made


def _add_scalars(made: Converter) -> None:
    made.register_unstructure_hook(datetime, instant_to_text)
    made.register_structure_hook(datetime, lambda data, _: instant_from_text(data))
    for key in (AttemptKey, VisitKey):
        made.register_unstructure_hook(key, _short)
        made.register_structure_hook(key, lambda data, _: long_key(data, _prefix.get()))
    for scalar in (str, int, float, bool):
        made.register_structure_hook(scalar, _exactly)
    # By predicate: a hook for `object` itself would catch every type there is.
    made.register_unstructure_hook_func(_is_object, lambda value: value)
    made.register_structure_hook_func(_is_object, lambda data, _: data)
    made.register_structure_hook_factory(_is_row, lambda hint: _row_reader(made, hint))
    made.register_unstructure_hook_factory(_is_index, lambda hint: _index_writer(made, hint))
    made.register_structure_hook_factory(_is_index, lambda hint: _index_reader(made, hint))


def _add_unions(made: Converter) -> None:
    """The closed unions; each tells its members apart in its own way."""
    made.register_unstructure_hook(Input, lambda value: input_to_json(value, _prefix.get()))
    made.register_structure_hook(Input, lambda data, _: input_from_json(data, _prefix.get()))
    made.register_unstructure_hook(Entry, lambda value: made.unstructure(value, type(value)))
    made.register_structure_hook(Entry, lambda data, _: made.structure(data, CLASSES[data["type"]]))


def _writer(made: Converter, cls: type) -> Callable[[Any], dict[str, Any]]:
    write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
        cls, made, _cattrs_omit_if_default=True, **_overrides(made, cls)
    )
    constants, twins = CONSTANTS.get(cls, {}), TWINS.get(cls, {})

    def write_record(record: object) -> dict[str, Any]:
        data = {**constants, **write(record)}
        for field, twin in twins.items():
            if getattr(record, field) == getattr(record, twin):
                del data[field]
        return data

    return write_record


def _reader(made: Converter, cls: type[T]) -> Callable[[Any, Any], T]:
    read = make_dict_structure_fn(
        cls, made, _cattrs_forbid_extra_keys=True, **_overrides(made, cls)
    )
    constants, twins = CONSTANTS.get(cls, {}), TWINS.get(cls, {})

    def read_record(data: dict[str, Any], _: object) -> T:
        if any(data[name] != constant for name, constant in constants.items()):
            raise ValueError(f"expected {constants!r} in {data!r}")
        members = {name: value for name, value in data.items() if name not in constants}
        for field, twin in twins.items():
            members.setdefault(field, data[twin])
        return read(members, cls)

    return read_record


def _row_reader(made: Converter, hint: type) -> Callable[[Any, Any], tuple[object, ...]]:
    item = get_args(hint)[0]
    read = made.get_structure_hook(item)

    def read_row(data: object, _: object) -> tuple[object, ...]:
        # cattrs would take any iterable, a text for the list of its letters.
        if not isinstance(data, list):
            raise ValueError(f"expected a list, not {data!r}")
        return tuple(read(element, item) for element in data)

    return read_row


def _index_writer(made: Converter, hint: type) -> Callable[[Any], list[list[object]]]:
    # Pairs, because canonical JSON sorts the members of objects and makes texts
    # of their names: an index keeps its order, and its keys may be numbers.
    key, item = (made.get_unstructure_hook(part) for part in get_args(hint))
    return lambda index: [[key(name), item(value)] for name, value in index.items()]


def _index_reader(made: Converter, hint: type) -> Callable[[Any, Any], dict[Any, object]]:
    key, item = get_args(hint)
    read_key, read_item = made.get_structure_hook(key), made.get_structure_hook(item)
    return lambda data, _: {read_key(name, key): read_item(value, item) for name, value in data}


def _overrides(made: Converter, cls: type) -> dict[str, Any]:
    # `Any`: cattrs types its own options and the overrides of fields as one **kwargs.
    types = {field.name: field.type for field in attrs.fields(cls)}
    overrides = {field: override(rename=name) for field, name in NAMES.get(cls, {}).items()}
    for field, twin in TWINS.get(cls, {}).items():
        overrides[field] = override(
            unstruct_hook=made.get_unstructure_hook(types[twin]),
            struct_hook=made.get_structure_hook(types[twin]),
        )
    return overrides


def _exactly(data: object, kind: type[T]) -> T:
    # Not isinstance: a boolean is no integer here.
    if type(data) is kind:
        return data
    raise ValueError(f"expected {kind.__name__}, not {data!r}")


def _short(key: str) -> str:
    return short_key(key, _prefix.get())


def _is_object(hint: object) -> bool:
    return hint is object


def _is_row(hint: object) -> bool:
    return get_origin(hint) is tuple and get_args(hint)[1:] == (...,)


def _is_index(hint: object) -> bool:
    """Whether this is a mapping by keys of ours; one by plain texts is an object."""
    return get_origin(hint) in {dict, Mapping} and get_args(hint)[0] is not str
