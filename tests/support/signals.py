"""Strategies for signals, and for data that resembles them and is none."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from hypothesis import strategies as st

from squidmesh_core.protocol import signals as make
from squidmesh_core.protocol.signals import Signal
from squidmesh_core.protocol.signals.making import Envelope, Said
from squidmesh_core.protocol.signals.members import MEMBERS

RUN: Final = "0193e2a0-7b3c-7d10-8f00-123456789abc"

_letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_texts = st.text(_letters, min_size=1, max_size=6)
_names = st.sampled_from(["type", "run_id", "payload", "token", "$int", "$map", "a"]) | _texts
_numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
#: What a journal can store.
values: Final[st.SearchStrategy[object]] = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=6,
)
maps: Final[st.SearchStrategy[dict[str, object]]] = st.dictionaries(_names, values, max_size=3)
#: What no journal can store, and no JSON reader gives.
_oddities: st.SearchStrategy[object] = st.sampled_from(
    [float("nan"), float("inf"), "\0", "\ud800", Decimal(1), {1}, {1: 2}, {None: 0}, b"x", object]
)
#: Anything at all.
garbage: Final = st.recursive(
    values | _oddities,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner, max_size=2),
    max_leaves=4,
)
instants: Final = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001  # bounds are naive, zones are drawn
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001  # as above
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Any signal of any kind."""
    optional = st.none() | _texts
    run, node, at = draw(st.sampled_from([RUN, RUN.upper()])), draw(optional), draw(instants)
    form = draw(st.none() | maps)
    flag = st.none() | st.booleans()
    envelope = Envelope(metadata=draw(maps), idempotency_key=draw(optional))
    said = Said(**envelope, by=draw(_texts | maps.filter(bool)), note=draw(st.none() | _texts))
    match draw(st.sampled_from(sorted(MEMBERS))):
        case "start":
            return make.start(draw(_texts), node, draw(maps), occurred_at=at, **envelope)
        case "approve":
            return make.approve(run, node=node, form=form, occurred_at=at, **said)
        case "reject":
            return make.reject(run, node=node, form=form, occurred_at=at, **said)
        case "pause":
            return make.pause(run, occurred_at=at, **said)
        case "resume":
            return make.resume(run, node=node, occurred_at=at, **said)
        case "cancel":
            undo, stop = draw(flag), draw(flag)
            return make.cancel(run, compensate=undo, abandon=stop, occurred_at=at, **said)
        case "replay":
            return make.replay(
                run,
                from_step=node,
                allow_irreversible=draw(flag),
                definition=draw(st.sampled_from([None, "source", "current"])),
                occurred_at=at,
                **said,
            )
        case "retry_compensation":
            return make.retry_compensation(run, occurred_at=at, **said)
        case _:
            return make.send(run, draw(_texts), draw(values), occurred_at=at, **said)


@st.composite
def damaged(draw: st.DrawFn, data: dict[str, object]) -> object:
    """The data with one thing in it, at any depth, taken out, put in or replaced."""
    if not data or draw(st.integers(0, 9)) == 0:
        return draw(garbage)
    name = draw(st.sampled_from(sorted(data)) | _names)
    inner = data.get(name)
    if isinstance(inner, dict) and draw(st.booleans()):
        return {**data, name: draw(damaged(inner))}
    if name in data and draw(st.booleans()):
        return {other: value for other, value in data.items() if other != name}
    return {**data, name: draw(garbage)}
