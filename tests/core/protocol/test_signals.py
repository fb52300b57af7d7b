"""Signals: commands as data, there and back, and nothing else let in."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from squidmesh_core.canonical import storable
from squidmesh_core.errors import PayloadError
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol import requests, signals
from squidmesh_core.protocol.commands import Receipted, Verb
from squidmesh_core.protocol.signals import (
    Signal,
    checked,
    command_of,
    receipted_of,
    signal_from_json,
    signal_to_json,
)
from squidmesh_core.protocol.signals.making import Said
from squidmesh_core.protocol.signals.members import MEMBERS
from squidmesh_core.protocol.signals.schema import signal_schemas
from support.signals import RUN, damaged, garbage
from support.signals import signals as any_signal

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEMA = Draft202012Validator(signal_schemas()["signal.schema.json"])
APPROVE: dict[str, object] = {
    "type": "approve",
    "payload": {"run_id": RUN, "actor": "ana"},
    "occurred_at": "2026-11-21T12:00:00.000000Z",
}
START: dict[str, object] = {
    "type": "start",
    "payload": {"workflow": "Orders", "trigger": "placed", "input": {"sku": "MUG"}},
    "occurred_at": "2026-11-21T12:00:00.000000Z",
}
CANCEL: dict[str, object] = {**APPROVE, "type": "cancel"}
REPLAY: dict[str, object] = {**APPROVE, "type": "replay"}
SEND: dict[str, object] = {
    **APPROVE,
    "type": "send",
    "payload": {"run_id": RUN, "node": "paid", "message": None},
}
NUMBERED = dict[object, object]([*APPROVE.items(), (1, True)])


def within(data: Mapping[str, object], **payload: object) -> dict[str, object]:
    """The signal with these members in its payload."""
    inside = data["payload"]
    assert isinstance(inside, dict)
    return {**data, "payload": {**inside, **payload}}


def without(data: Mapping[str, object], name: str) -> dict[str, object]:
    """The signal without a member of its payload."""
    inside = data["payload"]
    assert isinstance(inside, dict)
    return {**data, "payload": {key: value for key, value in inside.items() if key != name}}


# --- there and back


@given(signal=any_signal())
def test_a_signal_survives_its_json(signal: Signal) -> None:
    """Through text and back, every value is what it was."""
    assert signal == signal_from_json(json.loads(json.dumps(signal_to_json(signal))))


@given(signal=any_signal())
def test_json_survives_the_signal(signal: Signal) -> None:
    """Reading and writing again gives the same members."""
    written = signal_to_json(signal)

    assert written == signal_to_json(signal_from_json(written))


@given(signal=any_signal())
def test_every_signal_fits_the_schema(signal: Signal) -> None:
    """Whatever is written, the published schema accepts."""
    data = json.loads(json.dumps(signal_to_json(signal)))

    assert [] == [error.message for error in SCHEMA.iter_errors(data)]


def test_the_schema_is_one() -> None:
    """The file is a valid schema of its dialect."""
    Draft202012Validator.check_schema(signal_schemas()["signal.schema.json"])


def test_every_verb_has_a_signal() -> None:
    """A verb without members would be one that no queue can ask for."""
    assert set(get_args(Verb)) == set(MEMBERS)


def test_what_is_absent_is_left_out() -> None:
    """Neither nulls nor empty metadata are written."""
    signal = signals.resume(RUN, node=None, by=None, metadata=None, occurred_at=NOON)

    assert {
        "type": "resume",
        "payload": {"run_id": RUN},
        "occurred_at": "2026-11-21T12:00:00.000000Z",
    } == signal_to_json(signal)


def test_the_layout_of_a_full_signal() -> None:
    """The names on the wire, which others depend on."""
    signal = signals.approve(
        RUN.upper(),
        by={"id": "ana"},
        note="fine",
        node="review",
        form={"limit": 5},
        metadata={"via": "mail"},
        idempotency_key="k-1",
        occurred_at=NOON.astimezone(timezone(timedelta(hours=2))),
    )

    assert {
        "type": "approve",
        "payload": {
            "run_id": RUN,
            "actor": {"id": "ana"},
            "comment": "fine",
            "node": "review",
            "form": {"limit": 5},
        },
        "metadata": {"via": "mail"},
        "occurred_at": "2026-11-21T12:00:00.000000Z",
        "idempotency_key": "k-1",
    } == signal_to_json(signal)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21T14:00:00+02:00", NOON),
        ("2026-11-21T12:00:00.5Z", NOON + timedelta(milliseconds=500)),
        ("2026-11-21T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
    ],
)
def test_instants_may_be_written_as_rfc_3339_has_them(written: str, instant: datetime) -> None:
    """Any offset, any fraction; what is finer than a microsecond is cut off."""
    signal = signal_from_json({**APPROVE, "occurred_at": written})

    assert (instant, UTC) == (signal.occurred_at, signal.occurred_at.tzinfo)


def test_a_signal_shares_nothing_with_what_it_was_made_of() -> None:
    """Changing the caller's data afterwards changes no signal."""
    form: dict[str, object] = {"rows": [1]}
    signal = signals.approve(RUN, by="ana", form=form, occurred_at=NOON)
    form["rows"] = [2]

    assert {"rows": [1]} == signal.payload["form"]


