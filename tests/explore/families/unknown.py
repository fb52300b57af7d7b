"""Unknown outcomes: answers go astray, appends land late, processes die, and work is done once."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.scenario import a_cancel
from support.workflows import step, workflow

_ASTRAY: Final = frozenset(
    {
        "unheard",
        "lost",
        "late",
        "away",
        "dies",
        "a worker dies",
        "a late append lands",
        "refused expired_claim",
        "ended completed",
    }
)
CI: Final = Family(
    name="unknown outcomes",
    spec=workflow(step("a", max_deliveries=2)),
    faults=3,
    reaches=_ASTRAY | {"refused stale_claim", "failed worker_lost", "ended failed"},
)
#: An operator's keyed command goes astray as well, and is delivered again.
CANCELLED: Final = evolve(
    CI,
    name="unknown outcomes, cancel",
    workers=1,
    faults=2,
    clients=((a_cancel(key="once"),),),
    reaches=_ASTRAY | {"client 0 dies", "already", "refused terminal_run", "ended cancelled"},
)
FOUR: Final = evolve(CI, name="unknown outcomes, four", faults=4)
CHAINED: Final = evolve(
    CI,
    name="unknown outcomes, two steps",
    spec=workflow(step("a", max_deliveries=2), step("b", after=("a",), max_deliveries=1)),
    faults=2,
)
