"""Queues and workers on the screen: rows for people and pipes, documents for programs."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Final, TypeVar, assert_never

import click

from squidmesh.cli import clock
from squidmesh.cli.documents import Document
from squidmesh.cli.screen import Cell, Screen
from squidmesh.mesh import Mesh
from squidmesh.queues.history import QueueChange
from squidmesh.queues.queue import Queue
from squidmesh.workers.registry import WorkerInfo
from squidmesh_core.plan.admission import Paused, Refusal
from squidmesh_core.views.words import actor_name, clipped, span

C = TypeVar("C", bound=Callable[..., object])

#: How things stand comes last, where it may take several lines.
QUEUE_HEADINGS: Final = (
    "queue", "waiting", "later", "held", "oldest", "workers", "limits", "how it stands",
)  # fmt: skip
WORKER_HEADINGS: Final = (
    "owner", "slots", "queues", "actions", "version", "started", "seen", "state",
)  # fmt: skip


def word_options(command: C) -> C:
    """Give a command that changes a queue `--by` and `--note`."""
    by = click.option("--by", "--as", "by", metavar="NAME", help="Who says so; kept.")
    note = click.option("--note", metavar="TEXT", help="Why; kept.")
    return by(note(command))


def is_paused(mesh: Mesh, name: str) -> bool:
    """Whether somebody has stopped a queue already."""
    return any(one.name == name and one.paused is not None for one in mesh.queues())


def queue_row(queue: Queue, screen: Screen) -> tuple[Cell, ...]:
    """A queue on one line."""
    return (
        Cell.of(queue.name, "bold"),
        Cell.of(str(queue.waiting)),
        Cell(human=str(queue.delayed or ""), plain=str(queue.delayed)),
        Cell.of(str(queue.held)),
        screen.when(queue.waiting_since),
        Cell.of(str(len(queue.served_by))),
        # People find it in the last column, pipes in one of its own.
        Cell(human="", plain=limits_text(queue)),
        _standing(queue, screen),
    )


def worker_row(worker: WorkerInfo, screen: Screen) -> tuple[Cell, ...]:
    """A worker on one line."""
    return (
        Cell.of(worker.owner, "bold"),
        Cell.of(str(worker.concurrency)),
        Cell.of(", ".join(worker.queues)),
        Cell.of(str(len(worker.actions))),
        Cell(human=_other_version(worker), plain=worker.version),
        screen.when(worker.started_at),
        screen.when(worker.seen_at),
        _state(worker),
    )


def limits_text(queue: Queue) -> str:
    """What limits a queue: `at most 5, 1 per key, 10/m at most 20 at once`."""
    return ", ".join(_limits(queue))


def paused_text(paused: Paused, screen: Screen) -> str:
    """Who has stopped a queue, when and why."""
    by = "" if paused.by is None else f" by {actor_name(paused.by)}"
    note = "" if paused.note is None else f": {paused.note}"
    return f"paused{by} {screen.at(paused.at)}{note}"


def queue_document(queue: Queue) -> Document:
    """A queue with everything that is known of it."""
    paused = queue.paused
    return {
        "name": queue.name,
        "concurrency": queue.concurrency,
        "per_key": queue.per_key,
        "rate": queue.rate,
        "burst": queue.burst,
        "paused": paused
        and {
            "at": paused.at,
            "by": paused.by,
            "note": paused.note,
            "metadata": dict(paused.metadata),
        },
        "waiting": queue.waiting,
        "delayed": queue.delayed,
        "held": queue.held,
        "waiting_since": queue.waiting_since,
        "refusals": [_refusal_document(one) for one in queue.refusals],
        "served_by": list(queue.served_by),
        "history": [_change_document(one) for one in queue.history],
    }


def worker_document(worker: WorkerInfo) -> Document:
    """A worker with everything that it says of itself."""
    return {
        "owner": worker.owner,
        "host": worker.host,
        "pid": worker.pid,
        "queues": list(worker.queues),
        "concurrency": worker.concurrency,
        "actions": list(worker.actions),
        "version": worker.version,
        "codec": worker.codec,
        "started_at": worker.started_at,
        "seen_at": worker.seen_at,
        "stopping": worker.stopping,
        "silent": worker.silent,
    }


def _limits(queue: Queue) -> Iterator[str]:
    if queue.concurrency is not None:
        yield f"at most {queue.concurrency}"
    if queue.per_key is not None:
        yield f"{queue.per_key} per key"
    if queue.rate is not None:
        usual = queue.rate.partition("/")[0] == str(queue.burst)
        yield queue.rate if usual else f"{queue.rate}, {queue.burst} at once"


def _standing(queue: Queue, screen: Screen) -> Cell:
    state, style = "; ".join(_refusal_text(one) for one in queue.refusals), "yellow"
    if queue.paused is not None:
        state, style = paused_text(queue.paused, screen), "magenta"
    elif not queue.served_by and (queue.waiting or queue.delayed):
        state, style = "nobody serves it", "red"
    limits, short = limits_text(queue), clipped(state)
    human = f"{short} ({limits})" if short and limits else short or limits
    return Cell(human=human, plain=state, style=style if state else "")


def _refusal_text(refusal: Refusal) -> str:
    match refusal.kind:
        case "paused":
            return "paused"
        case "concurrency":
            return f"full: {refusal.limit} held"
        case "per_key":
            whose = "runs without a key" if refusal.key is None else f"key {refusal.key!r}"
            return f"full for {whose}: {refusal.limit} held"
        case "rate":
            wait = 0.0
            if refusal.until is not None:
                wait = (refusal.until - clock.now()).total_seconds()
            return f"next start in {span(wait)}" if wait > 0 else "too fast a moment ago"
    assert_never(refusal.kind)


def _other_version(worker: WorkerInfo) -> str:
    """Its version, if that is not the one that everybody should have."""
    return "" if worker.version == version("squidmesh") else worker.version


def _state(worker: WorkerInfo) -> Cell:
    if worker.silent:
        return Cell.of("silent", "red")
    return Cell.of("stopping", "yellow") if worker.stopping else Cell.of("working", "green")


def _refusal_document(refusal: Refusal) -> Document:
    return {
        "kind": refusal.kind,
        "since": refusal.since,
        "key": refusal.key,
        "limit": refusal.limit,
        "until": refusal.until,
    }


def _change_document(change: QueueChange) -> Document:
    return {
        "at": change.at,
        "what": change.what,
        "by": change.by,
        "note": change.note,
        "metadata": dict(change.metadata),
        "limits": dict(change.limits),
    }
