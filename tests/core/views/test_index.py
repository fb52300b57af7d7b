"""Index rows: what a state implies, and what one append changes."""

from hashlib import sha256
from itertools import pairwise
from typing import get_args

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import AttemptKey, Fingerprint, NodeName, RunId
from squidmesh_core.protocol.entries import Entry, Parent
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, RowChanges, RunRow
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.state.run import RunState
from squidmesh_core.values import (
    Constant,
    DeadlinePolicy,
    DeadlineStatus,
    FromPath,
    RetryPolicy,
    Thresholds,
)
from squidmesh_core.views.deadlines import deadline_views, first_thresholds, running_deadlines
from squidmesh_core.views.index import (
    attempt_rows,
    changes,
    correlation_rows,
    differing,
    rows_of,
    run_row,
)
from support.entries import histories
from support.plays import plays
from support.scenario import EPOCH, LEASE, RUN, SECOND, Scenario, a_start
from support.workflows import approval, chain, diamond, receive, step, wait, workflow


class Index:
    """What an adapter keeps of one run: it stores, and computes nothing."""

    def __init__(self) -> None:
        self.run: RunRow | None = None
        self.attempts: dict[AttemptKey, AttemptRow] = {}
        self.correlations: tuple[CorrelationRow, ...] = ()

    def store(self, changed: RowChanges) -> None:
        """Take the changes of one append in."""
        self.run = changed.run or self.run
        for key in changed.drop:
            del self.attempts[key]
        self.attempts.update((row.attempt_key, row) for row in changed.put)
        if changed.correlations is not None:
            self.correlations = changed.correlations

    def assert_is_of(self, state: RunState, spec: Spec) -> None:
        """Reindexing finds nothing to mend."""
        assert correlation_rows(state, spec) == self.correlations
        assert run_row(state) == self.run
        assert {row.attempt_key: row for row in attempt_rows(state)} == self.attempts


def last_changes(run: Scenario) -> RowChanges:
    """What the newest append changes."""
    return changes(run.states[-2], run.states[-1], run.spec)


# --- the reindex property


@given(plays())
def test_changes_of_each_append_add_up_to_the_rows(run: Scenario) -> None:
    """Dropping the index and rebuilding it from states gives equal rows, at every moment."""
    index = Index()
    for before, after in pairwise(run.states):
        index.store(changes(before, after, run.spec))
        index.assert_is_of(after, run.spec)


@given(histories())
def test_rows_follow_any_history(history: tuple[Entry, ...]) -> None:
    """So they do in a journal that should not be."""
    spec = chain(receive("charge", correlation=FromPath(path=("ship",))), step("ship"))
    index, state = Index(), RunState(run_id=RUN)
    for entry in history:
        after = fold(state, [entry])
        index.store(changes(state, after, spec))
        index.assert_is_of(after, spec)
        state = after


@given(plays())
def test_rows_do_not_depend_on_how_the_state_was_reached(run: Scenario) -> None:
    """A state folded from the journal alone implies the same rows."""
    folded = fold_run(run.state.run_id, run.journal)

    assert (run_row(run.state), attempt_rows(run.state)) == (run_row(folded), attempt_rows(folded))


# --- rows of attempts


def test_unclaimed_attempt_has_an_exact_row() -> None:
    """All that a claim needs to know is in the row."""
    run = Scenario(chain(step("charge", queue="mail", priority=-1)))
    run.decides(evolve(a_start(), partition_key="tenant-1"))

    assert attempt_rows(run.state) == (
        AttemptRow(
            run_id=RUN,
            attempt_key=AttemptKey(f"{RUN}:charge:1"),
            queue="mail",
            action="do.charge",
            priority=-1,
            visible_at=EPOCH,
            held_until=None,
            partition_key="tenant-1",
        ),
    )


def test_held_attempt_names_the_end_of_its_lease() -> None:
    """A claim and a heartbeat move `held_until`; nothing else changes."""
    run = Scenario(diamond())
    run.start()
    held = run.claim("pick")
    assert [EPOCH + LEASE] == [row.held_until for row in last_changes(run).put]
    run.time_passes(SECOND)
    run.heartbeat(held)
    changed = last_changes(run)

    assert [EPOCH + LEASE + SECOND] == [row.held_until for row in changed.put]
    assert (None, ()) == (changed.run, changed.drop)


