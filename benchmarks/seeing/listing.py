"""Lists of many runs: pages at growing depth, and the whole command that prints the first."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.depth import AT_ONCE, started
from benchmarks.five_steps import FiveSteps, Job
from benchmarks.samples import spread
from squidmesh import Mesh

#: Runs of a page, of the pages that are only leafed through, pages that are measured, commands.
PAGE, LEAF, PAGES, COMMANDS = 100, 500, 100, 20


def listing(url: str, runs: int) -> dict[str, float]:
    """Milliseconds of pages of so many runs, redacted, and of `squidmesh runs`."""
    with Mesh.open(url, workflows=[FiveSteps], policy="operator") as mesh:
        _fill(mesh, url, runs)
        figures: dict[str, float] = {"runs": runs}
        for name, share in (("top", 0.0), ("tenth", 0.1), ("half", 0.5), ("nine_tenths", 0.9)):
            figures |= spread(f"page_ms_at_{name}", list(_pages(mesh, int(runs * share))))
        page = mesh.runs(limit=PAGE)
        figures["page_cpu_ms"] = _cpu(lambda: mesh.runs(limit=PAGE))
        figures["redact_cpu_ms"] = _cpu(lambda: mesh.redact(page))
    return figures | _commands(url)


def _fill(mesh: Mesh, url: str, runs: int) -> None:
    """Runs that wait, one a millisecond."""
    since = mesh.door.journal.now() - timedelta(days=1)
    if url.startswith("postgresql:"):
        from benchmarks.postgres.copying import copy

        copy(url, mesh.start(FiveSteps.go, Job(0), now=since).id, runs - 1, since)
        return
    (spec,) = mesh.workflows.values()
    for begin in range(0, runs, AT_ONCE):
        at = [since + timedelta(milliseconds=place) for place in range(begin, begin + AT_ONCE)]
        mesh.door.journal.append([started(mesh.door, spec, {"number": 0}, now) for now in at])


def _pages(mesh: Mesh, skipped: int) -> Iterator[float]:
    cursor: str | None = None
    for _ in range(skipped // LEAF):
        cursor = mesh.runs(cursor=cursor, limit=LEAF).next
    for _ in range(PAGES):
        began = time.perf_counter()
        page = mesh.redact(mesh.runs(cursor=cursor, limit=PAGE))
        yield (time.perf_counter() - began) * 1e3
        cursor = page.next


def _cpu(look: Callable[[], object]) -> float:
    samples = []
    for _ in range(PAGES):
        began = time.process_time()
        look()
        samples.append((time.process_time() - began) * 1e3)
    return median(samples)


def _commands(url: str) -> dict[str, float]:
    """The command, from its call until it has ended: wall-clock time, and its CPU time."""
    command = [sys.executable, "-m", "squidmesh", "runs", "--url", url, "--limit", str(PAGE)]
    walls, cpus = [], []
    with TemporaryDirectory() as modules:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": modules}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(COMMANDS + 1):
            began, spent = time.perf_counter(), _of_children()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            walls.append((time.perf_counter() - began) * 1e3)
            cpus.append((_of_children() - spent) * 1e3)
    # The first one compiled the modules.
    return {**spread("command_ms", walls[1:]), "command_cpu_ms": median(cpus[1:])}


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
