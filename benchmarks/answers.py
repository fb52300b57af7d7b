"""
Answers: from the call that approves or sends until the successor's step is called.

The worker runs in the same process and has one slot, which is free.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Semaphore
from typing import Final

from attrs import frozen

from benchmarks.five_steps import Job
from benchmarks.samples import spread
from benchmarks.tracing import Traced, trace
from squidmesh import Mesh, Workflow, approval, complete, manual, receive, step
from squidmesh.ports import Ports
from squidmesh_storage.api import Wakeups
from squidmesh_storage.sqlite import SqliteJournal

#: What is answered: a gate, a wait for a message.
ANSWERS: Final = ("approve", "send")
#: Runs before the first sample.
WARM_UP: Final = 10
#: Most answers of a mesh that cannot ring the worker's bell: each waits for its next look.
ELSEWHERE: Final = 5
#: Seconds after which an answer is taken for lost.
LONGEST: Final = 60


@frozen
class Moment:
    """An instant of `perf_counter`, and what was counted by then."""

    at: float
    counts: Traced


#: When the successor was called.
CALLED: Final[SimpleQueue[Moment]] = SimpleQueue()
#: The worker's rests so far that nobody waited for.
RESTS: Final = Semaphore(0)
#: What is counted in this process; nothing unless it is traced.
TRACED: Final[Traced] = Counter()


def note(number: int) -> int:
    """Tell when this was called, and no more."""
    CALLED.put(_moment())
    return number


class Reviewed(Workflow):
    """A gate, then a step."""

    go = manual(Job)

    review = approval("Go on?")
    onward = step(note).takes(go.payload.number)

    review.then(onward)
    review.on_reject(complete)


class Told(Workflow):
    """A message, then a step."""

    go = manual(Job)

    word = receive(Job)
    onward = step(note).takes(word.out.number)

    word.then(onward)


def answers(folder: Path, answer: str, runs: int) -> dict[str, float]:
    """Milliseconds of so many answers, one after another."""
    with _working(folder) as mesh:
        _samples(mesh, mesh, answer, WARM_UP)
        return spread("ms", _took(_samples(mesh, mesh, answer, runs)))


def answers_elsewhere(folder: Path, answer: str, runs: int) -> dict[str, float]:
    """The same, given by a mesh that shares nothing with the worker's but the file."""
    runs = min(runs, ELSEWHERE)
    with _working(folder) as mesh, _opened(folder) as other:
        return spread("elsewhere_ms", _took(_samples(mesh, other, answer, runs)))


def answers_counted(folder: Path, answer: str, runs: int) -> dict[str, float]:
    """Commits and statements of an answer and the claim that follows it."""
    trace(TRACED)
    with _working(folder) as mesh:
        _samples(mesh, mesh, answer, WARM_UP)
        samples = _samples(mesh, mesh, answer, runs)
    return {
        kind: median(called.counts[kind] - asked.counts[kind] for asked, called in samples)
        for kind in ("commits", "statements")
    }


def _opened(folder: Path) -> Mesh:
    journal = SqliteJournal(folder / "answers.db")
    return Mesh(journal, workflows=[Reviewed, Told], ports=Ports(rest=_rest))


@contextmanager
def _working(folder: Path) -> Iterator[Mesh]:
    with _opened(folder) as mesh, mesh.worker(concurrency=1):
        _await_rests(1)
        yield mesh


def _rest(wakeups: Wakeups, seconds: float) -> bool:
    RESTS.release()
    return wakeups.wait(seconds)


def _await_rests(rests: int) -> None:
    for _ in range(rests):
        if not RESTS.acquire(timeout=LONGEST):
            raise RuntimeError("the worker finds no rest")


def _samples(worker: Mesh, giver: Mesh, answer: str, runs: int) -> list[tuple[Moment, Moment]]:
    """When each answer was asked for, and when its successor was called."""
    return [_sample(worker, giver, answer, number) for number in range(runs)]


def _sample(worker: Mesh, giver: Mesh, answer: str, number: int) -> tuple[Moment, Moment]:
    run = worker.start(Reviewed.go if answer == "approve" else Told.go, Job(number))
    asked = _moment()
    if answer == "approve":
        giver.approve(run, by="benchmark")
    else:
        giver.send(run, Told.word, Job(number))
    called = CALLED.get(timeout=LONGEST)
    worker.wait_for(run)
    _await_rests(2)  # while its slot was taken, and after a look that found nothing
    return asked, called


def _took(samples: list[tuple[Moment, Moment]]) -> list[float]:
    return [(called.at - asked.at) * 1e3 for asked, called in samples]


def _moment() -> Moment:
    return Moment(time.perf_counter(), Counter(TRACED))


PROBES: Final = {
    "timed": answers,
    "elsewhere": answers_elsewhere,
    "counted": answers_counted,
}
