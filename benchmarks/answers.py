"""
Answers: from the call that approves or sends until the successor's step is called.

The worker runs in the same process and has one slot, which is free.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from typing import Final, Literal, get_args

from attrs import frozen

from benchmarks.five_steps import Job
from benchmarks.samples import spread
from benchmarks.tracing import Traced, trace
from squidmesh import Mesh, Workflow, approval, manual, receive, step
from squidmesh.reading import Run

#: What is answered.
Answer = Literal["approve", "send"]
ANSWERS: Final[tuple[Answer, ...]] = get_args(Answer)
#: Runs before the first sample.
WARM_UP: Final = 10
#: Answers of a mesh that cannot ring the worker's bell: each waits for its next look.
ELSEWHERE: Final = 5
#: When the successor was called, on the clock of `perf_counter`.
CALLED: Final[SimpleQueue["Moment"]] = SimpleQueue()
#: What the steps of this process read; empty where nothing is traced.
TRACED: Final[Traced] = Counter()


@frozen
class Moment:
    """An instant, and what was counted by then."""

    at: float
    counts: Traced


def note(number: int) -> int:
    """Tell when this was called, and no more."""
    CALLED.put(_moment())
    return number


class Reviewed(Workflow):
    """A gate, then a step."""

    go = manual(Job)

    review = approval("Go on?")
    onward = step(note).takes(go.payload.number)

    review.then(onward)


class Told(Workflow):
    """A message, then a step."""

    go = manual(Job)

    word = receive(Job)
    onward = step(note).takes(word.out.number)

    word.then(onward)
