"""What the journal of a run alone cannot know: workers, queues, and who stands in line there."""

from collections.abc import Mapping
from datetime import datetime

from attrs import Factory, frozen

from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.plan.admission import LaneState, QueueSettings
from squidmesh_core.protocol.rows import AttemptRow


@frozen(kw_only=True)
class WorkerAt:
    """A worker, as it described itself."""

    #: The name in its claims.
    owner: str
    queues: frozenset[str]
    #: The keys of what it performs.
    actions: frozenset[str]
    #: Its last sign of life.
    seen_at: datetime
    #: Whether it claims: it is there, and not about to stop.
    takes_work: bool = True


@frozen(kw_only=True)
class Holder:
    """An attempt, of this or another run, that takes a slot of a queue."""

    run_id: RunId
    attempt_key: AttemptKey
    #: The worker that holds it, if that is known.
    owner: str | None = None


@frozen(kw_only=True)
class Line:
    """A queue as it stands: what limits it, and who waits there."""

    settings: QueueSettings = Factory(QueueSettings)
    state: LaneState = Factory(LaneState)
    #: How many attempts of the queue are held, by partition key.
    held: Mapping[str | None, int] = Factory(dict)
    #: The attempts that could be claimed now but for limits, in claim order, as far as
    #: anybody looked.
    waiting: tuple[AttemptRow, ...] = ()
    #: Who takes its slots; not all of them, where there are many.
    holders: tuple[Holder, ...] = ()


@frozen(kw_only=True)
class Surroundings:
    """What is known around a run."""

    #: Null: nobody looked, so nothing is said of workers.
    workers: tuple[WorkerAt, ...] | None = None
    #: By queue, those that were looked at.
    lines: Mapping[str, Line] = Factory(dict)
