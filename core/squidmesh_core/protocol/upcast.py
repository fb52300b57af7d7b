"""
Old versions of entries, brought up to date one step at a time.

A journal is never rewritten: an entry stays as it was written, and is read
through one function for each version since.  Adding a version means: raise it
in `wire.VERSIONS`, add the step here, keep the golden files of the old one.
There is none yet, every type being at its first version.
"""

from collections.abc import Callable, Mapping
from typing import Final

#: Takes the members (without `type` and `v`) of one version, returns those of the next.
Upcast = Callable[[Mapping[str, object]], Mapping[str, object]]

#: (wire type, version) → the step to the version after it.
UPCASTS: Final[dict[tuple[str, int], Upcast]] = {}


def upcast(
    members: Mapping[str, object], wire_type: str, *, version: int, present: int
) -> Mapping[str, object]:
    """
    The members of an entry as today's version has them.

    Args:
        members: The entry's members without `type` and `v`.
        wire_type: Its type.
        version: The version it was written in, less than the present one.
        present: The version to reach.

    Raises:
        ValueError: No such version was ever written.
    """
    for at in range(version, present):
        step = UPCASTS.get((wire_type, at))
        if step is None:
            raise ValueError(f"{wire_type} has no version {at}")
        members = step(members)
    return members
