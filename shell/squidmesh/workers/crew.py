"""Who works: what a worker's threads and tasks share of it."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

from attrs import Factory, frozen

from squidmesh.actions import ActionRegistry
from squidmesh.door.door import Door
from squidmesh.workers.heartbeat import Heartbeats
from squidmesh.workers.lanes import Lanes
from squidmesh.workers.line import StepSignals
from squidmesh.workers.outlook import Outlook
from squidmesh.workers.timelimits import TimeLimits
from squidmesh_core.definition.spec import Spec
from squidmesh_core.plan.admission import inline
from squidmesh_core.protocol.commands import Offer


@frozen(kw_only=True)
class Crew:
    """What it takes to work on claims: who, with which actions, for which queues."""

    door: Door
    actions: ActionRegistry
    #: The definitions that come with these actions, by workflow.
    specs: Mapping[str, Spec] = Factory(dict)
    owner: str
    lease_ms: int
    queues: frozenset[str]
    run_async: Callable[[Coroutine[Any, Any, object], StepSignals], object]
    heartbeats: Heartbeats | None
    #: Null: no step is limited.
    limits: TimeLimits | None = None
    #: The instant that everything is decided at; null: the storage's clock.
    now: datetime | None = None
    #: What is known of limits and pauses.
    lanes: Lanes = Factory(Lanes)
    #: What is known to wait.
    outlook: Outlook = Factory(Outlook)

    def has_code_of(self, spec: Spec) -> bool:
        """Whether the actions were written for this definition, as far as is known here."""
        own = self.specs.get(spec.workflow)
        return self.door.has_defined(spec) or (
            own is not None and own.fingerprint == spec.fingerprint
        )

    def offer(self, *, settled: str | None = None) -> tuple[Offer, str]:
        """
        A free slot of this crew, with a fresh token.

        Args:
            settled: The queue of the attempt that has just left the slot, if one has.
        """
        return self.door.mint.offer(
            owner=self.owner,
            lease_ms=self.lease_ms,
            actions=self.actions.performable(),
            where=inline(self.queues, self.lanes.settings, settled=settled),
            waiting=self.outlook.waiting,
        )
