"""
Many values of one type, by column: how checkpoints keep a state.

The state of a long run is thousands of records of a few classes.  Written member by
member their names stand there once, what all have at their default not at all, and
reading them back costs a third of what record by record does:

    record            {member: column}
    X | None, A | B   [[places, column] of X, or of A and of B]; places null: all
    tuple[X, ...]     {"lengths": […], "items": column}
    mapping by keys   [rows of keys, rows of items]
    anything else     [value, …], each as `members` writes it (`leaves`)

`converter` defines what the values are; a property test holds what is read here equal
to what it reads.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import attrs

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import Input
from squidmesh_core.protocol.leaves import Column, Values, leaf_of
from squidmesh_core.protocol.making import default_of, maker_of
from squidmesh_core.protocol.wire import key_prefix

T = TypeVar("T")


def to_columns(value: object, hint: object, run_id: RunId) -> object:
    """The columns of one value of a type, with the keys of this run written short."""
    return column_of(hint).write([value], key_prefix(run_id))


def from_columns(data: object, hint: type[T], run_id: RunId) -> T:
    """
    Read what `to_columns` wrote for the same type and run.

    Raises:
        ValueError: The data does not fit the type.
    """
    try:
        (value,) = column_of(cast("object", hint)).read(data, 1, key_prefix(run_id))
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError(f"the data is no {hint}: {exc!r}") from exc
    return cast("T", value)


@cache
def column_of(hint: object) -> Column:
    """
    The column of values with this type annotation.

    Raises:
        TypeError: There is none.
    """
    if isinstance(hint, type) and attrs.has(hint):
        return _records(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and arguments[1:] == (...,):
        return _rows(column_of(arguments[0]))
    arms = [arm for arm in arguments if arm is not NoneType]
    if origin in {Union, UnionType} and hint != Input and (len(arms) == 1 or _are_records(arms)):
        return _choice(arms)
    if origin is Mapping and arguments[0] is not str:
        return _index(*map(column_of, arguments))
    return leaf_of(hint)


def _are_records(arms: list[Any]) -> bool:
    return all(map(attrs.has, arms))


def _records(cls: type) -> Column:
    fields = {field.name: field for field in attrs.fields(cls)}
    columns = {name: column_of(field.type) for name, field in fields.items()}
    defaults = {name: default_of(field) for name, field in fields.items()}

    def write(records: Values, prefix: str) -> dict[str, object]:
        data = {}
        for name, column in columns.items():
            values = list(map(attrgetter(name), records))
            if values.count(defaults[name]) < len(values):
                data[name] = column.write(values, prefix)
        return data

    def read(data: Any, count: int, prefix: str) -> Values:
        names = tuple(data)
        members = [columns[name].read(data[name], count, prefix) for name in names]
        rows = zip(*members, strict=True) if names else [()] * count
        return maker_of(cls, names)(rows) if count else []

    return Column(write=write, read=read)


def _choice(arms: list[Any]) -> Column:
    """Values that may be null, of one type or of one of several record classes."""
    columns = [column_of(arm) for arm in arms]

    def is_of(value: object, arm: object) -> bool:
        return type(value) is arm if len(arms) > 1 else value is not None

    def write(values: Values, prefix: str) -> list[object]:
        data: list[object] = []
        for arm, column in zip(arms, columns, strict=True):
            places = [place for place, value in enumerate(values) if is_of(value, arm)]
            items = column.write([values[place] for place in places], prefix)
            data.append([None if len(places) == len(values) else places, items])
        return data

    def read(data: Any, count: int, prefix: str) -> Values:
        values: list[object] = [None] * count
        for column, (places, items) in zip(columns, data, strict=True):
            if places is None:
                values[:] = column.read(items, count, prefix)
                continue
            for place, value in zip(places, column.read(items, len(places), prefix), strict=True):
                values[place] = value
        return values

    return Column(write=write, read=read)


def _rows(item: Column) -> Column:
    def write(rows: Values, prefix: str) -> dict[str, object]:
        return {
            "lengths": list(map(len, rows)),
            "items": item.write(list(chain.from_iterable(rows)), prefix),
        }

    def read(data: Any, count: int, prefix: str) -> Values:
        spans = _spans(data["lengths"], count)
        items = item.read(data["items"], sum(data["lengths"]), prefix)
        return [tuple(items[begin:end]) for begin, end in spans]

    return Column(write=write, read=read)


def _index(key: Column, item: Column) -> Column:
    """Mappings keep their order, and their keys may be numbers: hence no objects."""
    keys, items = _rows(key), _rows(item)

    def write(indexes: Values, prefix: str) -> list[object]:
        return [
            keys.write([tuple(index) for index in indexes], prefix),
            items.write([tuple(index.values()) for index in indexes], prefix),
        ]

    def read(data: Any, count: int, prefix: str) -> Values:
        rows = zip(
            keys.read(data[0], count, prefix), items.read(data[1], count, prefix), strict=True
        )
        return [dict(zip(*row, strict=True)) for row in rows]

    return Column(write=write, read=read)


def _spans(lengths: Values, count: int) -> Iterable[tuple[int, int]]:
    """Where each of so many rows begins and ends."""
    if len(lengths) != count:
        raise ValueError(f"expected {count} rows, not {len(lengths)}")
    return pairwise(accumulate(lengths, initial=0))
