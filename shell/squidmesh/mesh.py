"""
`Mesh`: what a host application holds.  Every verb is a few lines around the door.

A mesh is a value: several can live in one process, on one journal or many.
Its verbs may be called from any thread.

Families of verbs stand in the rooms that do their work, each in a module `verbs`; here
a mesh is made, starts runs, and works them.

One rule for the imports of these modules and of the command line: what makes a mesh is
imported with it, what a verb needs when it is called.  A command line that lists runs
must not wait for what replays them.  `AsyncMesh` imports nearly all at once: a loop
that serves others must not stand still because a verb is called for the first time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar, overload

from squidmesh import checks
from squidmesh.actions import ActionRegistry
from squidmesh.catalogue import Catalogue, runnable
from squidmesh.engine import Engine
from squidmesh.files.verbs import Filing
from squidmesh.opening import bring_up_to_date, open_journal
from squidmesh.ports import Ports
from squidmesh.queues.verbs import Queueing
from squidmesh.steering.verbs import Steering
from squidmesh.upkeep.verbs import Upkeeping
from squidmesh.views.policy import Redacting, policy_of
from squidmesh.views.verbs import Viewing
from squidmesh.workers.hooks.handlers import Handlers
from squidmesh.workers.hooks.verbs import Hooking, Subscribing
from squidmesh.workers.verbs import Executing
from squidmesh_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Any, Self, Unpack

    from squidmesh.authoring.triggers import Trigger
    from squidmesh.catalogue import Registrable
    from squidmesh.door.door import Door
    from squidmesh.duration import Duration
    from squidmesh.starting import StartOptions
    from squidmesh.views.policy import Policy
    from squidmesh.workers.worker import Worker
    from squidmesh_core.definition.spec import Spec
    from squidmesh_core.views.inspection import Run
    from squidmesh_storage.api import Journal

P = TypeVar("P")


class Mesh(
    Executing, Steering, Viewing, Queueing, Subscribing, Hooking, Redacting, Filing, Upkeeping
):
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
        self._handlers = Handlers()
        #: What this mesh runs on; its workers work with it.
        self.engine = Engine(journal, ports or Ports(), self._handlers)
        self._catalogue = Catalogue(workflows, self.engine.actions)
        self.engine.specs = self._catalogue.specs
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
        if checks.flag("migrate", migrate):
            bring_up_to_date(url)
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
        from squidmesh_storage.hosts import url_of

        return cls.open(
            url_of(engine), workflows=workflows, actions=actions, migrate=migrate, policy=policy
        )

    def close(self) -> None:
        """
        Drain this mesh's workers, then let go of its threads, connections and files.

        Raises:
            Refused: `waits_for_itself`: a step or a hook of theirs called it.
        """
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
        from squidmesh import starting
        from squidmesh.authoring.triggers import payload_of
        from squidmesh.door.outcomes import answered

        given = payload_of(trigger, payload)
        spec = self._catalogue.spec(trigger._owner or trigger.name)
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
        from squidmesh import starting
        from squidmesh.door.outcomes import answered

        runnable(spec, actions)
        self.engine.perform_too(actions)
        request = starting.prepare(self.door, spec, trigger, payload, options)
        return answered(self.engine.start(request))

    # -- in a transaction of the host's

    def using(self, connection: object) -> Mesh:
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
        from squidmesh.workers.carry import carry
        from squidmesh_core.views.inspection import run_of

        beats = (heartbeat is None or checks.flag("heartbeat", heartbeat)) and now is None
        served = (checks.queue("queue", queue),)
        crew = self.engine.crew(served, lease, owner=owner, heartbeat=beats, now=now)
        claim = self.engine.take_one(crew)
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
        from squidmesh.workers.carry import carry

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
        """
        A worker of this mesh, to be entered or run; see `Worker`.

        Args:
            concurrency: Steps at once.
            queues: Those that it serves; a queue that a workflow or step names has to be here.
            lease: How long a claim lives without a heartbeat.

        Raises:
            ConfigError: An option is wrong.
        """
        from squidmesh.workers.worker import Worker

        return Worker(self, concurrency=concurrency, queues=queues, lease=lease)


def url_or_default(url: str | None) -> str:
    """
    Where the journal is: the URL given, else `SQUIDMESH_URL`.

    Raises:
        ConfigError: There is neither, or it is no text.
    """
    url = url or os.environ.get("SQUIDMESH_URL")
    if url and not isinstance(url, str):
        raise checks.wrong("url", "expected a text")
    if url:
        return url
    raise ConfigError(
        "no URL was given, and SQUIDMESH_URL is not set; try sqlite:///squidmesh.db",
        "invalid_option",
        {"option": "url", "reason": "missing"},
    )
