"""Admission: which candidates of a claim may start, and what that leaves for later ones."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.plan.admission import (
    Admission,
    Lane,
    LaneState,
    Paused,
    QueueSettings,
    Rate,
    Refusal,
    RefusalKind,
    Turn,
    admit,
    inline,
    rate_from_text,
    rate_to_text,
    states_after,
)
from squidmesh_core.plan.admission.records import MOST_STARTS
from squidmesh_core.protocol.rows import AttemptRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIVE_A_SECOND = Rate(count=5, per_ms=1_000, burst=5)
PAUSED = Paused(at=NOW - SECOND, by="ana", note="stock-taking")


def row(
    number: int,
    *,
    queue: str = "shop",
    key: str | None = None,
    priority: int = 0,
    action: str | None = "act",
) -> AttemptRow:
    """An attempt that has been visible for longer, the smaller its number."""
    run_id = RunId(f"00000000-0000-7000-8000-{number:012d}")
    return AttemptRow(
        run_id=run_id,
        attempt_key=AttemptKey(f"{run_id}:a:1"),
        queue=queue,
        action=action,
        priority=priority,
        visible_at=NOW - timedelta(hours=1) + number * SECOND,
        partition_key=key,
    )


def lane(
    settings: QueueSettings,
    *,
    queue: str = "shop",
    state: LaneState | None = None,
    held: Mapping[str | None, int] | None = None,
) -> Lane:
    """A queue that is set up."""
    return Lane(queue=queue, settings=settings, state=state or LaneState(), held=held or {})


def numbers(rows: tuple[AttemptRow, ...]) -> list[int]:
    """Which rows these are."""
    return [int(one.run_id[-12:]) for one in rows]


def kinds(admission: Admission) -> list[tuple[int, RefusalKind]]:
    """Who was refused, and why."""
    return [(int(one.row.run_id[-12:]), one.refusal.kind) for one in admission.refused]


def keep(admission: Admission, of: Lane, now: datetime = NOW) -> LaneState:
    """The lane's state once all that were admitted have been claimed."""
    return states_after(admission, [of], admission.admitted, now).get(of.queue, of.state)


# --- no limits


def test_without_lanes_the_claim_order_decides() -> None:
    """As many as there are slots, and nothing to keep."""
    admission = admit([row(1), row(2), row(3)], [], 2, NOW)

    assert ([1, 2], ()) == (numbers(admission.admitted), admission.refused)
    assert states_after(admission, [], admission.admitted, NOW) == {}
    assert admission.next_due is None


def test_lanes_and_other_queues_are_merged_in_claim_order() -> None:
    """Priority first, then age, whatever queue it is."""
    rows = [row(2, priority=-1, queue="free"), row(1), row(3, queue="free"), row(4)]

    admission = admit(rows, [lane(QueueSettings(concurrency=9))], 9, NOW)

    assert [2, 1, 3, 4] == numbers(admission.admitted)


def test_several_lanes_are_merged_in_claim_order_too() -> None:
    """Priority first, then age, whichever of them has limits."""
    rows = [row(1, queue="mail"), row(2), row(3, queue="mail", priority=-1), row(4)]
    lanes = [lane(QueueSettings(concurrency=9), queue=queue) for queue in ("shop", "mail")]

    admission = admit(sorted(rows, key=lambda one: one.priority), lanes, 9, NOW)

    assert [3, 1, 2, 4] == numbers(admission.admitted)


# --- limits on what is held


def test_no_more_are_held_than_the_concurrency() -> None:
    """What is held already counts, of every key."""
    full = lane(QueueSettings(concurrency=3), held={None: 1, "a": 1})

    admission = admit([row(1), row(2)], [full], 9, NOW)

    assert [1] == numbers(admission.admitted)
    assert [(2, "concurrency")] == kinds(admission)
    assert NOW + SECOND == admission.next_due


