"""
Golden journals: whole runs, one per feature, that every later release must read the same.

The files of specs/journals were written once and are never written over:
`<feature>.jsonl` is an export (definitions, then appends), and
`<feature>.json` what each of its runs adds up to.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from squidmesh_core.checker import check_store
from squidmesh_core.checker.export import Export, read
from squidmesh_core.definition.fingerprint import spec_to_text
from squidmesh_core.definition.form import read_text
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, Fingerprint, RunId
from squidmesh_core.protocol.chain import AppendRecord, first_break, origin
from squidmesh_core.protocol.codec import decode, encode
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from support.features import FEATURES
from support.features.adding_up import adding_up

SPECS = Path(__file__).parents[2] / "specs"
JOURNALS = SPECS / "journals"
NAMES = sorted(path.stem for path in JOURNALS.glob("*.jsonl"))


@cache
def exported(name: str) -> Export:
    """A golden journal."""
    return read((JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())


def entries(records: tuple[AppendRecord, ...]) -> list[Entry]:
    """The entries of one run."""
    return [
        entry
        for record in records
        for entry in decode(record.body, run_id=record.run_id, first=record.first)
    ]


def states(run_id: RunId, records: tuple[AppendRecord, ...]) -> list[RunState]:
    """The state of a run after each append."""
    found = [RunState(run_id=run_id)]
    for record in records:
        found.append(fold(found[-1], entries((record,))))
    return found[1:]


def definitions(export: Export) -> dict[Fingerprint, Spec]:
    """The stored definitions, read; every one is a workflow that may run."""
    found = {name: read_text(text) for name, text in export.definitions.items()}
    assert dict.fromkeys(found, ()) == {name: problems for name, (_, problems) in found.items()}
    return {name: spec for name, (spec, _) in found.items() if spec is not None}


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_journal_adds_up_to_what_it_did(name: str) -> None:
    """Its runs are decoded and folded to the very sums that were stored beside it."""
    expected = json.loads((JOURNALS / f"{name}.json").read_text(encoding="utf-8"))
    runs = exported(name).runs

    assert expected == {run_id: adding_up(states(run_id, rs)) for run_id, rs in runs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_a_golden_journal_is_an_anomaly(name: str) -> None:
    """Every entry fits where it stands."""
    ends = [states(run_id, records)[-1] for run_id, records in exported(name).runs.items()]

    assert [()] * len(ends) == [state.anomalies for state in ends]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_a_golden_journal_contradicts_itself(name: str) -> None:
    """Nor the definition: every later release can read it."""
    export = exported(name)
    known = definitions(export)
    for run_id, records in export.runs.items():
        named, state = Named(run_id), states(run_id, records)[-1]
        for entry in entries(records):
            named.take(entry)
        assert state.started is not None
        if state.pruned is None:  # nothing but a tombstone is left, and it names no node
            named.check(known[state.started.definition])


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_journal_is_written_again_byte_for_byte(name: str) -> None:
    """Its chain holds, and what is decoded is encoded to the same text; definitions, too."""
    export = exported(name)
    records = [record for run in export.runs.values() for record in run]
    again = [encode(entries((record,)), record.run_id) for record in records]
    texts = [spec_to_text(spec) for spec in definitions(export).values()]

    assert [record.body for record in records] == again
    assert list(export.definitions.values()) == texts
    assert {run_id: broken(run_id, rs) for run_id, rs in export.runs.items()} == dict.fromkeys(
        export.runs
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_finds_nothing_in_a_golden_journal(name: str) -> None:
    """Every rule of specs/invariants.md holds in it, over all of its runs."""
    export = exported(name)
    report = check_store(export.runs, definitions(export))

    assert [] == [(one.rule, one.revision, one.message) for one in report.violations]


def test_the_golden_journals_hold_every_entry_type() -> None:
    """A type that is added comes with a journal in which it does its work."""
    found = {
        WIRE_TYPES[type(entry)]
        for name in NAMES
        for run in exported(name).runs.values()
        for entry in entries(run)
    }

    assert set(WIRE_TYPES.values()) == found


def test_every_golden_journal_says_what_it_adds_up_to() -> None:
    """And there is one for each feature that is told."""
    sums = sorted(path.stem for path in JOURNALS.glob("*.json"))

    assert NAMES == sums
    assert set() == FEATURES.keys() - set(NAMES)


def test_the_plays_write_the_stored_bytes_today() -> None:
    """A change of the wire form shows here first; journals are never made anew to hide it."""
    done = subprocess.run(
        [sys.executable, SPECS / "write_journals.py", "--check"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (0, "") == (done.returncode, done.stderr)


def broken(run_id: RunId, records: tuple[AppendRecord, ...]) -> int | None:
    """Where the chain of a run breaks, if it does."""
    return first_break(records, previous=origin(run_id), after=BEGINNING)
