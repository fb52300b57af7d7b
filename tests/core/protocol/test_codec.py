"""The codec: what is written is what is read, and the fast path keeps to the definition."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core import canonical
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import AppendId, AttemptKey, ClaimId, NodeName, Revision, VisitKey
from squidmesh_core.protocol import converter
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import (
    CODEC_VERSION,
    check_codec,
    decode,
    encode,
    entries_of,
    entry_from_json,
    entry_to_json,
    wire_type,
)
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptScheduled,
    Decided,
    Entry,
    InputFrom,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.protocol.wire import WIRE_TYPES, instant_from_text, instant_to_text
from squidmesh_core.values import RetryPolicy
from support.entries import EPOCH, OTHER_RUN, RUN, entries, histories

CLAIMED = AttemptClaimed(
    at=EPOCH,
    revision=Revision(4),
    attempt_key=AttemptKey(f"{RUN}:charge:1"),
    claim_id=ClaimId("c1"),
    claim_token_hash="ab" * 32,
    owner="w1",
    lease_until=EPOCH + timedelta(seconds=60),
)
SCHEDULED = AttemptScheduled(
    at=EPOCH,
    revision=Revision(3),
    attempt_key=AttemptKey(f"{RUN}:charge:1"),
    visit_key=VisitKey(f"{RUN}:charge"),
    step=NodeName("charge"),
    input=InputFrom(),
    visible_at=EPOCH,
    idempotency_key=f"{RUN}:charge:1",
)


@given(history=histories())
def test_what_is_encoded_decodes_to_equal_entries(history: tuple[Entry, ...]) -> None:
    """An append comes back as it went in, revisions included."""
    if not history:
        return
    body = encode(history, RUN)

    assert history == decode(body, run_id=RUN, first=Revision(1))


@given(entry=entries())
def test_the_fast_path_writes_what_the_definition_says(entry: Entry) -> None:
    """`members` and `converter` give the same object for every entry."""
    defined = converter.entry_form(entry, RUN)

    assert defined == entry_to_json(entry, RUN)
    assert canonical.encode([defined]) == encode([entry], RUN)


@given(entry=entries())
def test_the_fast_path_reads_what_the_definition_reads(entry: Entry) -> None:
    """An entry read by either is the same, but for the revision, which is not written."""
    data: Any = json.loads(canonical.encode(converter.entry_form(entry, RUN)))
    defined = converter.from_json(data, type(entry), RUN)

    assert defined == entry_from_json(data, run_id=RUN, revision=Revision(0))


@given(entry=entries(), data=st.data())
def test_both_refuse_the_same_damage(entry: Entry, data: st.DataObject) -> None:
    """A member of another type, a missing or an unknown one is refused by both or by neither."""
    broken = entry_to_json(entry, RUN)
    name = data.draw(st.sampled_from(sorted(broken.keys() - {"type", "v"})))
    match data.draw(st.sampled_from(["drop", "add", "change"])):
        case "drop":
            del broken[name]
        case "add":
            broken["unheard_of"] = 1
        case _:
            broken[name] = data.draw(st.sampled_from([None, True, 1, 1.5, "x", [], [1], {}]))

    assert _defined(broken, type(entry)) == _fast(broken)


@given(entry=entries())
def test_bytes_do_not_depend_on_the_order_of_members(entry: Entry) -> None:
    """Reading members in another order and writing them again gives the same bytes."""
    body = encode([entry], RUN)
    turned = [_turned(item) for item in json.loads(body)]
    again = decode(json.dumps(turned), run_id=RUN, first=entry.revision)

    assert body == encode(again, RUN)


@given(entry=entries())
def test_an_entry_written_again_has_the_same_bytes(entry: Entry) -> None:
    """Decoding and encoding changes no byte."""
    body = encode([entry], RUN)

    assert body == encode(decode(body, run_id=RUN, first=Revision(1)), RUN)


def test_an_attempt_at_its_defaults_is_short() -> None:
    """Defaults, the run id, and what equals its twin are not written."""
    expected = {
        "type": "attempt_scheduled",
        "v": 1,
        "at": "2026-11-21T02:14:25.000000Z",
        "attempt_key": ":charge:1",
        "visit_key": ":charge",
        "step": "charge",
        "input": {"from": []},
    }

    assert expected == entry_to_json(SCHEDULED, RUN) == converter.entry_form(SCHEDULED, RUN)
    assert SCHEDULED == entry_from_json(expected, run_id=RUN, revision=SCHEDULED.revision)


def test_what_differs_from_its_twin_is_written_as_that_is() -> None:
    """An idempotency key of the run is as short as the attempt's, and read back as it was."""
    other = evolve(
        SCHEDULED, visible_at=EPOCH + timedelta(seconds=1), idempotency_key=f"{RUN}:charge:7"
    )
    written = entry_to_json(other, RUN)

    assert written == converter.entry_form(other, RUN)
    assert (":charge:7", "2026-11-21T02:14:26.000000Z") == (
        written["idempotency_key"],
        written["visible_at"],
    )
    assert other == entry_from_json(written, run_id=RUN, revision=other.revision)


