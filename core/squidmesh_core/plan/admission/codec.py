"""
Settings and lane states as canonical JSON, which is how records keep them.

Members at their default are left out.  A member that a newer squidmesh has
added limits nothing here: settings keep it for whoever knows it, a lane's state,
which each claim writes anew, drops it.  Settings that cannot be read at all stop
their queue, where somebody will look; a state that cannot be read begins anew.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar, get_origin

from attrs import evolve, fields_dict

from squidmesh_core.canonical import decode, encode
from squidmesh_core.plan.admission.records import LaneState, Paused, QueueSettings
from squidmesh_core.protocol.wire import instant_from_text, instant_to_text

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

#: What is said of a queue whose settings cannot be read.
UNREADABLE: Final = (
    "the settings of this queue cannot be read; set its limits again, then resume it"
)
_STOPPED: Final = QueueSettings(
    paused=Paused(at=datetime(1970, 1, 1, tzinfo=UTC), by="squidmesh", note=UNREADABLE)
)
_KNOWN: Final = frozenset(fields_dict(QueueSettings)) - {"unknown"}


def settings_to_text(settings: QueueSettings) -> str:
    """The text that a record keeps."""
    data: dict[str, object] = _converter().unstructure(evolve(settings, unknown={}))
    return encode({**settings.unknown, **data})


def settings_from_text(text: str) -> QueueSettings:
    """What limits the queue; if that cannot be read, nothing may start."""
    try:
        data = decode(text)
        if not isinstance(data, dict):
            return _STOPPED
        known = {name: value for name, value in data.items() if name in _KNOWN}
        settings = _structure(known, QueueSettings)
    except ValueError:
        return _STOPPED
    return evolve(
        settings, unknown={name: value for name, value in data.items() if name not in _KNOWN}
    )


def state_to_text(state: LaneState) -> str:
    """The text that a record keeps."""
    return encode(_converter().unstructure(state))


def state_from_text(text: str | None) -> LaneState:
    """What earlier claims left; nothing if there is no text, or none that can be read."""
    try:
        return LaneState() if text is None else _structure(decode(text), LaneState)
    except ValueError:
        return LaneState()


def _structure(data: object, kind: type[T]) -> T:
    try:
        return _converter().structure(data, kind)
    except Exception as exc:  # cattrs raises a dozen kinds, several of them bare
        raise ValueError(f"the data is no {kind.__name__}: {exc!r}") from exc


@cache
def _converter() -> "Converter":
    from cattrs import Converter  # most journals have no queue that is set up

    made = Converter(
        omit_if_default=True,
        detailed_validation=False,
        unstruct_collection_overrides={tuple: list},
    )
    made.register_unstructure_hook(datetime, instant_to_text)
    made.register_structure_hook(datetime, lambda data, _: instant_from_text(data))
    made.register_structure_hook(int, _exactly)
    made.register_structure_hook(str, _exactly)
    # By predicate: a hook for `object` itself would catch every type there is.
    made.register_structure_hook_func(lambda hint: hint is object, lambda data, _: data)
    made.register_unstructure_hook_func(lambda hint: hint is object, lambda value: value)
    made.register_structure_hook_func(_is_mapping, lambda data, _: _object(data))
    return made


def _is_mapping(hint: object) -> bool:
    return get_origin(hint) is Mapping


def _exactly(data: object, kind: type[T]) -> T:
    # cattrs would make a number of a text; a boolean is no integer here.
    if type(data) is kind:
        return data
    raise ValueError(f"expected {kind.__name__}, not {data!r}")


def _object(data: object) -> dict[object, object]:
    if isinstance(data, dict):
        return data
    raise ValueError(f"expected an object, not {data!r}")
