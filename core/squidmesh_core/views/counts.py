"""How many runs there are of each workflow, how they stand, and how many are late."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.plain import View


@frozen(kw_only=True)
class WorkflowCounts(View):
    """The runs of one workflow."""

    workflow: str
    #: Status → runs; only those that some run has.
    runs: Mapping[RunStatus, int]
    #: How the most urgent deadline stands → runs; only of runs in which one runs.
    deadlines: Mapping[DeadlineStatus, int]


@frozen(kw_only=True)
class Counts(View):
    """The runs of all workflows, as the index has them."""

    #: The instant that deadlines are judged at.
    at: datetime
    #: Of all workflows together, as below.
    runs: Mapping[RunStatus, int]
    deadlines: Mapping[DeadlineStatus, int]
    #: By name.
    workflows: tuple[WorkflowCounts, ...]


def counts(
    at: datetime,
    runs: Mapping[tuple[str, RunStatus], int],
    deadlines: Mapping[tuple[str, DeadlineStatus], int],
) -> Counts:
    """The counts of an index by workflow and status, put together."""
    names = sorted({workflow for workflow, _ in (*runs, *deadlines)})
    statuses = Counter[RunStatus]()
    standing = Counter[DeadlineStatus]()
    for (_, status), number in runs.items():
        statuses[status] += number
    for (_, due), number in deadlines.items():
        standing[due] += number
    return Counts(
        at=at,
        runs=dict(statuses),
        deadlines=dict(standing),
        workflows=tuple(
            WorkflowCounts(
                workflow=name,
                runs={status: number for (of, status), number in runs.items() if of == name},
                deadlines={due: number for (of, due), number in deadlines.items() if of == name},
            )
            for name in names
        ),
    )
