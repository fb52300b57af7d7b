"""
Many runs that wait, for a person, an instant or a message: what they cost while they do.

One process fills the file, another is the idle worker, a third works beside them.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Final

from attrs import frozen

from benchmarks.depth import AT_ONCE, SAMPLES, started
from benchmarks.five_steps import FiveSteps, Job, add_one
from benchmarks.samples import spread
from benchmarks.tracing import Traced, size_of, trace
from squidmesh import Mesh, Workflow, approval, complete, manual, receive, step, wait
from squidmesh.ports import Ports
from squidmesh.views.paging import Page
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.inspection import Run
from squidmesh_storage.api import Wakeups
from squidmesh_storage.sqlite import SqliteJournal

#: Seconds in which a worker that finds nothing comes to its longest rest, and then counted.
SETTLING, MINUTE = 10.0, 60.0
#: Runs, or gates, on a page, and how many pages are read.
PAGE, PAGES = 100, 100


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
    review.on_reject(complete)


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


def approve(mesh: Mesh, _: int, run: Run) -> object:
    """Answer a run at a gate."""
    return mesh.approve(run, by="benchmark")


def deliver(mesh: Mesh, number: int, _: Run) -> object:
    """Answer the run of this number by its correlation."""
    return mesh.deliver(AtMessage.word, str(number), Job(number))


@frozen
class Kind:
    """One way of waiting: who waits so, as what it is listed, and how a run is answered."""

    workflow: type[Workflow]
    status: RunStatus
    answer: Callable[[Mesh, int, Run], object] | None


KINDS: Final = {
    "gates": Kind(AtGate, "paused", approve),
    "timers": Kind(AtTimer, "running", None),
    "messages": Kind(AtMessage, "idle", deliver),
}


def fill(folder: Path, kind: str, runs: int) -> dict[str, float]:
    """Start so many runs that wait; bytes of the file for each."""
    file = _file(folder)
    with Mesh.open(f"sqlite:///{file}", workflows=[KINDS[kind].workflow]) as mesh:
        door, (spec,) = mesh.door, mesh.workflows.values()
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


def idle(folder: Path, kind: str, _: int) -> dict[str, float]:
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


def beside(folder: Path, kind: str, runs: int) -> dict[str, float]:
    """Milliseconds of a fresh run's claim, of pages, and of answers, beside those that wait."""
    waits = KINDS[kind]
    with Mesh.open(f"sqlite:///{_file(folder)}", workflows=[waits.workflow, FiveSteps]) as mesh:
        return {
            **spread("claim_ms", _claims(mesh)),
            **spread("answer_ms", _answers(mesh, waits, runs)),  # of runs that nobody has read
            **spread("runs_page_ms", _pages(partial(mesh.runs, status=waits.status))),
            **spread("approvals_page_ms", _pages(mesh.approvals)),
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


def _pages(page: Callable[..., Page[Any]]) -> list[float]:
    """Milliseconds of pages in a row, the first one again after the last."""
    samples, cursor = [], None
    for _ in range(PAGES):
        began = time.perf_counter()
        seen = page(cursor=cursor, limit=PAGE)
        samples.append((time.perf_counter() - began) * 1e3)
        if not seen.items:
            return []
        cursor = seen.next
    return samples


def _answers(mesh: Mesh, waits: Kind, runs: int) -> list[float]:
    """Milliseconds of answers to a page of runs, if this kind is answered."""
    samples: list[float] = []
    if waits.answer is None:
        return samples
    listed = mesh.runs(status=waits.status, limit=PAGE).items
    for place, run in enumerate(listed):
        began = time.perf_counter()
        waits.answer(mesh, place * max(1, runs // PAGE), run)
        samples.append((time.perf_counter() - began) * 1e3)
    return samples


def _file(folder: Path) -> Path:
    return folder / "waiting.db"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PROBES: Final = {"fill": fill, "idle": idle, "beside": beside}
