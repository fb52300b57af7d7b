# ruff: noqa: S101 (a test suite that ships with the package)
"""What a claim is offered of a lane: a queue that somebody has set up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import (
    LANE_WINDOW,
    Batch,
    Choice,
    Claimed,
    Journal,
    Lane,
    Offered,
    Quarantine,
    Record,
)
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Promises,
    attempt,
    commit,
    first,
    key,
    keys_of,
    puts,
    run_id,
)

SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)


class LanePromises(Promises):
    """A lane is told of with its settings, and every partition key in it is heard."""

    def test_a_queue_without_settings_is_no_lane(self, journal: Journal) -> None:
        """Whatever other records have its name."""
        journal.put_record("lane", "default", "{}")
        journal.put_record("worker", "default", "{}")
        journal.put_record("queue", "mail", "{}")
        wait(journal, *(attempt(run_id(number)) for number in (1, 2, 3)))

        offered = offered_by(journal, limit=2)

        assert offered.lanes == ()
        assert (key(run_id(1)), key(run_id(2))) == keys_of(offered.candidates)

    def test_candidates_of_a_lane_come_without_their_journals(self, journal: Journal) -> None:
        """More of them are offered than anybody can claim."""
        journal.put_record("queue", "mail", "{}")
        wait(journal, attempt(run_id(1)), attempt(run_id(2), queue="mail"))

        offered = offered_by(journal, "default", "mail")

        assert [one.begun is not None for one in offered.candidates] == [True, False]

    def test_a_queue_with_settings_is_a_lane(self, journal: Journal) -> None:
        """For each claim that asks for it, once, until the settings are dropped."""
        journal.put_record("queue", "default", '{"limit":1}')
        journal.put_record("queue", "default", '{"limit":2}')
        wait(journal, attempt(run_id(1)))
        settings = Record(kind="queue", key="default", body='{"limit":2}', version=2)

        lanes = offered_by(journal, "default", "mail", "default").lanes

        assert (Lane(queue="default", settings=settings, state=None, held={}),) == lanes
        journal.drop_record("queue", "default")
        assert offered_by(journal).lanes == ()

    def test_every_lane_that_was_asked_for_is_told_of(self, journal: Journal) -> None:
        """Also those without candidates, and none that was not asked for."""
        for queue in ("default", "mail", "other"):
            journal.put_record("queue", queue, "{}")
        wait(journal, attempt(run_id(1)))

        offered = offered_by(journal, "mail", "default")

        assert {"default", "mail"} == {lane.queue for lane in offered.lanes}
        assert len(offered.lanes) == 2

    def test_a_lane_without_candidates_is_not_decided_on(self, journal: Journal) -> None:
        """There is nothing to decide."""
        journal.put_record("queue", "default", "{}")

        def decide(offered: Offered) -> Choice:
            raise AssertionError(f"asked about {offered}")

        claimed = journal.claimable(("default",), ("act",), 5, decide)

        assert (claimed.outcomes, claimed.next_due) == ((), None)

    def test_a_long_backlog_of_one_key_does_not_hide_another(self, journal: Journal) -> None:
        """Of each key up to the limit, in claim order."""
        journal.put_record("queue", "default", "{}")
        backlog = [attempt(run_id(n), partition_key="a", priority=1) for n in range(1, 1_001)]
        late = attempt(run_id(2_000), partition_key="b", priority=9)
        wait(journal, *backlog, late)

        offered = offered_by(journal, limit=3)

        assert (*backlog[:3], late) == _rows(offered)

    def test_attempts_without_a_key_are_heard_like_those_of_one(self, journal: Journal) -> None:
        """In front of a backlog or behind it."""
        journal.put_record("queue", "default", "{}")
        none = [attempt(run_id(n), priority=1) for n in (1, 2, 3)]
        some = [attempt(run_id(n), partition_key="a", priority=2) for n in (4, 5, 6)]
        last = [attempt(run_id(n), partition_key="b", priority=3) for n in (7, 8, 9)]
        wait(journal, *none, *some, *last)

        assert (*none[:2], *some[:2], *last[:2]) == _rows(offered_by(journal, limit=2))

    def test_each_keys_first_is_offered_before_any_keys_second(self, journal: Journal) -> None:
        """Also before seconds and thirds that come sooner; these take what room is left."""
        journal.put_record("queue", "default", "{}")
        busy = [_keyed(number % 100, number, priority=1) for number in range(300)]
        others = [
            _keyed(number, 1_000 + number, priority=2) for number in range(100, LANE_WINDOW - 6)
        ]
        wait(journal, *busy, *others)

        assert (*busy[:106], *others) == _rows(offered_by(journal, limit=8))

    def test_a_window_full_of_firsts_takes_them_in_claim_order(self, journal: Journal) -> None:
        """However many attempts of some keys lie between them."""
        journal.put_record("queue", "default", "{}")
        busy = [_keyed(0, number, priority=1) for number in range(2 * LANE_WINDOW)]
        others = [
            _keyed(number, 1_000 + number, priority=2) for number in range(1, LANE_WINDOW + 20)
        ]
        wait(journal, *busy, *others)

        expected = (busy[0], *others[: LANE_WINDOW - 1])

        assert expected == _rows(offered_by(journal, limit=8))

    def test_many_keys_at_the_front_fill_the_window(self, journal: Journal) -> None:
        """With the first of each, although the seconds come before the last firsts."""
        journal.put_record("queue", "default", "{}")
        rows = [_keyed(number // 2, number) for number in range(2 * LANE_WINDOW + 40)]
        wait(journal, *rows)

        assert tuple(rows[::2][:LANE_WINDOW]) == _rows(offered_by(journal, limit=8))

    def test_lost_leases_stand_in_the_lane_with_those_that_wait(self, journal: Journal) -> None:
        """A key's first may be one whose holder is gone, and none is offered twice."""
        journal.put_record("queue", "default", "{}")
        past = journal.now() - SECOND
        lost = attempt(run_id(1), partition_key="a", priority=2, held_until=past)
        waiting = [
            attempt(run_id(2), partition_key="a", priority=1),
            attempt(run_id(3), partition_key="a", priority=3),
            attempt(run_id(4), partition_key="b", priority=4),
        ]
        wait(journal, lost, *waiting)

        assert (waiting[0], lost, waiting[2]) == _rows(offered_by(journal, limit=2))
        assert (waiting[0], waiting[2]) == _rows(offered_by(journal, limit=1))

    def test_delayed_attempts_join_the_lane_when_they_are_due(self, journal: Journal) -> None:
        """Not before."""
        journal.put_record("queue", "default", "{}")
        now = journal.now()
        late = attempt(run_id(1), partition_key="a", visible_at=now + HOUR)
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(late)),
            first(run_id(2), at=now, rows=puts(attempt(run_id(2), partition_key="a"))),
        )

        assert (key(run_id(2)),) == keys_of(offered_by(journal).candidates)
        later = offered_by(journal, at=now + HOUR)
        assert (key(run_id(2)), key(run_id(1))) == keys_of(later.candidates)

    def test_what_cannot_be_claimed_hides_nothing_of_its_key(self, journal: Journal) -> None:
        """Another action, a mark, a newer codec: the next of the key is its first."""
        journal.put_record("queue", "default", "{}")
        for number in (1, 2, 3, 4):
            action = "other" if number == 1 else "act"
            codec = CODEC_VERSION + (number == 2)
            row = attempt(run_id(number), action=action, partition_key="a")
            commit(journal, first(run_id(number), rows=puts(row), codec=codec))
        journal.quarantine(run_id(3), Quarantine(revision=None, reason="damaged"))

        assert (key(run_id(4)),) == keys_of(offered_by(journal, limit=1).candidates)

    def test_queues_with_and_without_settings_are_asked_in_one_call(self, journal: Journal) -> None:
        """Neither crowds out the other, and all come in claim order."""
        journal.put_record("queue", "mail", "{}")
        plain = [attempt(run_id(n), priority=n) for n in (1, 3, 5, 7)]
        keyed = [attempt(run_id(n), queue="mail", priority=n, partition_key="a") for n in (2, 4, 6)]
        other = attempt(run_id(9), queue="mail", priority=9, partition_key="b")
        wait(journal, *plain, *keyed, other)

        offered = offered_by(journal, "default", "mail", limit=2)

        assert (plain[0], keyed[0], plain[1], keyed[1], other) == _rows(offered)
        assert [lane.queue for lane in offered.lanes] == ["mail"]