# --- what is not let in

REFUSED: list[tuple[object, str, str]] = [
    (None, "signal", "expected_map"),
    ([], "signal", "expected_map"),
    ("approve", "signal", "expected_map"),
    ({}, "type", "missing"),
    ({**APPROVE, "type": 5}, "type", "expected_non_empty_string"),
    ({**APPROVE, "type": None}, "type", "expected_non_empty_string"),
    ({"type": "approve"}, "payload", "missing"),
    ({**APPROVE, "payload": None}, "payload", "expected_map"),
    ({**APPROVE, "payload": []}, "payload", "expected_map"),
    (without(APPROVE, "run_id"), "run_id", "missing"),
    (within(APPROVE, run_id="17"), "run_id", "invalid"),
    (within(APPROVE, run_id=None), "run_id", "invalid"),
    (within(APPROVE, run_id=17), "run_id", "invalid"),
    (without(APPROVE, "actor"), "actor", "missing"),
    (within(APPROVE, actor=None), "actor", "expected_non_empty_string_or_map"),
    (within(APPROVE, actor=""), "actor", "expected_non_empty_string_or_map"),
    (within(APPROVE, actor={}), "actor", "expected_non_empty_string_or_map"),
    (within(APPROVE, actor=["ana"]), "actor", "expected_non_empty_string_or_map"),
    (within(APPROVE, actor="a" * 256), "actor", "too_long"),
    (within(APPROVE, actor={"a": float("nan")}), "actor", "not_storable"),
    (within(APPROVE, comment=None), "comment", "expected_non_empty_string"),
    (within(APPROVE, comment=""), "comment", "expected_non_empty_string"),
    (within(APPROVE, comment="a" * 8193), "comment", "too_long"),
    (within(APPROVE, comment="a\0b"), "comment", "not_storable"),
    (within(APPROVE, node=""), "node", "expected_non_empty_string"),
    (within(APPROVE, form=[]), "form", "expected_map"),
    (within(APPROVE, form=None), "form", "expected_map"),
    (within(APPROVE, form={1: 2}), "form", "not_storable"),
    (within(APPROVE, compensate=True), "compensate", "unsupported"),
    (within(APPROVE, type="cancel"), "type", "unsupported"),
    ({**APPROVE, "urgent": True}, "urgent", "unsupported"),
    (NUMBERED, "<int>", "unsupported"),
    ({**APPROVE, "\ud800": True}, "\\ud800", "unsupported"),
    ({**APPROVE, "x" * 200: True}, "x" * 128, "unsupported"),
    ({**APPROVE, "metadata": None}, "metadata", "expected_map"),
    ({**APPROVE, "metadata": []}, "metadata", "expected_map"),
    ({**APPROVE, "metadata": {"a": {1}}}, "metadata", "not_storable"),
    ({"type": "approve", "payload": APPROVE["payload"]}, "occurred_at", "missing"),
    ({**APPROVE, "occurred_at": None}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": NOON}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": 1795262400}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": "noon"}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": "2026-11-21"}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": "2026-11-21T12:00:00"}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": "2026-02-30T12:00:00Z"}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "occurred_at": "0001-01-01T00:00:00+12:00"}, "occurred_at", "expected_datetime"),
    ({**APPROVE, "idempotency_key": None}, "idempotency_key", "expected_non_empty_string"),
    ({**APPROVE, "idempotency_key": ""}, "idempotency_key", "expected_non_empty_string"),
    ({**APPROVE, "idempotency_key": 1}, "idempotency_key", "expected_non_empty_string"),
    ({**APPROVE, "idempotency_key": "k" * 256}, "idempotency_key", "too_long"),
    (without(START, "input"), "input", "missing"),
    (within(START, input=None), "input", "expected_map"),
    (without(START, "workflow"), "workflow", "missing"),
    (within(START, workflow=None), "workflow", "invalid"),
    (within(START, workflow=True), "workflow", "invalid"),
    (within(START, workflow=""), "workflow", "invalid"),
    (within(START, trigger=5), "trigger", "invalid"),
    (within(START, run_id=RUN), "run_id", "unsupported"),
    (within(CANCEL, compensate=1), "compensate", "expected_boolean"),
    (within(CANCEL, abandon="true"), "abandon", "expected_boolean"),
    (within(REPLAY, allow_irreversible="yes"), "allow_irreversible", "expected_boolean"),
    (within(REPLAY, allow_irreversible=1), "allow_irreversible", "expected_boolean"),
    (within(REPLAY, allow_irreversible=None), "allow_irreversible", "expected_boolean"),
    (within(REPLAY, definition="latest"), "definition", "expected_source_or_current"),
    (within(REPLAY, definition=None), "definition", "expected_source_or_current"),
    (within(REPLAY, from_step=None), "from_step", "expected_non_empty_string"),
    (without(SEND, "node"), "node", "missing"),
    (without(SEND, "message"), "message", "missing"),
    (within(SEND, message={1: 2}), "message", "not_storable"),
]


