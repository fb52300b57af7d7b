"""
The one canonical encoder: what can be stored, and as which bytes.

Adapters differ in what they accept and in what they silently change, so the
core decides first (specs/protocol.md §8.2): `storable` takes an untrusted
value and gives back a plain copy that `encode` writes, `restore` undoes the
two tags that `storable` may have set:

    {"$int": "9007199254740993"}   an integer that a double cannot hold
    {"$map": {"$int": "5"}}        a map of the host's that looks like a tag
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from squidmesh_core.errors import StorageError

#: Containers inside each other; a cycle is found by it too.
MAX_DEPTH: Final = 64
#: Keys of one map, or items of one list.
MAX_ITEMS: Final = 10_000
#: UTF-8 bytes of one payload or output; an entry holds a little more.
MAX_BYTES: Final = 2 * 1024 * 1024
#: Integers up to here are the same number in every database and language.
MAX_INTEGER: Final = 2**53 - 1
#: Python refuses to read integers of more than 4,300 digits; this is under 4,000.
MAX_INTEGER_BITS: Final = 13_000

#: No scalar takes more bytes per unit of `_Walk.spent` than this.
_MOST_BYTES_PER_UNIT: Final = 26
#: What a text may nest: each level of a value may stand in a tag.
_MAX_TEXT_DEPTH: Final = 3 * MAX_DEPTH
_TAGGED_INTEGER: Final = re.compile(r"-?[0-9]{16,3914}")

#: What holds no tag.
ATOMS: Final = frozenset({str, int, float, bool, type(None)})

_encoder: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def encode(value: object) -> str:
    """
    The canonical JSON text of a storable value: same value, same text.

    Raises:
        ValueError: The value holds a NaN, an infinity or a cycle.
        TypeError: The value holds something that is no JSON.
    """
    return _encoder.encode(value)


def decode(text: str) -> object:
    """
    Read a text that `encode` wrote.

    Raises:
        ValueError: The text is no JSON.
    """
    value: object = json.loads(text)
    return value


def decode_strict(text: str) -> object:
    """
    Read JSON written by somebody else: no duplicate keys, no NaN.

    Raises:
        ValueError: The text is no JSON, repeats a key, or nests too deep.
    """
    try:
        value: object = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {_MAX_TEXT_DEPTH} levels") from None
    _refuse_depth(value)
    return value


def storable(value: object, *, where: str = "the value", limit_bytes: int = MAX_BYTES) -> object:
    """
    A plain copy of an untrusted value, ready for `encode`.

    Tuples become lists and mappings become dicts; `restore` gives back an
    equal value.

    Args:
        where: What the value is, for the message: "the output of 'charge'".

    Raises:
        StorageError: `not_storable`, with the path of the first culprit.
    """
    walk = _Walk(limit_bytes)
    try:
        copy = walk.copy(value, 0)
        if walk.spent * _MOST_BYTES_PER_UNIT > limit_bytes:
            size = len(encode(copy).encode())
            if size > limit_bytes:
                raise _NotStorableError(f"{size} bytes, more than the {limit_bytes} allowed")
    except _NotStorableError as problem:
        path = problem.path[::-1]
        place = f" at {path}" if path else ""
        raise StorageError(
            f"{where} cannot be stored{place}: {problem.reason}. Nothing was written.",
            "not_storable",
            {"path": path, "reason": problem.reason},
        ) from None
    return copy


def restore(value: object) -> object:
    """
    Undo the tags of `storable`; a value without tags is returned as it is.

    A map that only resembles a tag is left alone, so reading never fails.
    """
    match value:
        case dict():
            return _restored_map(value)
        case list():
            items = [restore(item) for item in value]
            return value if all(map(_identical, items, value)) else items
        case _:
            return value


class _NotStorableError(Exception):
    """A value cannot be stored; the path grows on the way out, innermost first."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str | int] = []


