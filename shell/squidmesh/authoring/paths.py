"""
The recording path: what `placed.payload` and `node.out` are at run time.

Checkers see the real type, so `risk.out.score < 30` is `int < int` to them.
At run time every step of it is recorded, and checked against the contract.
A path has no public names, so no field is ever shadowed.
"""

from collections.abc import Collection
from typing import Any, Literal, NoReturn, TypeVar, cast, get_args, get_origin

from attrs import evolve, frozen

from squidmesh.authoring.conditions import (
    Comparison,
    Condition,
    Negated,
    Place,
    Unknown,
    expression_of,
    join,
)
from squidmesh.authoring.encode import encode, fits
from squidmesh.authoring.hints import bare, members, name_of, union_of, without_none
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.notes import UNNAMED, Source, note, stopped, suggestion
from squidmesh.authoring.records import read_by_key, record_class, record_members
from squidmesh_core.values.condition import Operator

T = TypeVar("T")

_AS_VALUE = "a path is data; do this inside a step"
_NUMBERS = {int, float}


@frozen(kw_only=True)
class Recorded:
    """What a path has recorded so far."""

    place: Place
    #: The type of the values there.
    hint: object
    #: Whether the value may be missing, by `maybe` or `.get`.
    optional: bool = False
    #: What stands for a missing value.
    default: object = None
    #: Whether a problem has been noted on the way here; then nothing more is said.
    broken: bool = False

    @property
    def text(self) -> str:
        """The path as the class body writes it, as far as names are known."""
        return ".".join((self.place.source._label or UNNAMED, *self.place.below))


def recorded_of(value: object) -> Recorded | None:
    """What a path has recorded; `None` for anything else."""
    if type(value) is not Path:
        return None
    return cast("Recorded", object.__getattribute__(value, "_Path__recorded"))


def path_to(source: Source, hint: object, *, broken: bool = False) -> Any:
    """A new path; declared `Any` because it stands for a value of the hint's type."""
    return Path(Recorded(place=Place(source=source), hint=hint, broken=broken))


def maybe(x: T) -> T | None:
    """
    A path whose value may be missing; the parameter then gets `None`.

    Raises:
        DefinitionError: It is no path.
    """
    recorded = recorded_of(x)
    if recorded is None:
        raise stopped("path_as_value", "maybe() takes a path, such as maybe(placed.payload.note)")
    hint = union_of((recorded.hint, type(None)))
    return cast("T", Path(evolve(recorded, optional=True, hint=hint)))


def not_(condition: bool) -> bool:
    """The opposite of a condition."""
    return cast("bool", Condition(Negated(inner=expression_of(condition))))


def is_in(x: T, choices: Collection[T]) -> bool:
    """
    Whether the value at a path is one of the choices.

    Raises:
        DefinitionError: The first argument is no path.
    """
    recorded = recorded_of(x)
    if recorded is None:
        raise stopped("constant_condition", "is_in() takes a path first, then the choices")
    operands = [_operand(recorded, choice) for choice in choices]
    if any(operand is _BAD for operand in operands):
        return cast("bool", Condition(Unknown()))
    return cast("bool", _comparison(recorded, "is_in", operands))


def is_missing(x: object) -> bool:
    """
    Whether there is no value at a path, or null.

    Raises:
        DefinitionError: It is no path.
    """
    recorded = recorded_of(x)
    if recorded is None:
        raise stopped("constant_condition", "is_missing() takes a path")
    return cast("bool", _comparison(recorded, "is_missing", True))


