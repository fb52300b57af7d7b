"""Reading: snapshots, lists, journals, waiting, and ending a run by hand."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from squidmesh import (
    ConfigError,
    IdempotencyConflict,
    PayloadError,
    Refused,
    Run,
    RunNotFound,
    WaitTimeout,
    Workflow,
    manual,
)
from squidmesh import step as step_of
from support.stage import EPOCH, LEASE, Stage, begin, claimed, does, types
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))
UNKNOWN = "0193e2a0-7b3c-7d10-8f00-123456789abc"
ACTIONS = does(a=lambda: 1, b=lambda: 2)


def in_words() -> str:
    """A step."""
    return "heavy"


def in_grams() -> int:
    """The same after a deploy."""
    return 70_000


def started(stage: Stage, **options: Any) -> Run:
    """A run that nobody works on."""
    return stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS, **options)


def test_a_snapshot_says_why_a_run_is_where_it_is(stage: Stage) -> None:
    """From the first attempt to the end; outputs and errors only with history."""
    run = started(stage)
    mesh = stage.mesh(actions=ACTIONS)
    reasons: list[str] = [mesh.inspect(run).reason]
    claimed(mesh)
    reasons.append(mesh.inspect(run).reason)
    reasons.append(mesh.inspect(run, now=EPOCH + LEASE).reason)
    stage.clock.advance(LEASE)
    mesh.drain()
    seen = mesh.inspect(run)

    assert ["attempt_visible", "attempt_claimed", "expired_claim"] == reasons
    assert ("terminal", True, "completed", ("a", "b")) == (
        seen.reason,
        seen.terminal,
        seen.status,
        seen.applied,
    )
    assert [None, None] == [one.output for one in seen.attempts]
    assert [1, 2] == [one.output for one in mesh.inspect(run, history=True).attempts]


def test_the_past_is_shown_as_it_was(stage: Stage) -> None:
    """By revision and by instant; leases are judged at that instant, not now."""
    run = started(stage)
    mesh = stage.mesh(actions=ACTIONS)
    stage.clock.advance(10)
    claim = claimed(mesh)
    stage.clock.advance(10)
    mesh.complete(claim, 1)
    stage.clock.advance(LEASE * 5)

    by_revision = mesh.inspect(run, at=4)
    by_instant = mesh.inspect(run, at=EPOCH + timedelta(seconds=15))

    assert ("attempt_claimed", 4, {}) == (
        by_revision.reason,
        by_revision.at_revision,
        by_revision.context,
    )
    assert by_revision == by_instant
    assert "attempt_visible" == mesh.inspect(run, at=3).reason
    head = mesh.inspect(run).at_revision
    assert mesh.inspect(run) == mesh.inspect(run, at=head, now=stage.clock.now)
    assert mesh.inspect(run).context == mesh.inspect(run, at=stage.clock.now).context


def test_what_a_run_has_come_to_is_past_also_where_the_clock_went_back(stage: Stage) -> None:
    """Its own last instant can always be asked for."""
    run = started(stage)
    mesh = stage.mesh()
    reached = mesh.inspect(run)
    stage.clock.advance(-60)

    assert reached == mesh.inspect(run, at=stage.clock.now + timedelta(seconds=60))


@pytest.mark.parametrize(
    "at",
    [
        *(0, -1, True, "3", 4),
        *(EPOCH - timedelta(seconds=1), EPOCH + timedelta(seconds=1)),
        datetime(2026, 1, 1),  # noqa: DTZ001  # the mistake under test
    ],
)
def test_an_impossible_past_is_refused(stage: Stage, at: Any) -> None:
    """Before the start there is nothing to show, and what is still to come nobody knows."""
    run = started(stage)

    with pytest.raises(ConfigError) as caught:
        stage.mesh().inspect(run, at=at)

    assert ("invalid_option", "at") == (caught.value.code, caught.value.details["option"])


def test_a_run_is_named_by_id_run_or_snapshot(stage: Stage) -> None:
    """In upper case too."""
    run = started(stage)
    mesh = stage.mesh()
    seen = mesh.inspect(run)

    assert seen == mesh.inspect(run.id) == mesh.inspect(seen) == mesh.inspect(run.id.upper())


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        (UNKNOWN, "not_found"),
        ("A-1", "invalid_run_id"),
        (5, "invalid_run_id"),
        ("", "invalid_run_id"),
    ],
)
def test_an_unknown_run_is_not_found_by_any_verb(stage: Stage, ref: Any, code: str) -> None:
    """Every verb says it alike, and at once."""
    mesh = stage.mesh()

    for verb in (mesh.inspect, mesh.journal, mesh.cancel, mesh.wait_for):
        with pytest.raises(RunNotFound) as caught:
            verb(ref)
        assert code == caught.value.code


def test_the_journal_is_read_from_any_revision(stage: Stage) -> None:
    """Also from the middle of an append; after the end there is nothing."""
    run = started(stage)
    mesh = stage.mesh()

    assert [(1, "run_signal_received"), (2, "run_started"), (3, "attempt_scheduled")] == [
        (entry.revision, entry.type) for entry in mesh.journal(run)
    ]
    assert [2, 3] == [entry.revision for entry in mesh.journal(run, after=1)]
    assert [] == list(mesh.journal(run, after=3)) == list(mesh.journal(run, after=99))
    assert {"orders"} == {e.data["workflow"] for e in mesh.journal(run) if e.type == "run_started"}


@pytest.mark.parametrize("after", [-1, "1", 1.0, None])
def test_a_journal_after_no_revision_is_refused(stage: Stage, after: Any) -> None:
    """By name."""
    run = started(stage)

    with pytest.raises(ConfigError, match="the option after"):
        stage.mesh().journal(run, after=after)


def test_runs_are_listed_newest_first_page_by_page(stage: Stage) -> None:
    """The cursor goes on where the page ended, whatever was started since."""
    runs = []
    for _ in range(5):
        runs.append(started(stage).id)
        stage.clock.advance(1)
    mesh = stage.mesh()

    first = mesh.runs(limit=2)
    started(stage)
    second = mesh.runs(limit=2, cursor=first.next)
    third = mesh.runs(limit=2, cursor=second.next)

    found = [run.id for page in (first, second, third) for run in page.items]
    assert runs[::-1] == found
    assert third.next is None


def test_runs_are_filtered(stage: Stage) -> None:
    """By every facet of the row, together."""
    mesh = stage.mesh(actions=ACTIONS)
    vip = started(stage, tags=["vip"], queue="fast", key="order:7")
    plain = started(stage)
    mesh.drain()
    stage.clock.advance(60)
    late = started(stage)
    since = EPOCH + timedelta(seconds=30)

    found: list[dict[str, Any]] = [
        {"tag": "vip"},
        {"queue": "fast", "status": "running"},
        {"text": "order:7"},
        {"status": "completed"},
        {"since": since},
        {"until": since, "queue": "default"},
        {"workflow": "orders", "version": "v1", "tag": "vip"},
        {"workflow": "others"},
        {"parent": UNKNOWN},
    ]

    assert [
        {vip.id},
        {vip.id},
        {vip.id},
        {plain.id},
        {late.id},
        {plain.id},
        {vip.id},
        set(),
        set(),
    ] == [{run.id for run in mesh.runs(**one).items} for one in found]


WRONG: list[tuple[str, object]] = [
    ("limit", 0),
    ("limit", 501),
    ("limit", "5"),
    ("status", "runing"),
    ("status", 5),
    ("since", datetime(2026, 1, 1)),  # noqa: DTZ001  # the mistake under test
    ("until", "today"),
    ("workflow", 5),
    ("tag", ["vip"]),
    ("text", "\ud800"),
    ("text", "a\0b"),
    ("colour", "red"),
]


@pytest.mark.parametrize(("option", "value"), WRONG)
def test_a_wrong_filter_is_refused_by_name(stage: Stage, option: str, value: object) -> None:
    """It lists nothing rather than everything."""
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        stage.mesh().runs(**options)

    assert ("invalid_option", option) == (caught.value.code, caught.value.details["option"])


@pytest.mark.parametrize(
    "cursor", ["", "?", "é", "bm9uc2Vuc2U", "MjAyNi0wMS0wMSB4", "\ud800", 5, "a" * 999]
)
def test_a_cursor_that_no_list_gave_out_is_refused(stage: Stage, cursor: Any) -> None:
    """Whatever it is."""
    with pytest.raises(ConfigError) as caught:
        stage.mesh().runs(cursor=cursor)

    assert "invalid_cursor" == caught.value.code


def test_waiting_ends_with_the_run(stage: Stage) -> None:
    """Whoever moves it: a thread of this process, or another process."""
    run = started(stage)
    waiting, other = stage.mesh(), stage.mesh(actions=ACTIONS)
    worker = threading.Thread(target=other.drain)
    worker.start()

    assert "completed" == waiting.wait_for(run, timeout="60s").status
    worker.join()


def test_waiting_for_a_status_ends_with_it(stage: Stage) -> None:
    """A run that is there already is not waited for."""
    run = started(stage)

    assert "running" == stage.mesh().wait_for(run, status="running").status


def test_waiting_longer_than_asked_is_a_time_out(stage: Stage) -> None:
    """The run goes on; the error is a `TimeoutError` too."""
    run = started(stage)

    with pytest.raises(WaitTimeout) as caught:
        stage.mesh().wait_for(run, timeout="0ms")

    assert isinstance(caught.value, TimeoutError)
    assert {"run_id": run.id, "status": "running"} == caught.value.details


def test_waiting_for_what_cannot_come_any_more_ends_at_once(stage: Stage) -> None:
    """A run that is over has no other status to come."""
    run = started(stage)
    mesh = stage.mesh()
    mesh.cancel(run)

    with pytest.raises(WaitTimeout, match="will not be completed any more"):
        mesh.wait_for(run, status="completed")


@pytest.mark.parametrize(("option", "value"), [("status", "done"), ("timeout", "soon")])
def test_waiting_with_a_wrong_option_is_refused(stage: Stage, option: str, value: Any) -> None:
    """By name."""
    run = started(stage)
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        stage.mesh().wait_for(run, **options)

    assert option == caught.value.details["option"]


def test_a_cancel_ends_the_run_and_is_on_record(stage: Stage) -> None:
    """Who, why, and what is refused afterwards."""
    run = started(stage)
    mesh = stage.mesh(actions=ACTIONS)

    ended = mesh.cancel(run, by={"id": "ana"}, note="wrong address", metadata={"ticket": 7})

    assert "cancelled" == ended.status
    assert 0 == mesh.drain()
    last = mesh.inspect(run).command_history[-1]
    assert ("cancel", {"id": "ana"}, "wrong address", {"ticket": 7}) == (
        last.command,
        last.actor,
        last.comment,
        last.metadata,
    )
    with pytest.raises(Refused) as caught:
        stage.mesh().cancel(run)
    assert ("invalid_transition", "cancelled") == (
        caught.value.code,
        caught.value.details["status"],
    )


def test_a_cancel_with_the_same_key_is_the_same_cancel(stage: Stage) -> None:
    """From any process; with another text it is a conflict, and nothing is written."""
    run = started(stage)
    stage.mesh().cancel(run, key="ticket:7", note="wrong address")
    mesh = stage.mesh()
    written = types(mesh, run)

    assert mesh.cancel(run, key="ticket:7", note="wrong address").duplicate
    with pytest.raises(IdempotencyConflict):
        mesh.cancel(run, key="ticket:7", note="changed my mind")

    assert written == types(mesh, run)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("by", object()),
        ("note", 5),
        ("note", "\ud800"),
        ("metadata", {"a": float("nan")}),
        ("metadata", "x"),
        ("key", ""),
        ("now", "today"),
    ],
)
def test_a_cancel_with_a_wrong_option_is_refused(stage: Stage, option: str, value: Any) -> None:
    """The run goes on, and its journal stays readable."""
    run = started(stage)
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        stage.mesh().cancel(run, **options)

    assert option == caught.value.details["option"]
    assert "running" == stage.mesh().inspect(run).status


@pytest.mark.parametrize(
    ("verb", "option", "value"),
    [
        ("drain", "limit", -1),
        ("drain", "limit", True),
        ("drain", "queues", "default"),
        ("drain", "queues", []),
        ("execute_next", "queue", ""),
        ("execute_next", "lease", "0ms"),
        ("execute_next", "owner", "\ud800"),
        ("execute_next", "now", 5),
        ("worker", "concurrency", 0),
        ("worker", "concurrency", 1.5),
        ("worker", "queues", "default"),
        ("worker", "queues", ["no spaces"]),
        ("worker", "lease", "soon"),
    ],
)
def test_working_with_a_wrong_option_is_refused(
    stage: Stage, verb: str, option: str, value: Any
) -> None:
    """Before anything is claimed."""
    run = started(stage)
    mesh = stage.mesh(actions=ACTIONS)

    with pytest.raises(ConfigError) as caught:
        getattr(mesh, verb)(**{option: value})

    assert "invalid_option" == caught.value.code
    assert 3 == len(types(mesh, run))


def test_two_meshes_of_one_process_share_a_journal(stage: Stage) -> None:
    """A mesh is a value: neither sees the other's code, both see the same runs."""
    one, other = stage.mesh(), stage.mesh()
    first = begin(one, chain(step("a")), a=lambda: 1)
    second = begin(other, chain(step("b")), b=lambda: 2)

    assert [1, 0, 1] == [one.drain(), one.drain(), other.drain()]
    assert {"completed"} == {one.inspect(run).status for run in (first, second)}


