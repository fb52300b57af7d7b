# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised to whoever keeps limits: what a lane counts, and what is left in it."""

from datetime import timedelta
from typing import Final

import pytest

from squidmesh_core.ids import BEGINNING, Revision
from squidmesh_storage.api import (
    Choice,
    Committed,
    Conflict,
    Journal,
    Offered,
    Quarantine,
    Record,
)
from squidmesh_storage.conformance.concurrency import THREADS, at_once
from squidmesh_storage.conformance.kit import (
    Promises,
    attempt,
    commit,
    first,
    hold,
    key,
    keys_of,
    look,
    look_and_tell,
    puts,
    run_id,
)
from squidmesh_storage.conformance.lanes import decided, offered_by, wait

SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)


class LimitPromises(Promises):
    """Limits are counted by one claim at a time, and what is counted is kept or undone whole."""

    def test_held_attempts_are_counted_by_key(self, journal: Journal) -> None:
        """Those of this queue whose lease is not past, marked runs or not; it ends to the instant."""
        journal.put_record("queue", "default", "{}")
        until = journal.now() + HOUR
        past = journal.now() - SECOND
        wait(
            journal,
            attempt(run_id(1), partition_key="a", held_until=until),
            attempt(run_id(2), partition_key="a", held_until=until),
            attempt(run_id(3), partition_key="b", held_until=until),
            attempt(run_id(4), held_until=until),
            attempt(run_id(5), partition_key="b", held_until=past),
            attempt(run_id(6), partition_key="a", queue="mail", held_until=until),
            attempt(run_id(7), partition_key="c"),
        )
        journal.quarantine(run_id(1), Quarantine(revision=None, reason="damaged"))

        (lane,) = offered_by(journal, "default").lanes

        assert dict(lane.held) == {"a": 2, "b": 1, None: 1}
        (lane,) = offered_by(journal, "default", at=until).lanes
        assert dict(lane.held) == {}

    def test_what_a_claim_leaves_in_its_lane_comes_with_the_next(self, journal: Journal) -> None:
        """Whichever version was there, it is replaced, and counted as one change."""
        journal.put_record("queue", "default", "{}")
        wait(journal, attempt(run_id(1)))

        seen = [
            lane.state
            for body in ("[1]", "[2]", "[3]")
            for lane in decided(journal, Choice(records=(state(body),)))[0].lanes
        ]

        assert [
            None,
            Record(kind="lane", key="default", body="[1]", version=1),
            Record(kind="lane", key="default", body="[2]", version=2),
        ] == seen
        assert (state("[3]", version=3),) == journal.records("lane")

    def test_a_conflict_does_not_undo_what_is_left_in_the_lane(self, journal: Journal) -> None:
        """Nor the other batches: the transaction is one, its outcomes are not."""
        journal.put_record("queue", "default", "{}")
        wait(journal, attempt(run_id(1)))
        stale = first(run_id(1))

        _, claimed = decided(journal, Choice(batches=(stale,), records=(state("[1]"),)))

        assert (
            Conflict(run_id=run_id(1), expected=BEGINNING, actual=Revision(1)),
        ) == claimed.outcomes
        assert (state("[1]", version=1),) == journal.records("lane")

    def test_a_transaction_that_fails_leaves_nothing_in_the_lane(self, journal: Journal) -> None:
        """What was counted for claims that were not made is not counted."""
        journal.put_record("queue", "default", "{}")
        wait(journal, attempt(run_id(1)))

        def decide(offered: Offered) -> Choice:
            (one,) = offered.candidates
            twice = (hold(one, offered.now), hold(one, offered.now))
            return Choice(batches=twice, records=(state("[1]"),))

        with pytest.raises(ValueError, match="same run"):
            journal.claimable(("default",), ("act",), 5, decide)
        assert journal.records("lane") == ()
        assert len(journal.load(run_id(1)).records) == 1

    @pytest.mark.parametrize("verb", ["put_record", "drop_record", "remove"])
    def test_decide_writes_only_what_it_returns(self, journal: Journal, verb: str) -> None:
        """It is told so, and nothing has happened."""
        journal.put_record("queue", "default", "{}")
        wait(journal, attempt(run_id(1)))
        writes = {
            "put_record": lambda: journal.put_record("queue", "default", "[]"),
            "drop_record": lambda: journal.drop_record("queue", "default"),
            "remove": lambda: journal.remove(run_id(1), Revision(1), None),
        }

        def decide(_offered: Offered) -> Choice:
            writes[verb]()
            return Choice()

        with pytest.raises(RuntimeError, match="decide may call load"):
            journal.claimable(("default",), ("act",), 5, decide)
        assert [one.body for one in journal.records("queue")] == ["{}"]
        assert (key(run_id(1)),) == keys_of(look(journal))

    @pytest.mark.parametrize(("limit", "delay", "expected"), [(3, 9, 3), (9, 3, 3), (None, 3, 3)])
    def test_a_limit_that_lets_go_is_due_like_a_delay(
        self, journal: Journal, limit: int | None, delay: int, expected: int
    ) -> None:
        """Whichever is first."""
        journal.put_record("queue", "default", "{}")
        now = journal.now()
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(attempt(run_id(1)))),
            first(
                run_id(2),
                at=now,
                rows=puts(attempt(run_id(2), visible_at=now + delay * HOUR)),
            ),
        )
        lets_go = None if limit is None else now + limit * HOUR

        _, claimed = decided(journal, Choice(next_due=lets_go))

        assert now + expected * HOUR == claimed.next_due
        assert now + delay * HOUR == look_and_tell(journal)[1].next_due

    # -- many workers

    def test_two_claims_of_a_lane_never_exceed_its_limit_together(self, journal: Journal) -> None:
        """The second one sees what the first one holds."""
        journal.put_record("queue", "default", '{"limit":3}')
        wait(journal, *(attempt(run_id(number)) for number in range(1, 41)))

        def decide(offered: Offered) -> Choice:
            (lane,) = offered.lanes
            room = max(0, 3 - sum(lane.held.values()))
            until = offered.now + HOUR
            return Choice(batches=[hold(one, until) for one in offered.candidates[:room]])

        def work() -> int:
            made = 0
            for _ in range(5):
                outcomes = journal.claimable(("default",), ("act",), 2, decide).outcomes
                made += sum(isinstance(one, Committed) for one in outcomes)
            return made

        assert sum(at_once([work] * THREADS)) == 3

    def test_no_claim_of_a_lane_overwrites_what_another_counted(self, journal: Journal) -> None:
        """Claims of one lane wait for each other, also if they hold different attempts."""
        journal.put_record("queue", "default", "{}")
        wait(journal, *(attempt(run_id(number)) for number in range(1, 41)))

        def decide(offered: Offered) -> Choice:
            (lane,) = offered.lanes
            count = int(lane.state.body) if lane.state else 0
            batch = hold(offered.candidates[0], offered.now + HOUR)
            return Choice(batches=[batch], records=[state(str(count + 1))])

        def work() -> None:
            for _ in range(5):
                journal.claimable(("default",), ("act",), 1, decide)

        at_once([work] * THREADS)

        assert (state("40", version=40),) == journal.records("lane")
        assert look(journal) == ()


def state(body: str, *, version: int = 0) -> Record:
    """What a claim leaves in its lane, or the next one finds there."""
    return Record(kind="lane", key="default", body=body, version=version)