def test_of_one_key_no_more_are_held_than_its_limit() -> None:
    """Another key starts meanwhile; those without a key share one."""
    rows = [row(1, key="a"), row(2, key="a"), row(3), row(4), row(5, key="b")]
    each_one = lane(QueueSettings(per_key=1), held={"b": 1})

    admission = admit(rows, [each_one], 9, NOW)

    assert [1, 3] == sorted(numbers(admission.admitted))
    assert [(2, "per_key"), (4, "per_key"), (5, "per_key")] == sorted(kinds(admission))
    refusals = {int(one.row.run_id[-1]): one.refusal.key for one in admission.refused}
    assert {2: "a", 4: None, 5: "b"} == refusals


def test_more_held_than_a_new_limit_allows_admits_nothing() -> None:
    """What is held goes on, nothing comes to it."""
    shrunk = lane(QueueSettings(concurrency=1), held={None: 5})

    assert () == admit([row(1)], [shrunk], 9, NOW).admitted


def test_a_refused_lane_holds_no_other_queue_up() -> None:
    """The slots go to those who can use them."""
    rows = [row(1), row(2), row(3, queue="free")]

    admission = admit(rows, [lane(QueueSettings(concurrency=1), held={None: 1})], 1, NOW)

    assert [3] == numbers(admission.admitted)


# --- rates


def test_a_rate_lets_its_burst_start_at_once_and_then_one_after_another() -> None:
    """Five at once, the sixth after a fifth of a second."""
    rated = lane(QueueSettings(rate=FIVE_A_SECOND))
    rows = [row(number) for number in range(7)]

    admission = admit(rows, [rated], 9, NOW)
    rated = evolve(rated, state=keep(admission, rated))

    assert [0, 1, 2, 3, 4] == numbers(admission.admitted)
    assert {"rate"} == {kind for _, kind in kinds(admission)}
    due = NOW + timedelta(milliseconds=200)
    assert due == admission.next_due
    assert () == admit(rows[5:], [rated], 9, due - timedelta(milliseconds=1)).admitted
    assert [5] == numbers(admit(rows[5:], [rated], 9, due).admitted)


def test_asking_a_rate_often_neither_gains_nor_loses() -> None:
    """Seven in a minute are seven, asked each 10 ms: nothing drifts."""
    rated = lane(QueueSettings(rate=Rate(count=7, per_ms=60_000, burst=2)))
    starts = 0

    for tick in range(6_001):
        now = NOW + tick * timedelta(milliseconds=10)
        admission = admit([row(1)], [rated], 1, now)
        starts += len(admission.admitted)
        rated = evolve(rated, state=keep(admission, rated, now))

    assert 2 + 7 == starts


def test_a_clock_a_little_behind_wins_no_start() -> None:
    """Readings of two claims may come in the other order."""
    rated = lane(QueueSettings(rate=Rate(count=1, per_ms=1_000, burst=1)))
    for seconds in (0, -3, -1, -2, 0.999):
        now = NOW + seconds * SECOND
        admission = admit([row(1)], [rated], 1, now)
        rated = evolve(rated, state=keep(admission, rated, now))

        assert (seconds == 0) == bool(admission.admitted)

    assert [1] == numbers(admit([row(1)], [rated], 1, NOW + SECOND).admitted)


def test_a_clock_that_was_set_back_stops_nothing_for_long() -> None:
    """The bucket fills from there on, though nothing starts meanwhile."""
    rated = lane(QueueSettings(rate=Rate(count=1, per_ms=60_000, burst=1)))
    rated = evolve(rated, state=keep(admit([row(1)], [rated], 1, NOW), rated))
    back = NOW - timedelta(days=1)

    refused = admit([row(1)], [rated], 1, back)
    rated = evolve(rated, state=keep(refused, rated, back))

    assert () == refused.admitted
    assert [1] == numbers(admit([row(1)], [rated], 1, back + timedelta(minutes=1)).admitted)


