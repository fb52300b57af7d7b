"""What worker processes perform: `squidmesh work --app benchmarks.postgres.jobs`."""

from benchmarks.five_steps import FiveSteps, Job, add_one
from squidmesh import Workflow, manual, step

__all__ = ["FiveSteps", "OneStep"]


class OneStep(Workflow):
    """As little as a run can be."""

    go = manual(Job)

    only = step(add_one).takes(go.payload.number)
