"""
Every rule has a journal that keeps it and one that breaks it by one small change.

The chain of the harmed journal is right, unless the rule is about the chain; so
the rule is found by what the entries say.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest
from attrs import evolve, frozen

from squidmesh_core.checker import RULES, Rule, check_run
from squidmesh_core.definition.spec import Outcome
from squidmesh_core.ids import AttemptKey, Fingerprint, NodeName, Revision, VisitKey
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Deadline,
    Decided,
    Failure,
    InputUndo,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    NextAttempt,
    Reused,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import Compare, DeadlinePolicy, Exponential, RetryPolicy
from support.journals import families, people, plain, sagas
from support.journals.changing import Change, cut, drop, earlier, edit, extend, follow, renumbered
from support.journals.families import COPY
from support.journals.plain import SOON
from support.journals.writing import LOST, Writing, bind
from support.scenario import BOOM, EPOCH, LEASE, SECOND
from support.workflows import chain, route, step, workflow

Story = Callable[[], Writing]
Harm = Callable[[Sequence[AppendRecord]], Sequence[AppendRecord]]


@frozen
class Case:
    """A rule, a story that keeps it, and what has to happen to that story to break it."""

    rule: Rule
    story: Story
    changes: tuple[Change, ...]
    #: What breaks along with it and cannot be kept.
    also: frozenset[Rule] = frozenset()


def breaks(rule: Rule, story: Story, *changes: Change, also: Sequence[Rule] = ()) -> Case:
    """A case, written in one line."""
    return Case(rule, story, changes, frozenset(also))


def name(story: Story) -> str:
    """What pytest calls it."""
    return f"{story.__module__.rpartition('.')[2]}.{story.__name__}"


def retried(how: Callable[[NextAttempt], NextAttempt]) -> Callable[[AttemptFailed], AttemptFailed]:
    """A failure whose retry is another."""

    def change(entry: AttemptFailed) -> AttemptFailed:
        assert entry.retry is not None
        return evolve(entry, retry=how(entry.retry))

    return change


def leads(**changes: Any) -> Callable[[StepApplied], StepApplied]:
    """A visit whose route is another."""

    def change(entry: StepApplied) -> StepApplied:
        assert entry.transition is not None
        return evolve(entry, transition=evolve(entry.transition, **changes))

    return change


def opened(**changes: Any) -> Callable[[MessageAwaited], MessageAwaited]:
    """A message whose clock is another."""

    def change(entry: MessageAwaited) -> MessageAwaited:
        assert entry.deadline is not None
        return evolve(entry, deadline=evolve(entry.deadline, **changes))

    return change


def with_key(key: str) -> Callable[[RunSignalReceived], RunSignalReceived]:
    """A receipt with an idempotency key."""
    return lambda entry: evolve(entry, idempotency_key=key)


def to(targets: Mapping[str, str]) -> Callable[[ManualStepPaused], ManualStepPaused]:
    """A gate that leads elsewhere."""
    return lambda entry: evolve(entry, targets=targets)


def is_to(**changes: Any) -> Callable[[AttemptScheduled], AttemptScheduled]:
    """An intent that says something else."""
    return lambda entry: evolve(entry, **changes)


# fmt: off
CASES: Final = (
    breaks("C1", plain.chained, cut(2), edit(AttemptClaimed, lambda e: evolve(e, attempt_key=AttemptKey(e.attempt_key + "0")))),
    breaks("C1", plain.cut_short, drop(AttemptScheduled), also=["C7", "P4", "T2"]),
    breaks("C2", plain.chained, cut(6), earlier(SECOND)),
    breaks("C3", plain.taken_over, cut(3), earlier(SECOND)),
    breaks("C4", plain.chained, cut(2), edit(AttemptClaimed, lambda e: evolve(e, claim_token_hash="secret"))),
    breaks("C6", plain.chained, cut(3), edit(AttemptHeartbeat, lambda e: evolve(e, lease_until=e.at + SECOND))),
    breaks("C4", plain.taken_over, cut(3), *(edit(AttemptClaimed, lambda e: evolve(e, claim_token_hash="a" * 64), nth) for nth in (0, 1))),
    breaks("C6", plain.chained, cut(3), earlier(-LEASE)),
    breaks("C6", plain.chained, cut(3), edit(AttemptHeartbeat, lambda e: evolve(e, lease_until=e.at + 120 * LEASE))),
    breaks("C6", plain.chained, cut(2), edit(AttemptClaimed, lambda e: evolve(e, lease_until=e.at))),
    breaks("C7", plain.chained, cut(4), edit(AttemptCompleted, lambda e: evolve(e, claim_token_hash="0" * 64))),
    breaks("C7", plain.lost, edit(AttemptFailed, lambda e: evolve(e, error=BOOM))),
    breaks("C7", plain.joined, cut(5), earlier(-LEASE)),
    breaks("C7", plain.lost, cut(3), earlier(SECOND), also=["P7"]),
    breaks("C7", plain.taken_over, cut(2), follow(lambda run: run.lost("a:1"), lambda run: run.ended("failed", "a", LOST))),
    breaks("C8", plain.chained, cut(4), follow(lambda run: run.claimed("a:1"))),
    breaks("C8", plain.chained, cut(4), follow(lambda run: run.completed("a:1")), also=["A4"]),
    breaks("C8", plain.chained, cut(4), follow(lambda run: run.heartbeat("a:1"))),
    breaks("C9", plain.lost, cut(2), follow(lambda run: run.claimed("a:1"))),
    breaks("C10", plain.chained, edit(RunStarted, lambda e: evolve(e, definition=Fingerprint("0" * 64)))),
    breaks("C12", people.held, cut(4), follow(lambda run: run.claimed("b:1"))),
    breaks("C12", sagas.given_up, follow(lambda run: run.claimed("compensate:b:1")), also=["T3"]),
    breaks("C12", sagas.with_siblings, cut(3), drop(AttemptClaimed, 2), follow(lambda run: run.claimed("c:1"))),

    breaks("A1", plain.joined, cut(5), follow(lambda run: run.applied("pack", back=2)), also=["A2"]),
    breaks("A2", plain.chained, edit(StepApplied, lambda e: evolve(e, output="b"))),
    breaks("A2", plain.chained, cut(4), edit(StepApplied, lambda e: evolve(e, source=None, output=None)), also=["A4", "P2"]),
    breaks("A2", plain.unprovided, edit(StepApplied, lambda e: evolve(e, error=BOOM), 1)),
    breaks("P4", plain.held_back, cut(3), edit(AttemptCompleted, lambda e: evolve(e, deferred=False)), also=["A4"]),
    breaks("A2", plain.held_back, edit(StepApplied, lambda e: evolve(e, source=Revision(5))), also=["A4"]),
    breaks("A2", plain.joined, cut(5), edit(StepApplied, lambda e: evolve(e, step=NodeName("bill")), 1)),
    breaks("A3", plain.chained, follow(lambda run: run.scheduled("b", "b@2")), also=["T3"]),
    breaks("A4", plain.joined, cut(5), drop(StepApplied, 1)),
    breaks("A4", plain.held_back, cut(3), drop(AttemptScheduled, 1), also=["P8"]),
    breaks("A5", plain.decided, edit(StepApplied, leads(values={"a": 7}))),

    breaks("P1", plain.joined, cut(1), drop(RunStarted)),
    breaks("P2", plain.decided, cut(5), edit(StepApplied, leads(target=NodeName("tell")), 1)),
    breaks("P2", plain.chained, cut(4), edit(StepApplied, leads(target=NodeName("nowhere")))),
    breaks("P2", plain.met, drop(AttemptScheduled, 3)),
    breaks("P2", plain.exhausted, drop(RunTerminal), extend(lambda run: run.scheduled("a", "a@2")), also=[]),
    breaks("P2", plain.unprovided, edit(StepApplied, lambda e: evolve(e, error=Failure(kind="invalid_input")), 1)),
    breaks("P2", plain.stranded, edit(StepApplied, lambda e: evolve(e, transition=Decided(source=e.step, on="ok", target=NodeName("complete")))), also=["T2"]),
    breaks("P2", plain.unprovided, edit(StepApplied, lambda e: evolve(e, step=NodeName("nowhere")), 1), also=["P9"]),
    breaks("P3", plain.joined, cut(5), extend(lambda run: run.scheduled("ship"))),
    breaks("P4", plain.chained, cut(1), edit(AttemptScheduled, lambda e: evolve(e, action="do.other"))),
    breaks("P4", people.approved, cut(1), drop(AttemptScheduled)),
    breaks("P4", people.approved, cut(1), edit(ManualStepPaused, lambda e: evolve(e, targets={"ok": "no", "error": "no"}))),
    breaks("P4", people.approved, cut(1), edit(ManualStepPaused, lambda e: evolve(e, output="another"))),
    breaks("P4", people.approved, cut(1), drop(AttemptScheduled), follow(lambda run: run.timer("review", 9_000))),
    breaks("P4", people.turned_down, cut(1), extend(lambda run: run.timer("review", 9_000))),
    breaks("P4", people.found, edit(MessageAwaited, lambda e: evolve(e, correlation=None))),
    breaks("P4", people.found, edit(MessageAwaited, lambda e: evolve(e, deadline=None))),
    breaks("P4", people.found, edit(MessageAwaited, opened(started_at=EPOCH - SECOND))),
    breaks("P4", people.found, edit(MessageAwaited, opened(policy=DeadlinePolicy(within_ms=1)))),
    breaks("P4", people.approved, cut(1), edit(ManualStepPaused, lambda e: evolve(e, deadline=Deadline(policy=SOON, started_at=e.at)))),
    *(breaks("P4", people.approved, cut(1), edit(ManualStepPaused, to(targets))) for targets in ({}, {"ok": "yes"}, {"error": "no"}, {"ok": "yes", "error": "no", "timeout": "no"})),
    *(breaks("P4", sagas.undone, cut(6), edit(AttemptScheduled, is_to(**change), 3)) for change in ({"action": "undo.other"}, {"queue": "other"}, {"priority": 1}, {"retry": None}, {"step": "a"}, {"visible_at": EPOCH + LEASE})),
    breaks("P9", sagas.undone, cut(6), edit(AttemptScheduled, is_to(idempotency_key="another"), 3)),
    breaks("P4", plain.on_lanes, edit(AttemptScheduled, is_to(queue="default"))),
    breaks("P4", plain.on_lanes, edit(AttemptScheduled, is_to(priority=3), 1)),
    breaks("P5", plain.chained, cut(4), extend(lambda run: evolve(run.scheduled("b"), attempt_key=run.key("b:2"), number=2)), follow(lambda run: evolve(run.failed("b:1", retry=SECOND), at=EPOCH + 3 * SECOND)), also=["P6", "P7", "P9"]),
    breaks("P5", plain.chained, cut(1), extend(lambda run: run.scheduled("a"))),
    breaks("P6", plain.chained, cut(5), edit(AttemptFailed, retried(lambda r: evolve(r, visible_at=EPOCH)))),
    breaks("P6", plain.chained, cut(5), edit(AttemptFailed, retried(lambda r: evolve(r, number=3)))),
    breaks("P6", plain.chained, cut(6), follow(lambda run: run.failed("b:2", retry=SECOND))),
    breaks("P6", plain.hurried, edit(AttemptFailed, retried(lambda r: evolve(r, deadline=None)))),
    breaks("P7", plain.decided, cut(5), edit(AttemptScheduled, lambda e: evolve(e, visible_at=e.at), 2)),
    breaks("P7", plain.held_back, cut(3), edit(AttemptScheduled, lambda e: evolve(e, visible_at=e.at - SECOND), 1)),
    breaks("P8", plain.chained, drop(RunTerminal)),
    breaks("P8", people.paused, cut(1), drop(ManualStepPaused), drop(ManualStepPaused), also=["P2"]),
    breaks("P9", plain.chained, cut(1), edit(AttemptScheduled, lambda e: evolve(e, idempotency_key="another"))),
    breaks("P9", people.delivered, cut(1), edit(MessageAwaited, lambda e: evolve(e, visit_key=VisitKey(e.visit_key + "@7")))),

    breaks("P9", plain.held_back, cut(3), edit(AttemptScheduled, lambda e: evolve(e, idempotency_key="another"), 1)),

    breaks("T1", plain.chained, extend(lambda run: run.ended("completed")), also=["T3"]),
    breaks("T2", plain.chained, edit(RunTerminal, lambda e: evolve(e, status="cancelled"))),
    breaks("T2", plain.lost, edit(RunTerminal, lambda e: evolve(e, step=NodeName("a")))),
    breaks("T2", sagas.undone, cut(9), follow(lambda run: run.failed("compensate:a:1"), lambda run: run.undoing("a", BOOM)), also=["P8", "S1"]),
    breaks("T2", people.held, drop(RunTerminal)),
    breaks("T2", plain.unprovided, edit(RunTerminal, lambda e: evolve(e, status="completed", error=None))),
    breaks("T2", plain.lost, edit(RunTerminal, lambda e: evolve(e, error=None))),
    breaks("T2", people.rejected, drop(RunTerminal), also=["P8"]),
    breaks("T2", plain.cut_short, edit(RunTerminal, lambda e: evolve(e, error=Failure(kind="timed_out")))),
    breaks("T2", sagas.undone, edit(RunTerminal, lambda e: evolve(e, status="completed")), also=["S5"]),
    breaks("T2", sagas.undone, edit(RunTerminal, lambda e: evolve(e, step=NodeName("elsewhere")))),
    breaks("T3", plain.chained, follow(lambda run: run.receipt("pause"))),
    breaks("T5", families.pruned, edit(RunPruned, lambda e: evolve(e, ended_at=e.at + SECOND))),
    breaks("T5", families.pruned, edit(RunPruned, lambda e: evolve(e, started_at=e.at))),
    breaks("T5", families.pruned, follow(lambda run: run.receipt("pause"))),
    breaks("T5", families.pruned, follow(families.left_of)),
    breaks("T5", plain.chained, follow(families.left_of), also=["T3"]),
    breaks("C10", families.pruned, edit(RunPruned, lambda e: evolve(e, definition=Fingerprint("0" * 64)))),

    breaks("M1", people.held, cut(3), follow(lambda run: run.receipt("pause"), lambda run: run.held())),
    breaks("M1", people.paused, follow(lambda run: run.paused("left", "pause"))),
    breaks("M1", people.found, follow(lambda run: evolve(run.pages[0][2], at=run.now))),
    breaks("M2", people.approved, cut(2), edit(ManualStepResolved, lambda e: evolve(e, action="resumed"))),
    breaks("M2", people.paused, cut(1), edit(ManualStepPaused, lambda e: evolve(e, visit_key=None)), also=["P2"]),
    breaks("M2", people.paused, cut(1), edit(ManualStepPaused, lambda e: evolve(e, step=None)), also=["P2"]),
    breaks("M2", people.held, cut(2), follow(lambda run: run.receipt("resume"), lambda run: run.released())),
    breaks("M3", people.approved, cut(2), extend(lambda run: run.resolved("review", "approved"), before_last=2), also=["M4"]),
    breaks("M4", people.approved, cut(2), drop(RunSignalReceived, 1)),
    breaks("M4", people.delivered, cut(2), drop(RunSignalReceived, 1)),
    breaks("M4", people.turned_down, edit(StepApplied, leads(target=NodeName("yes"))), also=["P2"]),
    breaks("M4", people.held, cut(3), drop(RunSignalReceived, 1)),
    breaks("M5", people.approved, cut(2), edit(ManualStepResolved, lambda e: evolve(e, actor=None))),
    breaks("M5", people.approved, cut(2), edit(ManualStepResolved, lambda e: evolve(e, actor={"id": "ben"}))),
    breaks("M6", people.timed_out, drop(AttemptClaimed), drop(AttemptCompleted)),
    breaks("M6", people.approved, cut(2), follow(lambda run: evolve(run.claimed("review:timeout"), at=EPOCH + 9 * SECOND, lease_until=EPOCH + 10 * SECOND))),
    breaks("M7", people.delivered, cut(2), drop(StepApplied), drop(AttemptScheduled)),
    breaks("M7", people.delivered, cut(3), follow(lambda run: run.receipt("send"), lambda run: run.message("paid", 3))),
    breaks("M7", people.delivered, cut(3), follow(lambda run: run.receipt("send"), lambda run: run.message("a", 3))),
    breaks("M7", people.queued, edit(StepApplied, lambda e: evolve(e, source=Revision(8)), 1)),

    breaks("S1", sagas.undone, cut(6), extend(lambda run: run.undoing("c", BOOM)), also=["P8"]),
    breaks("S1", sagas.undone, cut(6), edit(CompensationStarted, lambda e: evolve(e, cause="cancel"))),
    breaks("S1", sagas.undone, cut(6), extend(lambda run: run.receipt("pause"), lambda run: run.held())),
    breaks("S1", sagas.undone, cut(5), follow(lambda run: run.failed("c:1"), lambda run: run.ended("failed", "c", BOOM))),
    breaks("S1", sagas.undone, cut(5), extend(lambda run: run.undo("b")), also=[]),
    breaks("S1", plain.lost, drop(RunTerminal), extend(lambda run: run.undoing("b", BOOM)), also=["P8"]),
    breaks("S1", sagas.with_siblings, cut(4), follow(lambda run: evolve(run.failed("c:1", retry=SECOND), at=EPOCH)), also=["P6"]),
    breaks("S1", sagas.called_off, cut(4), edit(StepApplied, lambda e: evolve(e, transition=Decided(source=e.step, on="ok", target=NodeName("b")))), also=["P2"]),
    breaks("S1", sagas.undone, cut(6), extend(lambda run: run.scheduled("a", "a@2"))),
    breaks("S1", sagas.called_off, cut(3), drop(RunSignalReceived, 1)),
    breaks("S2", sagas.with_siblings, cut(5), drop(AttemptScheduled, 3), extend(lambda run: run.undo("c"))),
    breaks("S2", sagas.called_off, drop(RunTerminal), extend(lambda run: run.undo("a")), also=["P5"]),
    breaks("S2", sagas.partly, drop(AttemptScheduled, 3), extend(lambda run: run.undo("b"))),
    breaks("S2", sagas.undone, cut(6), follow(lambda run: run.undone("c")), also=["A2"]),
    breaks("P6", sagas.insisted, cut(7), edit(AttemptFailed, retried(lambda r: evolve(r, visible_at=EPOCH)), 1)),
    breaks("S3", sagas.undone, cut(6), drop(AttemptScheduled, 3), extend(lambda run: run.undo("a"))),
    breaks("S3", sagas.with_siblings, cut(4), extend(lambda run: evolve(run.undo("b"), visible_at=EPOCH))),
    breaks("S4", sagas.undone, cut(6), edit(AttemptScheduled, lambda e: evolve(e, input=InputUndo(visit_key=VisitKey("another"))), 3)),
    breaks("S5", sagas.undone, edit(RunTerminal, lambda e: evolve(e, recovery=()))),
    breaks("S5", sagas.given_up, edit(RunTerminal, lambda e: evolve(e, recovery=e.recovery[:1]))),
    breaks("S5", sagas.undone, cut(6), follow(lambda run: run.ended("failed", "c", BOOM))),
    breaks("S5", plain.chained, edit(RunTerminal, lambda e: evolve(e, recovery=(Unrecovered(visit_key=VisitKey("v"), step=NodeName("a"), reason="abandoned"),)))),
    breaks("S5", sagas.undone, edit(RunTerminal, lambda e: evolve(e, error=sagas.STUCK))),
    breaks("S5", sagas.put_off, edit(RunTerminal, lambda e: evolve(e, recovery=()))),

    breaks("I1", families.keyed, edit(RunSignalReceived, with_key("order-2"))),
    breaks("I2", people.held, edit(RunSignalReceived, with_key("once"), 1), edit(RunSignalReceived, with_key("once"), 3)),
    breaks("I3", families.on_schedule, edit(RunStarted, lambda e: evolve(e, schedule=e.schedule and evolve(e.schedule, signal_id="window-2")))),
    breaks("I4", families.forked, edit(RunSignalReceived, lambda e: evolve(e, command="start"))),
    breaks("I4", plain.chained, cut(1), extend(lambda run: run.applied("a", back=None, to="b", reused=Reused(run_id=COPY))), extend(lambda run: run.scheduled("b"))),
    breaks("I4", families.replayed, edit(RunStarted, lambda e: evolve(e, replayed_from=COPY))),
    breaks("I4", families.replayed, edit(RunStarted, lambda e: evolve(e, replayed_from=None))),
    breaks("L1", families.child, edit(RunStarted, lambda e: evolve(e, parent=e.parent and evolve(e.parent, child_key="2")))),
)
# fmt: on

STORIES: Final = (*plain.STORIES, *people.STORIES, *sagas.STORIES, *families.STORIES)


def test_every_rule_has_a_journal_that_breaks_it() -> None:
    """A rule without one does not count; those about appends and stores are below."""
    elsewhere = {"J1", "J2", "J3", "J4", "J5", "J6", "C5", "L4"}

    assert RULES.keys() == elsewhere | {case.rule for case in CASES}


@pytest.mark.parametrize("story", STORIES, ids=name)
def test_the_journals_keep_every_rule(story: Story) -> None:
    """Before the change nothing is wrong, with the definition or without."""
    run = story()
    records = bind(run.pages, run.run_id)

    assert () == check_run(records, run.spec).violations
    assert () == check_run(records).violations


@pytest.mark.parametrize("order", [7, 8])
@pytest.mark.parametrize("on", ["timeout", "error"])
def test_a_run_may_fail_only_where_no_route_leads_on(on: Outcome, order: int) -> None:
    """T2: whether one does, its condition says, of a time-out as of a failure."""
    seven = Compare(path=("order",), operator="equals", operand=7)
    silent = Writing(
        workflow(
            people.receive(timeout_ms=9_000),
            step("no"),
            routes=(route("paid", "complete"), route("paid", "no", on=on, when=seven)),
        )
    )
    silent.begin(silent.awaited("paid"), silent.timer("paid", 9_000), after=9 * SECOND, order=order)
    silent.page(
        silent.claimed("paid:timeout"),
        silent.completed("paid:timeout"),
        silent.ended("failed", "paid", people.TIMED_OUT),
    )
    failing = Writing(
        workflow(step("a"), step("no"), routes=(route("a", "no", on="error", when=seven),))
    )
    failing.begin(failing.scheduled("a"), order=order)
    failing.page(failing.claimed("a:1"))
    failing.page(failing.failed("a:1"), failing.ended("failed", "a", BOOM))

    for run in (silent, failing):
        assert (order == 7) is ("T2" in check_run(bind(run.pages), run.spec).rules)


@pytest.mark.parametrize(
    ("jitter", "seconds", "broken"),
    [
        (False, (4, 8, 16), set()),
        (False, (3,), {"P6"}),
        (False, (60, 60), set()),
        (False, (61,), {"P6"}),
        (False, (4, 7), {"P6"}),
        (False, (4, 8, 15), {"P6"}),
        (True, (2, 4, 8), set()),
        (True, (4, 8, 16), set()),
        (True, (1,), {"P6"}),
        (True, (61,), {"P6"}),
        (True, (4, 3), {"P6"}),
    ],
)
def test_a_retry_comes_within_its_backoff(
    jitter: bool, seconds: Sequence[int], broken: set[Rule]
) -> None:
    """The delay doubles, jitter may halve it, and what the step asks for fills it up to the cap."""
    policy = RetryPolicy(
        max_attempts=4, backoff=Exponential(min_ms=4_000, max_ms=60_000), jitter=jitter
    )
    run = Writing(chain(step("a", retry=policy)))
    run.begin(run.scheduled("a"))
    for number, delay in enumerate(seconds, start=1):
        run.page(run.claimed(f"a:{number}"))
        run.page(run.failed(f"a:{number}", retry=delay * SECOND), after=delay * SECOND)

    assert broken == check_run(bind(run.pages), run.spec).rules


@pytest.mark.parametrize(
    ("story", "change"),
    [
        (people.found, edit(MessageAwaited, opened(started_at=EPOCH + SECOND))),
        (people.paused, edit(ManualStepResolved, lambda e: evolve(e, actor=None))),
    ],
    ids=["a start that lets a clock begin later", "a pause that nobody in particular ended"],
)
def test_some_changes_break_nothing(story: Story, change: Change) -> None:
    """Rules ask for no more than they say."""
    run = story()
    change(run)
    renumbered(run)

    assert () == check_run(bind(run.pages, run.run_id), run.spec).violations


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{c.rule}-{name(c.story)}-{i}" for i, c in enumerate(CASES)]
)
def test_a_change_breaks_the_rule_and_no_other(case: Case) -> None:
    """The checker names the rule that was broken."""
    run = case.story()
    for change in case.changes:
        change(run)
    renumbered(run)
    report = check_run(bind(run.pages, run.run_id), run.spec)

    assert {case.rule} | case.also == report.rules, report.violations
    last = run.pages[-1][-1].revision
    for found in report.violations:
        # Whoever looks there finds it, and what was found is said.
        assert (found.rule in RULES, found.run_id) == (True, run.run_id)
        assert found.revision in range(1, last + 1)
        assert found.message
        assert ": None" not in found.message
