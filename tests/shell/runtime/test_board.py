"""The board of deadlines, lists by deadline and by reason, and counts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from squidmesh import Board, ConfigError, Mesh, Run
from squidmesh.door.known import Known
from squidmesh.views import listing
from squidmesh.views.paging import packed, unpacked
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import RunId
from squidmesh_core.values import DeadlinePolicy
from squidmesh_core.views.deadlines import DeadlineView
from squidmesh_storage.api import Quarantine
from support.stage import EPOCH, LEASE, Stage, claimed, does
from support.workflows import chain, pause, receive, step, workflow

ACTIONS = does(a=lambda: 1, b=lambda: 2, c=lambda: 3)
SECOND = timedelta(seconds=1)


def within(seconds: int, *, soon: int | None = None, late: int | None = None) -> DeadlinePolicy:
    """A policy in seconds."""
    return DeadlinePolicy(
        within_ms=seconds * 1_000,
        due_soon_ms=None if soon is None else soon * 1_000,
        escalate_after_ms=None if late is None else late * 1_000,
        escalation="operator_action",
        target="desk",
    )


def due(seconds: int, *, soon: int | None = None, late: int | None = None) -> Spec:
    """Two steps, the first with a deadline."""
    return chain(step("a", deadline=within(seconds, soon=soon, late=late)), step("b"))


def start(mesh: Mesh, spec: Spec, **options: Any) -> Run:
    return mesh.start_spec(spec, "placed", {}, actions=ACTIONS, **options)


def statuses(board: Board) -> list[tuple[str, str]]:
    return [(one.run.id, one.deadline.status) for one in board.items]


# --- the board


def test_the_board_shows_what_is_late_first(stage: Stage) -> None:
    """Of all runs with a deadline, and of them alone; each as an inspection shows it."""
    mesh = stage.mesh()
    on_time, soon = start(mesh, due(100)), start(mesh, due(20, soon=15))
    start(mesh, chain(step("a"), step("b")))
    overdue, escalated = start(mesh, due(10)), start(mesh, due(5, late=2))
    stage.clock.advance(10)
    board = mesh.deadlines()

    assert [
        (escalated.id, "escalated"),
        (overdue.id, "overdue"),
        (soon.id, "due_soon"),
        (on_time.id, "on_time"),
    ] == statuses(board)
    assert (EPOCH + 10 * SECOND, None) == (board.at, board.next)
    assert [mesh.inspect(one.run).deadlines for one in board.items] == [
        (one.deadline,) for one in board.items
    ]
    first = board.items[0].deadline
    assert ("a", EPOCH, EPOCH + 5 * SECOND, -5 * SECOND, "operator_action", "desk") == (
        first.node,
        first.started_at,
        first.due_at,
        first.remaining,
        first.escalation,
        first.target,
    )


def test_gates_and_awaited_messages_are_on_the_board(stage: Stage) -> None:
    """And what the next step brings, once it may begin."""
    spec = chain(
        pause("a", deadline=within(5)),
        receive("b", deadline=within(7)),
        step("c", deadline=within(9)),
    )
    mesh = stage.mesh()
    run = start(mesh, spec)
    seen = [nodes(mesh.deadlines())]
    stage.clock.advance(2)
    mesh.resume(run, node="a", by="ana")
    seen.append(nodes(mesh.deadlines()))
    stage.clock.advance(2)
    mesh.send(run, "b", {})
    seen.append(nodes(mesh.deadlines()))
    mesh.cancel(run)
    seen.append(nodes(mesh.deadlines()))

    assert [[("a", 5)], [("b", 9)], [("c", 13)], []] == seen


def nodes(board: Board) -> list[tuple[str, int]]:
    """The node of each deadline, and after how many seconds it is due."""
    return [(one.deadline.node, _seconds(one.deadline)) for one in board.items]


def _seconds(view: DeadlineView) -> int:
    return round((view.due_at - EPOCH).total_seconds())


def test_a_status_is_that_of_the_deadline_not_of_its_run(stage: Stage) -> None:
    """A run in which one is escalated may hold another that is only late."""
    mesh = stage.mesh()
    both = workflow(
        pause("b", deadline=within(5, late=1)),
        step("a", deadline=within(6)),
        step("c", after=("a", "b")),
    )
    run, late = start(mesh, both), start(mesh, due(4))
    stage.clock.advance(8)
    overdue = mesh.deadlines(status="overdue")

    assert [(late.id, "overdue"), (run.id, "overdue")] == statuses(overdue)
    assert ["a", "a"] == [one.deadline.node for one in overdue.items]
    assert [(run.id, "escalated")] == statuses(mesh.deadlines(status="escalated"))
    first = mesh.deadlines(status="overdue", limit=1)
    rest = mesh.deadlines(status="overdue", limit=1, cursor=first.next)
    assert statuses(overdue) == statuses(first) + statuses(rest)
    assert [] == statuses(mesh.deadlines(status="due_soon"))


def test_pages_of_the_board_follow_each_other(stage: Stage) -> None:
    """Each run once, by urgency, at the instant of the first page, whatever happens since."""
    mesh = stage.mesh()
    late = [start(mesh, due(10 + n)).id for n in range(3)]
    fine = [start(mesh, due(60 + n)).id for n in range(3)]
    worse = start(mesh, due(15, late=5)).id
    stage.clock.advance(20)
    for limit in (1, 2):
        pages = [mesh.deadlines(limit=limit, now=EPOCH + 20 * SECOND)]
        while pages[-1].next is not None:
            stage.clock.advance(LEASE)
            pages.append(mesh.deadlines(limit=limit, cursor=pages[-1].next))
        shown = [[one.run.id for one in page.items] for page in pages]

        assert [worse, *late, *fine] == [run_id for page in shown for run_id in page]
        assert {limit} == {len(page) for page in shown[:-1]}
        assert {EPOCH + 20 * SECOND} == {page.at for page in pages}


def test_the_board_is_filtered(stage: Stage) -> None:
    """By facets of the run."""
    mesh = stage.mesh()
    vip = start(mesh, due(5), tags=["vip"], queue="fast", key="order:7")
    plain = start(mesh, due(5))
    found: list[dict[str, Any]] = [
        {"tag": "vip"},
        {"queue": "default"},
        {"text": "order:7", "status": "on_time"},
        {"workflow": "orders", "version": "v1"},
        {"workflow": "others"},
        {"now": EPOCH + 9 * SECOND, "status": "overdue", "queue": "fast"},
    ]

    assert [{vip.id}, {plain.id}, {vip.id}, {vip.id, plain.id}, set(), {vip.id}] == [
        {one.run.id for one in mesh.deadlines(**options).items} for options in found
    ]


def test_a_run_that_cannot_be_read_stops_no_board(stage: Stage) -> None:
    """It is left out, here and where runs are read for their reason; `runs` shows it."""
    mesh = stage.mesh()
    torn, whole = start(mesh, due(5)), start(mesh, due(6))
    mesh.door.journal.quarantine(torn.id, Quarantine(revision=None, reason="torn"))
    other = stage.mesh()

    assert [whole.id] == [one.run.id for one in other.deadlines().items]
    assert [whole.id] == [run.id for run in other.runs(reason="attempt_visible").items]
    assert {whole.id, torn.id} == {run.id for run in other.runs(deadline="on_time").items}


def test_the_board_reads_only_runs_that_have_a_deadline(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index says which these are."""
    mesh = stage.mesh()
    for _ in range(5):
        start(mesh, chain(step("a"), step("b")))
    late = start(mesh, due(5))
    read: list[str] = []
    fresh_all = mesh.door.fresh_all

    def noted(run_ids: Sequence[RunId]) -> list[Known | Exception]:
        read.extend(run_ids)
        return fresh_all(run_ids)

    monkeypatch.setattr(mesh.door, "fresh_all", noted)

    mesh.deadlines()

    assert [late.id] == read


