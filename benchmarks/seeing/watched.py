"""
What workers lose while others look: steps per second, with and without readers.

One worker works through all of it; readers in another process look for a second or so, then
rest for as long, in turns.  A machine that is quick now and slow in a minute is then as quick
for the one as for the other.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from attrs import define

from benchmarks.clients import CarryRun, measured
from benchmarks.five_steps import STEPS, FiveSteps, Job
from squidmesh import Mesh

#: Clients of the worker, and its slots.
CONCURRENCY: Final = 8
#: Runs of one turn.
RUNS: Final = 200


def watched(url: str, readers: int, pairs: int) -> dict[str, float]:
    """Steps per second and CPU per step of each kind of turn, and the ratios of the pairs."""
    alone, looked_at = list[dict[str, float]](), list[dict[str, float]]()
    with (
        Mesh.open(url, workflows=[FiveSteps]) as mesh,
        mesh.worker(concurrency=CONCURRENCY),
        _readers(url, readers) as others,
    ):

        def carry(number: int) -> None:
            mesh.wait_for(mesh.start(FiveSteps.go, Job(number)))

        for pair in range(pairs):
            for looking in (pair % 2 == 0, pair % 2 == 1):
                others.tell("look" if looking else "rest")
                (looked_at if looking else alone).append(_turn(carry))
    return _ratios(looked_at, alone) | others.told


def _turn(carry: CarryRun) -> dict[str, float]:
    return measured(carry, concurrency=CONCURRENCY, runs=RUNS, steps=STEPS)


def _ratios(looked_at: list[dict[str, float]], alone: list[dict[str, float]]) -> dict[str, float]:
    figures: dict[str, float] = {"pairs": len(alone)}
    for name in ("steps_per_s", "cpu_us_per_step"):
        pairs = [(one[name], other[name]) for one, other in zip(looked_at, alone, strict=True)]
        figures[name] = median(other for _, other in pairs)
        figures[f"{name}_watched"] = median(one for one, _ in pairs)
        figures[f"{name}_ratio"] = median(one / other for one, other in pairs)
    return figures


@define
class _Others:
    """The process of those who look."""

    process: "subprocess.Popen[str]"
    #: What they told at the end.
    told: dict[str, float]

    def tell(self, word: str) -> None:
        if self.process.stdin is not None:
            print(word, file=self.process.stdin, flush=True)


@contextmanager
def _readers(url: str, readers: int) -> Iterator[_Others]:
    """Readers while the block lasts; they rest until they are told to look."""
    command = [sys.executable, "-m", "benchmarks.seeing.readers", url, str(readers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        others = _Others(process, {})
        if process.stdout is None or "resting" not in process.stdout.readline():
            raise RuntimeError("the readers did not begin")
        yield others
        said, _ = process.communicate()
    others.told.update(json.loads(said))
