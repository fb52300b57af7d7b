"""
The quick way to frozen records, of which a long run has thousands.

A frozen record lets nobody set its members, so its constructor makes a call for each of
them.  A record is therefore begun as one of an open twin of its class, whose members are
set by one instruction each, and becomes one of its class at the end: a tenth of the time,
and nobody sees it before.  The functions are written when they are first needed, as
attrs writes constructors; of a class with a required `at` and an optional `note`, of
which nothing but `at` is at hand:

    def make(rows):
        made = []
        for (its_at,) in rows:
            record = twin()
            record.at = its_at
            record.note = default_of_note
            record.__class__ = cls
            made.append(record)
        return made
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")

#: Rows of members, in the order of their names → a record of each.
Make = Callable[[Iterable[tuple[Any, ...]]], list[Any]]


@cache
def maker_of(cls: type, names: tuple[str, ...]) -> Make:
    """
    A function that makes a record of each row of these members; the others are at their default.

    Raises:
        TypeError: The class has no such members, or others that need a value.
    """
    fields = {field.name: field for field in attrs.fields(cls)}
    unknown = set(names) - fields.keys()
    missing = {name for name in fields.keys() - set(names) if not _has_default(fields[name])}
    if unknown or missing:
        raise TypeError(f"{cls.__name__} has no {sorted(unknown)}, and needs {sorted(missing)}")
    if not only_sets(cls):
        return lambda rows: [cls(**dict(zip(names, row, strict=True))) for row in rows]
    given: dict[str, object] = {"cls": cls, "twin": open_twin(cls)}
    values = {
        name: f"its_{name}" if name in names else default(fields[name], given) for name in fields
    }
    body = (
        "record = twin()",
        *(f"record.{name} = {value}" for name, value in values.items()),
        "record.__class__ = cls",
        "made.append(record)",
    )
    row = "".join(f"its_{name}," for name in names)
    lines = ("made = []", f"for ({row}) in rows:", *(f"    {line}" for line in body), "return made")
    text = "\n    ".join(("def make(rows):", *lines))
    exec(text, given)  # noqa: S102  # written here, of names that stand in this package
    return cast("Make", given["make"])


def quick(cls: Callable[P, T]) -> Callable[P, T]:
    """
    The constructor of a record class, written so that it takes a third of the time.

    Raises:
        TypeError: The constructor does more than set what it is given, or makes a default.
    """
    record = cast("type", cls)
    fields = attrs.fields(record)
    given: dict[str, object] = {"_cls": cls, "_twin": open_twin(record)}
    values = {one.name: default(one, given) for one in fields if _has_default(one)}
    if not only_sets(record) or any(value.endswith("()") for value in values.values()):
        raise TypeError(f"the constructor of {record.__name__} does more than set what it is given")
    names = [one.name for one in fields]
    parameters = [f"{name}={values[name]}" if name in values else name for name in names]
    lines = (
        f"def make(*, {', '.join(parameters)}):",
        "_record = _twin()",
        *(f"_record.{name} = {name}" for name in names),
        "_record.__class__ = _cls",
        "return _record",
    )
    exec("\n    ".join(lines), given)  # noqa: S102  # as above
    return cast("Callable[P, T]", given["make"])


def open_twin(cls: type) -> type:
    """
    A class of records that will be of another, and until then let their members be set.

    It adds none, so a record of it may become one of the other (the Python manual on
    assigning `__class__`).
    """
    freely = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, (cls,), {"__slots__": (), **freely})


def only_sets(cls: type) -> bool:
    """Whether the constructor of a record class does nothing but set what it is given."""
    plain = (field.validator is None and field.converter is None for field in attrs.fields(cls))
    hooks = ("__attrs_pre_init__", "__attrs_init__", "__attrs_post_init__")
    return all(plain) and not any(hasattr(cls, hook) for hook in hooks)


def default(field: "attrs.Attribute[Any]", given: dict[str, object]) -> str:
    """What a written function says for the default of a member, by a name that it is given."""
    name, factory = f"default_of_{field.name}", _factory_of(field)
    given[name] = field.default if factory is None else factory
    return name if factory is None else f"{name}()"


def default_of(field: "attrs.Attribute[Any]") -> object:
    """The default of a member, made if it has to be."""
    factory = _factory_of(field)
    return field.default if factory is None else factory()


def _factory_of(field: "attrs.Attribute[Any]") -> Callable[[], object] | None:
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]  # a class, typed as a function
        return cast("Callable[[], object]", cast("Any", field.default).factory)
    return None


def _has_default(field: "attrs.Attribute[Any]") -> bool:
    return field.default is not attrs.NOTHING
