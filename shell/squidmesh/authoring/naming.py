"""Names that stored definitions use: of workflows, and of the functions behind steps."""

import sys
from functools import partial
from pathlib import Path

from squidmesh.authoring.frames import Location
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.signature import Function
from squidmesh_core.ids import is_action_key


def qualified_name(subject: object) -> str:
    """`module.qualname`, without `<locals>.`, and with the file's stem for `__main__`."""
    module = getattr(subject, "__module__", None) or ""
    name = getattr(subject, "__qualname__", type(subject).__qualname__)
    if module == "__main__":
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        module = Path(file).stem if file else "__main__"
    return f"{module}.{name}".replace("<locals>.", "")


def action_key(
    source: Source, fn: Function, fixed: str | None, location: Location | None = None
) -> str:
    """The key of a function; a lambda or `partial` has none of its own."""
    if fixed is not None:
        key = fixed
    elif isinstance(fn, partial) or "<lambda>" in getattr(fn, "__qualname__", "<lambda>"):
        key = ""
    else:
        key = qualified_name(fn)
    if not is_action_key(key):
        what = f"'{key}' is no action key" if key else f"{_called(fn)} has no name to be stored by"
        note(
            source,
            "invalid_action_key",
            what,
            'fix one:  action="billing.charge"   (letters, digits and _ . < > -)',
            tail=("action",),
            location=location or source._location,
        )
        return "unnamed"
    return key


def _called(fn: Function) -> str:
    if isinstance(fn, partial):
        return "a partial"
    name = getattr(fn, "__name__", "")
    return "a lambda" if name == "<lambda>" else f"an instance of {type(fn).__name__}"
