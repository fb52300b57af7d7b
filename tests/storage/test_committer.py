"""Appends of many threads share transactions, and never each other's failures."""

import ctypes
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Thread, get_ident, main_thread
from types import FrameType

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
        go_on = self.go_on
        self.rounds.append(runs)
        self.started.set()
        assert go_on.wait(30)
        if not self.poison.isdisjoint(runs):
            raise self.error
        return [_done(batch) for batch in batches]

    def let_one_go_on(self) -> None:
        """Hold up the next round in the place of this one; returns when it is there."""
        held, self.go_on = self.go_on, Event()
        self.started.clear()
        held.set()
        assert self.started.wait(30)


def _done(batch: Batch) -> Committed:
    return Committed(run_id=batch.record.run_id, revision=batch.record.last)


def _waits(ident: int) -> bool:
    """Whether a thread is at the place where it waits for its turn."""
    frame = sys._current_frames()[ident]
    code = frame.f_code
    return code is Committer._is_promoted.__code__ and frame.f_lineno != code.co_firstlineno


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

    def queue_doomed(self, *batches: Batch) -> "Future[tuple[Outcome, ...]]":
        """The same by a thread that is interrupted as soon as its wait is over."""
        idents: list[int] = []

        def append() -> tuple[Outcome, ...]:
            idents.append(get_ident())
            return self.committer.append(batches)

        answer = self.pool.submit(append)
        while not idents or not _waits(*idents):
            pass
        interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert 1 == interrupt(ctypes.c_ulong(*idents), ctypes.py_object(KeyboardInterrupt))
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


def test_a_thread_that_is_interrupted_as_it_is_to_lead_hands_over() -> None:
    """Nothing of its own is written, and whoever waits behind it leads."""
    stage = Stage(Writes())
    doomed = stage.queue_doomed(first(run_id(1)))
    next_one = stage.queue(first(run_id(1)))

    assert [[run_id(1)]] == stage.play()

    assert isinstance(doomed.exception(30), KeyboardInterrupt)
    assert (_done(first(run_id(1))),) == next_one.result(30)


def test_a_thread_that_is_interrupted_as_it_is_woken_wakes_the_next() -> None:
    """All of its round was written."""
    stage = Stage(Writes())
    leader, doomed, last = (
        stage.queue(first(run_id(1))),
        stage.queue_doomed(first(run_id(2))),
        stage.queue(first(run_id(3))),
    )

    assert [[run_id(1), run_id(2), run_id(3)]] == stage.play()

    assert isinstance(doomed.exception(30), KeyboardInterrupt)
    assert [(_done(first(run_id(n))),) for n in (1, 3)] == [leader.result(30), last.result(30)]


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """What interrupts the main thread once it waits."""
    ident = main_thread().ident
    assert ident is not None

    struck = Event()

    def strike(signum: int, frame: FrameType | None) -> None:
        if not struck.is_set():
            struck.set()
            raise KeyboardInterrupt

    def interrupt() -> None:
        while not _waits(ident):
            pass
        while not struck.wait(0.01):  # what comes just before it waits would be heard of later
            signal.pthread_kill(ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, strike)
    yield interrupt
    signal.signal(signal.SIGUSR1, before)


def test_a_thread_that_is_interrupted_in_line_leaves_it(interrupt: Callable[[], None]) -> None:
    """Its append is never made, and those behind it are."""
    stage = Stage(Writes())
    striking = Thread(target=interrupt)
    striking.start()
    with pytest.raises(KeyboardInterrupt):
        stage.committer.append([first(run_id(1))])
    striking.join()
    behind = stage.queue(first(run_id(2)))

    assert [[run_id(2)]] == stage.play()
    assert (_done(first(run_id(2))),) == behind.result(30)


def test_a_thread_that_is_interrupted_during_its_commit_keeps_nobody_from_waking(
    interrupt: Callable[[], None],
) -> None:
    """What it brought is written with the others."""
    stage = Stage(Writes())
    leader = stage.queue(first(run_id(1)))
    behind: list[Future[tuple[Outcome, ...]]] = []

    def strike() -> None:
        while len(stage.committer._waiting) < 2:
            pass
        behind.append(stage.queue(first(run_id(3))))
        stage.writes.let_one_go_on()
        interrupt()

    striking = Thread(target=strike)
    striking.start()
    with pytest.raises(KeyboardInterrupt):
        stage.committer.append([first(run_id(2))])
    striking.join()

    assert [[run_id(1), run_id(2), run_id(3)]] == stage.play()
    assert [(_done(first(run_id(n))),) for n in (1, 3)] == [
        leader.result(30),
        behind[0].result(30),
    ]
