"""
Claims and pages when there is a lot: runs that wait, have ended, and are delayed.

What is claimed was really started, is claimed by the public verb, and is cancelled
afterwards: a worker holds as many claims as it has slots, not hundreds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import psycopg

from benchmarks.depth import SAMPLES, SHALLOW
from benchmarks.five_steps import FiveSteps, Job, add_one
from benchmarks.postgres.copying import copy
from benchmarks.postgres.queueing import by_clients
from benchmarks.samples import spread
from squidmesh import Mesh, Workflow, manual, step, wait
from squidmesh.views.filtering import RunFilters

#: Runs that are claimed while somebody holds an old snapshot.
UNDER_SNAPSHOT: Final = 2_000
#: Really started, in front of all copies: claimed once for each lot, and under a snapshot.
STARTED: Final = SHALLOW + 5 * SAMPLES + UNDER_SNAPSHOT
#: Runs of a page, of the pages that are only leafed through, and pages that are measured.
PAGE, LEAF, PAGES = 100, 500, 100


class Later(Workflow):
    """Waits for an instant far away."""

    go = manual(Job)

    month = wait("30d")
    onward = step(add_one).takes(go.payload.number)

    month.then(onward)


def depth(url: str, deep: int) -> dict[str, float]:
    """Milliseconds of claims and pages, as more and more is there."""
    with Mesh.open(url, workflows=[FiveSteps, Later]) as mesh:
        now = mesh.door.journal.now()
        _start(mesh, range(SHALLOW + SAMPLES), now)
        figures = spread("claim_ms_at_1k", _claims(mesh, SAMPLES))
        _start(mesh, range(SHALLOW + SAMPLES, STARTED), now)
        waits, ended, later = _templates(mesh, now)
        for name, template, count in (
            ("at_100k", waits, deep // 10),
            ("at_1m", waits, deep - deep // 10),
            ("beside_1m_ended", ended, deep),
            ("beside_1m_delayed", later, deep),
        ):
            copy(url, template, count, now - timedelta(hours=12))
            figures |= spread(f"claim_ms_{name}", _claims(mesh, SAMPLES))
        with _old_snapshot(url):
            under = _claims(mesh, UNDER_SNAPSHOT)
        figures |= spread("claim_ms_snapshot_first", under[:SAMPLES])
        figures |= spread("claim_ms_snapshot_last", under[-SAMPLES:])
        return figures | _paged(mesh, deep)


def _start(mesh: Mesh, numbers: range, now: datetime) -> None:
    """Start runs that come before all copies, one millisecond after another."""

    def start(place: int) -> None:
        instant = now - timedelta(days=1) + timedelta(milliseconds=numbers[place])
        mesh.start(FiveSteps.go, Job(numbers[place]), now=instant)

    by_clients(start, len(numbers))


def _templates(mesh: Mesh, now: datetime) -> tuple[str, str, str]:
    """A run that waits behind all others, one that has ended, one that is delayed."""
    waits = mesh.start(FiveSteps.go, Job(0), now=now)
    ended = mesh.cancel(mesh.start(FiveSteps.go, Job(0), now=now), now=now)
    later = mesh.start(Later.go, Job(0), now=now)
    return waits.id, ended.id, later.id


def _claims(mesh: Mesh, count: int) -> list[float]:
    samples = []
    for _ in range(count):
        began = time.perf_counter()
        claim = mesh.claim(owner="benchmark")
        samples.append((time.perf_counter() - began) * 1e3)
        if claim is None:
            raise RuntimeError("nothing was claimable")
        mesh.cancel(claim.run_id)
    return samples


@contextmanager
def _old_snapshot(url: str) -> Iterator[None]:
    """Somebody reads for a long time: nothing that is dead now can be swept away."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select 1")
        yield


def _paged(mesh: Mesh, deep: int) -> dict[str, float]:
    """Pages of all runs, and of those of one status, at growing depth."""
    figures: dict[str, float] = {}
    for name, share in (("top", 0.0), ("tenth", 0.1), ("half", 0.5), ("nine_tenths", 0.9)):
        for which, filters in (("", RunFilters()), ("_ended", RunFilters(status="cancelled"))):
            samples = _pages(mesh, filters, int(deep * share))
            figures |= spread(f"page_ms{which}_at_{name}", samples)
    return figures


def _pages(mesh: Mesh, filters: RunFilters, skipped: int) -> list[float]:
    cursor: str | None = None
    for _ in range(skipped // LEAF):
        cursor = mesh.runs(cursor=cursor, limit=LEAF, **filters).next
    samples = []
    for _ in range(PAGES):
        began = time.perf_counter()
        page = mesh.runs(cursor=cursor, limit=PAGE, **filters)
        samples.append((time.perf_counter() - began) * 1e3)
        cursor = page.next
    return samples
