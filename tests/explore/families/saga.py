"""Sagas: steps are undone in falling order, while workers die and callbacks fail."""

from typing import Final

from attrs import evolve

from explore.family import Family
from squidmesh_core.values import RetryPolicy
from support.workflows import chain, step

_ONCE: Final = RetryPolicy(max_attempts=1)
_TWICE: Final = RetryPolicy(max_attempts=2)

CI: Final = Family(
    name="saga",
    spec=chain(
        step("a", compensate=True, compensate_retry=_TWICE, max_deliveries=1),
        step("b", compensate=True, compensate_retry=_ONCE, max_deliveries=1),
        step("c", max_deliveries=1),
    ),
    faults=1,
    kinds=frozenset({"crash", "dies"}),
    endings={"do.c": ("ok", "fail"), "undo.a": ("ok", "fail"), "undo.b": ("ok", "fail")},
    reaches=frozenset(
        {
            "a worker dies",
            "dies",
            "failed worker_lost",
            "failed Boom",
            "wrote CompensationStarted",
            "left compensation_failed",
            "ended failed",
            "ended completed",
        }
    ),
)
THREE: Final = evolve(
    CI,
    name="saga of three",
    spec=chain(
        step("a", compensate=True, compensate_retry=_TWICE, max_deliveries=1),
        step("b", compensate=True, compensate_retry=_TWICE, max_deliveries=1),
        step("c", compensate=True, compensate_retry=_ONCE, max_deliveries=1),
        step("d", max_deliveries=1),
    ),
    workers=1,
    faults=2,
    endings={"do.d": ("ok", "fail"), "undo.b": ("ok", "fail"), "undo.c": ("ok", "fail")},
)
#: Callbacks are delivered again when their worker dies.
AGAIN: Final = evolve(CI, name="saga, delivered again", workers=1, deliveries=2)
