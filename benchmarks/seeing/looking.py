"""
Looking at one long run: what each view costs where there is a lot to look at.

Wall-clock time is what somebody waits for; CPU time of this process stands beside it,
because it says the same on a busy machine.
"""

import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Final

from benchmarks.depth import ENTRIES, count
from benchmarks.five_steps import Job
from squidmesh import Mesh, Run, Workflow, approval, manual, step
from squidmesh_core.ids import RunId

#: Looks of which the median is taken.
LOOKS: Final = 30


class LongWay(Workflow):
    """One step that goes round until the journal is long enough, and then somebody is asked."""

    go = manual(Job)

    turn = step(count, max_visits=ENTRIES)
    enough = approval("Is that enough?")

    turn.then(turn, when=turn.out < ENTRIES // 4)
    turn.then(enough)
    enough.on_reject(turn)


def looking(url: str) -> dict[str, float]:
    """Milliseconds of looks at a run of 10,000 entries that waits for a person."""
    with Mesh.open(url, workflows=[LongWay], policy="operator") as mesh:
        run = mesh.start(LongWay.go, Job(0))
        mesh.drain()
        views: dict[str, Callable[[], object]] = {
            "inspect": lambda: mesh.inspect(run),
            "inspect_history": lambda: mesh.inspect(run, history=True),
            "explain": lambda: mesh.explain(run),
            "graph": lambda: mesh.graph(run),
            "graph_history": lambda: mesh.graph(run, history=True),
            "journal": lambda: list(mesh.journal(run)),
        }
        figures: dict[str, float] = {"entries": mesh.inspect(run).at_revision}
        for name, view in views.items():
            figures |= _measured(name, view) | _redacted(mesh, name, view)
        return figures | _from_nothing(mesh, run)


def _redacted(mesh: Mesh, name: str, view: Callable[[], object]) -> dict[str, float]:
    """CPU time of redacting a view, in percent of what making it takes, and of writing it too."""
    seen = view()
    took = _cpu(lambda: mesh.redact(seen))
    made = _cpu(view)
    figures = {f"{name}_redact_cpu_ms": took, f"{name}_redact_%": 100 * took / made}
    write = getattr(seen, "to_dict", None)
    if write is not None:
        figures[f"{name}_redact_%_of_written"] = 100 * took / (made + _cpu(write))
    return figures


def _from_nothing(mesh: Mesh, run: Run) -> dict[str, float]:
    """Looks of a process that knows nothing yet, as the command line is one."""
    journal, run_id = mesh.door.journal, RunId(run.id)

    def cold(look: Callable[[Run], object]) -> None:
        mesh.door.memory.forget(run_id)
        look(run)

    def first() -> None:
        journal.delete_checkpoint(run_id)
        cold(mesh.explain)

    return {
        **_measured("explain_first", first),
        **_measured("explain_cold", lambda: cold(mesh.explain)),
        **_measured("inspect_cold", lambda: cold(mesh.inspect)),
    }


def _measured(name: str, look: Callable[[], object]) -> dict[str, float]:
    samples = [_timed(look, time.perf_counter) for _ in range(LOOKS)]
    return {
        f"{name}_ms": median(samples),
        f"{name}_p95_ms": quantiles(samples, n=20)[-1],
        f"{name}_cpu_ms": _cpu(look),
    }


def _cpu(look: Callable[[], object]) -> float:
    return median(_timed(look, time.process_time) for _ in range(LOOKS))


def _timed(look: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    look()
    return (clock() - began) * 1e3