def _keyed(number: int, run: int, *, priority: int = 0) -> AttemptRow:
    """An attempt of the n-th partition key."""
    return attempt(run_id(run + 1), partition_key=f"key-{number:04}", priority=priority)


def wait(journal: Journal, *rows: AttemptRow) -> None:
    """Runs with one attempt each."""
    batches: list[Batch] = [first(row.run_id, at=EPOCH, rows=puts(row)) for row in rows]
    commit(journal, *batches)


def offered_by(
    journal: Journal, *queues: str, limit: int = 100, at: datetime | None = None
) -> Offered:
    """What a claim is offered; nothing is claimed."""
    return decided(journal, Choice(), queues or ("default",), limit, at)[0]


def decided(
    journal: Journal,
    choice: Choice,
    queues: Sequence[str] = ("default",),
    limit: int = 100,
    at: datetime | None = None,
) -> tuple[Offered, Claimed]:
    """What a claim was offered and what came of it, if this is chosen whatever it is."""
    seen: list[Offered] = []

    def decide(offered: Offered) -> Choice:
        seen.append(offered)
        return choice

    claimed = journal.claimable(queues, ("act",), limit, decide, at=at)
    (offered,) = seen
    assert claimed.now == offered.now
    return offered, claimed


def _rows(offered: Offered) -> tuple[AttemptRow, ...]:
    return tuple(one.row for one in offered.candidates)
