"""`queues`, `workers` and the commands that change a queue."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from squidmesh import Mesh
from squidmesh.workers.registry import WorkerInfo
from squidmesh_core.canonical import encode
from squidmesh_core.plan.admission import (
    LaneState,
    Refusal,
    RefusalKind,
    state_to_text,
)
from support.commands import Typed

Start = Callable[..., str]


def register(folder: Path, owner: str, *, ago: timedelta = timedelta(0), **facts: object) -> None:
    """Leave the record of a worker that gave its last sign so long ago."""
    seen = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {
        "host": "box",
        "pid": 7,
        "queues": ["default"],
        "concurrency": 8,
        "actions": ["greet"],
        "version": "0.0.1",
        "codec": 1,
        "started_at": seen,
        "seen_at": seen,
        "stopping": False,
        **facts,
    }
    with Mesh.open(f"sqlite:///{folder}/greetings.db") as mesh:
        mesh.door.journal.put_record("worker", owner, encode(body))


def refuse(folder: Path, queue: str, **refusal: object) -> None:
    """Leave what the last claim of a queue would have kept."""
    kind: RefusalKind = refusal.pop("kind")  # type: ignore[assignment]  # as tests call it
    made = Refusal(kind=kind, since=datetime.now(UTC), **refusal)  # type: ignore[arg-type]  # as above
    with Mesh.open(f"sqlite:///{folder}/greetings.db") as mesh:
        state = LaneState(refusals=(made,))
        mesh.door.journal.put_record("lane", queue, state_to_text(state))


# --- changing a queue


def test_a_queue_is_limited_and_told(squidmesh: Typed, on_terminal: Typed) -> None:
    """In words for people and pipes, as a document for programs."""
    limits = ("--concurrency", "5", "--per-key", "1", "--rate", "10/15m", "--burst", "20")

    said = squidmesh("set-queue", "mail", *limits, "--by", "ana", "--note", "as they asked")
    document = squidmesh("set-queue", "mail", "--concurrency", "6", "--json").document

    assert [["mail", "at most 5, 1 per key, 10/15m, 20 at once"]] == said.records
    assert "squidmesh.queue/1" == document["schema"]
    queue = document["queue"]
    assert isinstance(queue, dict)
    assert (6, 1, "10/15m", 20) == tuple(
        queue[name] for name in ("concurrency", "per_key", "rate", "burst")
    )
    assert [("ana", "as they asked"), (None, None)] == [
        (one["by"], one["note"]) for one in queue["history"]
    ]
    gone = on_terminal(
        "set-queue", "mail", "--concurrency", "none", "--per-key", "none", "--rate", "none"
    )
    assert "mail  no limits\n" == gone.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("mail",),
        ("mail", "--by", "ana"),
        ("mail", "--concurrency", "0"),
        ("mail", "--concurrency", "many"),
        ("mail", "--per-key", "-1"),
        ("mail", "--rate", "fast"),
        ("mail", "--burst", "5"),
        ("two words", "--concurrency", "5"),
    ],
    ids=" ".join,
)
def test_bad_limits_are_a_usage_error(squidmesh: Typed, arguments: tuple[str, ...]) -> None:
    """Nothing is written."""
    said = squidmesh("set-queue", *arguments)

    assert (2, "") == (said.code, said.out)
    assert said.err.startswith("error")
    assert "" == squidmesh("queues").out


def test_pausing_twice_names_the_first(squidmesh: Typed, on_terminal: Typed) -> None:
    """A repetition is a success."""
    first = squidmesh("pause-queue", "mail", "--by", "ana", "--note", "provider is down")
    again = on_terminal("pause-queue", "mail", "--by", "ben")
    document = squidmesh("pause-queue", "mail", "--json").document

    assert (0, 0) == (first.code, again.code)
    assert first.out.startswith("mail\tpaused by ana at ")
    assert "already paused by ana" in again.out
    assert ": provider is down" in again.out
    assert document["already"] is True


def test_resuming_says_whether_it_was_paused(squidmesh: Typed, started: Start) -> None:
    """Either way it goes on now."""
    started("Ana")
    assert "was not paused" in squidmesh("resume-queue", "default").out
    squidmesh("pause-queue", "default")
    assert "" == squidmesh("step", "--app", "greetings").out

    said = squidmesh("resume-queue", "default", "--by", "ben", "--json").document

    assert said["already"] is False
    assert "" != squidmesh("step", "--app", "greetings").out


def test_people_are_told_what_a_pause_leaves(on_terminal: Typed, started: Start) -> None:
    """How much is held, and how much waits."""
    started("Ana")
    paused = on_terminal("pause-queue", "default")
    resumed = on_terminal("resume-queue", "default")

    assert "held" not in paused.out
    assert "default  resumed\n  1 waiting\n" == resumed.out


# --- looking


def test_nothing_to_tell_is_told(squidmesh: Typed, on_terminal: Typed) -> None:
    """A sentence for people, nothing for pipes."""
    squidmesh("set-queue", "mail", "--concurrency", "1")

    assert "nobody works" in on_terminal("workers").out
    assert "" == squidmesh("workers").out
    assert [] == squidmesh("workers", "--json").document["workers"]


def test_queues_say_what_waits_and_who_serves_them(
    wide: Typed, squidmesh: Typed, started: Start, folder: Path
) -> None:
    """Whatever nobody serves stands out."""
    started("Ana")
    started("Ben", "--queue", "mail")
    squidmesh("set-queue", "slow", "--rate", "1/h")
    squidmesh("pause-queue", "slow", "--by", "ana", "--note", "x" * 60)
    register(folder, "box:7:abc", queues=["default", "slow"])

    said = wide("queues")
    records = {record[0]: record[1:] for record in squidmesh("queues").records}

    assert 0 == said.code
    lines = {line.split()[0]: line for line in said.out.splitlines() if line[:1].strip()}
    assert "nobody serves it" in lines["mail"]
    assert "nobody" not in lines["default"]
    assert "paused by ana" in lines["slow"]
    assert ["1", "0", "0"] == records["default"][:3]
    assert "1" == records["default"][4]
    assert "1/h" == records["slow"][5]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ({"kind": "concurrency", "limit": 5}, "full: 5 held"),
        ({"kind": "per_key", "limit": 1, "key": "ana"}, "full for key 'ana': 1 held"),
        ({"kind": "per_key", "limit": 1}, "full for runs without a key: 1 held"),
        (
            {"kind": "rate", "limit": 1, "until": datetime(2999, 1, 1, tzinfo=UTC)},
            "next start in",
        ),
        (
            {"kind": "rate", "limit": 1, "until": datetime(2020, 1, 1, tzinfo=UTC)},
            "too fast a moment ago",
        ),
        ({"kind": "paused"}, "paused"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_queues_say_what_holds_work_back(
    squidmesh: Typed, started: Start, folder: Path, refusal: dict[str, object], expected: str
) -> None:
    """In the last column, and as data."""
    started("Ana")
    squidmesh("set-queue", "default", "--concurrency", "5")
    register(folder, "box:7:abc")
    refuse(folder, "default", **refusal)

    (record,) = squidmesh("queues").records
    (queue,) = _list(squidmesh("queues", "--json").document["queues"])

    assert expected in record[-1]
    (told,) = _list(queue["refusals"])
    assert refusal["kind"] == told["kind"]


def test_workers_say_whether_they_are_there(wide: Typed, squidmesh: Typed, folder: Path) -> None:
    """Working, stopping, or silent; another version is told."""
    squidmesh("set-queue", "mail", "--concurrency", "1")
    register(folder, "box:7:abc")
    register(folder, "box:8:def", stopping=True)
    register(folder, "box:9:ghi", ago=timedelta(minutes=5))

    said = wide("workers")
    states = {record[0]: record[-1] for record in squidmesh("workers").records}
    document = squidmesh("workers", "--json").document

    assert {"box:7:abc": "working", "box:8:def": "stopping", "box:9:ghi": "silent"} == states
    assert "0.0.1" in said.out
    assert set(_list(document["workers"])[0]) == {
        field.name for field in WorkerInfo.__attrs_attrs__
    }


def test_doctor_names_what_nobody_serves(squidmesh: Typed, started: Start, folder: Path) -> None:
    """And what no worker performs, and what is paused."""
    started("Ana")
    squidmesh("pause-queue", "mail")
    alone = {(name, value) for _, name, value in squidmesh("doctor").records}
    register(folder, "box:7:abc", actions=[])

    said = {(name, value) for _, name, value in squidmesh("doctor").records}
    document = squidmesh("doctor", "--json").document

    assert ("queues", "nobody serves 'default': 1 attempt waiting") in alone
    assert ("queues", "mail is paused") in said
    assert ("actions", "1 attempt of greetings.check, which no worker performs") in said
    assert (1, {}, ["mail"]) == tuple(document[n] for n in ("workers", "unserved", "paused"))


def test_data_of_people_cannot_touch_the_terminal(on_terminal: Typed, squidmesh: Typed) -> None:
    """Whoever pauses a queue may say anything."""
    squidmesh("pause-queue", "mail", "--note", "\x1b[31mred", "--by", "a\tb")

    said = on_terminal("queues").out + squidmesh("queues", "--json").out

    assert "\x1b" not in said


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
