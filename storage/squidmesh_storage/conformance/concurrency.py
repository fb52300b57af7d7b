# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised to many threads at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

from squidmesh_core.ids import AttemptKey, Revision
from squidmesh_storage.api import Batch, Choice, Committed, Conflict, Journal, Offered
from squidmesh_storage.conformance.kit import (
    Promises,
    attempt,
    commit,
    first,
    hold,
    key,
    on,
    puts,
    run_id,
    then,
)

THREADS = 8

Answer = TypeVar("Answer")


def at_once(jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """What the jobs answer, each in a thread, all let go at the same moment."""
    barrier = Barrier(len(jobs))

    def go(job: Callable[[], Answer]) -> Answer:
        barrier.wait(30)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(go, jobs))


class ConcurrencyPromises(Promises):
    """Every verb may be called from any thread."""

    def test_of_appends_to_one_revision_exactly_one_wins(self, journal: Journal) -> None:
        """The others learn where the head is now."""
        rivals = [first(run_id(1), body=f'[{{"n":{n}}}]') for n in range(THREADS)]

        outcomes = [
            outcome for (outcome,) in at_once([partial(journal.append, (one,)) for one in rivals])
        ]

        conflict = Conflict(run_id=run_id(1), expected=Revision(0), actual=Revision(1))
        winner = outcomes.index(Committed(run_id=run_id(1), revision=Revision(1)))
        assert [conflict] * (THREADS - 1) == [*outcomes[:winner], *outcomes[winner + 1 :]]
        assert (rivals[winner].record,) == journal.load(run_id(1)).records

    def test_appends_of_many_threads_are_all_kept(self, journal: Journal) -> None:
        """Each thread grows a run of its own."""
        rounds = 20

        def grow(number: int) -> tuple[Batch, ...]:
            batches = [first(run_id(number))]
            commit(journal, batches[0])
            for _ in range(rounds):
                batches.append(then(batches[-1]))
                commit(journal, batches[-1])
            return tuple(batches)

        grown = at_once([partial(grow, n) for n in range(1, THREADS + 1)])

        for number, batches in enumerate(grown, start=1):
            records = tuple(batch.record for batch in batches)
            assert records == journal.load(run_id(number)).records

    def test_threads_that_race_for_every_revision_leave_one_unbroken_chain(
        self, journal: Journal
    ) -> None:
        """Whoever loses loads and tries again; nothing is lost, nothing doubled."""
        commit(journal, first(run_id(1)))
        each = 5

        def race() -> int:
            conflicts, done = 0, 0
            while done < each:
                batch = on(run_id(1), journal.load(run_id(1)).head)
                (outcome,) = journal.append((batch,))
                won = isinstance(outcome, Committed)
                done, conflicts = done + won, conflicts + (not won)
            return conflicts

        at_once([race] * THREADS)

        assert 1 + THREADS * each == journal.load(run_id(1)).head.revision

    def test_no_attempt_is_claimed_twice(self, journal: Journal) -> None:
        """However many workers ask at the same moment."""
        runs = [run_id(n) for n in range(1, 41)]
        commit(journal, *(first(run, rows=puts(attempt(run))) for run in runs))

        def work() -> list[AttemptKey]:
            mine: list[AttemptKey] = []

            def claim(offered: Offered) -> Choice:
                until = offered.now + timedelta(hours=1)
                return Choice(batches=[hold(one, until) for one in offered.candidates])

            for _ in runs:  # more often than needed, so that all get their turn
                outcomes = journal.claimable(("default",), ("act",), 3, claim).outcomes
                mine.extend(key(one.run_id) for one in outcomes if isinstance(one, Committed))
            return mine

        claimed = [one for mine in at_once([work] * THREADS) for one in mine]

        assert [key(run) for run in runs] == sorted(claimed)

    def test_groups_of_many_threads_stand_or_fall_together(self, journal: Journal) -> None:
        """Rivals for two runs in opposite order: no deadlock, one winner for both."""

        def rival(number: int) -> tuple[bool, bool]:
            pair = [first(run_id(1), group="g"), first(run_id(2), group="g")]
            outcomes = journal.append(pair if number % 2 else pair[::-1])
            one, two = (isinstance(outcome, Committed) for outcome in outcomes)
            return one, two

        answers = at_once([partial(rival, n) for n in range(THREADS)])

        assert sorted(answers) == [(False, False)] * (THREADS - 1) + [(True, True)]
