# ruff: noqa: S101 (a test suite that ships with the package)
"""What `foremost` promises."""

from datetime import timedelta

from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Choice, Journal, Offered, Quarantine
from squidmesh_storage.conformance.kit import (
    Clock,
    Promises,
    attempt,
    commit,
    first,
    hold,
    look,
    puts,
    run_id,
)

SECOND = timedelta(seconds=1)
QUEUES = ("default", "mail")


class ForemostPromises(Promises):
    """Whoever is busy can ask how urgent the waiting work is."""

    def test_of_each_queue_the_most_urgent_priority_is_told(self, journal: Journal) -> None:
        """The smallest number, whatever came first."""
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1), priority=5))),
            first(run_id(2), rows=puts(attempt(run_id(2), priority=-3))),
            first(run_id(3), rows=puts(attempt(run_id(3), priority=9))),
            first(run_id(4), rows=puts(attempt(run_id(4), priority=7, queue="mail"))),
        )

        assert journal.foremost((*QUEUES, "default"), ("act",)) == {"default": -3, "mail": 7}

    def test_queues_where_nothing_waits_are_left_out(self, journal: Journal) -> None:
        """And of other queues nothing is told."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1), queue="mail"))))

        assert journal.foremost(("default",), ("act",)) == {}
        assert journal.foremost((), ("act",)) == {}
        assert journal.foremost(QUEUES, ("act",)) == {"mail": 0}

    def test_an_attempt_whose_lease_is_past_does_not_count(self, journal: Journal) -> None:
        """Though a claim would offer it."""
        now = journal.now()
        lost = attempt(run_id(1), priority=-9, held_until=now - SECOND)
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(lost)),
            first(run_id(2), at=now, rows=puts(attempt(run_id(2), priority=4))),
        )

        assert journal.foremost(QUEUES, ("act",)) == {"default": 4}
        assert len(look(journal)) == 2

    def test_only_actions_that_can_be_performed_count_and_work_without_one(
        self, journal: Journal
    ) -> None:
        """What nobody here performs is no reason to make room."""
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1), action="other", priority=1))),
            first(run_id(2), rows=puts(attempt(run_id(2), action=None, priority=3))),
            first(run_id(3), rows=puts(attempt(run_id(3), priority=2))),
        )

        assert journal.foremost(QUEUES, ("act",)) == {"default": 2}
        assert journal.foremost(QUEUES, ("act", "other")) == {"default": 1}
        assert journal.foremost(QUEUES, ()) == {"default": 3}

    def test_a_delayed_attempt_counts_from_its_instant_on(
        self, journal: Journal, clock: Clock
    ) -> None:
        """Though no claim has let it into the order yet."""
        now = journal.now()
        late = attempt(run_id(1), priority=1, visible_at=now + 60 * SECOND)
        commit(journal, first(run_id(1), at=now, rows=puts(late)))
        commit(journal, first(run_id(2), at=now, rows=puts(attempt(run_id(2), priority=4))))

        assert journal.foremost(QUEUES, ("act",)) == {"default": 4}
        assert journal.foremost(QUEUES, ("act",), at=late.visible_at) == {"default": 1}
        self.time_passes(clock, 59)
        assert journal.foremost(QUEUES, ("act",)) == {"default": 4}
        self.time_passes(clock, 1)
        assert journal.foremost(QUEUES, ("act",)) == {"default": 1}
        look(journal)  # which lets it into the order
        assert journal.foremost(QUEUES, ("act",)) == {"default": 1}

    def test_what_is_held_does_not_count(self, journal: Journal) -> None:
        """It has its slot."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        def claim(offered: Offered) -> Choice:
            return Choice(batches=[hold(one, offered.now + SECOND) for one in offered.candidates])

        journal.claimable(QUEUES, ("act",), 1, claim)

        assert journal.foremost(QUEUES, ("act",)) == {}

    def test_runs_that_nobody_may_claim_do_not_count(self, journal: Journal) -> None:
        """They are quarantined, or a newer process has written to them."""
        newer = CODEC_VERSION + 1
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1), priority=1))),
            first(run_id(2), rows=puts(attempt(run_id(2), priority=2)), codec=newer),
            first(run_id(3), rows=puts(attempt(run_id(3), priority=3))),
        )

        assert journal.foremost(QUEUES, ("act",)) == {"default": 1}
        journal.quarantine(run_id(1), Quarantine(revision=None, reason="damaged"))
        assert journal.foremost(QUEUES, ("act",)) == {"default": 3}

    def test_settings_of_a_queue_are_not_looked_at(self, journal: Journal) -> None:
        """Whoever asks knows which queues have limits, and what to make of it."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1), priority=6))))
        journal.put_record("queue", "default", "{}")

        assert journal.foremost(QUEUES, ("act",)) == {"default": 6}

    def test_asking_claims_nothing(self, journal: Journal) -> None:
        """The attempts are there as before, and so is what is due."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))
        before = look(journal)

        journal.foremost(QUEUES, ("act",))

        assert len(before) == 1
        assert before == look(journal)
