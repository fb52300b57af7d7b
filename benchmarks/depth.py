"""Long journals, deep queues, many runs: what must stay quick when there is a lot."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.five_steps import FiveSteps, Job, add_one
from squidmesh import Mesh, Workflow, manual, step
from squidmesh.door import Door
from squidmesh.handle import batch_of
from squidmesh.ports import Ports
from squidmesh_core.decide import Decision, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, RunId
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.commands import Receipted, Start
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import changes
from squidmesh_storage.api import Batch, Journal
from squidmesh_storage.sqlite import SqliteJournal

#: Entries of the long run.
ENTRIES: Final = 10_000
#: Runs that wait in the shallow and in the deep queue.
SHALLOW, DEEP = 1_000, 100_000
#: Claims, and pages, of which the median is taken.
SAMPLES: Final = 300
#: Runs in one transaction while a queue is filled.
AT_ONCE: Final = 500


class Loop(Workflow):
    """One step that goes round until the journal is long enough."""

    go = manual(Job)

    turn = step(add_one, output="number", max_visits=ENTRIES)
    turn.then(turn, when=turn.out < ENTRIES // 4)


def rebuild() -> dict[str, object]:
    """Milliseconds to decode and fold a long journal from its stored text."""
    with Mesh.open("memory://", workflows=[Loop]) as mesh:
        run = mesh.start(Loop.go, Job(0))
        mesh.drain()
        records = mesh.door.journal.load(RunId(run.id), BEGINNING).records
    samples = []
    for _ in range(5):
        began = time.process_time()
        state = RunState(run_id=RunId(run.id))
        entries = [
            entry
            for record in records
            for entry in decode(record.body, run_id=record.run_id, first=record.first)
        ]
        state = fold(state, entries)
        samples.append((time.process_time() - began) * 1e3)
    return {"entries": state.revision, "rebuild_cpu_ms": median(samples)}


def queue(folder: Path) -> dict[str, object]:
    """Milliseconds of a claim behind 1,000 and 100,000 waiting runs, and of a page of 100."""
    file = folder / "depth.db"
    journal = SqliteJournal(file)
    filled = _fill(journal, FiveSteps.spec())
    _take(filled, SHALLOW)
    with Mesh(journal, workflows=[FiveSteps]) as mesh:
        shallow = _timed(lambda: _claim(mesh))
        _take(filled, DEEP)
        deep = _timed(lambda: _claim(mesh))
        pages = _timed(_pages(mesh))
    return {
        "claim_ms_at_1k": median(shallow),
        "claim_ms_at_100k": median(deep),
        "claim_p95_ms_at_100k": quantiles(deep, n=20)[-1],
        "page_ms_at_100k": median(pages),
        "page_p95_ms_at_100k": quantiles(pages, n=20)[-1],
    }


def _timed(action: Callable[[], object]) -> list[float]:
    samples = []
    for _ in range(SAMPLES):
        began = time.perf_counter()
        action()
        samples.append((time.perf_counter() - began) * 1e3)
    return samples


def _claim(mesh: Mesh) -> None:
    if mesh.claim(owner="benchmark", lease="1h") is None:
        raise RuntimeError("nothing was claimable")


def _pages(mesh: Mesh) -> Callable[[], None]:
    cursor: str | None = None

    def turn_page() -> None:
        nonlocal cursor
        page = mesh.runs(cursor=cursor, limit=100)
        cursor = page.next

    return turn_page


def _take(filled: Iterator[int], wanted: int) -> None:
    while next(filled) < wanted:
        pass


def _fill(journal: Journal, spec: Spec) -> Iterator[int]:
    """Start runs in large transactions; yields how many wait by now."""
    door = Door(journal, Ports())
    door.define(spec)
    now, waiting = journal.now(), 0
    while True:
        at = now + timedelta(milliseconds=waiting)
        journal.append([_started(door, spec, at) for _ in range(AT_ONCE)])
        waiting += AT_ONCE
        yield waiting


def _started(door: Door, spec: Spec, now: datetime) -> Batch:
    """The first append of a run that nobody has claimed."""
    run_id = door.mint.run_id(now)
    command = Start(
        run_id=run_id,
        workflow=spec.workflow,
        definition=door.define(spec),
        trigger="go",
        input={"number": 0},
        digest="",
        queue="default",
        priority=0,
        said=Receipted(),
    )
    begin = door.beginning(run_id, spec)
    answer = decide(begin.state, spec, command, now)
    if not isinstance(answer, Decision):
        raise TypeError(f"the start was not accepted: {answer}")
    rows = changes(begin.state, answer.state)
    return batch_of(run_id, begin.head, answer.entries, rows, door.mint.append_id())