WRONG: list[tuple[str, object]] = [
    ("status", "late"),
    ("status", 5),
    ("limit", 0),
    ("workflow", 5),
    ("now", datetime(2026, 1, 1)),  # noqa: DTZ001  # the mistake under test
    ("colour", "red"),
    ("parent", "0193e2a0-7b3c-7d10-8f00-123456789abc"),
]


@pytest.mark.parametrize(("option", "value"), WRONG)
def test_a_wrong_filter_of_the_board_is_refused_by_name(
    stage: Stage, option: str, value: object
) -> None:
    """It shows nothing rather than everything."""
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        stage.mesh().deadlines(**options)

    assert ("invalid_option", option) == (caught.value.code, caught.value.details["option"])


def test_a_cursor_of_the_board_goes_on_nowhere_else(stage: Stage) -> None:
    """Not with another filter, in another list, or at another instant."""
    mesh = stage.mesh()
    for n in range(3):
        start(mesh, due(5 + n))
    board, page = mesh.deadlines(limit=1), mesh.runs(limit=1)
    assert board.next is not None

    for wrong in (
        {"cursor": board.next, "tag": "vip"},
        {"cursor": board.next, "status": "on_time"},
        {"cursor": page.next},
        {"cursor": ""},
    ):
        options: dict[str, Any] = wrong
        with pytest.raises(ConfigError) as caught:
            mesh.deadlines(**options)
        assert "invalid_cursor" == caught.value.code
    with pytest.raises(ConfigError) as caught:
        mesh.runs(cursor=board.next)
    assert "invalid_cursor" == caught.value.code
    with pytest.raises(ConfigError) as caught:
        mesh.deadlines(cursor=board.next, now=EPOCH + SECOND)
    assert "now" == caught.value.details["option"]
    assert 1 == len(mesh.deadlines(cursor=board.next, now=EPOCH, limit=1).items)


