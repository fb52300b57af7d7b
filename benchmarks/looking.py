"""Looking at one long run: what `inspect` and `explain` cost where there is a lot to look at."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.depth import ENTRIES, count
from benchmarks.five_steps import Job
from squidmesh import Mesh, Run, Workflow, approval, manual, step
from squidmesh_core.ids import RunId

#: Looks of which the median is taken.
LOOKS: Final = 50


class LongWay(Workflow):
    """One step that goes round until the journal is long enough, and then somebody is asked."""

    go = manual(Job)

    turn = step(count, max_visits=ENTRIES)
    enough = approval("Is that enough?")

    turn.then(turn, when=turn.out < ENTRIES // 4)
    turn.then(enough)
    enough.on_reject(turn)


def looking(folder: Path, place: str) -> dict[str, float]:
    """Milliseconds of a look at a run of 10,000 entries that waits for a person."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder / 'looking.db'}"}
    with Mesh.open(urls[place], workflows=[LongWay], policy="operator") as mesh:
        run = mesh.start(LongWay.go, Job(0))
        mesh.drain()
        seen, why = mesh.inspect(run), mesh.explain(run)
        looks: dict[str, Callable[[], object]] = {
            "inspect": lambda: mesh.inspect(run),
            "explain": lambda: mesh.explain(run),
            # As the command line does, which knows nothing yet; from a checkpoint.
            "explain_cold": lambda: _explain_cold(mesh, run),
            "redact_inspect": lambda: mesh.redact(seen),
            "redact_explain": lambda: mesh.redact(why),
        }
        figures: dict[str, float] = {"entries": mesh.inspect(run).at_revision}
        for name, look in looks.items():
            samples = [_timed(look) for _ in range(LOOKS)]
            figures[f"{name}_ms"] = median(samples)
            figures[f"{name}_p95_ms"] = quantiles(samples, n=20)[-1]
    return figures


def _explain_cold(mesh: Mesh, run: Run) -> None:
    mesh.door.memory.forget(RunId(run.id))
    mesh.explain(run)


def _timed(look: Callable[[], object]) -> float:
    began = time.perf_counter()
    look()
    return (time.perf_counter() - began) * 1e3
