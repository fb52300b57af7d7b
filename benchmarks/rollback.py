"""A rollback: five steps that can be undone, and a sixth that fails."""

import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Final

from attrs import frozen

from benchmarks.clients import WARM_UP, measured
from benchmarks.five_steps import STEPS, Job, add_one
from benchmarks.samples import spread
from benchmarks.tracing import Traced, trace
from squidmesh import Fail, Mesh, Workflow, manual, step

#: What a run performs: its steps, the failure, and every step's undoing.
CALLS: Final = 2 * STEPS + 1


@frozen
class Moment:
    """An instant, the CPU time of the process, and what was counted by then."""

    at: float
    cpu: float
    counts: Traced


#: When the sixth step of a run was called, by the number of the run.
REFUSED: Final[dict[int, Moment]] = {}
#: What is counted in this process; nothing unless it is traced.
TRACED: Final[Traced] = Counter()


def undo(number: int) -> None:
    """As little as an undoing can do."""


def refuse(number: int) -> int | Fail:
    """Fail for good, and tell when."""
    REFUSED[number] = _moment()
    return Fail("no")


class SixSteps(Workflow):
    """Add one, five times; then fail, and undo all of it."""

    go = manual(Job)

    first = step(add_one).takes(go.payload.number).undo(undo)
    second = step(add_one).takes(first.out).undo(undo)
    third = step(add_one).takes(second.out).undo(undo)
    fourth = step(add_one).takes(third.out).undo(undo)
    fifth = step(add_one).takes(fourth.out).undo(undo)
    sixth = step(refuse).takes(go.payload.number)

    first.then(second).then(third).then(fourth).then(fifth).then(sixth)


def rollback(folder: Path, concurrency: int, runs: int) -> dict[str, float]:
    """Calls per second of whole runs, there and back."""
    with _opened(folder) as mesh, mesh.worker(concurrency=concurrency):
        figures = measured(
            lambda number: _carry(mesh, number), concurrency=concurrency, runs=runs, steps=CALLS
        )
    return {
        "calls_per_s": figures["steps_per_s"],
        "cpu_us_per_call": figures["cpu_us_per_step"],
        "peak_mb": figures["peak_mb"],
    }


def way_back(folder: Path, runs: int) -> dict[str, float]:
    """The way back alone, of runs that follow each other."""
    pairs = _there_and_back(folder, runs)
    took = [(end.at - begin.at) * 1e3 for begin, end in pairs]
    return {
        "undone_per_s": STEPS * runs / sum(took) * 1e3,
        "cpu_us_per_undone": sum(end.cpu - begin.cpu for begin, end in pairs) / runs / STEPS * 1e6,
        **spread("rollback_ms", took),
    }


def way_back_counted(folder: Path, runs: int) -> dict[str, float]:
    """Commits and statements of the way back, per step that is undone."""
    trace(TRACED)
    pairs = _there_and_back(folder, runs)
    return {
        f"{kind}_per_undone": median(end.counts[kind] - begin.counts[kind] for begin, end in pairs)
        / STEPS
        for kind in ("commits", "statements")
    }


def _there_and_back(folder: Path, runs: int) -> list[tuple[Moment, Moment]]:
    """When the failing step was called, and when the run was over."""
    pairs = []
    with _opened(folder) as mesh, mesh.worker(concurrency=1):
        for number in range(WARM_UP + runs):
            _carry(mesh, number)
            pairs.append((REFUSED[number], _moment()))
    return pairs[WARM_UP:]


def _opened(folder: Path) -> Mesh:
    return Mesh.open(f"sqlite:///{folder / 'rollback.db'}", workflows=[SixSteps])


def _carry(mesh: Mesh, number: int) -> None:
    run = mesh.wait_for(mesh.start(SixSteps.go, Job(number)))
    undoing = mesh.inspect(run).compensation if number == 0 else None
    if run.status != "failed" or (undoing is not None and undoing.recovery):
        raise RuntimeError(f"run {run.id} is {run.status}")


def _moment() -> Moment:
    return Moment(time.perf_counter(), time.process_time(), Counter(TRACED))


PROBES: Final = {"timed": way_back, "counted": way_back_counted}