def test_tokens_keep_their_worth_when_the_rate_changes() -> None:
    """Two of five are left; of another rate as well, but never more than its burst."""
    rated = lane(QueueSettings(rate=FIVE_A_SECOND))
    state = keep(admit([row(n) for n in range(3)], [rated], 3, NOW), rated)
    rows = [row(number) for number in range(10)]

    for rate, left in [
        (Rate(count=1, per_ms=86_400_000, burst=9), 2),
        (Rate(count=900, per_ms=7, burst=1), 1),
    ]:
        changed = lane(QueueSettings(rate=rate), state=state)

        assert left == len(admit(rows, [changed], 9, NOW).admitted)


# --- pauses, and work without an action


def test_of_a_paused_queue_nothing_starts_not_even_a_timer() -> None:
    """Who has paused it says since when; no look helps before it is resumed."""
    paused = lane(QueueSettings(paused=PAUSED))

    admission = admit([row(1), row(2, action=None)], [paused], 9, NOW)

    assert () == admission.admitted
    assert {Refusal(kind="paused", since=PAUSED.at)} == {o.refusal for o in admission.refused}
    assert admission.next_due is None


def test_work_without_an_action_passes_every_limit_and_uses_none_up() -> None:
    """It is completed as it is claimed: no slot, no token, no turn."""
    settings = QueueSettings(concurrency=1, per_key=1, rate=Rate(count=1, per_ms=1_000, burst=1))
    full = lane(settings, held={"a": 1})
    timers = [row(number, action=None, key="a") for number in range(3)]

    admission = admit(timers, [full], 9, NOW)

    assert [0, 1, 2] == numbers(admission.admitted)
    assert full.state == keep(admission, full)


# --- turns


def test_keys_take_turns() -> None:
    """One of each, then the second of each, however much one of them has waiting."""
    rows = [row(n, key="a") for n in range(4)] + [row(8, key="b"), row(9, key="b")]

    admission = admit(rows, [lane(QueueSettings(concurrency=9))], 9, NOW)

    assert [0, 8, 1, 9, 2, 3] == numbers(admission.admitted)


def test_priority_comes_before_turns() -> None:
    """A key has no turn among those that are less urgent."""
    rows = [row(1, key="a", priority=-1), row(2, key="a", priority=-1), row(3, key="b")]

    admission = admit(rows, [lane(QueueSettings(concurrency=9))], 2, NOW)

    assert [1, 2] == numbers(admission.admitted)


def test_turns_go_on_where_the_last_claim_ended() -> None:
    """In a circle over the keys that wait; whoever had the last turn comes last."""
    shop = lane(QueueSettings(concurrency=99))
    rows = [row(n, key=key) for n, key in enumerate(["a", "a", "b", "c", "c"])]
    served = []

    for _ in range(5):
        admission = admit(rows, [shop], 1, NOW)
        shop = evolve(shop, state=keep(admission, shop))
        served += [one.partition_key for one in admission.admitted]
        rows = [one for one in rows if one not in admission.admitted]

    assert ["a", "b", "c", "a", "c"] == served


def test_urgent_work_of_one_key_takes_no_turns_from_the_others() -> None:
    """Each priority remembers its own last turn."""
    shop = lane(QueueSettings(concurrency=999))
    served: Counter[str | None] = Counter()

    for number in range(0, 60, 3):
        urgent = row(number, key="a", priority=-1)
        rows = [urgent, row(number + 1, key="b"), row(number + 2, key="c")]
        for limit_one in range(2):
            admission = admit(rows[limit_one:], [shop], 1, NOW)
            shop = evolve(shop, state=keep(admission, shop))
            served.update(one.partition_key for one in admission.admitted)

    assert {"a": 20, "b": 10, "c": 10} == served


