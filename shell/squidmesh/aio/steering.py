"""`AsyncSteering`: the verbs of `squidmesh.steering.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar, Unpack, overload

from squidmesh import checks, starting
from squidmesh.aio.many import AsyncSteeringMany
from squidmesh.authoring.gates import Approval, Pause, Receive
from squidmesh.authoring.nodes import BaseNode
from squidmesh.door.outcomes import answered
from squidmesh.people import By, CommandOptions
from squidmesh.starting import StartOptions
from squidmesh.steering import asking, replaying
from squidmesh.steering.asking import Asked
from squidmesh.steering.delivering import deliver
from squidmesh.views.snapshot import RunRef
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import (
    DefinitionChoice,
    Operation,
    ReplayRequest,
    RetryRequest,
    StartRequest,
)
from squidmesh_core.protocol.signals import Signal
from squidmesh_core.views.inspection import Run

F = TypeVar("F")
M = TypeVar("M")


class AsyncSteering(AsyncSteeringMany):
    """The verbs that decide about a run that is there, and starts."""

    # -- gates and holds

    async def approve(
        self,
        run: RunRef,
        *,
        by: By,
        node: Approval[F] | str | None = None,
        form: F | Mapping[str, object] | None = None,
        note: str | None = None,
        metadata: Mapping[str, object] | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Run:
        """See `Mesh.approve`."""
        options = asking.options_of(by, note, metadata, key, now)
        return await self._carry_out(asking.review("approved", run, node, form, options))

    async def reject(
        self,
        run: RunRef,
        *,
        by: By,
        node: Approval[F] | str | None = None,
        form: F | Mapping[str, object] | None = None,
        note: str | None = None,
        metadata: Mapping[str, object] | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Run:
        """See `Mesh.reject`."""
        options = asking.options_of(by, note, metadata, key, now)
        return await self._carry_out(asking.review("rejected", run, node, form, options))

    async def pause(self, run: RunRef, **options: Unpack[CommandOptions]) -> Run:
        """See `Mesh.pause`."""
        return await self._carry_out(asking.pause(run, options))

    async def resume(
        self, run: RunRef, *, node: Pause | str | None = None, **options: Unpack[CommandOptions]
    ) -> Run:
        """See `Mesh.resume`."""
        return await self._carry_out(asking.resume(run, node, options))

    # -- ends

    async def cancel(
        self,
        run: RunRef,
        *,
        compensate: bool = False,
        abandon: bool = False,
        **options: Unpack[CommandOptions],
    ) -> Run:
        """See `Mesh.cancel`."""
        asked = asking.cancel(run, options, compensate=compensate, abandon=abandon)
        return await self._carry_out(asked)

    # -- messages

    async def send(
        self,
        run: RunRef,
        node: Receive[M] | str,
        payload: M | Mapping[str, object],
        **options: Unpack[CommandOptions],
    ) -> Run:
        """See `Mesh.send`."""
        return await self._carry_out(asking.send(run, node, payload, options))

    async def deliver(
        self,
        node: Receive[M],
        correlation: str,
        payload: M | Mapping[str, object],
        **options: Unpack[CommandOptions],
    ) -> Run:
        """See `Mesh.deliver`."""
        key = asking.correlation_key(correlation, options)
        engine = self.engine
        found = await engine.aside(deliver, engine.door.threads, node, correlation, key=key)
        return await self.send(found, node, payload, **options)

    # -- runs made of finished runs

    @overload
    async def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
        simulate: Literal[False] = False,
        **options: Unpack[CommandOptions],
    ) -> Run: ...
    @overload
    async def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
        simulate: Literal[True],
        **options: Unpack[CommandOptions],
    ) -> ReplayPlan: ...
    async def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
        simulate: bool = False,
        **options: Unpack[CommandOptions],
    ) -> Run | ReplayPlan:
        """See `Mesh.replay`."""
        checks.flag("simulate", simulate)
        ask = asking.replay(
            run,
            options,
            from_step=from_step,
            allow_irreversible=allow_irreversible,
            definition=definition,
        )
        if simulate:
            engine = self.engine
            return await engine.aside(replaying.planned, engine.door.threads, ask, self.workflows)
        return await self._replay(ask, checks.instant("now", options.get("now")))

    async def retry_compensation(self, run: RunRef, **options: Unpack[CommandOptions]) -> Run:
        """See `Mesh.retry_compensation`."""
        ask = asking.retry_compensation(run, options)
        return await self._retry(ask, checks.instant("now", options.get("now")))

    # -- commands as data

    async def apply_signal(self, signal: Signal | Mapping[str, object]) -> Run:
        """See `Mesh.apply_signal`."""
        asked = asking.signalled(signal)
        match asked:
            case Operation():
                return await self._carry_out(asking.operation(asked, {}))
            case StartRequest():
                spec, trigger = asking.start_in(asked, self.workflows)
                return await self._start(spec, trigger, asked.input, {}, who=asked.said)
            case ReplayRequest():
                return await self._replay(asked, None)
            case RetryRequest():
                return await self._retry(asked, None)

    # -- how

    async def _carry_out(self, asked: Asked) -> Run:
        handled = await self.engine.door.handle(asked.run_id, asked.command, now=asked.now)
        return answered(handled)

    async def _start(
        self,
        spec: Spec,
        trigger: str,
        payload: Mapping[str, object],
        options: StartOptions,
        *,
        who: Receipted | None = None,
    ) -> Run:
        engine = self.engine
        threads, clock = engine.door.threads, await engine.journal.now()
        request = starting.requested(
            threads.mint, spec, trigger, payload, options, clock=clock, who=who
        )
        if not threads.has_defined(spec):
            await engine.aside(threads.define, spec)
        return answered(await engine.start(request))

    async def _replay(self, ask: ReplayRequest, now: datetime | None) -> Run:
        engine = self.engine
        handled = await engine.aside(
            replaying.replayed, engine.door.threads, ask, self.workflows, now
        )
        return answered(handled)

    async def _retry(self, ask: RetryRequest, now: datetime | None) -> Run:
        engine = self.engine
        handled = await engine.aside(replaying.recompensated, engine.door.threads, ask, now)
        return answered(handled)