@pytest.mark.parametrize(
    ("place", "part"),
    [(0, "2026-01-01"), (0, "today"), (1, "late"), (2, "2026-13-01"), (3, "A-1"), (4, "f" * 12)],
)
def test_a_cursor_of_the_board_that_was_altered_is_refused(
    stage: Stage, place: int, part: str
) -> None:
    """In whatever part of it."""
    mesh = stage.mesh()
    for _ in range(2):
        start(mesh, due(5))
    parts = unpacked(mesh.deadlines(limit=1).next, 5)
    parts[place] = part

    with pytest.raises(ConfigError) as caught:
        mesh.deadlines(limit=1, cursor=packed(*parts))

    assert "invalid_cursor" == caught.value.code


# --- runs by deadline and by reason


def test_runs_are_listed_by_their_most_urgent_deadline(stage: Stage) -> None:
    """By the index alone, newest first; a run says itself how it stands."""
    mesh = stage.mesh()
    late, fine = start(mesh, due(5)), start(mesh, due(50))
    start(mesh, chain(step("a"), step("b")))
    stage.clock.advance(9)
    (found,) = mesh.runs(deadline="overdue").items

    assert (late.id, mesh.inspect(late).run) == (found.id, found)
    assert found.deadline is not None
    assert EPOCH + 5 * SECOND == found.deadline.due_at
    assert [fine.id] == [run.id for run in mesh.runs(deadline="on_time").items]


def test_runs_are_listed_by_reason(stage: Stage) -> None:
    """Those and only those that an inspection says it of."""
    mesh = stage.mesh(actions=ACTIONS)
    spec = chain(pause("a"), step("b"))
    asked, visible = start(mesh, spec), start(mesh, due(5))
    taken = start(mesh, due(5), queue="fast")
    ended = start(mesh, due(5))
    mesh.cancel(ended)
    assert mesh.claim(owner="ana", queue="fast") is not None
    found = {
        reason: [run.id for run in mesh.runs(reason=reason).items]
        for reason in ("manual_intervention_required", "attempt_visible", "attempt_claimed")
    }

    assert {
        "manual_intervention_required": [asked.id],
        "attempt_visible": [visible.id],
        "attempt_claimed": [taken.id],
    } == found
    assert [ended.id] == [run.id for run in mesh.runs(reason="terminal").items]
    assert [] == list(mesh.runs(reason="attempt_visible", status="paused").items)
    stage.clock.advance(LEASE)
    assert [taken.id] == [run.id for run in mesh.runs(reason="expired_claim").items]