def test_a_key_that_nobody_has_looked_at_yet_has_its_turn_next() -> None:
    """With one slot, work without a key does not come first for ever."""
    shop = lane(QueueSettings(concurrency=9))
    rows = [row(1), row(2), row(3, key="a")]

    first = admit(rows, [shop], 1, NOW)
    shop = evolve(shop, state=keep(first, shop))

    assert [1] == numbers(first.admitted)
    assert [3] == numbers(admit(rows[1:], [shop], 1, NOW).admitted)


def test_a_full_bucket_gains_nothing_from_parts_of_a_millisecond() -> None:
    """What runs over is lost, to the microsecond."""
    rated = lane(QueueSettings(rate=Rate(count=1, per_ms=1_000, burst=1)))
    rated = evolve(rated, state=keep(admit([row(1)], [rated], 1, NOW), rated))
    later = NOW + timedelta(seconds=5, microseconds=999)
    rated = evolve(rated, state=keep(admit([row(1)], [rated], 1, later), rated, later))

    assert () == admit([row(1)], [rated], 1, later + timedelta(milliseconds=999)).admitted


def test_where_nobody_has_a_key_nothing_is_kept() -> None:
    """A claim of a plain lane writes no state."""
    shop = lane(QueueSettings(concurrency=9))

    assert LaneState() == keep(admit([row(1), row(2)], [shop], 9, NOW), shop)


# --- what is kept


def test_a_refusal_that_stays_the_same_is_kept_as_old_as_it_is() -> None:
    """Asking again changes nothing, so nothing has to be written."""
    full = lane(QueueSettings(concurrency=1), held={None: 1})
    first = keep(admit([row(1)], [full], 9, NOW), full)
    full = evolve(full, state=first)

    again = admit([row(1), row(2)], [full], 9, NOW + SECOND)

    assert (Refusal(kind="concurrency", since=NOW, limit=1),) == first.refusals
    assert {} == states_after(again, [full], (), NOW + SECOND)


def test_a_refusal_by_another_limit_is_a_new_one() -> None:
    """It is as old as the limit that is told with it."""
    of = lane(QueueSettings(concurrency=1), held={None: 2})
    kept = keep(admit([row(1)], [of], 1, NOW), of)
    changed = evolve(of, settings=QueueSettings(concurrency=2), state=kept)

    later = keep(admit([row(1)], [changed], 1, NOW + SECOND), changed, NOW + SECOND)

    assert [(NOW, 1)] == [(one.since, one.limit) for one in kept.refusals]
    assert [(NOW + SECOND, 2)] == [(one.since, one.limit) for one in later.refusals]


def test_a_second_pause_is_as_old_as_itself() -> None:
    """Also where nobody asked while the queue was open in between."""
    of = lane(QueueSettings(paused=PAUSED))
    kept = keep(admit([row(1)], [of], 1, NOW), of)
    again = evolve(of, settings=QueueSettings(paused=evolve(PAUSED, at=NOW + SECOND)), state=kept)

    later = keep(admit([row(1)], [again], 1, NOW + SECOND), again, NOW + SECOND)

    assert [PAUSED.at] == [one.since for one in kept.refusals]
    assert [NOW + SECOND] == [one.since for one in later.refusals]


def test_a_refusal_by_rate_says_the_rate() -> None:
    """Its starts, and when the next may be."""
    of = lane(QueueSettings(rate=Rate(count=5, per_ms=1_000, burst=1)))

    (_, refused) = (one.refusal for one in admit([row(1), row(2), row(3)], [of], 9, NOW).refused)

    assert ("rate", 5, NOW + SECOND / 5) == (refused.kind, refused.limit, refused.until)


def test_a_refusal_that_has_let_go_is_forgotten() -> None:
    """Unless there was no slot to find it out with."""
    refusal = Refusal(kind="concurrency", since=NOW, limit=1)
    free = lane(QueueSettings(concurrency=2), state=LaneState(refusals=(refusal,)))

    assert () == keep(admit([row(1)], [free], 9, NOW), free).refusals
    assert (refusal,) == keep(admit([row(1), row(2)], [free], 1, NOW), free).refusals


