# ruff: noqa: S101 (a test suite that ships with the package)
"""What `claimable` promises."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import Candidate, Choice, Committed, Conflict, Journal, Offered
from squidmesh_storage.conformance.kit import (
    Clock,
    Promises,
    attempt,
    commit,
    first,
    head_of,
    hold,
    key,
    keys_of,
    look,
    look_and_tell,
    puts,
    run_id,
    then,
)

SECOND = timedelta(seconds=1)


class ClaimPromises(Promises):
    """Claiming: what is due, in order, decided and appended in one transaction."""

    def test_a_visible_unclaimed_attempt_is_a_candidate(self, journal: Journal) -> None:
        """With its row and the head of its run."""
        row = attempt(run_id(1), partition_key="p", priority=4)
        begun = first(run_id(1), entries=3, rows=puts(row))
        commit(journal, begun)

        assert (Candidate(row=row, head=head_of(begun), begun=begun.record),) == look(journal)

    def test_candidates_come_in_claim_order(self, journal: Journal) -> None:
        """By priority, then visible instant, then run id, then attempt key."""
        now = journal.now()
        early, late = now - 2 * SECOND, now - SECOND
        commit(
            journal,
            first(run_id(4), at=now, rows=puts(attempt(run_id(4), priority=-1, visible_at=late))),
            first(run_id(3), at=now, rows=puts(attempt(run_id(3), visible_at=early))),
            first(
                run_id(2),
                at=now,
                rows=puts(
                    attempt(run_id(2), step="b", visible_at=late),
                    attempt(run_id(2), step="a", visible_at=late),
                ),
            ),
            first(run_id(1), at=now, rows=puts(attempt(run_id(1), priority=9, visible_at=early))),
            first(run_id(5), at=now, rows=puts(attempt(run_id(5), visible_at=late))),
        )

        expected = (
            key(run_id(4)),
            key(run_id(3)),
            key(run_id(2), "a"),
            key(run_id(2), "b"),
            key(run_id(5)),
            key(run_id(1)),
        )

        assert expected == keys_of(look(journal))
        assert expected[:3] == keys_of(look(journal, limit=3))

    def test_claim_order_holds_across_queues_and_across_held_and_waiting(
        self, journal: Journal
    ) -> None:
        """Neither the queue nor an expired holder moves an attempt."""
        now = journal.now()
        expired = now - SECOND
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(attempt(run_id(1), queue="b", priority=1))),
            first(run_id(2), at=now, rows=puts(attempt(run_id(2), priority=2, held_until=expired))),
            first(run_id(3), at=now, rows=puts(attempt(run_id(3), priority=3))),
            first(
                run_id(4),
                at=now,
                rows=puts(attempt(run_id(4), queue="b", priority=0, held_until=expired)),
            ),
        )

        expected = tuple(key(run_id(number)) for number in (4, 1, 2, 3))

        assert expected == keys_of(look(journal, "default", "b"))
        assert expected[:2] == keys_of(look(journal, "b", "default", "b", limit=2))
        assert expected[:1] == keys_of(look(journal, "default", "b", limit=1))

    def test_a_limit_leaves_the_most_urgent_of_what_was_lost(self, journal: Journal) -> None:
        """Neither what was lost first nor the run that began first."""
        now = journal.now()
        urgencies = {1: 3, 2: 1, 3: 2}
        commit(
            journal,
            *(
                first(
                    run_id(number),
                    at=now,
                    rows=puts(
                        attempt(
                            run_id(number), priority=priority, held_until=now - priority * SECOND
                        )
                    ),
                )
                for number, priority in urgencies.items()
            ),
        )

        assert (key(run_id(2)),) == keys_of(look(journal, limit=1))
        assert (key(run_id(2)), key(run_id(3))) == keys_of(look(journal, limit=2))

    def test_other_queues_have_no_candidates_here(self, journal: Journal) -> None:
        """Only the queues asked for."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1), queue="mail"))))

        assert look(journal, "default") == ()
        assert look(journal, "default", "mail", limit=0) == ()
        assert (key(run_id(1)),) == keys_of(look(journal, "mail"))

    def test_a_worker_gets_only_actions_it_can_perform_and_those_without(
        self, journal: Journal
    ) -> None:
        """An action of null is anybody's."""
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1), action="other"))),
            first(run_id(2), rows=puts(attempt(run_id(2), action=None))),
            first(run_id(3), rows=puts(attempt(run_id(3)))),
        )

        assert (key(run_id(2)),) == keys_of(look(journal, actions=()))
        assert (key(run_id(2)), key(run_id(3))) == keys_of(look(journal))

    def test_a_delayed_attempt_waits_for_its_instant(self, journal: Journal, clock: Clock) -> None:
        """Not before, and from that instant on."""
        now = journal.now()
        row = attempt(run_id(1), visible_at=now + 60 * SECOND)
        commit(journal, first(run_id(1), at=now, rows=puts(row)))

        seen, told = look_and_tell(journal)
        assert ((), row.visible_at) == (seen, told.next_due)
        self.time_passes(clock, 59)
        assert look(journal) == ()
        self.time_passes(clock, 1)
        seen, told = look_and_tell(journal)
        assert ((key(run_id(1)),), None) == (keys_of(seen), told.next_due)

    def test_an_urgent_delayed_attempt_overtakes_when_it_is_due(
        self, journal: Journal, clock: Clock
    ) -> None:
        """A delay changes nothing about priority."""
        now = journal.now()
        delayed = attempt(run_id(2), priority=-5, visible_at=now + SECOND)
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(attempt(run_id(1), visible_at=now))),
            first(run_id(2), at=now, rows=puts(delayed)),
        )
        self.time_passes(clock, 1)

        assert (key(run_id(2)), key(run_id(1))) == keys_of(look(journal))

    def test_work_without_delay_is_due_even_if_the_clock_steps_back(
        self, journal: Journal, clock: Clock
    ) -> None:
        """What was visible when it was appended stays so."""
        now = journal.now()
        commit(journal, first(run_id(1), at=now, rows=puts(attempt(run_id(1), visible_at=now))))
        self.time_passes(clock, -3600)

        assert (key(run_id(1)),) == keys_of(look(journal))

    def test_a_held_attempt_is_a_candidate_when_its_lease_is_past(
        self, journal: Journal, clock: Clock
    ) -> None:
        """A lease is live while now < held_until."""
        now = journal.now()
        row = attempt(run_id(1), held_until=now + 30 * SECOND)
        commit(journal, first(run_id(1), at=now, rows=puts(row)))

        seen, told = look_and_tell(journal)
        assert ((), row.held_until) == (seen, told.next_due)
        self.time_passes(clock, 29)
        assert look(journal) == ()
        self.time_passes(clock, 1)
        seen, told = look_and_tell(journal)
        assert ((row,), None) == (tuple(one.row for one in seen), told.next_due)

    def test_next_due_is_the_first_of_all_queues_asked_for(self, journal: Journal) -> None:
        """Whatever the action; other queues do not count."""
        now = journal.now()
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(attempt(run_id(1), visible_at=now + 9 * SECOND))),
            first(
                run_id(2),
                at=now,
                rows=puts(
                    attempt(run_id(2), action="other", queue="b", held_until=now + 7 * SECOND)
                ),
            ),
            first(
                run_id(3),
                at=now,
                rows=puts(attempt(run_id(3), queue="c", visible_at=now + 5 * SECOND)),
            ),
        )

        assert now + 7 * SECOND == look_and_tell(journal, "default", "b")[1].next_due
        assert now + 9 * SECOND == look_and_tell(journal)[1].next_due

    def test_an_empty_queue_has_no_next_due_and_decide_is_not_called(
        self, journal: Journal
    ) -> None:
        """There is nothing to decide."""

        def decide(offered: Offered) -> Choice:
            raise AssertionError(f"asked about {offered}")

        claimed = journal.claimable(("default",), ("act",), 5, decide)

        assert (claimed.outcomes, claimed.next_due) == ((), None)

    def test_what_decide_returns_is_appended(self, journal: Journal) -> None:
        """One outcome for each batch; a claimed attempt is no candidate any more."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))
        readings: list[datetime] = []

        def claim(offered: Offered) -> Choice:
            readings.append(offered.now)
            until = offered.now + 30 * SECOND
            return Choice(batches=[hold(one, until) for one in offered.candidates])

        claimed = journal.claimable(("default",), ("act",), 5, claim)

        assert (Committed(run_id=run_id(1), revision=Revision(2)),) == claimed.outcomes
        assert [claimed.now] == readings
        assert look(journal) == ()
        assert len(journal.load(run_id(1)).records) == 2

    def test_next_due_is_told_only_to_whoever_appends_nothing(self, journal: Journal) -> None:
        """Whoever got something looks again, and is told when nothing is left."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        def claim(offered: Offered) -> Choice:
            return Choice(batches=[hold(offered.candidates[0], offered.now + 30 * SECOND)])

        claimed = journal.claimable(("default",), ("act",), 5, claim)

        assert claimed.next_due is None
        assert claimed.now + 30 * SECOND == look_and_tell(journal)[1].next_due

    def test_a_journal_of_one_append_comes_with_its_candidate(self, journal: Journal) -> None:
        """Whether it waits or its lease is past; a longer one is asked for."""
        now = journal.now()
        fresh = first(run_id(1), at=now, entries=2, rows=puts(attempt(run_id(1))))
        lost = first(run_id(2), at=now, rows=puts(attempt(run_id(2), held_until=now - SECOND)))
        longer = first(run_id(3), at=now, rows=puts(attempt(run_id(3))))
        commit(journal, fresh, lost, longer)
        commit(journal, then(longer, at=now))

        assert {run_id(1): fresh.record, run_id(2): lost.record, run_id(3): None} == {
            one.row.run_id: one.begun for one in look(journal)
        }

    def test_a_damaged_journal_does_not_come_with_its_candidate(self, journal: Journal) -> None:
        """`load` says what is wrong with it."""
        begun = first(run_id(1), rows=puts(attempt(run_id(1))))
        commit(journal, begun)
        torn = evolve(begun.record, body=begun.record.body + " ")
        self.rewrite(journal, run_id(1), [torn])

        assert [one.begun for one in look(journal)] == [None]

    def test_a_conflict_leaves_its_candidate_as_it_was(self, journal: Journal) -> None:
        """Others of the same call are claimed nevertheless."""
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1)))),
            first(run_id(2), rows=puts(attempt(run_id(2)))),
        )

        def claim(offered: Offered) -> Choice:
            until = offered.now + SECOND
            stale = first(run_id(1), rows=puts(attempt(run_id(1), held_until=until)))
            return Choice(batches=[stale, hold(offered.candidates[1], until)])

        claimed = journal.claimable(("default",), ("act",), 5, claim)

        assert (
            Conflict(run_id=run_id(1), expected=Revision(0), actual=Revision(1)),
            Committed(run_id=run_id(2), revision=Revision(2)),
        ) == claimed.outcomes
        assert (attempt(run_id(1)),) == tuple(one.row for one in look(journal))

    def test_decide_may_load(self, journal: Journal) -> None:
        """A takeover folds the run before it believes the index row."""
        begun = first(run_id(1), rows=puts(attempt(run_id(1))))
        commit(journal, begun)
        loaded = []

        def decide(offered: Offered) -> Choice:
            loaded.append(journal.load(offered.candidates[0].row.run_id).head)
            return Choice()

        journal.claimable(("default",), ("act",), 5, decide)

        assert [head_of(begun)] == loaded

    def test_decide_must_not_write(self, journal: Journal) -> None:
        """It is told so, instead of waiting for itself for ever."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        def decide(_offered: Offered) -> Choice:
            journal.append((first(run_id(2)),))
            return Choice()

        with pytest.raises(RuntimeError, match="decide may call load"):
            journal.claimable(("default",), ("act",), 5, decide)
        assert (run_id(1),) == journal.run_ids(None, 5)

    def test_a_decide_that_fails_changes_nothing(self, journal: Journal) -> None:
        """Its error comes out, the candidate stays, the journal goes on."""
        begun = first(run_id(1), rows=puts(attempt(run_id(1))))
        commit(journal, begun)

        def decide(_offered: Offered) -> Choice:
            raise LookupError("planted")

        with pytest.raises(LookupError, match="planted"):
            journal.claimable(("default",), ("act",), 5, decide)
        assert (key(run_id(1)),) == keys_of(look(journal))
        commit(journal, then(begun))

    def test_two_batches_of_decide_for_one_run_are_refused(self, journal: Journal) -> None:
        """Attempts of one run are claimed together in one append."""
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        def decide(offered: Offered) -> Choice:
            (one,) = offered.candidates
            return Choice(batches=[hold(one, offered.now), hold(one, offered.now)])

        with pytest.raises(ValueError, match="same run"):
            journal.claimable(("default",), ("act",), 5, decide)
        assert len(journal.load(run_id(1)).records) == 1

    def test_an_attempt_has_one_row_whether_it_waits_or_is_held(self, journal: Journal) -> None:
        """Claimed, given back, claimed again: the last row is the only one."""
        now = journal.now()
        waiting = attempt(run_id(1), priority=1)
        held = attempt(run_id(1), priority=2, held_until=now - SECOND)
        batch = first(run_id(1), at=now, rows=puts(waiting))
        commit(journal, batch)

        for row in (held, waiting, held):
            batch = then(batch, at=now, rows=puts(row))
            commit(journal, batch)

            assert IndexRows(attempts=(row,)) == journal.rows_of(run_id(1))
            assert (row,) == tuple(one.row for one in look(journal))

    def test_a_settled_attempt_is_replaced_by_its_successor(self, journal: Journal) -> None:
        """The steady path: one append drops the old row and holds the new one."""
        now = journal.now()
        held = attempt(run_id(1), step="a", held_until=now - SECOND)
        begun = first(run_id(1), at=now, rows=puts(held))
        commit(journal, begun)
        row = attempt(run_id(1), step="b", held_until=now - SECOND)
        rows = RowChanges(put=(row,), drop=(key(run_id(1), "a"),))

        commit(journal, then(begun, at=now, rows=rows))

        assert (key(run_id(1), "b"),) == keys_of(look(journal))