def test_a_page_by_reason_may_be_short_and_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many runs are read for it, and no more; nothing is shown twice or left out."""
    monkeypatch.setattr(listing, "MOST_READ", 4)
    monkeypatch.setattr(listing, "_AT_ONCE", 2)
    mesh = stage.mesh(actions=ACTIONS)
    rare = start(mesh, due(5), queue="fast")
    claimed_one = mesh.claim(owner="ana", queue="fast")
    assert claimed_one is not None
    stage.clock.advance(1)
    common = [start(mesh, due(5)).id for _ in range(7)]
    pages = [mesh.runs(reason="attempt_claimed", limit=1)]
    while pages[-1].next is not None:
        pages.append(mesh.runs(reason="attempt_claimed", limit=1, cursor=pages[-1].next))

    assert [[], [rare.id]] == [[run.id for run in page.items] for page in pages]
    for limit in (1, 2, 3, 7):
        full = [mesh.runs(reason="attempt_visible", limit=limit)]
        while full[-1].next is not None:
            full.append(mesh.runs(reason="attempt_visible", limit=limit, cursor=full[-1].next))

        assert sorted(common) == sorted(run.id for page in full for run in page.items)


@pytest.mark.parametrize(
    ("option", "value"), [("reason", "lazy"), ("reason", 5), ("deadline", "late"), ("deadline", 5)]
)
def test_a_reason_or_deadline_that_there_is_not_is_refused(
    stage: Stage, option: str, value: object
) -> None:
    """By name, with those that there are."""
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError, match="expected one of") as caught:
        stage.mesh().runs(**options)

    assert ("invalid_option", option) == (caught.value.code, caught.value.details["option"])


@pytest.mark.parametrize("other", [{}, {"reason": "attempt_claimed"}, {"deadline": "overdue"}])
def test_a_cursor_of_another_reason_or_deadline_is_refused(
    stage: Stage, other: dict[str, Any]
) -> None:
    """It would skip runs that nobody has seen."""
    mesh = stage.mesh()
    for _ in range(2):
        start(mesh, due(5))
    by_reason = mesh.runs(limit=1, reason="attempt_visible")
    by_deadline = mesh.runs(limit=1, deadline="on_time")
    stage.clock.advance(1)

    for page in (by_reason, by_deadline):
        with pytest.raises(ConfigError) as caught:
            mesh.runs(limit=1, cursor=page.next, **other)
        assert ("invalid_cursor", "other_filter") == (
            caught.value.code,
            caught.value.details["reason"],
        )
    assert 1 == len(mesh.runs(limit=1, deadline="on_time", cursor=by_deadline.next).items)


# --- counts


def test_runs_are_counted_by_workflow_status_and_deadline(stage: Stage) -> None:
    """From the index; each number is that of a list with the same filters."""
    mesh = stage.mesh(actions=ACTIONS)
    start(mesh, due(5))
    start(mesh, due(50))
    mesh.cancel(start(mesh, due(5)))
    start(mesh, chain(pause("a"), step("b")))
    stage.clock.advance(9)
    counts = mesh.counts()
    (orders,) = counts.workflows

    assert {"running": 2, "cancelled": 1, "paused": 1} == counts.runs == orders.runs
    assert {"overdue": 1, "on_time": 1} == counts.deadlines == orders.deadlines
    assert ("orders", EPOCH + 9 * SECOND) == (orders.workflow, counts.at)
    assert {"on_time": 2} == mesh.counts(now=EPOCH).deadlines


def test_counting_at_no_instant_is_refused(stage: Stage) -> None:
    """By name."""
    wrong: Any = "today"

    with pytest.raises(ConfigError) as caught:
        stage.mesh().counts(now=wrong)

    assert "now" == caught.value.details["option"]


def test_a_heartbeat_moves_no_deadline(stage: Stage) -> None:
    """The index keeps what it had."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh, due(5))
    before = mesh.door.journal.rows_of(run.id).run
    mesh.heartbeat(claimed(mesh))

    assert before == mesh.door.journal.rows_of(run.id).run
