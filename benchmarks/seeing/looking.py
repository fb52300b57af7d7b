"""
Looking at one long run: what each view costs where there is a lot to look at.

Wall-clock time is what somebody waits for; CPU time of this process stands beside it,
because it says the same on a busy machine.
"""

import gc
import time
from collections.abc import Callable
from statistics import median, quantiles

from benchmarks.depth import ENTRIES, count
from benchmarks.five_steps import Job
from squidmesh import Mesh, Run, Workflow, approval, manual, step
from squidmesh_core.ids import RunId

#: Looks of which the median is taken.
LOOKS = 30
#: Turns with and without redaction, and looks of each.
TURNS, IN_A_ROW = 21, 6

Look = Callable[[], object]


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
        views: dict[str, Look] = {
            "inspect": lambda: mesh.inspect(run),
            "inspect_history": lambda: mesh.inspect(run, history=True),
            "explain": lambda: mesh.explain(run),
            "graph": lambda: mesh.graph(run),
            "graph_history": lambda: mesh.graph(run, history=True),
            "journal": lambda: list(mesh.journal(run)),
        }
        figures: dict[str, float] = {"entries": mesh.inspect(run).at_revision}
        for name, view in views.items():
            figures |= _measured(name, view)
        for name, view in views.items():
            figures |= _redacted(name, view, _then(mesh.redact, view))
        figures |= _redacted("journal_each", views["journal"], lambda: _each_redacted(mesh, run))
        figures |= _redacted(
            "inspect_history_at_once",
            views["inspect_history"],
            lambda: mesh.inspect(run, history=True, scope="operator"),
        )
        return figures | _from_nothing(mesh, run)


def _redacted(name: str, whole: Look, redacted: Look) -> dict[str, float]:
    """
    What a reader costs who may not see everything: a view redacted, beside the view.

    In turns, the first one changing each time: without the garbage collector, as `timeit`
    measures, and with it, when most of the difference is how often it looks through all
    that the process has.
    """
    gc.disable()
    try:
        spent, extra = _in_turns(whole, redacted)
    finally:
        gc.enable()
    return {
        f"{name}_redacted_cpu_ms": spent,
        f"{name}_redaction_%": extra,
        f"{name}_redaction_collected_%": _in_turns(whole, redacted)[1],
    }


def _in_turns(whole: Look, redacted: Look) -> tuple[float, float]:
    """CPU time of a look that is redacted, in milliseconds, and how much that is more, in percent."""
    extra, spent = [], []
    for turn in range(TURNS):
        took = {
            look: sum(_timed(look, time.process_time) for _ in range(IN_A_ROW)) / IN_A_ROW
            for look in ((whole, redacted) if turn % 2 else (redacted, whole))
        }
        spent.append(took[redacted])
        extra.append(100 * (took[redacted] / took[whole] - 1))
    return median(spent), median(extra)


def _then(redact: Callable[[object], object], look: Look) -> Look:
    return lambda: redact(look())


def _each_redacted(mesh: Mesh, run: Run) -> list[object]:
    return [mesh.redact(entry) for entry in mesh.journal(run)]


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
        # With what the worker has left; then with nothing, and with what a reader leaves.
        **_measured("explain_left", lambda: cold(mesh.explain)),
        **_measured("explain_first", first),
        **_measured("explain_cold", lambda: cold(mesh.explain)),
        **_measured("inspect_cold", lambda: cold(mesh.inspect)),
    }


def _measured(name: str, look: Look) -> dict[str, float]:
    samples = [_timed(look, time.perf_counter) for _ in range(LOOKS)]
    return {
        f"{name}_ms": median(samples),
        f"{name}_p95_ms": quantiles(samples, n=20)[-1],
        f"{name}_cpu_ms": _cpu(look),
    }


def _cpu(look: Look) -> float:
    return median(_timed(look, time.process_time) for _ in range(LOOKS))


def _timed(look: Look, clock: Callable[[], float]) -> float:
    began = clock()
    look()
    return (clock() - began) * 1e3
