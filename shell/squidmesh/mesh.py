"""
`Mesh`: what a host application holds.  Every verb is a few lines around the door.

A mesh is a value: several can live in one process, on one journal or many.
Its verbs may be called from any thread.

Long, because it is the public surface and a verb is mostly its docstring.  Families
of verbs stand in their own modules (`Steering`, `Queueing`, `Filing`, `Redacting`);
what is left here starts, works and reads.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from squidmesh import checks, starting
from squidmesh.actions import ActionRegistry
from squidmesh.authoring.triggers import Trigger, payload_of
from squidmesh.catalogue import Catalogue, Registrable, runnable
from squidmesh.door.door import Door
from squidmesh.door.outcomes import answered
from squidmesh.door.reindex import reindex
from squidmesh.duration import Duration
from squidmesh.engine import Engine
from squidmesh.files.verbs import Filing
from squidmesh.opening import migrate as migrate_schema
from squidmesh.opening import open_journal
from squidmesh.ports import Ports
from squidmesh.queues.verbs import Queueing
from squidmesh.starting import StartOptions
from squidmesh.steering.verbs import Steering
from squidmesh.upkeep import pruning
from squidmesh.upkeep.pruned import Pruned
from squidmesh.upkeep.verifying import Report, verify
from squidmesh.views import comparing, reading, stream
from squidmesh.views.comparing import Version
from squidmesh.views.health import Health, health
from squidmesh.views.inbox import OpenGate, approvals
from squidmesh.views.paging import Page
from squidmesh.views.policy import Policy, Redacting, policy_of
from squidmesh.views.reading import JournalEntry, RunFilters, run_id_of
from squidmesh.views.snapshot import RunRef, Snapshot
from squidmesh.views.stream import Watched
from squidmesh.views.waiting import wait_for
from squidmesh.workers import executing
from squidmesh.workers.carry import Crew, carry
from squidmesh.workers.claim import Claim
from squidmesh.workers.perform import Outcome, deferred, failed, succeeded
from squidmesh.workers.worker import Worker
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.diff import RunDiff
from squidmesh_core.views.inspection import Run, run_of
from squidmesh_storage.api import Journal
from squidmesh_storage.hosts import url_of

if TYPE_CHECKING:
    from squidmesh_core.views.explanation import Explanation
    from squidmesh_core.views.graph import RunGraph

P = TypeVar("P")


class Mesh(Steering, Queueing, Redacting, Filing):
    """
    The runtime, embedded in a host.

    Args:
        journal: Where journals are kept: anything that passes
            `squidmesh_storage.conformance`.  `Mesh.open` makes one of a URL.
        workflows: Workflow classes, specs, and modules whose workflows are taken.
        actions: Further actions, by key.
        ports: Clock, chance and waiting, for tests.
        policy: Who sees views that went through `redact` in which scope: a scope for
            everybody, a function of (actor, view), or a `VisibilityPolicy`; null: external.

    Raises:
        DefinitionError: A workflow is wrong; nothing was registered.
        ConfigError: An option is wrong.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        ports: Ports | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._decide = policy_of(policy)
        #: What this mesh runs on; its workers work with it.
        self.engine = Engine(journal, ports or Ports())
        self._catalogue = Catalogue(workflows, self.engine.actions)
        if actions is not None:
            self.engine.perform_too(actions)

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        migrate: bool = False,
        policy: Policy | None = None,
    ) -> Self:
        """
        A mesh on the journal behind a URL; `SQUIDMESH_URL` where none is given.

        Args:
            url: `sqlite:///FILE`, `sqlite:///:memory:`, `postgresql://…` or `memory://`.
            workflows: See `Mesh`.
            actions: See `Mesh`.
            migrate: Bring an older schema up to date first.
            policy: See `Mesh`.

        Raises:
            ConfigError: The URL or another option is wrong.
            DefinitionError: A workflow is wrong.
            StorageError: The storage is not what it should be; nothing was changed.
        """
        url = url_or_default(url)
        if migrate:
            migrate_schema(url)
        journal = open_journal(url)
        try:
            return cls(journal, workflows=workflows, actions=actions, policy=policy)
        except BaseException:
            journal.close()
            raise

    @classmethod
    def from_engine(
        cls,
        engine: object,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        migrate: bool = False,
        policy: Policy | None = None,
    ) -> Self:
        """
        A mesh in the database of your SQLAlchemy engine, with connections of its own.

        Args:
            engine: An `Engine` or `AsyncEngine`; its URL counts, its `connect_args` do not.
            workflows: See `Mesh`.
            actions: See `Mesh`.
            migrate: See `open`.
            policy: See `Mesh`.

        Raises:
            StorageError: `unsupported_transaction_storage`: no journal can be there; or
                as for `open`.
        """
        return cls.open(
            url_of(engine), workflows=workflows, actions=actions, migrate=migrate, policy=policy
        )

    def close(self) -> None:
        """Drain this mesh's workers, then let go of its threads, connections and files."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def door(self) -> Door:
        """Where every command of this mesh goes through."""
        return self.engine.door

    @property
    def actions(self) -> ActionRegistry:
        """Everything this mesh performs."""
        return self.engine.actions

    @property
    def workflows(self) -> Mapping[str, Spec]:
        """The registered definitions, by workflow name."""
        return self._catalogue.specs

    # -- starting

    @overload
    def start(self, trigger: Trigger[None], /, **options: Unpack[StartOptions]) -> Run: ...
    @overload
    def start(self, trigger: Trigger[P], payload: P, /, **options: Unpack[StartOptions]) -> Run: ...
    def start(
        self, trigger: Trigger[Any], payload: object = None, /, **options: Unpack[StartOptions]
    ) -> Run:
        """
        Start a run; with a key or a run id that is known, find the run that is there.

        A worker of this mesh with a free slot claims the first attempt in the
        same append.

        Raises:
            PayloadError: The payload does not fit; nothing was written.
            IdempotencyConflict: The key or run id belongs to another start.
            ConfigError: An option is wrong, or the workflow is not registered.
        """
        spec = self._catalogue.spec(trigger._owner or trigger.name)
        given = payload_of(trigger, payload)
        request = starting.prepare(self.door, spec, trigger.name, given, options)
        return answered(self.engine.start(request))

    def start_spec(
        self,
        spec: Spec,
        trigger: str,
        payload: Mapping[str, object],
        *,
        actions: ActionRegistry,
        **options: Unpack[StartOptions],
    ) -> Run:
        """
        Start a run of a definition that was made at run time.

        Args:
            spec: The definition; it is stored, and the run keeps it for good.
            trigger: The name of its trigger.
            payload: JSON-like data.
            actions: The allowlist; every action of the spec must be in it.
            options: Those of `start`.

        Raises:
            DefinitionError: The spec is wrong, names an action that is not
                registered, or needs what this release lacks.
            PayloadError: The payload does not fit; nothing was written.
            ConfigError: An option is wrong.
        """
        runnable(spec, actions)
        self.engine.perform_too(actions)
        request = starting.prepare(self.door, spec, trigger, payload, options)
        return answered(self.engine.start(request))

    # -- in a transaction of the host's

    def using(self, connection: object) -> "Mesh":
        """
        This mesh inside a transaction of yours: what it decides commits or rolls back with it.

        Args:
            connection: A `sqlite3.Connection`, a psycopg `Connection`, a SQLAlchemy
                `Connection` or `Session`, or the alias of a Django database.

        Raises:
            StorageError: `unsupported_transaction_storage`: the journal is not in the
                database of this connection.
        """
        from squidmesh.using import Using  # it is a mesh itself

        return Using(self, self.door.journal.transaction(connection))

    # -- working

    def execute_next(
        self,
        *,
        queue: str = "default",
        owner: str | None = None,
        lease: Duration = "60s",
        heartbeat: bool | None = None,
        now: datetime | None = None,
    ) -> Run | None:
        """
        Claim one visible attempt, perform it, record it; null: nothing is claimable.

        Args:
            queue: Where to look.
            owner: The name in the claim; a label, no authority.
            lease: How long the claim lives without a heartbeat.
            heartbeat: False: let the lease run out under a long step.
            now: The instant to decide at, for tests; then no heartbeat comes by itself.

        Raises:
            ConfigError: An option is wrong.
            StorageError: The storage failed.
        """
        beats = heartbeat is not False and now is None
        served = (checks.queue("queue", queue),)
        crew = self.engine.crew(served, lease, owner=owner, heartbeat=beats, now=now)
        claim = self._claim(crew)
        if claim is None:
            return None
        carry(crew, claim, lambda: True)
        return run_of(self.door.fresh(claim.run_id).state)

    def drain(self, *, queues: Sequence[str] | None = None, limit: int | None = None) -> int:
        """
        Perform what is claimable until nothing is; how many attempts were performed.

        Args:
            queues: Where to look; null: every queue that a registered workflow names.
            limit: Stop after so many attempts.

        Raises:
            ConfigError: An option is wrong.
            StorageError: The storage failed.
        """
        if limit is not None:
            limit = checks.integer("limit", limit, least=0)
        crew = self.engine.crew(self._catalogue.queues if queues is None else queues, "60s")
        performed = 0

        def single() -> bool:
            return limit is not None

        while limit is None or performed < limit:
            taken = self.engine.take(crew, 1)
            if not taken.appends:
                break
            for claim in taken.claims:
                performed += carry(crew, claim, single)
        return performed

    def worker(
        self,
        *,
        concurrency: int = 8,
        queues: Sequence[str] = ("default",),
        lease: Duration = "60s",
    ) -> Worker:
        """A worker of this mesh, to be entered or run; see `Worker`."""
        return Worker(self, concurrency=concurrency, queues=queues, lease=lease)

    # -- the worker protocol, for executors of one's own

    def claim(
        self,
        *,
        owner: str,
        queue: str = "default",
        lease: Duration = "60s",
        now: datetime | None = None,
    ) -> Claim | None:
        """
        Claim one visible attempt; null: nothing is claimable.

        Raises:
            ConfigError: An option is wrong.
            StorageError: The storage failed.
        """
        checks.text("owner", owner)
        served = (checks.queue("queue", queue),)
        crew = self.engine.crew(served, lease, owner=owner, heartbeat=False, now=now)
        return self._claim(crew)

    def heartbeat(
        self,
        claim: Claim,
        *,
        progress: Mapping[str, object] | None = None,
        now: datetime | None = None,
    ) -> Claim:
        """
        Move the lease to a full length from now; it never gets shorter.

        Raises:
            Refused: `stale_claim`, `expired_claim`, `terminal_run`: stop working.
            ConfigError: An option is wrong.
        """
        command = executing.heartbeat(claim, progress)
        handled = self.door.handle(claim.run_id, command, now=checks.instant("now", now))
        return executing.renewed(claim, handled)

    def complete(self, claim: Claim, output: object = None, *, now: datetime | None = None) -> Run:
        """
        The step succeeded: record its output, and move the run on.

        The same again, by the same holder, is a success that writes nothing.

        Raises:
            Refused: `stale_claim`, `expired_claim`, `terminal_run`,
                `conflicting_completion`: nothing was written.
            StorageError: `not_storable`: the output cannot be stored.
        """
        return self._settle(claim, succeeded(output), now)

    def fail(
        self,
        claim: Claim,
        error: BaseException | str,
        *,
        retryable: bool = True,
        retry_after: Duration | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        The step failed: the retry policy, the error route or the run's end follow.

        Raises:
            Refused: As for `complete`.
        """
        outcome = failed(error, retryable=retryable, after_ms=executing.delay_ms(retry_after))
        return self._settle(claim, outcome, now)

    def defer(
        self,
        claim: Claim,
        reason: str,
        *,
        for_: Duration | None = None,
        until: datetime | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        Same work, later; costs no attempt.

        Raises:
            Refused: As for `complete`.
            TypeError: Neither or both of `for_` and `until` are given.
        """
        return self._settle(claim, deferred(reason, for_=for_, until=until), now)

    # -- reading

    def inspect(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
    ) -> Snapshot:
        """
        Everything about one run.

        Args:
            run: The run.
            history: Also inputs, outputs and errors of every attempt.
            at: As it was at a revision, or at an instant.
            now: The instant that leases and deadlines are judged at.

        Raises:
            RunNotFound: There is no such run.
            StorageError: Its journal is unreadable.
        """
        return reading.inspect(self.door, run_id_of(run), history=history, at=at, now=now)

    def explain(self, run: RunRef, *, now: datetime | None = None) -> "Explanation":
        """
        Why a run is where it is, what supports that, and what may be done about it now.

        Args:
            run: The run; one that cannot be read is explained as well.
            now: The instant that leases, deadlines and limits are judged at.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: `now` is no instant.
            StorageError: The storage failed.
        """
        from squidmesh.views.explaining import explain  # few ask for it, and it is large

        return explain(self.door, run_id_of(run), now=checks.instant("now", now))

    def graph(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
    ) -> "RunGraph":
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
        from squidmesh.views.graphing import graph  # few ask for it, and it is large

        return graph(self.door, run_id_of(run), history=history, at=at, now=now)

    def runs(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Unpack[RunFilters]
    ) -> Page[Run]:
        """
        Runs, newest first.

        Raises:
            ConfigError: A filter, the cursor or the limit is wrong.
        """
        return reading.runs(self.door, filters, cursor, limit)

    def approvals(
        self, *, cursor: str | None = None, limit: int = 50, now: datetime | None = None
    ) -> Page[OpenGate]:
        """
        Who is waited for: every open gate and hold, the newest run first.

        Raises:
            ConfigError: The cursor or the limit is wrong.
        """
        return approvals(self.door, cursor, limit, checks.instant("now", now))

    def journal(self, run: RunRef, *, after: int = 0) -> Iterator[JournalEntry]:
        """
        The entries of a run after a revision, in order.

        Raises:
            RunNotFound: There is no such run.
        """
        return reading.journal(self.door, run_id_of(run), after=after)

    def watch(self, run: RunRef, *, after: int = 0) -> Iterator[Watched]:
        """
        The entries of a run after a revision, as they are committed, until it is over.

        Each can give the `snapshot()` right after it.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: `after` is no revision.
            StorageError: Its journal is unreadable; while iterating, too.
        """
        return stream.watch(self.door, run_id_of(run), after=after)

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
        before, after = comparing.version_of("a", a), comparing.version_of("b", b)
        return comparing.compare(self.door, before, after)

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
            WaitTimeout: It took longer than `timeout`; the run goes on.
        """
        return wait_for(self.door, run_id_of(run), status=status, timeout=timeout)

    # -- upkeep

    def reindex(self, run: RunRef | None = None) -> int:
        """
        Rebuild the index rows of one run, or of all; how many runs there were.

        Raises:
            RunNotFound: There is no such run.
            StorageError: That run is unreadable, or the storage failed.
        """
        return reindex(self.door, None if run is None else run_id_of(run))

    def verify(self, run: RunRef | None = None, *, checker: bool = False) -> Report:
        """
        Read every stored append of one run, or of all, again; see `Report`.

        A damaged run is quarantined, the mark of one that can be read is lifted.

        Args:
            run: The run; null: all.
            checker: Also hold each journal against the rules of specs/invariants.md.

        Raises:
            RunNotFound: There is no such run.
            StorageError: The storage failed; damage is a finding and no error.
        """
        return verify(self.door, None if run is None else run_id_of(run), checker=checker)

    def prune(
        self,
        older_than: Duration | None = None,
        *,
        run: RunRef | None = None,
        plan: bool = False,
    ) -> Pruned:
        """
        Remove finished runs for good; active ones are never touched.

        What somebody may still ask for by its key or id leaves a tombstone: the same
        start finds the pruned run, another one is refused.

        Args:
            older_than: Those that ended so long ago, but for those whose end lists
                something that was not undone.
            run: This one, whatever its age and its end.
            plan: Only say what would be removed.

        Raises:
            RunNotFound: There is no such run.
            Refused: That run is not over (`invalid_transition`), or was pruned
                before (`terminal_run`).
            ConfigError: Not exactly one of the two is given, or it is wrong.
            StorageError: The storage failed, or that run is unreadable; every other
                run is whole or gone.
        """
        checks.flag("plan", plan)
        what = pruning.asked(older_than, None if run is None else run_id_of(run))
        return pruning.pruned(self.door, what, plan=plan)

    def health(self) -> Health:
        """How the journal and the work in it stand; a storage that is away is a finding."""
        return health(self.door, self.actions.performable(), self.door.ports.host_time())

    def _claim(self, crew: Crew) -> Claim | None:
        """One claim; what needs nobody is done on the way."""
        while True:
            taken = self.engine.take(crew, 1)
            if taken.claims or not taken.appends:
                return taken.claims[0] if taken.claims else None

    def _settle(self, claim: Claim, outcome: Outcome, now: datetime | None) -> Run:
        command = executing.settlement(claim, outcome, self.door.ports)
        handled = self.door.handle(claim.run_id, command, now=checks.instant("now", now))
        return answered(handled)


def url_or_default(url: str | None) -> str:
    """
    Where the journal is: the URL given, else `SQUIDMESH_URL`.

    Raises:
        ConfigError: There is neither.
    """
    url = url or os.environ.get("SQUIDMESH_URL")
    if url:
        return url
    raise ConfigError(
        "no URL was given, and SQUIDMESH_URL is not set; try sqlite:///squidmesh.db",
        "invalid_option",
        {"option": "url", "reason": "missing"},
    )