def test_an_output_is_asked_for_by_its_node(stage: Stage) -> None:
    """A name has no type; what lies under it is in the context."""
    mesh = stage.mesh(actions=does(a=lambda: 1))
    run = mesh.start_spec(chain(step("a", output="a")), "placed", {}, actions=mesh.actions)

    with pytest.raises(ConfigError, match="a node of a workflow"):
        mesh.inspect(run).out("a")  # type: ignore[arg-type]  # a mistake


def test_an_output_of_an_older_definition_is_refused_with_what_does_not_fit(stage: Stage) -> None:
    """A deploy changed the type; the value stands in the run as it was, and is not shown."""

    class Before(Workflow, name="deployed"):
        placed = manual()
        weighed = step_of(in_words)

    class After(Workflow, name="deployed"):
        placed = manual()
        weighed = step_of(in_grams)

    old, new = stage.mesh(Before), stage.mesh(After)
    run = old.start(Before.placed)
    old.drain()

    with pytest.raises(PayloadError, match=r"'weighed'.* does not fit") as caught:
        new.inspect(run).out(After.weighed)

    assert ("invalid_payload", run.id) == (caught.value.code, caught.value.details["run_id"])
    assert [{"path": [], "expected": "int"}] == caught.value.details["problems"]
    assert "heavy" not in str(caught.value)