@pytest.mark.parametrize("name", [f"{RUN}:w1", ":w1"])
def test_a_text_that_looks_like_a_key_is_left_alone(name: str) -> None:
    """Whose worker is called so gets it back; only keys are shortened."""
    claimed = evolve(CLAIMED, owner=name)
    written = entry_to_json(claimed, RUN)

    assert name == written["owner"]
    assert written == converter.entry_form(claimed, RUN)


def test_a_transition_is_written_as_definitions_write_it() -> None:
    """`from`, `on`, `to`: the words of a route in the spec."""
    applied = StepApplied(
        at=EPOCH,
        visit_key=VisitKey(f"{RUN}:charge"),
        step=NodeName("charge"),
        transition=Decided(source=NodeName("charge"), on="ok", target=NodeName("ship")),
    )

    assert {"from": "charge", "on": "ok", "to": "ship"} == entry_to_json(applied, RUN)["transition"]


def test_keys_of_another_run_keep_their_run_id() -> None:
    """Only the journal's own run id goes without saying."""
    expected = str(CLAIMED.attempt_key)

    assert expected == entry_to_json(CLAIMED, OTHER_RUN)["attempt_key"]


def test_a_key_without_a_run_id_is_refused() -> None:
    """Such a key would be read back as this run's."""
    nameless = AttemptScheduled(
        at=EPOCH,
        attempt_key=AttemptKey(":charge:1"),
        visit_key=VisitKey(f"{RUN}:charge"),
        step=NodeName("charge"),
        input=InputFrom(),
        visible_at=EPOCH,
        idempotency_key=f"{RUN}:charge:1",
    )

    with pytest.raises(ValueError, match="begins with a run id"):
        encode([nameless], RUN)


@given(first=st.datetimes(), second=st.datetimes())
def test_the_order_of_instant_texts_is_that_of_time(first: datetime, second: datetime) -> None:
    """Instants may be compared as texts, in SQL for one."""
    zone = EPOCH.tzinfo
    first, second = first.replace(tzinfo=zone), second.replace(tzinfo=zone)
    texts = instant_to_text(first), instant_to_text(second)

    assert (first < second) == (texts[0] < texts[1])
    assert first == instant_from_text(texts[0])


def test_an_instant_without_a_zone_is_refused() -> None:
    """Nobody can tell which instant it is."""
    with pytest.raises(ValueError, match="time zone"):
        instant_to_text(datetime(2026, 11, 21))  # noqa: DTZ001  # the very mistake


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T02:14:25Z",
        "2026-11-21T02:14:25.123Z",
        "2026-11-21T02:14:25.123456",
        "2026-11-21T02:14:25.12345Z+",
        "2026-11-21T02:14:25.123456+00:00",
        "2026-11-21 02:14:25.123456Z",
        "2026-W47-6T02:14:25.123456Z",
        "2026-13-21T02:14:25.123456Z",
        17,
    ],
)
def test_only_the_one_form_of_instants_is_read(text: object) -> None:
    """Six digits and Z; anything else would not sort."""
    with pytest.raises(ValueError, match=r"expected an instant|month"):
        instant_from_text(text)


