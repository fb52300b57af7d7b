"""
Many runs that wait, for a person, an instant or a message: what they cost while they do.

One process fills the file, another is the idle worker, a third works beside them.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Final

from attrs import frozen

from benchmarks.depth import AT_ONCE, SAMPLES, started
from benchmarks.five_steps import FiveSteps, Job, add_one
from benchmarks.samples import spread
from benchmarks.tracing import Traced, size_of, trace
from squidmesh import Mesh, Workflow, approval, manual, receive, step, wait
from squidmesh.ports import Ports
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.inspection import Run
from squidmesh_storage.api import Wakeups
from squidmesh_storage.sqlite import SqliteJournal

#: Seconds in which a worker that finds nothing comes to its longest rest, and then counted.
SETTLING, MINUTE = 10.0, 60.0
#: Runs, or gates, on a page.
PAGE: Final = 100


@dataclass(frozen=True)
class Parcel:
    """The payload of a run: a number as text."""

    number: str


class AtGate(Workflow):
    """Waits for a person."""

    go = manual(Parcel)

    review = approval("Go on?")
    onward = step(add_one).takes(1)

    review.then(onward)


class AtTimer(Workflow):
    """Waits for an instant."""

    go = manual(Parcel)

    month = wait("30d")
    onward = step(add_one).takes(1)

    month.then(onward)


class AtMessage(Workflow):
    """Waits for a message."""

    go = manual(Parcel)

    word = receive(Job, correlation=go.payload.number)
    onward = step(add_one).takes(word.out.number)

    word.then(onward)


@frozen
class Kind:
    """One way of waiting: who waits so, as what it is listed, and how one run is answered."""

    workflow: type[Workflow]
    status: RunStatus
    answer: Callable[[Mesh, int, Run], object] | None = None


KINDS: Final = {
    "gates": Kind(AtGate, "paused", lambda mesh, _, run: mesh.approve(run, by="benchmark")),
    "timers": Kind(AtTimer, "idle"),
    "messages": Kind(
        AtMessage,
        "idle",
        lambda mesh, number, _: mesh.deliver(AtMessage.word, str(number), Job(number)),
    ),
}


def fill(folder: Path, kind: str, runs: int) -> dict[str, float]:
    """Start so many runs that wait; bytes of the file for each."""
    file = _file(folder)
    with _opened(folder, kind) as mesh:
        door, spec = mesh.door, mesh.workflows[KINDS[kind].workflow.__workflow__]
        door.define(spec)
        empty, began = size_of(file), door.journal.now() - timedelta(days=1)
        for first in range(0, runs, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, runs))
            door.journal.append(
                [
                    started(door, spec, {"number": str(n)}, began + timedelta(milliseconds=n))
                    for n in numbers
                ]
            )
        return {"bytes_per_run": (size_of(file) - empty) / runs} if runs else {}


def idle(folder: Path, kind: str) -> dict[str, float]:
    """Statements of an idle worker in a minute, and the memory of its process."""
    traced: Traced = Counter()
    trace(traced)
    minute = _Minute(traced)
    ports = Ports(rest=minute.rest, draw=lambda: 0.5)
    journal = SqliteJournal(_file(folder))
    with Mesh(journal, workflows=[KINDS[kind].workflow], ports=ports) as mesh, mesh.worker():
        minute.over.wait()
    return {"statements_per_idle_minute": minute.statements, "peak_mb": _peak_mb()}


class _Minute:
    """Rests that are over at once, but are counted as if they had lasted."""

    def __init__(self, traced: Traced) -> None:
        self.over = Event()
        self.statements = 0
        self._traced = traced
        self._passed = 0.0
        self._before: int | None = None

    def rest(self, wakeups: Wakeups, seconds: float) -> bool:
        if self._before is None and self._passed >= SETTLING:
            self._before, self._passed = self._traced["statements"], 0.0
        if self._before is not None and self._passed >= MINUTE and not self.over.is_set():
            self.statements = self._traced["statements"] - self._before
            self.over.set()
        self._passed += seconds
        return wakeups.wait(seconds if self.over.is_set() else 0.0)


def beside(folder: Path, kind: str) -> dict[str, float]:
    """Milliseconds of a fresh run's claim, of pages, and of answers, beside those that wait."""
    with _opened(folder, kind) as mesh:
        return {
            **spread("claim_ms", _claims(mesh)),
            **spread("runs_page_ms", _timed(_pages(mesh, kind))),
            **spread("approvals_page_ms", _timed(_inbox(mesh))),
            **spread("answer_ms", _timed(_answers(mesh, KINDS[kind]))),
        }


def _claims(mesh: Mesh) -> list[float]:
    samples = []
    for number in range(SAMPLES):
        mesh.start(FiveSteps.go, Job(number))
        began = time.perf_counter()
        claim = mesh.claim(owner="benchmark")
        samples.append((time.perf_counter() - began) * 1e3)
        if claim is None:
            raise RuntimeError("the fresh run was not claimable")
        mesh.cancel(claim.run_id)
    return samples
