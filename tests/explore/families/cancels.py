"""Cancels: ways to end a run race with the worker that still goes on with it."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.scenario import a_cancel
from support.workflows import chain, step

CI: Final = Family(
    name="cancels",
    spec=chain(
        step("a", compensate=True, max_deliveries=2),
        step("b", compensate=True, max_deliveries=1),
    ),
    workers=1,
    clients=(
        (
            a_cancel(key="undo", compensate=True),
            a_cancel(digest="at once", abandon=True),
        ),
    ),
    endings={"do.b": ("ok", "fail")},
    extras=1,
    reaches=frozenset(
        {
            "already",
            "refused invalid_transition",
            "refused terminal_run",
            "wrote CompensationStarted",
            "left abandoned",
            "left effect_unknown",
            "ended cancelled",
            "ended failed",
            "ended completed",
        }
    ),
)
#: Two operators: one wants it undone, the other wants it gone.
TORN: Final = evolve(
    CI,
    name="cancels, two operators",
    clients=((a_cancel(key="undo", compensate=True),), (a_cancel(digest="plainly"),)),
    extras=0,
    reaches=CI.reaches - {"already", "left abandoned"} | {"refused compensating"},
)
WORKERS: Final = evolve(
    CI, name="cancels, two workers", workers=2, extras=0, reaches=CI.reaches - {"already"}
)
