"""
`Viewing`: the verbs that read runs; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from squidmesh import checks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Unpack

    from squidmesh.duration import Duration
    from squidmesh.engine import Engine
    from squidmesh.views.comparing import Version
    from squidmesh.views.filtering import BoardFilters, RunFilters
    from squidmesh.views.health import Health
    from squidmesh.views.inbox import OpenGate
    from squidmesh.views.paging import Page
    from squidmesh.views.reading import JournalEntry
    from squidmesh.views.snapshot import RunRef, Snapshot
    from squidmesh.views.stream import Watched
    from squidmesh_core.protocol.rows import RunStatus
    from squidmesh_core.values.scope import Scope
    from squidmesh_core.views.board import Board
    from squidmesh_core.views.counts import Counts
    from squidmesh_core.views.diff import RunDiff
    from squidmesh_core.views.explanation import Explanation
    from squidmesh_core.views.graph import RunGraph
    from squidmesh_core.views.inspection import Run


class Viewing:
    """The verbs that read runs and tell of them; none of them changes one."""

    engine: Engine

    def inspect(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
        scope: Scope = "auditor",
    ) -> Snapshot:
        """
        Everything about one run.

        Args:
            run: The run.
            history: Also inputs, outputs and errors of every attempt.
            at: As it was at a revision, or at an instant.
            now: The instant that leases and deadlines are judged at.
            scope: For whose eyes; below auditor it is what `redact` would make of all,
                made at once.

        Raises:
            RunNotFound: There is no such run.
            Refused: Its past is asked for, and it was pruned.
            ConfigError: An option is wrong.
            StorageError: Its journal is unreadable.
        """
        from squidmesh.views.reading import inspect, run_id_of

        door = self.engine.door
        return inspect(door, run_id_of(run), history=history, at=at, now=now, scope=scope)

    def explain(self, run: RunRef, *, now: datetime | None = None) -> Explanation:
        """
        Why a run is where it is, what supports that, and what may be done about it now.

        Args:
            run: The run; one that cannot be read is explained as well.
            now: The instant that leases, deadlines and limits are judged at.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: `now` is not an instant.
            StorageError: The storage failed.
        """
        from squidmesh.views.explaining import explain
        from squidmesh.views.reading import run_id_of

        return explain(self.engine.door, run_id_of(run), now=checks.instant("now", now))

    def graph(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
    ) -> RunGraph:
        """
        The graph of a run: its nodes, and the routes that it took; in a notebook, a picture.

        Args:
            run: The run.
            history: Also inputs, outputs and errors of every attempt.
            at: As it was at a revision, or at an instant.
            now: The instant that deadlines are judged at.

        Raises:
            RunNotFound: There is no such run.
            Refused: It was pruned.
            ConfigError: An option is wrong.
            StorageError: Its journal is unreadable.
        """
        from squidmesh.views.graphing import graph
        from squidmesh.views.reading import run_id_of

        return graph(self.engine.door, run_id_of(run), history=history, at=at, now=now)

    def runs(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Unpack[RunFilters]
    ) -> Page[Run]:
        """
        Runs, newest first.

        Filtered by a `reason` that does not follow from the status, it reads up to 500
        runs for a page, which may be short and not the last.

        Raises:
            ConfigError: A filter, the cursor or the limit is wrong.
        """
        from squidmesh.views.listing import runs

        return runs(self.engine.door, filters, cursor, limit)

    def deadlines(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        now: datetime | None = None,
        **filters: Unpack[BoardFilters],
    ) -> Board:
        """
        What is late in all runs and what soon will be, the most urgent first.

        Args:
            cursor: Where the last page ended; it goes on at the instant of the first.
            limit: Runs whose deadlines make a page.
            now: The instant that deadlines are judged at.
            filters: Which of them; see `BoardFilters`.

        Raises:
            ConfigError: A filter, the cursor, the limit or the instant is wrong.
        """
        from squidmesh.views.board import deadlines

        return deadlines(self.engine.door, filters, cursor, limit, now)

    def counts(self, *, now: datetime | None = None) -> Counts:
        """
        How many runs each workflow has, by status, and how their deadlines stand.

        It walks the index of all runs and reads none of them: 100,000 runs take one or
        two tenths of a second.

        Args:
            now: The instant that deadlines are judged at.

        Raises:
            ConfigError: `now` is not an instant.
        """
        from squidmesh.views.counting import counts

        return counts(self.engine.door, checks.instant("now", now))

    def approvals(
        self, *, cursor: str | None = None, limit: int = 50, now: datetime | None = None
    ) -> Page[OpenGate]:
        """
        Who is waited for: every open gate and hold, the newest run first.

        Raises:
            ConfigError: The cursor or the limit is wrong.
        """
        from squidmesh.views.inbox import approvals

        return approvals(self.engine.door, cursor, limit, checks.instant("now", now))

    def journal(self, run: RunRef, *, after: int = 0) -> Iterator[JournalEntry]:
        """
        The entries of a run after a revision, in order.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: `after` is not a revision.
            StorageError: Its journal is unreadable; while iterating, too.
        """
        from squidmesh.views.reading import journal, run_id_of

        return journal(self.engine.door, run_id_of(run), after=after)

    def watch(self, run: RunRef, *, after: int = 0) -> Iterator[Watched]:
        """
        The entries of a run after a revision, as they are committed, until it is over.

        Each can give the `snapshot()` right after it.

        Raises:
            RunNotFound: There is no such run.
            Refused: While iterating: it was pruned.
            ConfigError: `after` is not a revision.
            StorageError: Its journal is unreadable; while iterating, too.
        """
        from squidmesh.views.reading import run_id_of
        from squidmesh.views.stream import watch

        return watch(self.engine.door, run_id_of(run), after=after)

    def diff(self, a: Version, b: Version) -> RunDiff:
        """
        What differs between two runs, or between one run at two revisions.

        Args:
            a: A run, or a pair of a run and a revision.
            b: The same; what is told leads from `a` to `b`.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: A revision is beyond its run.
            Refused: A past is asked for of a run that was pruned.
            StorageError: A journal is unreadable.
        """
        from squidmesh.views.comparing import compare, version_of

        before, after = version_of("a", a), version_of("b", b)
        return compare(self.engine.door, before, after)

    def wait_for(
        self,
        run: RunRef,
        *,
        status: RunStatus | None = None,
        timeout: Duration | None = None,
    ) -> Run:
        """
        Wait until a run is over, or has a status.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: It took longer than `timeout`, and the run goes on; or it is over
                and never had that status.
            ConfigError: An option is wrong.
        """
        from squidmesh.views.reading import run_id_of
        from squidmesh.views.waiting import wait_for

        return wait_for(self.engine.door, run_id_of(run), status=status, timeout=timeout)

    def health(self) -> Health:
        """How the journal and the work in it stand; a storage that is away is a finding."""
        from squidmesh.views.health import health

        return health(
            self.engine.door, self.engine.actions.performable(), self.engine.door.ports.host_time()
        )
