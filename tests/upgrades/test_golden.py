"""
Every byte ever written still reads, and is written again the same.

The files of specs/golden were made once and are never made anew: each line of
`<wire type>.jsonl` is the body of an append of one entry, each line of
`whole_run.jsonl` is an append record.  A new version of a type adds a file.
"""

import json
from pathlib import Path

import pytest

from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, first_break, origin
from squidmesh_core.protocol.codec import decode, encode
from squidmesh_core.protocol.converter import from_json
from squidmesh_core.protocol.wire import VERSIONS, WIRE_TYPES
from squidmesh_core.state.fold import fold_run

GOLDEN = Path(__file__).parents[2] / "specs" / "golden"
RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
TYPES = sorted(WIRE_TYPES.values())


def lines(name: str) -> list[str]:
    """The lines of a golden file."""
    return (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]


def test_every_entry_type_has_a_golden_file() -> None:
    """A type that is added comes with the bytes it was first written as."""
    assert sorted([*VERSIONS, "whole_run"]) == sorted(p.stem for p in GOLDEN.glob("*.jsonl"))


@pytest.mark.parametrize("name", TYPES)
def test_golden_entries_are_written_again_byte_for_byte(name: str) -> None:
    """Reading changes nothing, and writing has not changed since."""
    bodies = lines(name)
    decoded = [decode(body, run_id=RUN, first=Revision(1)) for body in bodies]

    assert bodies == [encode(entries, RUN) for entries in decoded]
    assert {name} == {WIRE_TYPES[type(entry)] for entries in decoded for entry in entries}


def test_a_whole_run_verifies_and_is_written_again_byte_for_byte() -> None:
    """Its chain holds, its revisions follow, and its bodies come out the same."""
    records = [from_json(json.loads(line), AppendRecord, RUN) for line in lines("whole_run")]
    decoded = [decode(record.body, run_id=RUN, first=record.first) for record in records]

    assert first_break(records, previous=origin(RUN), after=Revision(0)) is None
    assert [record.body for record in records] == [encode(entries, RUN) for entries in decoded]
    assert [record.last for record in records] == [entries[-1].revision for entries in decoded]


def test_a_whole_run_still_adds_up() -> None:
    """The fold of the golden journal is a completed run, without an anomaly."""
    records = [from_json(json.loads(line), AppendRecord, RUN) for line in lines("whole_run")]
    bodies = [decode(record.body, run_id=RUN, first=record.first) for record in records]
    state = fold_run(RUN, (entry for entries in bodies for entry in entries))

    assert ("completed", 14, ()) == (state.status, state.revision, state.anomalies)
    assert {"reserve", "charge"} <= state.context.keys()
