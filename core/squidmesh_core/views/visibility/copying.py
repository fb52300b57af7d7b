"""
The quick way to a record like another but for some members.

A frozen record lets nobody set its members, so its constructor makes a call for each of
them, which for an attempt is most of the time that inspection takes.  A copy is therefore
begun as a record of an open twin of its class, whose members are set by one instruction
each, and becomes one of its class at the end: a tenth of the time, and nobody sees it
before.  One function per class and scope is written when it is first needed, as
`protocol.texts` writes its own; where an input is hidden, and an error holds something
that may be:

    def copied(record):
        new_error = record.error
        if new_error is not None: new_error = inside(new_error)
        if record.input is None and new_error is record.error: return record
        copy = twin()
        copy.key = record.key
        copy.input = None
        copy.error = new_error
        copy.__class__ = cls
        return copy
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import attrs

from squidmesh_core.protocol.making import open_twin
from squidmesh_core.views.visibility.hiding import Make
from squidmesh_core.views.visibility.rules import Edit

#: Gives a record as somebody may see it: the record itself where nothing is to be changed.
Copied = Callable[[object], object]


@attrs.frozen(kw_only=True)
class Changes:
    """What of the records of a class is not as it was; every other member is."""

    #: Hidden members → what makes the value in the place of each.
    hidden: Mapping[str, Make]
    #: Members of which a part is shown → what makes it.
    edited: Mapping[str, Edit]
    #: Members that are seen, and may hold something to be changed.
    deep: tuple[str, ...]


def copier(cls: type, changes: Changes, inside: Copied) -> Copied:
    """
    A function that copies what has the members of a class, as a record of that class.

    Args:
        cls: A frozen record class.
        changes: What becomes of its members.
        inside: What becomes of that which deep members hold.
    """
    source = _Source(cls, changes, inside)
    exec(source.text, source.names)  # noqa: S102  # written here, of names that stand in this package
    return cast("Copied", source.names["copied"])


class _Source:
    """The text of one function, and what it refers to."""

    def __init__(self, cls: type, changes: Changes, inside: Copied) -> None:
        self.names: dict[str, object] = {
            "cls": cls,
            "inside": inside,
            "of": partial,
            "twin": open_twin(cls),
        }
        #: What is found out first, and when nothing is to be changed.
        self._first: list[str] = []
        self._same: list[str] = []
        values = {field.name: self._value(field.name, changes) for field in attrs.fields(cls)}
        lines = (
            "def copied(record):",
            *self._first,
            f"if {' and '.join(self._same) or True}: return record",
            "copy = twin()",
            *(f"copy.{name} = {value}" for name, value in values.items()),
            "copy.__class__ = cls",
            "return copy",
        )
        self.text = "\n    ".join(lines)

    def _value(self, name: str, changes: Changes) -> str:
        """What a copy has as this member."""
        member, new = f"record.{name}", f"new_{name}"
        if name in changes.hidden:
            blank = self._blank(name, changes.hidden[name])
            self._same.append(f"{member} {'is' if blank == 'None' else '=='} {blank}")
            return blank
        if name in changes.edited:
            self.names[f"part_of_{name}"] = changes.edited[name]
            self._first.append(f"{new} = part_of_{name}(of(getattr, record))")
        elif name in changes.deep:
            self._first.append(f"{new} = {member}")
            self._first.append(f"if {new} is not None: {new} = inside({new})")
        else:
            return member
        self._same.append(f"{new} is {member}")
        return new

    def _blank(self, name: str, make: Make) -> str:
        """What stands for a hidden member; a map is another one each time, for hosts to keep."""
        blank = make()
        if blank is None or blank == {}:
            return repr(blank)
        self.names[f"blank_of_{name}"] = blank
        return f"blank_of_{name}"
