"""`AsyncSteeringMany`: the verbs of `squidmesh.steering.many` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Unpack

from squidmesh import checks
from squidmesh.aio.engine import AsyncVerbs
from squidmesh.authoring.nodes import BaseNode
from squidmesh.steering import asking, bulk
from squidmesh.steering.bulk import BulkOptions, Choice, Which
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.requests import DefinitionChoice
from squidmesh_core.views.bulk import Bulk


class AsyncSteeringMany(AsyncVerbs):
    """The verbs that decide about each of many runs."""

    @property
    def workflows(self) -> Mapping[str, Spec]:
        """The registered definitions, by workflow name."""
        raise NotImplementedError

    async def cancel_all(
        self,
        which: Which,
        *,
        compensate: bool = False,
        abandon: bool = False,
        plan: bool = False,
        key: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        **options: Unpack[BulkOptions],
    ) -> Bulk:
        """See `Mesh.cancel_all`."""
        choice = Choice(which=which, key=key, cursor=cursor, limit=limit, plan=plan)
        said = choice.options(options)
        ask = partial(asking.cancel, options=said, compensate=compensate, abandon=abandon)
        engine = self.engine
        return await engine.aside(bulk.cancel_all, engine.door.threads, choice, ask)

    async def replay_all(
        self,
        which: Which,
        *,
        key: str,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
        plan: bool = False,
        cursor: str | None = None,
        limit: int = 50,
        **options: Unpack[BulkOptions],
    ) -> Bulk:
        """See `Mesh.replay_all`."""
        choice = Choice(which=which, key=key, cursor=cursor, limit=limit, plan=plan)
        ask = partial(
            asking.replay,
            options=choice.options(options),
            from_step=from_step,
            allow_irreversible=allow_irreversible,
            definition=definition,
        )
        now = checks.instant("now", options.get("now"))
        engine = self.engine
        return await engine.aside(
            bulk.replay_all, engine.door.threads, choice, ask, self.workflows, now
        )
