"""Entries per second through the offline checker: one long run, and many short ones."""

import time
from collections.abc import Callable
from statistics import median

from benchmarks.depth import Loop
from benchmarks.five_steps import FiveSteps, Job
from squidmesh import Mesh
from squidmesh_core.checker import Report, check_store
from squidmesh_core.ids import BEGINNING, RunId

#: Passes of which the median is taken.
PASSES = 5


def checker(runs: int) -> dict[str, float]:
    """Entries per second of CPU time, one core."""
    with Mesh.open("memory://", workflows=[Loop, FiveSteps]) as mesh:
        loop = mesh.start(Loop.go, Job(0)).id
        others = [mesh.start(FiveSteps.go, Job(number)).id for number in range(runs)]
        mesh.drain()
        journals = {
            RunId(run): mesh.door.journal.load(RunId(run), BEGINNING).records
            for run in (loop, *others)
        }
        definitions = {spec.fingerprint: spec for spec in mesh.workflows.values()}
    long = {RunId(loop): journals.pop(RunId(loop))}
    return {
        "long_entries_per_s": _rate(lambda: check_store(long, definitions)),
        "short_entries_per_s": _rate(lambda: check_store(journals, definitions)),
    }


def _rate(check: Callable[[], Report]) -> float:
    rates = []
    for _ in range(PASSES):
        began = time.process_time()
        report = check()
        rates.append(report.entries / (time.process_time() - began))
        if not report.clean:
            raise RuntimeError(f"the journals are not clean: {report.violations[:3]}")
    return median(rates)
