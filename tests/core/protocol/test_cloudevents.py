"""Signals as CloudEvents: what goes out, what comes in, what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.canonical import storable
from squidmesh_core.errors import PayloadError
from squidmesh_core.protocol import signals
from squidmesh_core.protocol.cloudevents import from_cloudevent, to_cloudevent
from squidmesh_core.protocol.signals import Signal, signal_from_json, signal_to_json
from support.signals import RUN, damaged, garbage
from support.signals import signals as any_signal

DATA: dict[str, object] = {
    "type": "approve",
    "payload": {"run_id": RUN, "actor": "ana"},
    "occurred_at": "2026-11-21T12:00:00.000000Z",
    "idempotency_key": "k-1",
}
SIGNAL = signal_from_json(DATA)
NOON = SIGNAL.occurred_at
EVENT = to_cloudevent(SIGNAL)
NUMBERED = dict[object, object]([*EVENT.items(), (7, "00")])


def without(name: str) -> dict[str, object]:
    """The event without an attribute."""
    return {key: value for key, value in EVENT.items() if key != name}


@given(signal=any_signal())
def test_a_signal_survives_its_event(signal: Signal) -> None:
    """Through text and back, every value is what it was."""
    assert signal == from_cloudevent(json.loads(json.dumps(to_cloudevent(signal))))


def test_the_layout_of_an_event() -> None:
    """The names on the wire, which brokers route by."""
    assert {
        "specversion": "1.0",
        "id": EVENT["id"],
        "source": "/squidmesh/runtime/commands",
        "type": "squidmesh.runtime.command.approve",
        "subject": RUN,
        "time": "2026-11-21T12:00:00.000000Z",
        "datacontenttype": "application/vnd.squidmesh.runtime-signal+json",
        "data": DATA,
    } == EVENT


def test_a_start_is_about_its_workflow() -> None:
    """There is no run yet that it could be about."""
    signal = signals.start("Orders", "placed", {}, occurred_at=NOON)

    assert "Orders" == to_cloudevent(signal)["subject"]


def test_the_same_signal_is_the_same_event() -> None:
    """A redelivery has the same id; the same key for another run, verb or person has not."""
    other_run = RUN.replace("abc", "abd")
    ids = {
        to_cloudevent(signal)["id"]
        for signal in (
            SIGNAL,
            signal_from_json(signal_to_json(SIGNAL)),
            signals.approve(RUN, by="bob", idempotency_key="k-1", occurred_at=NOON),
            signals.reject(RUN, by="ana", idempotency_key="k-1", occurred_at=NOON),
            signals.approve(other_run, by="ana", idempotency_key="k-1", occurred_at=NOON),
        )
    }

    assert 4 == len(ids)


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "id": "17"},
        {**EVENT, "subject": RUN.upper()},
        {**EVENT, "time": "2026-11-21T13:00:00+01:00"},
        without("time"),
        without("datacontenttype"),
        {**EVENT, "time": None, "datacontenttype": None, "dataschema": None, "data_base64": None},
        {**EVENT, "traceparent": "00-ab-cd-01", "partitionkey": "p", "sampledrate": 5, "hot": True},
        {**EVENT, "dataschema": "https://example.com/signal.json"},
    ],
)
def test_what_brokers_do_to_an_event_is_borne(event: dict[str, object]) -> None:
    """Other ids, other offsets, extensions, absent and null attributes: still the same signal."""
    assert SIGNAL == from_cloudevent(event)


REFUSED: list[tuple[object, str, str]] = [
    (None, "event", "expected_map"),
    ([EVENT], "event", "expected_map"),
    (SIGNAL, "event", "expected_map"),
    ({}, "specversion", "missing"),
    ({**EVENT, "specversion": "0.3"}, "specversion", "unsupported"),
    ({**EVENT, "specversion": 1.0}, "specversion", "expected_non_empty_string"),
    (without("id"), "id", "missing"),
    ({**EVENT, "id": None}, "id", "missing"),
    ({**EVENT, "id": ""}, "id", "expected_non_empty_string"),
    (without("source"), "source", "missing"),
    ({**EVENT, "source": "/elsewhere"}, "source", "unsupported"),
    (without("type"), "type", "missing"),
    ({**EVENT, "type": "squidmesh.runtime.command.claim"}, "type", "unsupported"),
    ({**EVENT, "type": "approve"}, "type", "unsupported"),
    ({**EVENT, "type": ["approve"]}, "type", "expected_non_empty_string"),
    ({**EVENT, "type": "squidmesh.runtime.command.reject"}, "type", "mismatch"),
    (without("data"), "data", "missing_signal_payload"),
    ({**EVENT, "data": {}}, "data", "missing_signal_payload"),
    ({**EVENT, "data": "{}"}, "data", "missing_signal_payload"),
    ({**without("data"), "data_base64": "e30="}, "data", "missing_signal_payload"),
    ({**EVENT, "data": {"payload": {}}}, "type", "missing"),
    ({**EVENT, "data": {**DATA, "type": "claim"}}, "type", "mismatch"),
    ({**EVENT, "data": {"type": "approve"}}, "payload", "missing"),
    ({**EVENT, "data": {**DATA, "payload": []}}, "payload", "expected_map"),
    ({**EVENT, "data": {**DATA, "payload": {"run_id": RUN}}}, "actor", "missing"),
    ({**EVENT, "data": {**DATA, "payload": {"actor": "ana"}}}, "run_id", "missing"),
    ({**EVENT, "data": {**DATA, "occurred_at": 0}}, "occurred_at", "expected_datetime"),
    ({**EVENT, "data": {**DATA, "urgent": True}}, "urgent", "unsupported"),
    (without("subject"), "subject", "missing"),
    ({**EVENT, "subject": RUN.replace("abc", "abd")}, "subject", "mismatch"),
    ({**EVENT, "subject": 17}, "subject", "expected_non_empty_string"),
    ({**EVENT, "time": "2026-11-21T12:00:01Z"}, "time", "mismatch"),
    ({**EVENT, "time": "noon"}, "time", "expected_datetime"),
    ({**EVENT, "datacontenttype": "text/plain"}, "datacontenttype", "unsupported"),
    ({**EVENT, "trace_parent": "00"}, "trace_parent", "unsupported"),
    ({**EVENT, "Trace": "00"}, "Trace", "unsupported"),
    ({**EVENT, "trace": {"id": "00"}}, "trace", "unsupported"),
    ({**EVENT, "trace": 0.5}, "trace", "unsupported"),
    (NUMBERED, "<int>", "unsupported"),
]


@pytest.mark.parametrize(("data", "field", "reason"), REFUSED)
def test_the_first_wrong_attribute_is_named(data: object, field: str, reason: str) -> None:
    """One exception, with the field and the reason, and never with the value."""
    with pytest.raises(PayloadError) as caught:
        from_cloudevent(data)

    assert ("invalid_signal_adapter", 507) == (caught.value.code, caught.value.sm)
    assert {"field": field, "reason": reason} == caught.value.details
    assert f"{field}: {reason.replace('_', ' ')}. Nothing was written." in caught.value.message


def test_the_subject_of_a_start_is_its_workflow_exactly() -> None:
    """Run ids have no case, names have."""
    event = to_cloudevent(signals.start("Orders", "placed", {}, occurred_at=NOON))
    assert {"workflow": "Orders", "trigger": "placed", "input": {}} == from_cloudevent(
        event
    ).payload
    with pytest.raises(PayloadError) as caught:
        from_cloudevent({**event, "subject": "orders"})

    assert {"field": "subject", "reason": "mismatch"} == caught.value.details


def test_a_signal_built_by_hand_makes_an_event_that_agrees_with_itself() -> None:
    """A run id in capitals is written small, in the subject as in the data."""
    event = to_cloudevent(Signal(type="pause", payload={"run_id": RUN.upper()}, occurred_at=NOON))

    assert RUN == event["subject"]
    assert {"run_id": RUN} == from_cloudevent(event).payload


def test_an_event_is_made_of_a_signal_only() -> None:
    """Garbage is refused on the way out as well, as what it is."""
    with pytest.raises(PayloadError) as caught:
        to_cloudevent(Signal(type="pause", payload={}, occurred_at=NOON))

    assert "invalid_signal" == caught.value.code


@given(data=garbage)
def test_garbage_is_refused_with_one_exception(data: object) -> None:
    """Whatever it is, `PayloadError` says so and nothing else is raised."""
    with pytest.raises(PayloadError) as caught:
        from_cloudevent(data)

    assert "invalid_signal_adapter" == caught.value.code
    storable(caught.value.details)


@given(signal=any_signal(), data=st.data())
def test_a_damaged_event_is_read_or_refused(signal: Signal, data: st.DataObject) -> None:
    """Never another exception; what is still read survives its event."""
    read = outcome(data.draw(damaged(to_cloudevent(signal))))
    if isinstance(read, Signal):
        assert read == from_cloudevent(to_cloudevent(read))
    else:
        assert "invalid_signal_adapter" == read.code
        storable(read.details)


def outcome(data: object) -> Signal | PayloadError:
    """What reading the data leads to."""
    try:
        return from_cloudevent(data)
    except PayloadError as refused:
        return refused
