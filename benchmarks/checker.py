"""Entries per second through the offline checker: a long run, and many short ones."""

import time
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.depth import Loop
from benchmarks.five_steps import FiveSteps, Job
from squidmesh import Mesh
from squidmesh_core.checker import check_run, check_store
from squidmesh_core.ids import BEGINNING, RunId
from squidmesh_core.protocol.chain import AppendRecord


def checker(runs: int) -> dict[str, float]:
    """Entries per CPU second of one core, each the median of five."""
    with Mesh.open("memory://", workflows=[Loop, FiveSteps]) as mesh:
        loop = RunId(mesh.start(Loop.go, Job(0)).id)
        short = [RunId(mesh.start(FiveSteps.go, Job(number)).id) for number in range(runs)]
        mesh.drain()
        journals: Mapping[RunId, Sequence[AppendRecord]] = {
            run_id: mesh.door.journal.load(run_id, BEGINNING).records for run_id in (loop, *short)
        }
        specs = {spec.workflow: spec for spec in mesh.workflows.values()}
    long = journals[loop]
    many = {run_id: journals[run_id] for run_id in short}
    spec = next(spec for name, spec in specs.items() if name.endswith("Loop"))
    known = {spec.fingerprint: spec for spec in specs.values()}
    return {
        "long_entries_per_s": _rate(lambda: check_run(long, spec)),
        "short_entries_per_s": _rate(lambda: check_store(many, known)),
    }
