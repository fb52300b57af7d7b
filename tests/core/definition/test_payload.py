"""The payload contract: defaults, types, and all problems at once."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from squidmesh_core.definition.payload import What, resolve_payload
from squidmesh_core.definition.spec import Default, Field, FieldType
from squidmesh_core.errors import PayloadError

NOW = datetime(2026, 11, 20, 23, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=-2)))

ORDER = (
    Field(name="order_id", type="string"),
    Field(name="total", type="integer"),
    Field(
        name="channel",
        type="string",
        required=False,
        default=Default(value="web"),
        choices=("web", "shop"),
    ),
    Field(name="note", type="string", required=False, nullable=True),
)


def test_defaults_stand_in_for_absent_keys_only() -> None:
    """A key that is there keeps its value; an optional one without value stays absent."""
    assert {"order_id": "A-1", "total": 9, "channel": "web"} == resolve_payload(
        ORDER, {"order_id": "A-1", "total": 9}, now=NOW
    )
    assert {"order_id": "A-1", "total": 9, "channel": "shop", "note": None} == resolve_payload(
        ORDER, {"order_id": "A-1", "total": 9, "channel": "shop", "note": None}, now=NOW
    )


def test_a_default_makes_a_required_field_optional() -> None:
    """Whoever gave a default meant it to be used."""
    field = Field(name="f", type="any", required=True, default=Default(value=None))

    assert {"f": None} == resolve_payload([field], {}, now=NOW)


def test_everything_wrong_is_reported_at_once() -> None:
    """Missing fields in declaration order, unknown ones sorted, wrong types by name."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload(ORDER, {"zeta": 1, "alpha": 2, "channel": "fax", "note": 5}, now=NOW)

    assert "invalid_payload" == caught.value.code
    assert 501 == caught.value.sm
    assert {
        "missing_fields": ["order_id", "total"],
        "unknown_fields": ["alpha", "zeta"],
        "invalid_types": {"note": "string"},
        "problems": [
            {"path": ["order_id"], "expected": "a text; it is missing"},
            {"path": ["total"], "expected": "a whole number; it is missing"},
            {"path": ["channel"], "expected": "one of 'web', 'shop'"},
            {"path": ["note"], "expected": "a text or null, not int"},
            {"path": ["alpha"], "expected": "no field of this name"},
            {"path": ["zeta"], "expected": "no field of this name"},
        ],
    } == caught.value.details


def test_of_very_much_that_is_wrong_the_message_says_the_first() -> None:
    """And how much more there is; the details list all of it."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload((), {f"f{number:03}": None for number in range(500)}, now=NOW)

    assert "f009" in caught.value.message
    assert "f010" not in caught.value.message
    assert " and 490 more. Nothing was written." in caught.value.message
    assert [f"f{number:03}" for number in range(500)] == caught.value.details["unknown_fields"]


def test_only_what_is_wrong_is_in_the_details() -> None:
    """A payload that only misses a field says nothing of types."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload(ORDER, {"order_id": "A-1"}, now=NOW)

    assert {"missing_fields", "problems"} == caught.value.details.keys()


