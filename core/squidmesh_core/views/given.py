"""
What hosts and steps gave, as they gave it.

A state holds values in the form that journals have them in, where large integers and
some maps are tagged (`canonical`).  Views show the values themselves; only what is shown
as an entry of a journal keeps the tags.
"""

from collections.abc import Mapping

from attrs import evolve

from squidmesh_core.canonical import ATOMS, restore
from squidmesh_core.protocol.entries import Failure, Unrecovered


def given(members: Mapping[str, object]) -> Mapping[str, object]:
    """Payloads, outputs and the like by their names; the names are the runtime's own."""
    if ATOMS.issuperset(map(type, members.values())):
        return members  # as most are, and this is seen sooner
    return {name: restore(value) for name, value in members.items()}


def given_whole(value: Mapping[str, object]) -> Mapping[str, object]:
    """A map that somebody gave, names and all."""
    restored = restore(value)
    return restored if isinstance(restored, Mapping) else value


def failure_given(failure: Failure | None) -> Failure | None:
    """What went wrong, with the details as the step gave them."""
    if failure is None or not failure.details:
        return failure
    return evolve(failure, details=given_whole(failure.details))


def left_given(recovery: tuple[Unrecovered, ...]) -> tuple[Unrecovered, ...]:
    """The same of what was left when a run ended."""
    return tuple(evolve(one, error=failure_given(one.error)) for one in recovery)