class Path:
    """A place in the run context, recorded; see the module's docstring."""

    __slots__ = ("__recorded",)
    __hash__ = None  # type: ignore[assignment]  # data, not a key

    def __init__(self, recorded: Recorded) -> None:
        object.__setattr__(self, "_Path__recorded", recorded)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what copy, pickle, inspect and notebooks ask for
            raise AttributeError(name)
        recorded = object.__getattribute__(self, "_Path__recorded")
        if read_by_key(_single(recorded.hint)) and not recorded.broken:
            return _by_key_attribute(recorded, name)
        return _below(recorded, name, f".{name}")

    def __getitem__(self, key: object) -> "Path":
        recorded: Recorded = object.__getattribute__(self, "_Path__recorded")
        if isinstance(key, str) and (recorded.broken or read_by_key(_single(recorded.hint))):
            return _below(recorded, key, f'["{key}"]')
        raise stopped("path_as_value", _AS_VALUE)

    def __setattr__(self, name: str, value: object) -> None:
        raise stopped("path_as_value", _AS_VALUE)

    def __lt__(self, other: object) -> Condition:
        return _ordered(self, "less_than", other)

    def __le__(self, other: object) -> Condition:
        return _ordered(self, "at_most", other)

    def __gt__(self, other: object) -> Condition:
        return _ordered(self, "greater_than", other)

    def __ge__(self, other: object) -> Condition:
        return _ordered(self, "at_least", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # recorded
        return _equal(self, "equals", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # recorded
        return _equal(self, "not_equals", other)

    def __and__(self, other: object) -> Condition:
        return join("all", self, other)

    def __or__(self, other: object) -> Condition:
        return join("any", self, other)

    def __rand__(self, other: object) -> Condition:
        return join("all", other, self)

    def __ror__(self, other: object) -> Condition:
        return join("any", other, self)

    def __invert__(self) -> Condition:
        return Condition(Negated(inner=self.__squid_true__().expression))

    def __squid_true__(self) -> Condition:
        """A bare boolean path means "is true"."""
        recorded: Recorded = object.__getattribute__(self, "_Path__recorded")
        if bool not in members(recorded.hint) and not _is_open(recorded):
            note(
                recorded.place.source,
                "constant_condition",
                f"{recorded.text} is {name_of(recorded.hint)}, not bool",
                "compare it with something, or write is_missing(x)",
            )
            return Condition(Unknown())
        return _comparison(recorded, "equals", True)

    def __bool__(self) -> bool:
        raise stopped(
            "condition_as_bool",
            "a condition is data: join with & and |, negate with not_()",
            "a path cannot be tested here, its value is known only in a run",
        )

    def __repr__(self) -> str:
        return f"<path {object.__getattribute__(self, '_Path__recorded').text}>"


def _as_value(*_: object, **__: object) -> NoReturn:
    raise stopped("path_as_value", _AS_VALUE)


for _name in (
    *(
        [
            "str",
            "format",
            "len",
            "iter",
            "next",
            "reversed",
            "contains",
            "call",
            "int",
            "float",
            "complex",
            "index",
            "bytes",
            "delitem",
        ]
    ),
    *(
        [
            "setitem",
            "delattr",
            "neg",
            "pos",
            "abs",
            "round",
            "trunc",
            "floor",
            "ceil",
            "divmod",
            "rdivmod",
            "enter",
            "aenter",
        ]
    ),
    *(
        [
            "add",
            "sub",
            "mul",
            "matmul",
            "truediv",
            "floordiv",
            "mod",
            "pow",
            "lshift",
            "rshift",
            "xor",
        ]
    ),
    *(
        [
            "radd",
            "rsub",
            "rmul",
            "rmatmul",
            "rtruediv",
            "rfloordiv",
            "rmod",
            "rpow",
            "rlshift",
            "rrshift",
            "rxor",
        ]
    ),
    *(["await", "aiter"]),
):
    setattr(Path, f"__{_name}__", _as_value)


# -- going down --


def _below(recorded: Recorded, name: str, written: str) -> Path:
    hint = _member_hint(recorded, name, written)
    place = evolve(recorded.place, below=(*recorded.place.below, name))
    if hint is None:
        return Path(evolve(recorded, place=place, hint=Any, broken=True))
    if recorded.optional:
        hint = union_of((hint, type(None)))
    return Path(evolve(recorded, place=place, hint=hint))


def _member_hint(recorded: Recorded, name: str, written: str) -> object | None:
    """The type one name down; `None` once a problem has been noted."""
    hint = _single(recorded.hint)
    if _is_open(recorded):
        return Any
    cls = record_class(hint)
    if cls is None and read_by_key(hint):
        _, value = get_args(hint) or (str, Any)
        return cast("object", value)
    if cls is not None:
        try:
            found = record_members(hint, recorded.place.source._names)
        except NameError as exc:
            message = f"{name_of(hint)} cannot be read: {exc}"
            note(recorded.place.source, "invalid_contract", message)
            return None
        if name in found:
            return found[name].hint
        fields = list(found)
    else:
        fields = []
    kind = get_origin(hint) or hint
    if hasattr(kind, name):
        raise stopped(
            "path_as_value", f"{written}: {_AS_VALUE}", f"{recorded.text} is {name_of(hint)}"
        )
    if name.startswith("_"):  # what notebooks and debuggers ask for
        raise AttributeError(name)
    note(
        recorded.place.source,
        "unknown_field",
        f"'{name}' is not a field of {name_of(hint)}",
        suggestion(name, fields),
    )
    return None


def _by_key_attribute(recorded: Recorded, name: str) -> object:
    hint = _single(recorded.hint)
    if name == "get":
        return lambda key, default=None: _get(recorded, key, default)
    if record_class(hint) is not None and name in record_members(
        hint, recorded.place.source._names
    ):
        raise stopped("path_as_value", f'{name_of(hint)} is read by key: write ["{name}"]')
    if hasattr(get_origin(hint) or hint, name):
        raise stopped("path_as_value", f".{name}: {_AS_VALUE}")
    return _below(recorded, name, f".{name}")


def _get(recorded: Recorded, key: str, default: object) -> Path:
    below = recorded_of(_below(recorded, key, f'.get("{key}")'))
    assert below is not None, "_below answers with a path"  # noqa: S101
    hint = union_of((below.hint, type(None))) if default is None else below.hint
    return Path(evolve(below, optional=True, default=default, hint=hint))


def _single(hint: object) -> object:
    """The only member beside `None`; checkers see to it that nothing else is read from."""
    parts = without_none(hint)
    return bare(parts[0]) if len(parts) == 1 else hint


def _is_open(recorded: Recorded) -> bool:
    return recorded.broken or _single(recorded.hint) in {Any, object}


# -- comparing --

_BAD = object()


def _comparison(recorded: Recorded, operator: Operator, operand: object) -> Condition:
    if recorded.broken:
        return Condition(Unknown())
    return Condition(Comparison(place=recorded.place, operator=operator, operand=operand))


def _ordered(path: Path, operator: Operator, other: object) -> Condition:
    recorded: Recorded = object.__getattribute__(path, "_Path__recorded")
    kinds = {bare(kind) for kind in without_none(recorded.hint)}
    if not _is_open(recorded) and not kinds <= _NUMBERS and recorded_of(other) is None:
        note(
            recorded.place.source,
            "invalid_operand",
            f"{recorded.text} is {name_of(recorded.hint)}; only numbers have an order",
        )
        return Condition(Unknown())
    return _equal(path, operator, other)


def _equal(path: Path, operator: Operator, other: object) -> Condition:
    recorded: Recorded = object.__getattribute__(path, "_Path__recorded")
    operand = _operand(recorded, other)
    return Condition(Unknown()) if operand is _BAD else _comparison(recorded, operator, operand)


def _operand(recorded: Recorded, other: object) -> object:
    """The JSON form of a constant; `_BAD` once a problem has been noted."""
    if recorded_of(other) is not None:
        return _bad(recorded, "path_with_path", "two paths cannot be compared", _AS_VALUE)
    if isinstance(other, Condition):
        return _bad(recorded, "invalid_operand", "a path cannot be compared with a condition")
    if other is None:
        instead = f"write is_missing({recorded.text}) or not_(is_missing({recorded.text}))"
        return _bad(recorded, "invalid_operand", "a missing value is not compared", instead)
    hint = Any if _is_open(recorded) else recorded.hint
    if record_class(_single(hint)) is not None:
        message = f"{recorded.text} is a whole {name_of(hint)}"
        return _bad(recorded, "invalid_operand", message, "compare one of its fields")
    kinds = {bare(kind) for kind in without_none(hint)}
    if kinds & _NUMBERS and type(other) in _NUMBERS:
        return other
    try:
        return encode(other, hint)
    except ContractMismatch as exc:
        message = f"{recorded.text} is {name_of(hint)}, not {name_of(type(other))}"
        if fits(other, type(other)) and any(get_origin(kind) is Literal for kind in kinds):
            message = f"{recorded.text} is never {other!r}"
        return _bad(recorded, "invalid_operand", message, f"expected {exc.problems[0].expected}")


def _bad(recorded: Recorded, code: str, message: str, hint: str = "") -> object:
    note(recorded.place.source, code, message, hint)
    return _BAD
