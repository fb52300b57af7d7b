"""
The two forms of a spec and the ways between them.

    dict ── read_spec ──▶ Spec ── spec_to_dict ──▶ dict
    text ── read_text ──▶ Spec ── spec_to_text ──▶ text

The text is what storage keeps: its SHA-256 is the fingerprint.
"""

from squidmesh_core.canonical import decode_strict, restore
from squidmesh_core.definition.fingerprint import spec_to_text
from squidmesh_core.definition.problem import Problem, errors_of
from squidmesh_core.definition.reading.document import read_members
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.validate import judge
from squidmesh_core.definition.writing import spec_to_dict

__all__ = ["read_spec", "read_text", "spec_to_dict", "spec_to_text"]


def read_spec(data: object) -> tuple[Spec | None, tuple[Problem, ...]]:
    """
    The spec that untrusted JSON-like data describes, and every problem at once.

    What is left out is derived (defaults, `entry_steps`); there is no spec
    unless all problems are warnings.  Never raises.
    """
    spec, found = read_members(data)
    if spec is not None:
        found = (*found, *judge(spec))
    return (None if errors_of(found) else spec), found


def read_text(text: str) -> tuple[Spec | None, tuple[Problem, ...]]:
    """
    The spec in a stored or edited JSON text; see `read_spec`.

    Integers and maps that `spec_to_text` tagged come back as they were.
    """
    try:
        data = decode_strict(text)
    except ValueError as error:
        return None, (Problem(path=(), code="invalid_spec", message=f"no JSON: {error}"),)
    return read_spec(restore(data))