@given(
    text=st.from_regex(
        r"\A[0-9]{4}[-W]?[0-9]{2}.[0-9]{2}[T ][0-9]{2}:?[0-9]{2}:?[0-9]{2}[.,][0-9]{5,8}Z?\Z"
    )
)
def test_no_other_form_of_instants_is_read(text: str) -> None:
    """Whatever else the standard allows, and Python reads."""
    try:
        read = instant_from_text(text)
    except ValueError:
        return

    assert text == instant_to_text(read)


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": 99}, {"type": "work_recorded"}, {"type": "work_recorded", "v": 0}],
)
def test_entries_of_a_newer_squidmesh_are_named(change: dict[str, object]) -> None:
    """An unknown type or version says that this process is too old, and for what."""
    data = entry_to_json(CLAIMED, RUN) | change
    body = json.dumps([entry_to_json(SCHEDULED, RUN), data])

    with pytest.raises(StorageError) as caught:
        decode(body, run_id=RUN, first=Revision(3))

    expected = {"run_id": RUN, "revision": 4, "type": data["type"], "version": data["v"]}
    assert ("newer_entries", expected) == (caught.value.code, caught.value.details)


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "[", "null", "[1]", "[{}]", '[{"type":7,"v":1}]', "[" * 100_000]
)
def test_a_damaged_body_quarantines_the_run(body: str) -> None:
    """What is no list of entries is damage, at the append's first revision."""
    with pytest.raises(StorageError) as caught:
        decode(body, run_id=RUN, first=Revision(7))

    assert ("run_quarantined", 7) == (caught.value.code, caught.value.details["revision"])
    assert str(caught.value.details["reason"]) in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"owner": 5},
        {"lease_until": "tomorrow"},
        {"attempt_key": None},
        {"v": True},
        {"v": 0},
        {"unheard_of": 1},
    ],
)
def test_a_damaged_entry_is_named_by_its_revision(change: dict[str, object]) -> None:
    """The second entry of an append that begins at 3 is revision 4."""
    damaged = entry_to_json(CLAIMED, RUN) | change
    body = json.dumps([entry_to_json(SCHEDULED, RUN), damaged])

    with pytest.raises(StorageError) as caught:
        decode(body, run_id=RUN, first=Revision(3))

    assert ("run_quarantined", 4) == (caught.value.code, caught.value.details["revision"])


def test_every_entry_class_has_a_wire_type_of_its_own() -> None:
    """The closed union and the table of names cover each other."""
    assert set(Entry.__args__) == set(WIRE_TYPES)
    assert len(WIRE_TYPES) == len(set(WIRE_TYPES.values()))
    assert wire_type(RunTerminal) == "run_terminal"


@given(history=histories())
def test_checkpoints_keep_entries_with_their_revisions(history: tuple[Entry, ...]) -> None:
    """A state holds single entries, whose numbers nothing else could restore."""
    data = json.loads(canonical.encode(converter.to_json(history, tuple[Entry, ...], RUN)))

    assert history == converter.from_json(data, tuple[Entry, ...], RUN)


def test_a_text_is_no_list_of_texts() -> None:
    """Found by `test_both_refuse_the_same_damage`: cattrs took a text for its letters."""
    with pytest.raises(ValueError, match="expected a list"):
        converter.from_json("ab", tuple[str, ...], RUN)


