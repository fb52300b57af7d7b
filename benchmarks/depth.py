"""Long journals, deep queues, many runs: what must stay quick when there is a lot."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.five_steps import FiveSteps, Job
from squidmesh import Context, Mesh, Workflow, manual, step
from squidmesh.door.collector import resting
from squidmesh.door.door import Door
from squidmesh.door.handle import batch_of
from squidmesh.starting import prepare
from squidmesh_core.decide import Decision, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, RunId
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.index import changes
from squidmesh_storage.api import Batch

#: Entries of the long run.
ENTRIES: Final = 10_000
#: Runs that wait in the shallow and in the deep queue.
SHALLOW, DEEP = 1_000, 100_000
#: Claims, and pages, of which the median is taken.
SAMPLES: Final = 300
#: Runs in one transaction while a queue is filled.
AT_ONCE: Final = 500


def count(ctx: Context) -> int:
    """How often this step was entered."""
    return ctx.visit


class Loop(Workflow):
    """One step that goes round until the journal is long enough."""

    go = manual(Job)

    turn = step(count, max_visits=ENTRIES)
    turn.then(turn, when=turn.out < ENTRIES // 4)


def rebuild() -> dict[str, float]:
    """Milliseconds to decode and fold a long journal from its stored text."""
    with Mesh.open("memory://", workflows=[Loop]) as mesh:
        run = mesh.start(Loop.go, Job(0))
        mesh.drain()
        records = mesh.door.journal.load(RunId(run.id), BEGINNING, whole=True).records
    samples = []
    for _ in range(5):
        began = time.process_time()
        with resting(sum(len(record.body) for record in records)):  # as the door reads it
            entries = (entry for record in records for entry in entries_of(record))
            state = fold_run(RunId(run.id), entries)
        samples.append((time.process_time() - began) * 1e3)
    return {"entries": state.revision, "rebuild_cpu_ms": median(samples)}


def queue(folder: Path) -> dict[str, float]:
    """Milliseconds of a claim behind 1,000 and 100,000 waiting runs, and of a page of 100."""
    with Mesh.open(f"sqlite:///{folder / 'depth.db'}", workflows=[FiveSteps]) as mesh:
        filled = _fill(mesh)
        _take(filled, SHALLOW)
        shallow = _claims(mesh)
        _take(filled, DEEP)
        deep = _claims(mesh)
        pages = _pages(mesh)
    return {
        "claim_ms_at_1k": median(shallow),
        "claim_ms_at_100k": median(deep),
        "claim_p95_ms_at_100k": quantiles(deep, n=20)[-1],
        "page_ms_at_100k": median(pages),
        "page_p95_ms_at_100k": quantiles(pages, n=20)[-1],
    }


def _claims(mesh: Mesh) -> list[float]:
    samples = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        claim = mesh.claim(owner="benchmark")
        samples.append((time.perf_counter() - began) * 1e3)
        if claim is None:
            raise RuntimeError("nothing was claimable")
        mesh.cancel(claim.run_id)  # a worker holds as many claims as it has slots, not hundreds
    return samples


def _pages(mesh: Mesh) -> list[float]:
    samples, cursor = [], None
    for _ in range(SAMPLES):
        began = time.perf_counter()
        cursor = mesh.runs(cursor=cursor, limit=100).next
        samples.append((time.perf_counter() - began) * 1e3)
    return samples


def _take(filled: Iterator[int], wanted: int) -> None:
    while next(filled) < wanted:
        pass


def _fill(mesh: Mesh) -> Iterator[int]:
    """Start runs in large transactions; yields how many there are by now."""
    door, (spec,) = mesh.door, mesh.workflows.values()
    began, runs = door.journal.now() - timedelta(days=1), 0
    while True:
        now = began + timedelta(milliseconds=runs)
        door.journal.append([started(door, spec, {"number": 0}, now) for _ in range(AT_ONCE)])
        runs += AT_ONCE
        yield runs


def started(door: Door, spec: Spec, payload: Mapping[str, object], now: datetime) -> Batch:
    """The first append of a run that nobody has claimed."""
    command = prepare(door, spec, "go", payload, {"now": now}).command
    begin = door.beginning(command.run_id, spec)
    answer = decide(begin.state, spec, command, now)
    if not isinstance(answer, Decision):
        raise TypeError(f"the start was not accepted: {answer}")
    rows = changes(begin.state, answer.state, begin.spec)
    return batch_of(command.run_id, begin.head, answer.entries, rows, door.mint.append_id())
