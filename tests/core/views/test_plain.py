"""Views as plain data: one way for all of them, and schemas that say what it gives."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given
from jsonschema import Draft202012Validator

from squidmesh_core.views.explanation import Explanation
from squidmesh_core.views.inspection import Run, Snapshot, snapshot
from squidmesh_core.views.plain import NOT_PLAIN, View, member_names, plain
from squidmesh_core.views.schemas import view_schema, view_schemas
from support.plays import plays
from support.scenario import EPOCH, Scenario

SPECS = Path(__file__).parents[3] / "specs"
VALID = Draft202012Validator(view_schema(Snapshot))


@frozen(kw_only=True)
class Odd(View):
    """A view with a member that nobody can draw."""

    member: set[str]


@given(plays())
def test_a_snapshot_can_be_written_down(run: Scenario) -> None:
    """Its document is JSON and fits its schema, with the history of attempts and without."""
    for history in (False, True):
        view = snapshot(run.state, run.spec, run.now, history=history)
        VALID.validate(json.loads(json.dumps(view.to_dict(), allow_nan=False)))


def test_instants_and_spans_have_one_form() -> None:
    """UTC to the microsecond, and whole milliseconds under a name that says so."""
    from squidmesh_core.plan.deadline import Due

    due = Due(
        status="overdue",
        started_at=EPOCH,
        due_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        due_soon_at=None,
        escalated_at=None,
        remaining=-timedelta(seconds=1.5),
    )

    assert {
        "status": "overdue",
        "started_at": "2026-01-01T00:00:00.000000Z",
        "due_at": "2026-01-02T03:04:05.000006Z",
        "due_soon_at": None,
        "escalated_at": None,
        "remaining_ms": -1500,
    } == plain(due)


def test_what_is_for_this_process_only_is_left_out() -> None:
    """A member may be there for programs and not for documents."""
    assert {"plain": False} == dict(NOT_PLAIN)
    assert "zone" not in member_names(Explanation)


def test_what_is_no_record_has_no_plain_form() -> None:
    """Better no document than one that nobody expects."""
    with pytest.raises(TypeError, match="set has no plain form"):
        plain({"member": {1}})
    with pytest.raises(TypeError, match="has no plain form"):
        view_schema(Odd)


def test_the_files_are_what_the_records_say() -> None:
    """Each schema that others read, member by member, and each is one."""
    files = {path.name: json.loads(path.read_text()) for path in (SPECS / "views").iterdir()}

    assert files.items() >= view_schemas().items()
    for schema in view_schemas().values():
        Draft202012Validator.check_schema(schema)


def test_names_of_runs_are_those_of_the_reference() -> None:
    """What lists and verbs return, in the order of the documentation."""
    properties = view_schema(Run)["properties"]

    assert isinstance(properties, dict)
    assert [
        "id", "workflow", "version", "fingerprint", "trigger", "status", "queue", "priority",
        "tags", "key", "partition_key", "created_at", "updated_at", "ended_at", "revision",
    ] == list(properties)[:15]  # fmt: skip
