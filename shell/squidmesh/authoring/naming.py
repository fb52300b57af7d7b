"""Names that stored definitions use: of the functions behind steps."""

from functools import partial

from squidmesh.authoring.frames import Location
from squidmesh.authoring.modules import qualified_name
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.signature import Function
from squidmesh_core.definition.reading.source import shown
from squidmesh_core.ids import is_action_key


def action_key(
    source: Source,
    fn: Function,
    fixed: object,
    *,
    option: str = "action",
    location: Location | None = None,
) -> str:
    """The key of a function; a lambda or `partial` has none of its own."""
    is_nameless = isinstance(fn, partial) or "<lambda>" in getattr(fn, "__qualname__", "<lambda>")
    if fixed is None and is_nameless:
        key, what = None, f"{_called(fn)} has no name to be stored by"
    else:
        key = qualified_name(fn) if fixed is None else fixed
        what = f"{shown(key)} is no action key"
    if not isinstance(key, str) or not is_action_key(key):
        example = '"billing.charge"' if option == "action" else '["billing.charge"]'
        note(
            source,
            "invalid_action_key",
            what,
            f"fix one:  {option}={example}   (letters from a to z, digits and _ . < > -)",
            tail=(option,),
            location=location or source._location,
        )
        return "unnamed"
    return key


def _called(fn: Function) -> str:
    if isinstance(fn, partial):
        return "a partial"
    name = getattr(fn, "__name__", "")
    return "a lambda" if name == "<lambda>" else f"an instance of {type(fn).__name__}"
