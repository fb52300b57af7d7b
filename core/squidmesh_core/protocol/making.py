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
from functools import cache, wraps
from typing import Any, TypeVar, cast

import attrs

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


def quick(cls: type[T]) -> type[T]:
    """
    Give a record class a constructor that takes half the time: for what every step makes.

    It lets the members be set, by an instruction each, and closes the record before
    anybody sees it.  It is written when the first record is made: an import waits for none.
    Whoever extends such a class has attrs write the constructor of theirs.

    Raises:
        TypeError: The constructor has to do more, or takes members by their place.
    """
    record = cast("Any", cls)
    named = (one.kw_only and one.init and one.alias == one.name for one in attrs.fields(record))
    if not only_sets(cls) or not all(named):
        raise TypeError(f"the constructor of {cls.__name__} does more than set what it is given")
    usual = record.__init__

    @wraps(usual)
    def first(self: object, **members: object) -> None:
        record.__init__ = wraps(usual)(_constructor(cls))
        record.__init__(self, **members)

    record.__init__ = first
    return cls


def _constructor(cls: type) -> Callable[..., None]:
    given: dict[str, object] = {
        "_become": object.__dict__["__class__"].__set__,
        "_cls": cls,
        "_twin": open_twin(cls),
        "_nothing": attrs.NOTHING,
    }
    parameters, values = list[str](), dict[str, str]()
    for field in attrs.fields(cls):
        name, made = field.name, default(field, given) if _has_default(field) else ""
        if made.endswith("()"):
            parameters.append(f"{name}=_nothing")
            values[name] = f"{made} if {name} is _nothing else {name}"
        else:
            parameters.append(f"{name}={made}" if made else name)
            values[name] = name
    lines = (
        f"def construct(_record, *, {', '.join(parameters)}):",
        "_become(_record, _twin)",
        *(f"_record.{name} = {value}" for name, value in values.items()),
        "_record.__class__ = _cls",
    )
    exec("\n    ".join(lines), given)  # noqa: S102  # as above
    return cast("Callable[..., None]", given["construct"])


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