def test_the_codec_needs_no_cattrs() -> None:
    """The definition loads on first use, so that `import squidmesh` stays quick."""
    program = "import sys, squidmesh_core.protocol.codec; sys.exit('cattrs' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_checkpoints_keep_the_order_and_the_keys_of_an_index() -> None:
    """An index by keys of ours is a list of pairs, short keys and all."""
    value = {
        AttemptKey(f"{RUN}:ship:1"): (RetryPolicy(max_attempts=3), EPOCH),
        AttemptKey(f"{RUN}:charge:1"): (RetryPolicy(max_attempts=1), EPOCH),
    }
    hint = dict[AttemptKey, tuple[RetryPolicy, datetime]]
    data: Any = converter.to_json(value, hint, RUN)
    again = converter.from_json(data, hint, RUN)

    assert [":ship:1", [{"max_attempts": 3}, "2026-11-21T02:14:25.000000Z"]] == data[0]
    assert list(value.items()) == list(again.items())


def test_an_index_may_be_by_revision() -> None:
    """Numbers stay numbers, which as names of members they would not."""
    hint = dict[Revision, object]
    text = canonical.encode(converter.to_json({Revision(7): {"a": 1}}, hint, RUN))

    assert {7: {"a": 1}} == converter.from_json(canonical.decode(text), hint, RUN)


def test_data_of_another_type_is_refused_by_name() -> None:
    """A checkpoint that does not fit is a `ValueError`, whatever is wrong with it."""
    with pytest.raises(ValueError, match="RetryPolicy"):
        converter.from_json({"max_attempts": "3"}, RetryPolicy, RUN)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"last": Revision(9)}, "holds 1 entries, its row says otherwise"),
        ({"at": EPOCH + timedelta(seconds=1)}, "another instant"),
        ({"body": "[]"}, "no list of entries"),
        ({"body": "[" * 100_000}, "no JSON"),
    ],
)
def test_a_row_that_says_otherwise_is_damage(changes: dict[str, Any], said: str) -> None:
    """What stands beside a body is checked against it, and the run and revision are named."""
    record = AppendRecord(
        run_id=RUN,
        first=CLAIMED.revision,
        last=CLAIMED.revision,
        append_id=AppendId("a1"),
        at=CLAIMED.at,
        body=encode([CLAIMED], RUN),
        hash="",
    )

    assert (CLAIMED,) == entries_of(record)
    with pytest.raises(StorageError, match=said) as caught:
        entries_of(evolve(record, **changes))

    assert "run_quarantined" == caught.value.code
    assert (RUN, CLAIMED.revision) == (
        caught.value.details["run_id"],
        caught.value.details["revision"],
    )


def _turned(value: object) -> object:
    if isinstance(value, dict):
        return {name: _turned(member) for name, member in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


def _defined(data: dict[str, object], cls: type[Entry]) -> Entry | None:
    try:
        return converter.from_json(data, cls, RUN)
    except ValueError:
        return None


def _fast(data: dict[str, object]) -> Entry | None:
    try:
        return entry_from_json(data, run_id=RUN, revision=Revision(0))
    except StorageError:
        return None


@pytest.mark.parametrize("codec", [CODEC_VERSION + 1, 9_999])
def test_a_later_codec_is_for_a_newer_process(codec: int) -> None:
    """What it wrote may mean something else by now, even if it looks the same."""
    with pytest.raises(StorageError) as caught:
        check_codec(codec, run_id=RUN, head=Revision(7))

    expected = {"run_id": RUN, "revision": 7, "codec": codec, "known": CODEC_VERSION}
    assert ("newer_entries", expected) == (caught.value.code, caught.value.details)


@pytest.mark.parametrize("codec", [0, -1])
def test_a_codec_that_never_was_is_damage(codec: int) -> None:
    """The first was 1; every one since then is known."""
    with pytest.raises(StorageError) as caught:
        check_codec(codec, run_id=RUN, head=Revision(7))

    assert ("run_quarantined", 7) == (caught.value.code, caught.value.details["revision"])
    for known in range(1, CODEC_VERSION + 1):
        check_codec(known, run_id=RUN, head=Revision(7))
