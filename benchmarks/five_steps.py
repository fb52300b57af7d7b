"""The workflow that everything is measured with: five trivial, typed steps in a row."""

from dataclasses import dataclass
from typing import Final

from squidmesh import Workflow, manual, step

#: Steps of one run.
STEPS: Final = 5


@dataclass(frozen=True)
class Job:
    """The payload of a run."""

    number: int


def add_one(number: int) -> int:
    """As little as a step can do."""
    return number + 1


class FiveSteps(Workflow):
    """Add one, five times."""

    go = manual(Job)

    first = step(add_one).takes(go.payload.number)
    second = step(add_one).takes(first.out)
    third = step(add_one).takes(second.out)
    fourth = step(add_one).takes(third.out)
    fifth = step(add_one).takes(fourth.out)

    first.then(second).then(third).then(fourth).then(fifth)