def test_what_was_admitted_but_not_claimed_costs_nothing() -> None:
    """A run that has to be read first starts in the next transaction."""
    rated = lane(QueueSettings(rate=FIVE_A_SECOND))
    admission = admit([row(1, key="a"), row(2, key="b")], [rated], 9, NOW)

    state = states_after(admission, [rated], admission.admitted[1:], NOW)["shop"]

    assert state.bucket is not None
    assert 4 * 1_000 == state.bucket.level
    assert (Turn(priority=0, key="b"),) == state.turns


def test_each_lane_keeps_what_is_its_own() -> None:
    """Starts and refusals of one are nothing to another."""
    shop = lane(QueueSettings(concurrency=1), held={None: 1})
    mail = lane(QueueSettings(rate=Rate(count=1, per_ms=1_000, burst=1)), queue="mail")
    rows = [row(1), row(2, queue="mail"), row(3, queue="mail")]

    admission = admit(rows, [shop, mail], 9, NOW)
    states = states_after(admission, [shop, mail], admission.admitted, NOW)

    assert ["concurrency"] == [one.kind for one in states["shop"].refusals]
    assert ["rate"] == [one.kind for one in states["mail"].refusals]
    assert (None, 0) == (
        states["shop"].bucket,
        states["mail"].bucket and states["mail"].bucket.level,
    )


# --- claims on the way


def test_without_lanes_claims_on_the_way_are_free() -> None:
    """Nobody has to be asked."""
    where = inline(frozenset({"shop"}), {}, settled="shop")

    assert {"shop"} == where.queues
    assert not where.limited


def test_claims_on_the_way_keep_out_of_lanes() -> None:
    """Timers may be done there, unless it is paused."""
    lanes = {
        "full": QueueSettings(concurrency=1),
        "stopped": QueueSettings(paused=PAUSED),
        "elsewhere": QueueSettings(concurrency=1),
    }

    where = inline(frozenset({"free", "full", "stopped"}), lanes)

    assert {"free", "full"} == where.queues
    assert {"full"} == where.limited


@pytest.mark.parametrize(
    ("settings", "goes_on"),
    [
        (QueueSettings(concurrency=1, per_key=1), True),
        (QueueSettings(rate=FIVE_A_SECOND), False),
        (QueueSettings(concurrency=1, paused=PAUSED), False),
    ],
)
def test_a_run_keeps_its_slot_in_its_own_queue(settings: QueueSettings, goes_on: bool) -> None:
    """That counts nothing anew; a rate counts starts, and a pause allows none."""
    where = inline(frozenset({"shop"}), {"shop": settings}, settled="shop")

    assert goes_on == ("shop" in where.queues - where.limited)


# --- rates as texts


@given(
    count=st.integers(1, MOST_STARTS),
    periods=st.integers(1, 86_400),
    burst=st.integers(1, MOST_STARTS),
)
def test_a_rate_is_read_back_as_it_was_written(count: int, periods: int, burst: int) -> None:
    """In the largest unit that fits."""
    rate = Rate(count=count, per_ms=periods * 1_000, burst=burst)

    assert rate == rate_from_text(rate_to_text(rate), burst=burst)


def test_a_burst_is_one_period_unless_it_is_said() -> None:
    """And a number before the unit multiplies it."""
    assert Rate(count=10, per_ms=900_000, burst=10) == rate_from_text("10/15m")
    assert "10/15m" == rate_to_text(rate_from_text("10/900s", burst=3))
    assert 3 == rate_from_text("10/900s", burst=3).burst


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5/",
        "/s",
        "0/s",
        "5/0s",
        "5/2d",
        "5/ms",
        "-1/s",
        "1.5/s",
        "\u0665/s",
        "9999999/s",
        7,
        None,
    ],
)
def test_what_is_no_rate_is_refused(text: object) -> None:
    """The value itself is never part of the message."""
    with pytest.raises(ValueError, match="expected a rate such as"):
        rate_from_text(text)
