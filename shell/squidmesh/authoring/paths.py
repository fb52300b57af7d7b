"""
The recording path: what `placed.payload` and `node.out` are at run time.

Checkers see the real type, so `risk.out.score < 30` is `int < int` to them.
At run time every step of it is recorded, and checked against the contract.
A path has no public names, so no field is ever shadowed.
"""

from collections.abc import Collection
from typing import Any, Final, NoReturn, TypeVar, cast

from attrs import evolve

from squidmesh.authoring.comparing import compared, comparison, is_one_of, is_true, ordered
from squidmesh.authoring.conditions import (
    AS_BOOL,
    Condition,
    Negated,
    Place,
    expression_of,
    join,
)
from squidmesh.authoring.hints import union_of
from squidmesh.authoring.notes import Source, stopped
from squidmesh.authoring.recording import AS_VALUE, Recorded

T = TypeVar("T")


def recorded_of(value: object) -> Recorded | None:
    """What a path has recorded; `None` for anything else."""
    if type(value) is not Path:
        return None
    return _recorded(value)


def path_to(source: Source, hint: object) -> Any:
    """A new path; declared `Any` because it stands for a value of the hint's type."""
    return Path(Recorded(place=Place(source=source), hint=hint))


def maybe(x: T) -> T | None:
    """
    A path whose value may be missing; the parameter then gets `None`.

    Raises:
        DefinitionError: It is not a path.
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
        DefinitionError: The first argument is not a path.
    """
    recorded = recorded_of(x)
    if recorded is None:
        raise stopped("constant_condition", "is_in() takes a path first, then the choices")
    return cast("bool", is_one_of(recorded, choices))


def is_missing(x: object) -> bool:
    """
    Whether there is no value at a path, or null.

    Raises:
        DefinitionError: It is not a path.
    """
    recorded = recorded_of(x)
    if recorded is None:
        raise stopped("constant_condition", "is_missing() takes a path")
    return cast("bool", comparison(recorded, "is_missing", True))


class Path:
    """A place in the run context, recorded; see the module's docstring."""

    __slots__ = ("__recorded",)
    __hash__ = None  # type: ignore[assignment]  # data, not a key

    def __init__(self, recorded: Recorded) -> None:
        object.__setattr__(self, "_Path__recorded", recorded)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what copy, pickle, inspect and notebooks ask for
            raise AttributeError(name)
        recorded = _recorded(self)
        if recorded.is_read_by_key:
            if name == "get":
                return lambda key, default=None: Path(recorded.get(key, default))
            recorded.refuse_attribute(name)
        return Path(recorded.below(name))

    def __getitem__(self, key: object) -> "Path":
        recorded = _recorded(self)
        if isinstance(key, str) and (recorded.broken or recorded.is_read_by_key):
            return Path(recorded.below(key))
        raise stopped("path_as_value", AS_VALUE)

    def __setattr__(self, name: str, value: object) -> None:
        raise stopped("path_as_value", AS_VALUE)

    def __lt__(self, other: object) -> Condition:
        return ordered(_recorded(self), "less_than", other)

    def __le__(self, other: object) -> Condition:
        return ordered(_recorded(self), "at_most", other)

    def __gt__(self, other: object) -> Condition:
        return ordered(_recorded(self), "greater_than", other)

    def __ge__(self, other: object) -> Condition:
        return ordered(_recorded(self), "at_least", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # recorded
        return compared(_recorded(self), "equals", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # recorded
        return compared(_recorded(self), "not_equals", other)

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
        return is_true(_recorded(self))

    def __bool__(self) -> bool:
        raise stopped(
            "condition_as_bool",
            AS_BOOL,
            "a path cannot be tested here, its value is known only in a run",
        )

    def __repr__(self) -> str:
        return f"<path {_recorded(self).text}>"


def _as_value(*_: object, **__: object) -> NoReturn:
    raise stopped("path_as_value", AS_VALUE)


#: What values can do and a path cannot, by the special method.
_USES: Final = """
    str format len iter next reversed contains call int float complex index bytes delitem
    setitem delattr neg pos abs round trunc floor ceil divmod rdivmod enter aenter
    add sub mul matmul truediv floordiv mod pow lshift rshift xor
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rpow rlshift rrshift rxor
    await aiter
"""
for _use in _USES.split():
    setattr(Path, f"__{_use}__", _as_value)


def _recorded(path: "Path") -> Recorded:
    return cast("Recorded", object.__getattribute__(path, "_Path__recorded"))
