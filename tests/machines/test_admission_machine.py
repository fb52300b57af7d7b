"""The admission machine: workers claim from a queue with limits, and none is ever passed."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.plan.admission import (
    Admission,
    Lane,
    LaneState,
    Paused,
    QueueSettings,
    Rate,
    admit,
    admitting,
    after,
    bucket,
    state_from_text,
    state_to_text,
    states_after,
    turns,
)
from squidmesh_core.protocol.rows import AttemptRow, claim_order
from support.planted import Plant, assert_machine_catches

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

keys = st.sampled_from(["ana", "ben", "cleo", None])
pauses = st.sampled_from([timedelta(milliseconds=1), SECOND / 3, SECOND, timedelta(minutes=1)])
limits = st.builds(
    QueueSettings,
    concurrency=st.sampled_from([None, 1, 3]),
    per_key=st.sampled_from([None, 1, 2]),
    rate=st.sampled_from(
        [None, Rate(count=1, per_ms=1_000, burst=1), Rate(count=7, per_ms=3_000, burst=2)]
    ),
)


class LimitsAreNeverPassed(RuleBasedStateMachine):
    """Work of several keys arrives, and workers with some free slots claim it and settle it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = EPOCH
        self.number = 0
        self.limits = QueueSettings()
        #: What the records would keep.
        self.state = state_to_text(LaneState())
        self.waiting: list[AttemptRow] = []
        self.held: list[AttemptRow] = []
        #: The model: instants of starts, and the tokens there would be without rounding.
        self.starts: list[datetime] = []
        self.tokens: Fraction | None = None
        #: How often one key started while another one waited and could have.
        self.passed: Counter[tuple[int, str | None, str | None]] = Counter()
        #: Who had the last turn of a priority.
        self.last: dict[int, str | None] = {}

    @initialize(limits=limits)
    def somebody_sets_the_queue_up(self, limits: QueueSettings) -> None:
        self.limits = limits
        self.tokens = None if limits.rate is None else Fraction(limits.rate.burst)

    # -- what can happen --

    @rule(key=keys, priority=st.sampled_from([0, 0, 1]))
    def work_arrives(self, key: str | None, priority: int) -> None:
        self.waiting.append(self.attempt("lane", key, priority))

    @rule(slots=st.sampled_from([1, 2, 9]), elsewhere=st.booleans())
    def worker_claims(self, slots: int, elsewhere: bool) -> None:
        """Perhaps with something to do in a queue without limits, and a timer that is over."""
        others = [self.attempt("free", None, 0)] if elsewhere else []
        timers = [evolve(self.attempt("lane", "ana", 0), action=None)] if elsewhere else []
        rows = sorted([*self.waiting, *others, *timers], key=claim_order)
        held = Counter(row.partition_key for row in self.held)
        lane = Lane(
            queue="lane",
            settings=self.limits,
            state=state_from_text(self.state),
            held=held,
        )
        admission = admit(rows, [lane], slots, self.now)
        started = [row for row in admission.admitted if row in self.waiting]
        self.judge(admission, started, held, slots)
        kept = states_after(admission, [lane], admission.admitted, self.now)
        if "lane" in kept:
            self.state = state_to_text(kept["lane"])
        if len(admission.admitted) < slots and self.limits.paused is None:
            assert {*others, *timers} <= set(admission.admitted), "held back without a limit"

    @precondition(lambda self: self.held)
    @rule(place=st.integers(0, 9))
    def holder_settles(self, place: int) -> None:
        self.held.pop(place % len(self.held))

    @precondition(lambda self: self.held)
    @rule(place=st.integers(0, 9))
    def holder_dies(self, place: int) -> None:
        """Its lease is past: the attempt is a candidate again."""
        self.waiting.append(self.held.pop(place % len(self.held)))

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.now += pause
        if self.limits.rate is not None and self.tokens is not None:
            dripped = Fraction(pause // timedelta(microseconds=1), 1_000) * self.limits.rate.count
            full = Fraction(self.limits.rate.burst)
            self.tokens = min(full, self.tokens + dripped / self.limits.rate.per_ms)

    @rule()
    def somebody_pauses_or_resumes(self) -> None:
        paused = None if self.limits.paused else Paused(at=self.now)
        self.limits = evolve(self.limits, paused=paused)

    # -- what must always hold --

    @invariant()
    def no_more_are_held_than_the_concurrency(self) -> None:
        assert self.limits.concurrency is None or len(self.held) <= self.limits.concurrency

    @invariant()
    def no_key_holds_more_than_its_share(self) -> None:
        most = max(Counter(row.partition_key for row in self.held).values(), default=0)
        assert self.limits.per_key is None or most <= self.limits.per_key

    @invariant()
    def no_more_start_in_any_time_than_the_rate(self) -> None:
        rate = self.limits.rate
        for place, first in enumerate(self.starts if rate is not None else ()):
            assert rate is not None
            time = Fraction((self.starts[-1] - first) // timedelta(microseconds=1), 1_000)
            most = rate.burst + time * rate.count / rate.per_ms
            assert len(self.starts) - place <= most, (rate, self.starts[place:])

    @invariant()
    def no_key_is_passed_over(self) -> None:
        """While one waits and may start, each other has one turn at most."""
        assert all(times <= 1 for times in self.passed.values()), self.passed

    # -- helpers --

    def attempt(self, queue: str, key: str | None, priority: int) -> AttemptRow:
        self.number += 1
        run_id = RunId(f"00000000-0000-7000-8000-{self.number:012d}")
        return AttemptRow(
            run_id=run_id,
            attempt_key=AttemptKey(f"{run_id}:a:1"),
            queue=queue,
            action="act",
            priority=priority,
            visible_at=EPOCH,
            partition_key=key,
        )

    def judge(
        self,
        admission: Admission,
        started: list[AttemptRow],
        held: Counter[str | None],
        slots: int,
    ) -> None:
        """Start them one by one, as the model sees it; then whether more could have."""
        for row in started:
            self.take_turn(row, held)
            held[row.partition_key] += 1
            self.held.append(row)
            self.waiting.remove(row)
            if self.tokens is not None:
                self.starts.append(self.now)
                self.tokens -= 1
        left = [row for row in self.waiting if self.may_start(row, held)]
        event(f"{len(started)} started, {len(left)} could have, {len(admission.refused)} refused")
        assert not left or slots == len(admission.admitted), (left, admission)
        if self.limits.paused is not None:
            assert not started, started

    def take_turn(self, row: AttemptRow, held: Counter[str | None]) -> None:
        waits = {
            one.partition_key
            for one in self.waiting
            if one.priority == row.priority and self.has_room(one, held)
        }
        others = waits - {row.partition_key}
        # Turns without a key are not counted before somebody has one.
        again = row.partition_key is not None and self.last.get(row.priority) == row.partition_key
        assert not (again and others), f"a second turn of {row}, while {others} wait"
        self.last[row.priority] = row.partition_key
        ahead = defaultdict(int, self.passed)
        self.passed.clear()
        for (priority, key, other), times in ahead.items():
            if priority != row.priority or (key != row.partition_key and key in waits):
                self.passed[priority, key, other] = times
        for key in others:
            self.passed[row.priority, key, row.partition_key] += 1

    def has_room(self, row: AttemptRow, held: Counter[str | None]) -> bool:
        per_key = self.limits.per_key
        return per_key is None or held[row.partition_key] < per_key

    def may_start(self, row: AttemptRow, held: Counter[str | None]) -> bool:
        concurrency = self.limits.concurrency
        return (
            self.limits.paused is None
            and (concurrency is None or held.total() < concurrency)
            and self.has_room(row, held)
            and (self.tokens is None or self.tokens >= 1)
        )


TestLimitsAreNeverPassed = LimitsAreNeverPassed.TestCase
# Short programs rarely fill a queue, empty it and fill it again.
TestLimitsAreNeverPassed.settings = settings(stateful_step_count=80)


# --- bugs that it has to find


def starts_cost_nothing(patch: pytest.MonkeyPatch) -> None:
    """The bucket stays full."""
    patch.setattr(bucket, "spent", lambda full, starts=1: full)


def bucket_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Each claim begins with a full one."""
    patch.setattr(after, "_bucket", lambda lane, starts, now: None)


def drips_come_twice(patch: pytest.MonkeyPatch) -> None:
    """What dripped in is counted, and the instant stays."""
    honest = bucket.refilled

    def refilled(before: object, rate: Rate, now: datetime) -> object:
        made = honest(before, rate, now)  # type: ignore[arg-type]  # as it is called
        return made if before is None else evolve(made, at=before.at)  # type: ignore[attr-defined]  # a bucket

    patch.setattr(bucket, "refilled", refilled)


def drips_are_lost(patch: pytest.MonkeyPatch) -> None:
    """The bucket is only filled when it is new."""
    honest = bucket.refilled
    patch.setattr(bucket, "refilled", lambda before, rate, now: before or honest(None, rate, now))


def keys_share_a_limit(patch: pytest.MonkeyPatch) -> None:
    """What is held of other keys counts as well."""
    honest = admitting._Turns.__init__

    def init(self: object, lane: Lane, rows: list[AttemptRow], now: datetime) -> None:
        total = sum(lane.held.values())
        shared = evolve(lane, held=dict.fromkeys(["ana", "ben", "cleo", None], total))
        honest(self, shared, rows, now)  # type: ignore[arg-type]  # as it is called

    patch.setattr(admitting._Turns, "__init__", init)


def what_starts_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    """Only what was held before the claim counts."""

    def take(self: admitting._Turns) -> AttemptRow:
        if self._bucket is not None:
            self._bucket = bucket.spent(self._bucket)
        return self._step_forward()

    patch.setattr(admitting._Turns, "take", take)


def turns_are_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """Every claim begins with the first key."""
    patch.setattr(after, "after_turn", lambda turns, row: turns)


def one_turn_for_all_priorities(patch: pytest.MonkeyPatch) -> None:
    """Urgent work of one key moves the circle of the others."""
    honest = turns._circle

    def circle(waiting: dict[str | None, object], last: dict[int, str | None], _: int) -> object:
        newest = list(last)[-1] if last else 0
        return honest(waiting, last, newest)

    patch.setattr(turns, "_circle", circle)


def claim_order_within_the_lane(patch: pytest.MonkeyPatch) -> None:
    """Whoever came first starts first: one key may fill the queue."""
    patch.setattr(admitting, "in_turn", lambda rows, turns: list(rows))


def first_refusal_ends_the_lane(patch: pytest.MonkeyPatch) -> None:
    """A key that is full holds up everybody behind it."""
    honest = admitting._Turns.has_somebody

    def has_somebody(self: admitting._Turns) -> bool:
        return not self.refused and honest(self) and not self.refused

    patch.setattr(admitting._Turns, "has_somebody", has_somebody)


def pause_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """The queue goes on."""
    honest = admitting._Turns.__init__

    def init(self: object, lane: Lane, rows: list[AttemptRow], now: datetime) -> None:
        going = evolve(lane, settings=evolve(lane.settings, paused=None))
        honest(self, going, rows, now)  # type: ignore[arg-type]  # as it is called

    patch.setattr(admitting._Turns, "__init__", init)


def timers_count(patch: pytest.MonkeyPatch) -> None:
    """Work without an action needs a slot of the queue, too."""
    patch.setattr(admitting, "is_start", lambda row: True)


@pytest.mark.parametrize(
    "plant",
    [
        starts_cost_nothing,
        bucket_is_forgotten,
        drips_come_twice,
        drips_are_lost,
        keys_share_a_limit,
        what_starts_is_not_counted,
        turns_are_not_remembered,
        one_turn_for_all_priorities,
        claim_order_within_the_lane,
        first_refusal_ends_the_lane,
        pause_is_ignored,
        timers_count,
    ],
)
def test_admission_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(LimitsAreNeverPassed, plant)
