"""Claims: workers take attempts, stall past their leases, and come back to settle."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.workflows import step, workflow

CI: Final = Family(
    name="claims",
    spec=workflow(step("a", max_deliveries=2), step("b", after=("a",), max_deliveries=2)),
    extras=1,
    beats=True,
    reaches=frozenset(
        {
            "done",
            "refused stale_claim",
            "refused expired_claim",
            "failed worker_lost",
            "ended completed",
            "ended failed",
            "wrote AttemptHeartbeat",
            "meets a conflict",
        }
    ),
)
#: Two attempts side by side, and workers that hold both at once.
SLOTS: Final = evolve(
    CI,
    name="claims, two slots",
    spec=workflow(
        step("a", max_deliveries=2),
        step("b", max_deliveries=2),
        step("c", after=("a", "b"), max_deliveries=2),
    ),
    slots=2,
    extras=0,
    beats=False,
    reaches=CI.reaches - {"wrote AttemptHeartbeat"},
)
THREE: Final = evolve(CI, name="claims, three workers", workers=3)
