# ruff: noqa: S101 (a test suite that ships with the package)
"""What `listen` and `now` promise."""

from datetime import timedelta

from squidmesh_storage.api import Journal
from squidmesh_storage.conformance.kit import (
    Clock,
    Promises,
    attempt,
    commit,
    first,
    puts,
    run_id,
)


class WakePromises(Promises):
    """Hints of new work, and the one clock."""

    def test_a_listener_without_new_work_is_not_kept(self, journal: Journal) -> None:
        """The wait ends by itself."""
        with journal.listen(("default",)) as wakeups:
            assert not wakeups.wait(0)

    def test_a_listener_says_how_long_it_may_be_believed(self, journal: Journal) -> None:
        """In seconds: hints may be missed, so whoever waits looks now and then."""
        with journal.listen(("default",)) as wakeups:
            assert 0 < wakeups.longest < 3_600

    def test_a_listener_can_be_rung(self, journal: Journal) -> None:
        """By whoever has something to tell the one that waits."""
        with journal.listen(("default",)) as wakeups:
            wakeups.ring()

            assert wakeups.wait(5)

    def test_an_append_of_claimable_work_wakes_a_listener(self, journal: Journal) -> None:
        """Even if it came before the wait; a hint is used up by waiting."""
        with journal.listen(("mail", "default")) as wakeups:
            commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

            assert wakeups.wait(5)
            assert not wakeups.wait(0)

    def test_a_listener_that_left_is_forgotten(self, journal: Journal) -> None:
        """Others still hear."""
        with journal.listen(("default",)) as stays:
            with journal.listen(("default",)):
                pass
            commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

            assert stays.wait(5)

    def test_now_is_aware_and_in_utc(self, journal: Journal) -> None:
        """One reading means one instant."""
        assert timedelta(0) == journal.now().utcoffset()

    def test_now_moves_with_the_clock(self, journal: Journal, clock: Clock) -> None:
        """There is no other clock in it."""
        before = journal.now()
        self.time_passes(clock, 90)

        assert before + timedelta(seconds=90) == journal.now()
