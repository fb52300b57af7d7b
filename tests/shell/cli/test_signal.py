"""Commands that come as data: from a file or a pipe, as signals or as CloudEvents."""

import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from squidmesh_core.protocol import signals
from squidmesh_core.protocol.cloudevents import to_cloudevent
from squidmesh_core.protocol.signals import Signal, signal_to_json
from support.commands import Typed
from support.shop import Shop

AT = datetime(2026, 11, 20, 14, 40, tzinfo=UTC)


def written(data: object) -> str:
    """The name of a file that holds this as JSON."""
    Path("command.json").write_text(json.dumps(data), encoding="utf-8")
    return "command.json"


def approval(run_id: str) -> Signal:
    return signals.approve(
        run_id, by="ana", form={"reason": "vip"}, occurred_at=AT, idempotency_key="s-1"
    )


def test_a_signal_does_what_the_command_does(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """And the key that both carry is one: the command finds it done."""
    run_id = shop.order()
    file = written(signal_to_json(approval(run_id)))

    said, again = squidmesh("signal", file), on_terminal("signal", file)
    command = squidmesh(
        *("approve", run_id, "--by", "ana", "--set", "reason=vip", "--key", "s-1", "--yes")
    )

    assert (0, [[run_id, "approved", "running"]]) == (said.code, said.records)
    assert again.out.startswith(f"{run_id}  already approved by ana ")
    assert again.out.endswith(" (same key), running\n")
    assert (0, True) == (command.code, command.records[0][1].startswith("already approved by ana"))


def test_an_actor_may_be_facts_of_which_one_names_them(squidmesh: Typed, shop: Shop) -> None:
    """A repetition says the name; without one, all there is."""
    first, second = shop.order(), shop.order()
    for run_id, by in ((first, {"id": "u-7", "team": "ops"}), (second, {"team": "ops"})):
        signal = signals.cancel(run_id, by=by, occurred_at=AT, idempotency_key="c-1")
        file = written(signal_to_json(signal))
        shop.do("signal", file)
        said = squidmesh("signal", file)
        named = "u-7" if run_id == first else "{'team': 'ops'}"
        assert said.records[0][1].startswith(f"already cancelled by {named} at ")


def test_a_signal_may_be_piped_in(
    squidmesh: Typed, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is the standard input."""
    run_id = shop.order()
    text = json.dumps(signal_to_json(signals.cancel(run_id, by="op", occurred_at=AT)))
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    said = squidmesh("signal", "-", "--json")

    assert ("squidmesh.signal/1", "cancel") == (said.document["schema"], said.document["command"])
    assert "cancelled" == shop.status(run_id)


def test_a_cloudevent_is_read_as_the_signal_it_carries(squidmesh: Typed, shop: Shop) -> None:
    """With whatever a broker has added on the way."""
    run_id = shop.order()

    said = squidmesh("signal", written({**to_cloudevent(approval(run_id)), "traceparent": "00-1"}))

    assert (0, "running") == (said.code, shop.status(run_id))


def test_a_signal_can_start_a_run(squidmesh: Typed) -> None:
    """Of a workflow that the application has; once for a key, also in a new journal."""
    start = signals.start("Order", None, {"sku": "mug"}, occurred_at=AT, idempotency_key="o-1")
    file = written(signal_to_json(start))

    said, again = (squidmesh("signal", file, "--app", "shop") for _ in range(2))

    assert (0, "started") == (said.code, said.records[0][1])
    assert re.fullmatch(r"already started at \S+Z \(same key\)", again.records[0][1])
    assert [said.records[0][0]] == [record[0] for record in squidmesh("runs").records]


def test_every_verb_is_carried_out(squidmesh: Typed, shop: Shop) -> None:
    """One after the other, through a whole order."""
    run_id = shop.order("asked")
    asked = [
        signals.pause(run_id, by="op", occurred_at=AT),
        signals.resume(run_id, occurred_at=AT),
        signals.reject(run_id, by="ana", note="no", occurred_at=AT),
        signals.cancel(run_id, compensate=True, occurred_at=AT),
        signals.cancel(run_id, abandon=True, occurred_at=AT),
        signals.retry_compensation(run_id, occurred_at=AT),
        signals.replay(run_id, occurred_at=AT),
    ]

    done = [squidmesh("signal", written(signal_to_json(signal))).records[0] for signal in asked]
    kept = squidmesh(
        "signal",
        written(signal_to_json(signals.send(done[-1][0], "settled", {"cents": 1}, occurred_at=AT))),
    )

    assert ["held", "resumed", "rejected", "cancelled", "cancelled", "taken up", "replayed"] == [
        record[1] for record in done
    ]
    assert (0, "sent") == (kept.code, kept.records[0][1])


GOOD = signal_to_json(signals.cancel("0190f0e0-0000-7000-8000-000000000001", occurred_at=AT))
EVENT = to_cloudevent(signals.cancel("0190f0e0-0000-7000-8000-000000000001", occurred_at=AT))
UNKNOWN_WORKFLOW = signal_to_json(signals.start("Nothing", None, {}, occurred_at=AT))


@pytest.mark.parametrize(
    ("data", "exits", "code", "field"),
    [
        ([], 2, "invalid_signal", "signal"),
        ("cancel", 2, "invalid_signal", "signal"),
        ({}, 2, "invalid_signal", "type"),
        ({**GOOD, "type": "explode"}, 2, "unsupported_signal", "type"),
        ({**GOOD, "payload": []}, 2, "invalid_signal", "payload"),
        ({**GOOD, "payload": {}}, 2, "invalid_signal", "run_id"),
        ({**GOOD, "payload": {"run_id": "7"}}, 2, "invalid_signal", "run_id"),
        ({**GOOD, "occurred_at": "yesterday"}, 2, "invalid_signal", "occurred_at"),
        ({**GOOD, "idempotency_key": ""}, 2, "invalid_signal", "idempotency_key"),
        ({**GOOD, "metadata": 7}, 2, "invalid_signal", "metadata"),
        ({**GOOD, "now": "x"}, 2, "invalid_signal", "now"),
        ({**EVENT, "source": "/elsewhere"}, 2, "invalid_signal_adapter", "source"),
        ({**EVENT, "type": "com.example.order"}, 2, "invalid_signal_adapter", "type"),
        ({**EVENT, "data": {}}, 2, "invalid_signal_adapter", "data"),
        ({**EVENT, "specversion": "0.3"}, 2, "invalid_signal_adapter", "specversion"),
        (GOOD, 3, "not_found", None),
        (UNKNOWN_WORKFLOW, 2, "unknown_workflow", None),
    ],
)
def test_a_signal_that_is_none_is_refused(
    squidmesh: Typed, shop: Shop, data: object, exits: int, code: str, field: str | None
) -> None:
    """The first field that is wrong is named, and nothing is written."""
    run_id = shop.order()
    before = shop.run(run_id)["revision"]

    said = squidmesh("signal", written(data), "--json")

    assert (exits, code, "") == (said.code, said.error["code"], said.out)
    details = said.error["details"]
    assert isinstance(details, Mapping)
    assert field == details.get("field")
    assert before == shop.run(run_id)["revision"]
    assert 1 == len(squidmesh("runs").records)


@pytest.mark.parametrize("text", ["", "{", '{"type": "cancel", "type": "pause"}', "\x80"])
def test_a_file_that_is_no_json_is_refused(squidmesh: Typed, shop: Shop, text: str) -> None:
    """So is one that is not there."""
    shop.order("fresh")
    Path("command.json").write_bytes(text.encode("latin-1"))

    for file in ("command.json", "nowhere.json", "."):
        said = squidmesh("signal", file, "--json")
        assert (2, "invalid_signal", "") == (said.code, said.error["code"], said.out)
        assert file in str(said.error["message"])


def test_a_signal_without_a_journal_makes_none(squidmesh: Typed, folder: Path) -> None:
    """Only a start may begin a new journal."""
    said = squidmesh("signal", written(GOOD))

    assert 7 == said.code
    assert not (folder / "greetings.db").exists()