@pytest.mark.parametrize(("data", "field", "reason"), REFUSED)
def test_the_first_wrong_field_is_named(data: object, field: str, reason: str) -> None:
    """One exception, with the field and the reason, and never with the value."""
    with pytest.raises(PayloadError) as caught:
        signal_from_json(data)

    assert ("invalid_signal", 505) == (caught.value.code, caught.value.sm)
    assert {"field": field, "reason": reason} == caught.value.details
    assert f"{field}: {reason.replace('_', ' ')}. Nothing was written." in caught.value.message


@pytest.mark.parametrize(("data", "field", "reason"), REFUSED)
def test_the_schema_refuses_what_the_reader_refuses(data: object, field: str, reason: str) -> None:
    """But for what no schema can say."""
    unsayable = (
        reason == "not_storable"
        or field in {"<int>", "\\ud800"}
        or data
        in [
            {**APPROVE, "occurred_at": "2026-02-30T12:00:00Z"},
            {**APPROVE, "occurred_at": "0001-01-01T00:00:00+12:00"},
        ]
    )

    assert unsayable or not SCHEMA.is_valid(data)


IN_ORDER = [
    "run_id", "actor", "comment", "node", "form", "odd",
    "stranger", "metadata", "occurred_at", "idempotency_key",
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_fields_are_judged_in_order(first: int) -> None:
    """Payload, then the envelope; within each the order of the members."""
    payload = dict.fromkeys(IN_ORDER[first:6], 1)
    envelope = dict.fromkeys(IN_ORDER[max(first, 6) :], 1)
    with pytest.raises(PayloadError) as caught:
        signal_from_json({**within(APPROVE, **payload), **envelope})

    assert IN_ORDER[first] == caught.value.details["field"]


@pytest.mark.parametrize("verb", ["approved", "Approve", "claim", "start_cron", "a" * 200])
def test_an_unknown_type_is_unsupported(verb: str) -> None:
    """A word of a code of its own: the sender may only be newer than this process."""
    with pytest.raises(PayloadError) as caught:
        signal_from_json({**APPROVE, "type": verb})

    assert ("unsupported_signal", 506) == (caught.value.code, caught.value.sm)
    assert {"field": "type", "reason": "unsupported"} == caught.value.details


@given(data=garbage)
def test_garbage_is_refused_with_one_exception(data: object) -> None:
    """Whatever it is, `PayloadError` says so and nothing else is raised."""
    with pytest.raises(PayloadError) as caught:
        signal_from_json(data)

    assert caught.value.code in {"invalid_signal", "unsupported_signal"}
    storable(caught.value.details)


def test_the_longest_key_is_read() -> None:
    """The limit itself is allowed."""
    assert "k" * 255 == signal_from_json({**APPROVE, "idempotency_key": "k" * 255}).idempotency_key


@given(signal=any_signal(), data=st.data())
def test_a_damaged_signal_is_read_or_refused(signal: Signal, data: st.DataObject) -> None:
    """Never another exception; what is still read is a signal that survives its JSON."""
    read = outcome(data.draw(damaged(signal_to_json(signal))))
    if isinstance(read, Signal):
        assert read == signal_from_json(signal_to_json(read))
    else:
        assert read.code in {"invalid_signal", "unsupported_signal"}
        storable(read.details)


def outcome(data: object) -> Signal | PayloadError:
    """What reading the data leads to."""
    try:
        return signal_from_json(data)
    except PayloadError as refused:
        return refused


BY_HAND: list[tuple[object, str, str]] = [
    ("approve", "signal", "expected_signal"),
    (APPROVE, "signal", "expected_signal"),
    (Signal(type="pause", payload={}, occurred_at=NOON), "run_id", "missing"),
    (Signal(type="pause", payload={"run_id": RUN}, occurred_at=datetime(2026, 1, 1)),  # noqa: DTZ001  # the point
     "occurred_at", "expected_datetime"),
]  # fmt: skip


@pytest.mark.parametrize("use", [checked, command_of, receipted_of, signal_to_json])
@pytest.mark.parametrize(("made", "field", "reason"), BY_HAND)
def test_a_signal_built_by_hand_is_judged_before_it_is_used(
    use: Callable[[object], object], made: object, field: str, reason: str
) -> None:
    """The record itself takes anything; no function that uses it does."""
    with pytest.raises(PayloadError) as caught:
        use(made)

    assert "invalid_signal" == caught.value.code
    assert {"field": field, "reason": reason} == caught.value.details


def test_a_made_signal_is_judged_at_once() -> None:
    """Whoever makes one hears of it, not whoever receives it."""
    with pytest.raises(PayloadError) as caught:
        signals.replay(RUN, allow_irreversible=0, occurred_at=NOON)  # type: ignore[arg-type]  # the point

    assert {"field": "allow_irreversible", "reason": "expected_boolean"} == caught.value.details


def test_an_option_that_is_none_is_refused() -> None:
    """A misspelt option is never dropped."""
    with pytest.raises(PayloadError) as caught:
        signals.pause(RUN, nota="x", occurred_at=NOON)  # type: ignore[call-arg]  # the point

    assert {"field": "nota", "reason": "unsupported"} == caught.value.details


def test_a_start_takes_no_by() -> None:
    """Its receipt names nobody, so nobody is dropped from it."""
    with pytest.raises(PayloadError) as caught:
        signals.start("W", None, {}, by="ana", occurred_at=NOON)  # type: ignore[call-arg]  # the point

    assert {"field": "by", "reason": "unsupported"} == caught.value.details


# --- what it means

RUN_ID = RunId(RUN)
SAID = Receipted(actor="ana", comment="so", metadata={"a": 1}, key="k", occurred_at=NOON)


def test_a_signal_and_the_named_method_ask_the_same() -> None:
    """The same command with the same digest, so that one key serves both."""
    said = Said(by="ana", note="so", metadata={"a": 1}, idempotency_key="k")
    asked = [
        (signals.cancel(RUN, occurred_at=NOON, **said), requests.cancel(RUN_ID, SAID)),
        (
            signals.cancel(RUN, compensate=False, abandon=False, occurred_at=NOON, **said),
            requests.cancel(RUN_ID, SAID),
        ),
        (
            signals.cancel(RUN, compensate=True, occurred_at=NOON, **said),
            requests.cancel(RUN_ID, SAID, compensate=True),
        ),
        (
            signals.cancel(RUN, abandon=True, occurred_at=NOON, **said),
            requests.cancel(RUN_ID, SAID, abandon=True),
        ),
        (signals.pause(RUN, occurred_at=NOON, **said), requests.pause(RUN_ID, SAID)),
        (signals.resume(RUN, occurred_at=NOON, **said), requests.resume(RUN_ID, SAID)),
        (
            signals.resume(RUN, node="stop", occurred_at=NOON, **said),
            requests.resume(RUN_ID, SAID, node="stop"),
        ),
        (
            signals.approve(RUN, node="review", form={"$n": 2**60}, occurred_at=NOON, **said),
            requests.review(RUN_ID, SAID, "approved", node="review", form=_stored({"$n": 2**60})),
        ),
        (
            signals.reject(RUN, occurred_at=NOON, **said),
            requests.review(RUN_ID, SAID, "rejected"),
        ),
        (
            signals.send(RUN, "paid", [2**60], occurred_at=NOON, **said),
            requests.send(RUN_ID, SAID, node="paid", payload=storable([2**60])),
        ),
        (
            signals.replay(
                RUN,
                from_step="pay",
                allow_irreversible=True,
                definition="current",
                occurred_at=NOON,
                **said,
            ),
            requests.ReplayRequest(
                run_id=RUN_ID,
                from_step=NodeName("pay"),
                allow_irreversible=True,
                definition="current",
                said=SAID,
            ),
        ),
        (
            signals.replay(RUN, occurred_at=NOON, **said),
            requests.ReplayRequest(run_id=RUN_ID, said=SAID),
        ),
        (
            signals.retry_compensation(RUN, occurred_at=NOON, **said),
            requests.RetryRequest(run_id=RUN_ID, said=SAID),
        ),
    ]

    assert [meant for _, meant in asked] == [command_of(signal) for signal, _ in asked]


def test_a_start_says_what_is_wanted() -> None:
    """The input stays as given; which definition that means is not asked here."""
    signal = signals.start("Orders", "placed", {"n": 2**60}, idempotency_key="k", occurred_at=NOON)

    assert requests.StartRequest(
        workflow="Orders",
        trigger="placed",
        input={"n": 2**60},
        said=Receipted(key="k", occurred_at=NOON),
    ) == command_of(signal)
    assert None is _trigger(signals.start("Orders", None, {}, occurred_at=NOON))


def test_metadata_is_redacted_where_it_becomes_a_receipt() -> None:
    """The signal keeps it, for it may have to travel on; the journal does not."""
    signal = signals.pause(
        RUN, metadata={"http": {"Authorization-Header": "Bearer x"}, "n": 2**60}, occurred_at=NOON
    )

    assert {"http": {"Authorization-Header": "Bearer x"}, "n": 2**60} == signal.metadata
    assert {
        "http": {"Authorization-Header": "[redacted]"},
        "n": {"$int": str(2**60)},
    } == receipted_of(signal).metadata


@given(signal=any_signal())
def test_a_signal_means_the_same_on_both_sides_of_a_queue(signal: Signal) -> None:
    """What it asks for, digest and all, is unharmed by the way."""
    arrived = signal_from_json(json.loads(json.dumps(signal_to_json(signal))))

    assert command_of(signal) == command_of(arrived)


def _stored(value: Mapping[str, object]) -> dict[str, object]:
    stored = storable(value)
    assert isinstance(stored, dict)
    return stored


def _trigger(signal: Signal) -> str | None:
    request = command_of(signal)
    assert isinstance(request, requests.StartRequest)
    return request.trigger