def test_settled_attempt_leaves_the_index() -> None:
    """Its row goes as its successors' come, in one change."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    changed = last_changes(run)

    assert (f"{RUN}:pick:1",) == changed.drop
    assert [f"{RUN}:pack:1", f"{RUN}:bill:1"] == [row.attempt_key for row in changed.put]
    assert None is changed.run


def test_retry_takes_the_place_of_the_failed_attempt() -> None:
    """The failed attempt's row goes, the retry's comes."""
    run = Scenario(chain(step("charge", retry=RetryPolicy(max_attempts=2))))
    run.start()
    run.fail(run.claim("charge"))
    changed = last_changes(run)

    assert ((f"{RUN}:charge:1",), [f"{RUN}:charge:2"]) == (
        changed.drop,
        [row.attempt_key for row in changed.put],
    )


def test_wait_needs_no_action() -> None:
    """Any worker may end it, once its time is over."""
    run = Scenario(chain(wait("nap", 1_000)))
    run.start()
    [row] = attempt_rows(run.state)

    assert (None, EPOCH + SECOND) == (row.action, row.visible_at)


def test_ended_run_has_no_attempts() -> None:
    """The end drops every row, also of attempts that are still held."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    run.claim("pack")
    run.cancel()

    assert () == attempt_rows(run.state)
    assert {f"{RUN}:pack:1", f"{RUN}:bill:1"} == set(last_changes(run).drop)


# --- the row of a run


def test_run_row_lists_what_lists_show() -> None:
    """Workflow, version, status, lane, tags, key and instants."""
    run = Scenario(chain(step("charge")))
    run.decides(evolve(a_start(key="k", queue="bulk", priority=3), tags=("vip",)))

    assert run_row(run.state) == RunRow(
        run_id=RUN,
        workflow="orders",
        version="v1",
        fingerprint=Fingerprint("f" * 64),
        trigger="placed",
        status="running",
        queue="bulk",
        priority=3,
        tags=("vip",),
        key="k",
        partition_key=None,
        created_at=EPOCH,
    )


def test_run_row_of_a_child_names_its_parent() -> None:
    """And a start with a partition key lists it."""
    parent = Parent(run_id=RunId("p"), step=NodeName("each"), child_key="1")
    run = Scenario(chain(step("charge")))
    run.decides(evolve(a_start(), parent=parent, partition_key="tenant-1"))
    row = run_row(run.state)

    assert row is not None
    assert ("p", "tenant-1") == (row.parent, row.partition_key)


def test_run_row_of_a_failure_tells_the_error() -> None:
    """Kind and message, for searching, and when it ended."""
    run = Scenario(chain(step("charge")))
    run.start()
    run.time_passes(SECOND)
    run.fail(run.claim("charge"))
    row = last_changes(run).run

    assert row is not None
    assert ("failed", EPOCH + SECOND, "Boom: it broke") == (row.status, row.ended_at, row.error)


def test_unstarted_run_has_no_row() -> None:
    """Nothing is listed before it exists."""
    assert None is run_row(RunState(run_id=RUN))
    assert () == attempt_rows(RunState(run_id=RUN))


def test_run_row_is_written_only_when_a_listed_fact_changes() -> None:
    """Between its start and its end a simple run's row stays as it is."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    run.perform("a")
    run.perform("b")
    written = [changes(*pair, run.spec).run is not None for pair in pairwise(run.states)]

    assert [True, False, False, False, True] == written


# --- its deadlines


def test_run_row_has_the_first_instant_of_each_kind() -> None:
    """Over all deadlines that run: of attempts, of open gates, of awaited messages."""
    run = Scenario(
        workflow(
            step("a", deadline=DeadlinePolicy(within_ms=9_000, due_soon_ms=1_000)),
            approval("b", deadline=DeadlinePolicy(within_ms=5_000, escalate_after_ms=9_000)),
            receive("c", deadline=DeadlinePolicy(within_ms=6_000, escalate_after_ms=2_000)),
            step("end", after=("a", "b", "c"), deadline=DeadlinePolicy(within_ms=1)),
        )
    )
    run.start()
    expected = Thresholds(
        due_at=EPOCH + 5 * SECOND,
        due_soon_at=EPOCH + 8 * SECOND,
        escalated_at=EPOCH + 8 * SECOND,
    )

    assert expected == _deadline(run)


def test_run_row_is_written_when_a_deadline_comes_or_goes() -> None:
    """And only then: claims and heartbeats move none."""
    late = DeadlinePolicy(within_ms=1_000)
    run = Scenario(chain(step("a"), step("b", deadline=late), step("c")))
    run.start()
    for name in ("a", "b", "c"):
        run.perform(name)
    rows = [changes(*pair, run.spec).run for pair in pairwise(run.states)]
    #        start  claim  a done  claim  b done  claim  c done
    assert [True, False, True, False, True, False, True] == [row is not None for row in rows]
    assert [Thresholds(due_at=EPOCH + SECOND), None] == [row.deadline for row in rows[2:5:2] if row]


def test_run_row_stays_when_one_deadline_takes_the_place_of_an_equal_one() -> None:
    """Of two that are due together, the end of one changes no instant."""
    late = DeadlinePolicy(within_ms=1_000)
    run = Scenario(
        workflow(step("a", deadline=late), step("b", deadline=late), step("c", after=("a", "b")))
    )
    run.start()
    run.perform("a")

    assert None is last_changes(run).run


def test_held_run_keeps_its_deadlines_and_an_ended_one_has_none() -> None:
    """They are those that an inspection shows, at every moment."""
    run = Scenario(chain(step("a", deadline=DeadlinePolicy(within_ms=1_000))))
    run.start()
    run.hold()
    assert Thresholds(due_at=EPOCH + SECOND) == _deadline(run)

    run.cancel()
    assert None is _deadline(run)


@given(histories(), st.integers(0, 200))
def test_status_of_the_row_is_that_of_the_most_urgent_deadline(
    history: tuple[Entry, ...], seconds: int
) -> None:
    """At any instant, though each of its instants may be another deadline's."""
    state, now = fold(RunState(run_id=RUN), history), EPOCH + seconds * SECOND
    seen = {view.status for view in deadline_views(state, now)}
    first = first_thresholds(running_deadlines(state))
    worst = max(seen, key=get_args(DeadlineStatus).index, default=None)

    assert worst == (first.status(now) if first else None)