def test_an_explicit_null_is_not_replaced_by_the_default() -> None:
    """Null is a value, and a wrong one for a field that is not nullable."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload(ORDER, {"order_id": "A-1", "total": 9, "channel": None}, now=NOW)

    assert {"channel": "string"} == caught.value.details["invalid_types"]


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        ("string", ["", "a"], [1, None, ["a"]]),
        ("integer", [0, -5, 2**70], [True, 1.0, "1", None]),
        ("float", [1.5, -0.0], [1, True, "1.5"]),
        ("boolean", [True, False], [0, 1, "true"]),
        ("map", [{}, {"a": 1}], [[], "{}"]),
        ("list", [[], [1], (1, 2)], [{}, "[]"]),
        ("any", [None, 1, "a", [1], {"a": 1}, False], []),
    ],
)
def test_types_are_strict(declared: FieldType, good: list[object], bad: list[object]) -> None:
    """An integer is no float, a boolean no integer; only `any` takes all."""
    field = Field(name="f", type=declared)

    for value in good:
        assert resolve_payload([field], {"f": value}, now=NOW).keys() == {"f"}
    for value in bad:
        with pytest.raises(PayloadError) as caught:
            resolve_payload([field], {"f": value}, now=NOW)
        assert {"f": declared} == caught.value.details["invalid_types"]


def test_clock_defaults_come_from_the_instant_handed_in() -> None:
    """`now` and `today` are UTC, whatever zone the instant is in."""
    fields = (
        Field(name="at", type="string", required=False, default=Default(clock="now")),
        Field(name="day", type="string", required=False, default=Default(clock="today")),
    )

    assert {"at": "2026-11-21T01:30:15.250000Z", "day": "2026-11-21"} == resolve_payload(
        fields, {}, now=NOW
    )
    assert {"at": "2026-11-20T00:00:00Z", "day": "2026-11-20"} == resolve_payload(
        fields, {}, now=datetime(2026, 11, 20, tzinfo=UTC)
    )


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_clock_defaults_do_not_depend_on_the_machine(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers in different places give a run the same input."""
    field = Field(name="at", type="string", required=False, default=Default(clock="now"))
    day = Field(name="day", type="string", required=False, default=Default(clock="today"))
    with monkeypatch.context() as here:
        here.setenv("TZ", zone)
        time.tzset()
        resolved = resolve_payload([field, day], {}, now=NOW)
    time.tzset()

    assert {"at": "2026-11-21T01:30:15.250000Z", "day": "2026-11-21"} == resolved


def test_a_value_that_cannot_be_stored_names_its_place() -> None:
    """What the journal would refuse is refused before anything is written."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload([Field(name="f", type="any")], {"f": [1, float("nan")]}, now=NOW)

    assert [
        {
            "path": ["f", 1],
            "expected": "a value that can be stored, not a number that is NaN or infinite",
        }
    ] == caught.value.details["problems"]
    assert ": f.1: a value that can be stored" in caught.value.message


def test_the_callers_payload_is_not_shared() -> None:
    """Changing the payload afterwards changes no run."""
    given = {"f": [1]}
    resolved = resolve_payload([Field(name="f", type="list")], given, now=NOW)
    given["f"].append(2)

    assert {"f": [1]} == resolved


def test_a_key_that_is_no_text_is_an_unknown_field() -> None:
    """Keys of other types cannot name a field."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload([], {1: "x"}, now=NOW)

    assert ["1"] == caught.value.details["unknown_fields"]


@pytest.mark.parametrize(
    ("what", "code", "sm"),
    [
        ("payload", "invalid_payload", 501),
        ("message", "invalid_message", 502),
        ("form", "invalid_form", 503),
    ],
)
def test_forms_and_messages_are_judged_like_payloads(what: What, code: str, sm: int) -> None:
    """The same fields, the same words; the code and the text say which of them it was."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload(ORDER, {"total": "9"}, now=NOW, what=what)

    assert (code, sm) == (caught.value.code, caught.value.sm)
    assert caught.value.message.startswith(f"The {what} does not fit its contract")
    assert (["order_id"], {"total": "integer"}) == (
        caught.value.details["missing_fields"],
        caught.value.details["invalid_types"],
    )


@pytest.mark.parametrize("given", [None, [], [("order_id", "A-1")], "A-1", 5, True])
@pytest.mark.parametrize("what", ["payload", "form", "message"])
def test_what_is_no_object_has_no_fields(given: object, what: What) -> None:
    """Callers of other systems may hand in anything."""
    with pytest.raises(PayloadError) as caught:
        resolve_payload((), given, now=NOW, what=what)

    expected = f"an object with fields, not {type(given).__name__}"
    assert {"problems": [{"path": [], "expected": expected}]} == caught.value.details


def test_a_contract_without_fields_takes_an_empty_object() -> None:
    """And nothing else."""
    assert {} == resolve_payload((), {}, now=NOW, what="message")
    with pytest.raises(PayloadError):
        resolve_payload((), {"x": 1}, now=NOW, what="message")
