"""Appends of many threads share transactions, and never each other's failures."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from attrs import define, field

from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Batch, Committed, Outcome, Unknown
from squidmesh_storage.committer import Committer
from squidmesh_storage.conformance.kit import first, run_id


@define
class Writes:
    """A stand-in for the database that notes each round and can be held up."""

    rounds: list[list[RunId]] = field(factory=list)
    poison: set[RunId] = field(factory=set)
    error: BaseException = field(factory=lambda: StorageError("poison", "storage_error"))
    started: Event = field(factory=Event)
    go_on: Event = field(factory=Event)

    def __call__(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        runs = [batch.record.run_id for batch in batches]
        self.rounds.append(runs)
        self.started.set()
        assert self.go_on.wait(30)
        if not self.poison.isdisjoint(runs):
            raise self.error
        return [_done(batch) for batch in batches]


def _done(batch: Batch) -> Committed:
    return Committed(run_id=batch.record.run_id, revision=batch.record.last)


class Stage:
    """One thread leads and is held up in its commit; others queue up behind it."""

    def __init__(self, writes: Writes, most: int = 512) -> None:
        self.writes = writes
        self.committer = Committer(writes, most=most)
        self.pool = ThreadPoolExecutor(16)
        self.leader = self.pool.submit(self.committer.append, [first(run_id(100))])
        assert writes.started.wait(30)

    def queue(self, *batches: Batch) -> "Future[tuple[Outcome, ...]]":
        """Another thread's append; returns when it is in line."""
        waiting = len(self.committer._waiting)
        answer = self.pool.submit(self.committer.append, batches)
        while len(self.committer._waiting) == waiting:
            pass
        return answer

    def play(self) -> list[list[RunId]]:
        """Let everything run to its end; the rounds after the first."""
        self.writes.go_on.set()
        self.pool.shutdown(wait=True)
        return self.writes.rounds[1:]


def test_a_thread_alone_commits_at_once() -> None:
    """It waits for nobody."""
    writes = Writes()
    writes.go_on.set()
    committer = Committer(writes)

    for number in (1, 2):
        assert (_done(first(run_id(number))),) == committer.append([first(run_id(number))])
    assert [[run_id(1)], [run_id(2)]] == writes.rounds


def test_whoever_comes_during_a_commit_shares_the_next_one() -> None:
    """One transaction for all, and each gets its own answers."""
    stage = Stage(Writes())
    answers = [stage.queue(first(run_id(n)), first(run_id(n + 10))) for n in (1, 2, 3)]

    rounds = stage.play()

    assert [[run_id(n) for n in (1, 11, 2, 12, 3, 13)]] == rounds
    assert [(_done(first(run_id(n))), _done(first(run_id(n + 10)))) for n in (1, 2, 3)] == [
        answer.result() for answer in answers
    ]
    assert (_done(first(run_id(100))),) == stage.leader.result()


def test_a_second_append_to_a_run_waits_for_the_next_round() -> None:
    """One batch per run and transaction; those behind it are not held up."""
    stage = Stage(Writes())
    for number in (1, 1, 2):
        stage.queue(first(run_id(number)))

    assert [[run_id(1), run_id(2)], [run_id(1)]] == stage.play()


def test_a_group_goes_alone() -> None:
    """It may have to be undone as a whole."""
    stage = Stage(Writes())
    stage.queue(first(run_id(1)))
    stage.queue(first(run_id(2), group="g"), first(run_id(3), group="g"))
    stage.queue(first(run_id(4)))

    assert [[run_id(1), run_id(4)], [run_id(2), run_id(3)]] == stage.play()


def test_a_round_has_a_limit() -> None:
    """What does not fit leads the next one."""
    stage = Stage(Writes(), most=2)
    for number in range(1, 6):
        stage.queue(first(run_id(number)))

    assert [[run_id(1), run_id(2)], [run_id(3), run_id(4)], [run_id(5)]] == stage.play()


def test_a_poison_append_fails_alone() -> None:
    """The round is split in halves until only the one that fails is left."""
    stage = Stage(Writes(poison={run_id(3)}))
    answers = [stage.queue(first(run_id(n))) for n in (1, 2, 3, 4)]

    rounds = stage.play()

    assert [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]] == [
        [int(run[-2:], 16) for run in one] for one in rounds
    ]
    with pytest.raises(StorageError, match="poison"):
        answers[2].result()
    assert [(_done(first(run_id(n))),) for n in (1, 2, 4)] == [
        answers[n - 1].result() for n in (1, 2, 4)
    ]


def test_an_unavailable_database_is_asked_once_for_all() -> None:
    """Halves would wait for the same lock again, and as long."""
    stage = Stage(
        Writes(poison={run_id(1)}, error=StorageUnavailable("busy", "storage_unavailable"))
    )
    answers = [stage.queue(first(run_id(n))) for n in (1, 2)]

    assert [[run_id(1), run_id(2)]] == stage.play()
    for answer in answers:
        with pytest.raises(StorageUnavailable):
            answer.result()


def test_an_interrupted_leader_leaves_nobody_waiting() -> None:
    """Its followers learn that the outcome is unknown, and the next round comes."""
    stage = Stage(Writes(poison={run_id(1)}, error=KeyboardInterrupt()))
    leader = stage.queue(first(run_id(1)))
    follower = stage.queue(first(run_id(2)))
    next_one = stage.queue(first(run_id(2)))

    stage.play()

    assert isinstance(leader.exception(30), KeyboardInterrupt)
    assert [Unknown] == [type(one) for one in follower.result(30)]
    assert (_done(first(run_id(2))),) == next_one.result(30)