def _deadline(run: Scenario) -> Thresholds | None:
    row = run_row(run.state)
    assert row is not None
    return row.deadline


# --- comparing


def test_rows_of_a_run_are_all_that_the_index_holds() -> None:
    """Its own row, its attempts by key, and what it is found by."""
    run = Scenario(chain(step("a"), receive("parcel", correlation=Constant(value="A-1"))))
    run.start()
    rows = rows_of(run.state, run.spec)

    assert run_row(run.state) == rows.run
    assert (f"{RUN}:a:1",) == tuple(row.attempt_key for row in rows.attempts)
    assert [("parcel", "A-1")] == [(row.node, row.correlation) for row in rows.correlations]
    assert () == differing(rows, rows)


@pytest.mark.parametrize(
    ("correlation", "as_it_is"),
    [
        ("A-1", True),
        ("x" * 1024, True),
        ("x" * 1025, False),
        ("é" * 513, False),
        ("sha256:", False),
    ],
)
def test_a_long_correlation_is_indexed_by_its_digest(correlation: str, *, as_it_is: bool) -> None:
    """Every database holds it; and nothing that is short can be taken for a digest."""
    run = Scenario(chain(receive("parcel", correlation=Constant(value=correlation))))
    run.start()
    (row,) = rows_of(run.state, run.spec).correlations

    assert as_it_is == (correlation == row.correlation)
    assert as_it_is or f"sha256:{sha256(correlation.encode()).hexdigest()}" == row.correlation


def test_each_row_that_differs_is_named() -> None:
    """Missing ones, wrong ones, and ones that should not be there."""
    run = Scenario(
        workflow(
            step("a"),
            step("b"),
            receive("parcel", correlation=Constant(value="A-1")),
            step("end", after=("a", "b")),
        )
    )
    run.start()
    rows = rows_of(run.state, run.spec)
    a, b = rows.attempts
    stored = evolve(
        rows,
        run=None,
        attempts=(evolve(a, queue="other"), evolve(b, attempt_key=AttemptKey(f"{RUN}:c:1"))),
        correlations=(),
    )
    expected = ("run", f"{RUN}:a:1", f"{RUN}:b:1", f"{RUN}:c:1", "parcel: A-1")

    assert expected == differing(stored, rows)


def test_tags_that_differ_and_what_is_there_twice_are_named() -> None:
    """An adapter keeps them in tables of their own."""
    run = Scenario(chain(step("a")))
    run.decides(evolve(a_start(), tags=("red", "blue", "red")))
    rows = rows_of(run.state, run.spec)

    assert ("blue", "red") == rows.tags
    assert ("tags",) == differing(evolve(rows, tags=("blue",)), rows)
    assert (f"{RUN}:a:1",) == differing(evolve(rows, attempts=rows.attempts * 2), rows)


def test_row_of_a_held_attempt_may_lag() -> None:
    """Its lease is a lower bound: heartbeats need not move it, and nothing else may differ."""
    run = Scenario(chain(step("a")))
    run.start()
    held = run.claim("a")
    stored = rows_of(run.state, run.spec)
    run.time_passes(SECOND)
    run.heartbeat(held)
    implied = rows_of(run.state, run.spec)
    [row] = stored.attempts

    assert () == differing(stored, implied)
    assert (row.attempt_key,) == differing(implied, stored)
    assert (row.attempt_key,) == differing(
        evolve(stored, attempts=(evolve(row, priority=5),)), implied
    )
    assert (row.attempt_key,) == differing(
        evolve(stored, attempts=(evolve(row, held_until=None),)), implied
    )
