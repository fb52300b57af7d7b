"""
The least engine: call a step, decide what comes next, write it as text, append it.

Nothing else: no lease is kept, no time limited, nobody told, no index compared, no run
looked up, and what is appended is known beforehand but for its text.  A run is handed to
one thread, which performs all runs that are ready and appends what came of them at once;
on a loop each client's runs have a task.  So fast would an engine be with this core and
this journal if its shell cost nothing.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime
from queue import SimpleQueue
from typing import Final, cast
from unittest import mock

from attrs import define

from benchmarks.clients import WARM_UP, measured, measured_on_loop
from benchmarks.five_steps import STEPS, FiveSteps, add_one
from benchmarks.journal_alone import check, decided
from benchmarks.postgres import on_loop as steps_on_loop
from squidmesh import AsyncMesh, Mesh
from squidmesh.aio.committer import Committer
from squidmesh.authoring.signature import Signature
from squidmesh.door import handle
from squidmesh_core.canonical import storable
from squidmesh_core.decide import Answer, Decision, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import link, origin
from squidmesh_core.protocol.codec import encode
from squidmesh_core.protocol.commands import Command
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Batch

#: What was decided: on which state, by which definition, for whom and when.
Question = tuple[RunState, Spec, Command, datetime]
_QUICK: Final = Signature.of(add_one)
_AWAITED: Final = Signature.of(steps_on_loop.add_one)


@define(eq=False)
class _Run:
    """One run on its way."""

    run_id: RunId
    #: Its appends that are left, each with the question that it answers.
    left: deque[tuple[Batch, Question]]
    #: The hash of the last one.
    hash: str
    number: int = 0

    def begin(self) -> Batch:
        """The append of its start."""
        return self._decided()

    def step(self) -> Batch:
        """Perform its next step; what is to be appended for it."""
        return self.settle(copy_context().run(add_one, self.given(_QUICK)), _QUICK)

    def given(self, signature: Signature) -> int:
        """What its next step is called with."""
        return cast("int", signature.bind({"number": self.number})["number"])

    def settle(self, answer: object, signature: Signature) -> Batch:
        """What is to be appended for what a step returned."""
        self.number += 1
        storable(signature.result(answer), where="the output")
        return self._decided()

    def _decided(self) -> Batch:
        batch, question = self.left.popleft()
        answer = decide(*question)
        if not isinstance(answer, Decision):
            raise TypeError(f"this was decided otherwise before: {answer}")
        body = encode(answer.entries, self.run_id)
        self.hash = link(self.hash, body)
        if self.hash != batch.record.hash:
            raise ValueError(f"this was decided otherwise before: {body}")
        return batch


def by_threads(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """Whole runs, from their start until the client is told of their end."""
    wanted = _recorded(runs + WARM_UP)
    ready: SimpleQueue[tuple[_Run, threading.Event] | None] = SimpleQueue()
    with Mesh.open(url, workflows=[FiveSteps]) as mesh:
        journal = mesh.door.journal

        def work() -> None:
            while (first := ready.get()) is not None:
                company = [first, *(ready.get() for _ in range(ready.qsize()))]
                going = [one for one in company if one is not None]
                check(journal.append([run.step() for run, _ in going]))
                for one in company:
                    if one is None or one[0].left:
                        ready.put(one)
                    else:
                        one[1].set()

        def carry(_: int) -> None:
            run, ended = wanted.popleft(), threading.Event()
            check(journal.append([run.begin()]))
            ready.put((run, ended))
            ended.wait()

        worker = threading.Thread(target=work)
        worker.start()
        try:
            return measured(carry, concurrency=concurrency, runs=runs, steps=STEPS)
        finally:
            ready.put(None)
            worker.join()


async def on_loop(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """The same by tasks of one loop, with async steps."""
    wanted = _recorded(runs + WARM_UP)
    async with AsyncMesh.open(url, workflows=[FiveSteps]) as mesh:
        committer = Committer(mesh.engine.door.journal.append)

        async def work(run: _Run) -> None:
            while run.left:
                answer = await copy_context().run(steps_on_loop.add_one, run.given(_AWAITED))
                check(await committer.append([run.settle(answer, _AWAITED)]))

        async def carry(_: int) -> None:
            run = wanted.popleft()
            check(await committer.append([run.begin()]))
            await asyncio.create_task(work(run))

        return await measured_on_loop(carry, concurrency=concurrency, runs=runs, steps=STEPS)


def _recorded(runs: int) -> deque[_Run]:
    """What so many runs append, with the questions that each append answers."""
    with _questions() as asked:
        found = decided(runs)
    return deque(_run(appends, asked) for appends in found)


def _run(appends: Sequence[Batch], asked: Mapping[tuple[RunId, Revision], Question]) -> _Run:
    run_id = appends[0].record.run_id
    left = deque((one, asked[run_id, one.record.first]) for one in appends)
    return _Run(run_id, left, origin(run_id))


@contextmanager
def _questions() -> Iterator[dict[tuple[RunId, Revision], Question]]:
    """What the door has decided within the block, by the first entry of what was decided."""
    asked: dict[tuple[RunId, Revision], Question] = {}

    def remembering(state: RunState, spec: Spec, command: Command, now: datetime) -> Answer:
        answer = decide(state, spec, command, now)
        if isinstance(answer, Decision) and answer.entries:
            asked[state.run_id, answer.entries[0].revision] = state, spec, command, now
        return answer

    with mock.patch.object(handle, "decide", remembering):
        yield asked
