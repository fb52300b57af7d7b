"""
Columns of values that hold no other column: texts, numbers, instants, keys, inputs.

They are as `members` writes each, and written and read together, which spares most calls.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NewType, get_args, get_origin

import attrs

from squidmesh_core.ids import AttemptKey, VisitKey
from squidmesh_core.protocol.entries import Input, InputFrom
from squidmesh_core.protocol.members import form_of
from squidmesh_core.protocol.wire import (
    input_from_json,
    instant_to_text,
    long_key,
    short_key,
)
from squidmesh_core.values import FromPath

# What is in a column is chosen by its type at run time, where the type checker cannot
# follow; hence `Any`, as in `members`.
Values = Sequence[Any]

#: Types whose values are their own form.  Exactly these: a boolean is no integer here.
_EXACT: Final[Mapping[object, type]] = {
    str: str,
    bool: bool,
    int: int,
    Mapping[str, object]: dict,
}


@attrs.frozen(kw_only=True)
class Column:
    """How values of one type are written and read; both take the key prefix."""

    write: Callable[[Values, str], object]
    #: Also takes how many there are.
    read: Callable[[Any, int, str], Values]


def leaf_of(hint: object) -> Column:
    """
    The column of values with this type annotation, which are no records.

    Raises:
        TypeError: There is none.
    """
    if get_origin(hint) is Literal:
        return _exact(str, frozenset(get_args(hint)))
    if hint in _TOGETHER:
        return _TOGETHER[hint]
    kind = _EXACT.get(_bare(hint))
    return _formed(hint) if kind is None else _exact(kind)


def _exact(kind: type, words: frozenset[object] | None = None) -> Column:
    """Values that are their own form, of exactly one type, or from a choice of words."""

    def read(data: Any, count: int, _prefix: str) -> Values:
        values = _exactly(kind, data, count)
        if words is not None and not words.issuperset(values):
            raise ValueError(f"expected words of {sorted(map(str, words))} alone")
        return values

    return Column(write=lambda values, _: values, read=read)


def _write_instants(values: Values, _prefix: str) -> list[str]:
    # `instant_to_text`, without what it keeps for entries that follow each other.
    return [
        value.isoformat(timespec="microseconds")[:26] + "Z"
        if value.tzinfo is UTC
        else instant_to_text(value)
        for value in values
    ]


def _read_instants(data: Any, count: int, _prefix: str) -> Values:
    values = list(map(datetime.fromisoformat, _listed(data, count)))
    if not {value.tzinfo for value in values} <= {UTC}:
        raise ValueError("expected instants in UTC alone")
    return values


def _write_keys(values: Values, prefix: str) -> list[str]:
    # `short_key`, without a call for the keys of the run itself.
    begin = len(prefix) - 1
    return [
        value[begin:] if value.startswith(prefix) else short_key(value, prefix) for value in values
    ]


def _read_keys(data: Any, count: int, prefix: str) -> Values:
    texts = _exactly(str, data, count)
    # `long_key`, without a call where there is something behind the colon.
    return [
        prefix + text[1:] if text[:1] == ":" != text else long_key(text, prefix) for text in texts
    ]


def _read_inputs(data: Any, count: int, prefix: str) -> Values:
    """Neighbours that take their values from the same places are one record."""
    inputs: list[Input] = []
    last: object = None
    for value in _listed(data, count):
        if last is not None and value == last:
            inputs.append(inputs[-1])
            continue
        inputs.append(input_from_json(value, prefix))
        last = value if _is_all_paths(inputs[-1]) else None
    return inputs


def _is_all_paths(given: Input) -> bool:
    """Whether it is made of texts alone: of anything else two may be equal and not the same."""
    return isinstance(given, InputFrom) and all(
        isinstance(binding, FromPath) for binding in (given.bindings or {}).values()
    )


def _formed(hint: object) -> Column:
    """Values that `members` writes and reads one by one."""
    form = form_of(hint)
    write = form.write

    def read(data: Any, count: int, prefix: str) -> Values:
        return [form.read(value, prefix) for value in _listed(data, count)]

    return Column(
        write=lambda values, prefix: (
            [write(value, prefix) for value in values] if write else values
        ),
        read=read,
    )


def _exactly(kind: type, data: Any, count: int) -> list[Any]:
    values = _listed(data, count)
    if not set(map(type, values)) <= {kind}:
        raise ValueError(f"expected values of type {kind.__name__} alone")
    return values


def _listed(data: Any, count: int) -> list[Any]:
    if type(data) is list and len(data) == count:
        return data
    raise ValueError(f"expected a list of {count} values")


def _bare(hint: object) -> object:
    """What a type of ours is made of; keys stay keys."""
    while isinstance(hint, NewType) and hint not in {AttemptKey, VisitKey}:
        hint = hint.__supertype__
    return hint


#: What is written and read quicker together than one by one.
_TOGETHER: Final[Mapping[object, Column]] = {
    datetime: Column(write=_write_instants, read=_read_instants),
    AttemptKey: Column(write=_write_keys, read=_read_keys),
    VisitKey: Column(write=_write_keys, read=_read_keys),
    Input: Column(write=_formed(Input).write, read=_read_inputs),
}
