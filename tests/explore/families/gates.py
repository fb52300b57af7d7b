"""Gates: yes, no, cancel and time-out meet at one gate; an operator holds the run meanwhile."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.scenario import LEASE, a_cancel, a_hold, a_resume, a_review, milliseconds
from support.workflows import approval, route, step, workflow

_YES: Final = (a_review("approved", actor="ana", key="yes"),)
_NO: Final = (a_review("rejected", actor="ben"),)

CI: Final = Family(
    name="gates",
    spec=workflow(
        approval("ask", timeout_ms=milliseconds(LEASE), output="ask"),
        step("b", max_deliveries=1),
        routes=(
            route("ask", "b"),
            route("ask", "complete", on="error"),
            route("ask", "complete", on="timeout"),
        ),
    ),
    workers=1,
    clients=(_YES, _NO, (a_cancel(key="enough"),)),
    extras=1,
    reaches=frozenset(
        {
            "done",
            "already",
            "refused invalid_transition",
            "refused terminal_run",
            "meets a conflict",
            "wrote ManualStepPaused",
            "wrote ManualStepResolved",
            "ended completed",
            "ended cancelled",
            "ended failed",
        }
    ),
)
HELD: Final = evolve(
    CI,
    name="gates, hold",
    clients=(_YES, (a_hold(), a_resume())),
    reaches=CI.reaches - {"ended cancelled", "refused terminal_run"},
)
WORKERS: Final = evolve(
    CI, name="gates, two workers", workers=2, extras=0, reaches=CI.reaches - {"already"}
)
HELD_WORKERS: Final = evolve(
    HELD, name="gates, hold, two workers", workers=2, extras=0, reaches=HELD.reaches - {"already"}
)
