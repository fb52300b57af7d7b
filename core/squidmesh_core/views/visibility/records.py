"""
Redaction of records: what becomes of each member of a class for a scope, found out once.

A copy keeps what the scope sees, redacts the records inside, and has in every other
place a value of the member's type that tells nothing.  A record of which all may be
seen is its own copy: of a long run most are.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Literal, NewType, Union, cast, get_args, get_origin

import attrs

from squidmesh_core.values.scope import Scope, sees
from squidmesh_core.views.visibility.copying import Changes
from squidmesh_core.views.visibility.hiding import Make, hidden
from squidmesh_core.views.visibility.rules import Edit, Partly, Table

_ATOMS = frozenset({str, int, float, bool, NoneType})


def changes_of(cls: type, table: Table, scope: Scope) -> Changes:
    """What becomes of the members of a class; one without a rule is hidden."""
    concealed: dict[str, Make] = {}
    edited: dict[str, Edit] = {}
    deep: list[str] = []
    for field in attrs.fields(cls):
        edit, seen = how(table.get(field.name, "auditor"), scope)
        if not seen and edit is not None:
            edited[field.name] = edit
        elif not seen:
            concealed[field.name] = hidden(field.type)
        elif not _is_flat(field.type):
            deep.append(field.name)
    return Changes(hidden=concealed, edited=edited, deep=tuple(deep))


def how(rule: object, scope: Scope) -> tuple[Edit | None, bool]:
    """What makes the part of a member that a scope sees, and whether it sees the whole."""
    if isinstance(rule, Partly):
        return (None, True) if scope == "auditor" else (rule.edit(scope), False)
    return None, sees(scope, cast("Scope", rule))


def loose(members: Mapping[str, object]) -> dict[str, object]:
    """A map of counts, names or words as it is shown: what is no such thing is left out."""
    return {name: member for name, member in members.items() if type(member) in _ATOMS}


def _is_flat(hint: object) -> bool:
    """Whether values of a type hold nothing inside."""
    if isinstance(hint, NewType):
        return _is_flat(hint.__supertype__)
    if get_origin(hint) in {Union, UnionType, tuple}:
        return all(_is_flat(argument) for argument in get_args(hint) if argument is not ...)
    flat = {str, int, float, bool, NoneType, datetime, timedelta}
    return get_origin(hint) is Literal or hint in flat