class _Walk:
    """One pass over one value."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: A lower bound of the bytes needed.  It ends the walk over a small
        #: object that refers to itself so often that its text would be huge,
        #: and spares small values the exact count.
        self.spent = 0

    def copy(self, value: object, depth: int) -> object:
        # Exact types first, the commonest before the others: every output of
        # every step passes here.
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]  # `kind` says so; isinstance costs more
        self.spent += 1
        if value is None or kind is bool:
            return value
        if kind is int:
            return _integer(value)  # type: ignore[arg-type]  # as above
        if kind is float:
            return _finite(value)  # type: ignore[arg-type]  # as above
        if isinstance(value, Mapping):
            return self._map(value, depth + 1)
        if isinstance(value, list | tuple):
            return self._list(value, depth + 1)
        return self._subclass(value)

    def _subclass(self, value: object) -> object:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return _integer(int.__pos__(value))
        if isinstance(value, float):
            return _finite(float.__pos__(value))
        raise _NotStorableError(f"{type(value).__name__} is no JSON type")

    def _text(self, text: str) -> str:
        if "\0" in text:
            raise _NotStorableError("a text with a NUL character")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise _NotStorableError("a text with a lone surrogate") from None
        self.spent += len(text) + 2
        if self.spent > self.limit:
            raise _NotStorableError(f"more than the {self.limit} bytes allowed")
        return text

    def _map(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        self._enter(len(value), depth)
        copied: dict[str, object] = {}
        key: object = ""
        try:
            for key, item in value.items():
                if not isinstance(key, str):
                    raise _NotStorableError(f"a key of type {type(key).__name__}")
                copied[self._text(str.__str__(key))] = self.copy(item, depth)
        except _NotStorableError as problem:
            problem.path.append(_shown(key))
            raise
        if len(copied) == 1 and next(iter(copied)).startswith("$"):
            return {"$map": copied}
        return copied

    def _list(self, value: list[object] | tuple[object, ...], depth: int) -> list[object]:
        self._enter(len(value), depth)
        copied: list[object] = []
        try:
            for item in value:
                copied.append(self.copy(item, depth))  # noqa: PERF401  # the length is the failing index
        except _NotStorableError as problem:
            problem.path.append(len(copied))
            raise
        return copied

    def _enter(self, items: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _NotStorableError(f"nested deeper than {MAX_DEPTH} levels")
        if items > MAX_ITEMS:
            raise _NotStorableError(f"{items} items in one place, more than {MAX_ITEMS}")
        self.spent += items
        if self.spent > self.limit:
            raise _NotStorableError(f"more than the {self.limit} bytes allowed")


def _integer(value: int) -> object:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return value
    if value.bit_length() > MAX_INTEGER_BITS:
        raise _NotStorableError(f"an integer of more than {MAX_INTEGER_BITS} bits")
    return {"$int": str(value)}


def _finite(value: float) -> float:
    # NaN is the only number that differs from itself.
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        raise _NotStorableError("a number that is NaN or infinite")
    return value


def _shown(key: object) -> str:
    """A key as an error may show it: storable itself, and short."""
    text = key if isinstance(key, str) else f"<{type(key).__name__}>"
    return text[:128].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _restored_map(value: dict[str, object]) -> object:
    if len(value) == 1:
        digits, inner = value.get("$int"), value.get("$map")
        if isinstance(digits, str) and _TAGGED_INTEGER.fullmatch(digits):
            return int(digits)
        if isinstance(inner, dict):
            return _restored_values(inner)
    return _restored_values(value)


def _restored_values(value: dict[str, object]) -> dict[str, object]:
    if ATOMS.issuperset(map(type, value.values())):
        return value  # as most are, and this is seen sooner
    items = {key: restore(item) for key, item in value.items()}
    return value if all(map(_identical, items.values(), value.values())) else items


def _identical(left: object, right: object) -> bool:
    return left is right


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {repeated!r} appears twice in one object")
    return members


def _refuse_depth(value: object) -> None:
    # Level by level, because recursion is what a deep value breaks.
    level = [value]
    for _ in range(_MAX_TEXT_DEPTH + 1):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {_MAX_TEXT_DEPTH} levels")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
