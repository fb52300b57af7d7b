"""Exports of somebody else's that hang together, and hold what no database keeps."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh import ConfigError, Mesh
from squidmesh_core.checker import export as exports
from squidmesh_core.ids import AppendId, RunId
from squidmesh_core.protocol.wire import instant_from_text
from support.damage import Records, forged
from support.stage import Stage, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"))
BEGAN = "2026-01-01T00:00:00.000000Z"
LATE = "9999-12-31T23:59:59.999999Z"
#: More than PostgreSQL indexes, and nothing that it could pack.
LONG = "".join(sha256(str(number).encode()).hexdigest() for number in range(100))
#: 10^30, which no column holds.
HUGE = "1" + "0" * 30


def one() -> int:
    """Give 1."""
    return 1


def _said(before: str, after: str) -> Callable[[Records], Records]:
    """The first append, with a text in its body in the place of another."""

    def change(records: Records) -> Records:
        assert before in records[0].body
        return forged(records, 0, body=records[0].body.replace(before, after))

    return change


def _called(append_id: str) -> Callable[[Records], Records]:
    return lambda records: [evolve(one, append_id=AppendId(append_id)) for one in records]


def _under(run_id: str) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        mine = [evolve(one, run_id=RunId(run_id)) for one in records]
        return forged(mine, 0, body=mine[0].body)

    return change


def _at_the_end_of_time(records: Records) -> Records:
    late = [evolve(one, at=instant_from_text(LATE)) for one in records]
    return forged(late, 0, body=late[0].body.replace(BEGAN, LATE))


def _once_at_the_end_of_time(records: Records) -> Records:
    """Not in the last entry, whose instant the row of its append says as well."""
    return forged(records, 0, body=records[0].body.replace(BEGAN, LATE, 1))


HOSTILE: dict[str, tuple[Callable[[Records], Records], str]] = {
    "a workflow with a NUL": (_said('"orders"', r'"\u0000"'), "run.workflow: a text with a NUL"),
    "a trigger with a NUL": (_said('"placed"', r'"\u0000"'), "run.trigger: a text with a NUL"),
    "a tag with a NUL": (_said('"red"', r'"blue","\u0000"'), "run.tags[1]: a text with a NUL"),
    "half of a character": (_said('"red"', r'"\ud800"'), "run.tags[0]: a text with a lone"),
    "a partition key with a NUL": (_said('"pk"', r'"\u0000"'), "run.partition_key: a text with"),
    "a long tag": (_said('"red"', f'"{LONG}"'), "run.tags[0]: a text of more than 1024 bytes"),
    "a long workflow": (_said('"orders"', f'"{LONG}"'), "run.workflow: a text of more than 1024"),
    "a long partition key": (_said('"pk"', f'"{LONG}"'), "run.partition_key: a text of more than"),
    "a huge priority": (_said('"priority":7', f'"priority":{HUGE}'), "run.priority: a number that"),
    "an action with a NUL": (_said('"do.a"', r'"\u0000"'), "attempts[0].action: a text with a NUL"),
    "an append id with a NUL": (_called("a\0b"), "append_id of revision 1: a text with a NUL"),
    "an id that is none": (_under("not-an-id"), "run_id: no id of a run"),
    "an id in capitals": (_under("0193E2A0-7B3C-7D10-8F00-123456789ABC"), "run_id: no id"),
    "the end of time": (_at_the_end_of_time, "at: after the year 9699"),
    "the end of time, once": (_once_at_the_end_of_time, "at: after the year 9699"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_database_keeps_is_named_and_nothing_is_stored(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    """Whatever the database would have said of it, and at whichever append."""
    change, field = HOSTILE[name]
    records, definition = _journal()
    file = tmp_path / "all.jsonl"
    lines = exports.write(change(records), [definition])
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    mesh = stage.mesh()

    with pytest.raises(ConfigError) as caught:
        mesh.restore(file)

    assert "invalid_bundle" == caught.value.code
    assert str(caught.value.details["reason"]).startswith(field)
    assert () == mesh.door.journal.run_ids(None, 10)


def test_a_hold_hides_nothing(stage: Stage, tmp_path: Path) -> None:
    """What waits behind it would be indexed as soon as somebody lifts it."""
    change, field = HOSTILE["an action with a NUL"]
    records, definition = _journal(held=True)
    file = tmp_path / "all.jsonl"
    lines = exports.write(change(records), [definition])
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    with pytest.raises(ConfigError, match="cannot be taken in") as caught:
        stage.mesh().restore(file)

    assert str(caught.value.details["reason"]).startswith(field)


def test_what_contradicts_itself_is_not_restored(stage: Stage, tmp_path: Path) -> None:
    """Its hashes fit, and whoever reads it once it is stored would be refused."""
    records, definition = _journal()
    file = tmp_path / "all.jsonl"
    lines = exports.write(_said('"step":"a"', '"step":"b"')(records), [definition])
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    mesh = stage.mesh()

    with pytest.raises(ConfigError) as caught:
        mesh.restore(file)

    assert "is no visit of 'b'" in str(caught.value.details["reason"])
    assert () == mesh.door.journal.run_ids(None, 10)


def test_the_same_file_without_it_is_restored(stage: Stage, tmp_path: Path) -> None:
    """Or the test above would say nothing."""
    records, definition = _journal()
    file = tmp_path / "all.jsonl"
    lines = exports.write(_said('"red"', '"blue"')(records), [definition])
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    mesh: Mesh = stage.mesh()

    assert 1 == mesh.restore(file)
    assert [("blue",)] == [run.tags for run in mesh.runs(tag="blue").items]


def _journal(*, held: bool = False) -> tuple[Records, str]:
    """A run that was just started, and its definition."""
    stage = Stage()
    mesh = stage.mesh()
    run = mesh.start_spec(
        SPEC, "placed", {}, actions=does(a=one), tags=("red",), partition_key="pk", priority=7
    )
    if held:
        mesh.pause(run)
    records = mesh.door.journal.load(RunId(run.id), whole=True).records
    definition = mesh.door.journal.definition(run.fingerprint)
    assert definition is not None
    stage.close()
    return records, definition
