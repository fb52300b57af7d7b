"""Joins: side by side two steps that can be undone, one of which may fail, and what awaits both."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.workflows import step, workflow

CI: Final = Family(
    name="joins",
    spec=workflow(
        step("a", compensate=True, max_deliveries=1),
        step("b", compensate=True, max_deliveries=1),
        step("c", after=("a", "b"), max_deliveries=1),
    ),
    endings={"do.b": ("ok", "fail")},
    reaches=frozenset(
        {
            "wrote CompensationStarted",
            "left effect_unknown",
            "left compensation_failed",
            "meets a conflict",
            "ended completed",
            "ended failed",
        }
    ),
)
ALL: Final = evolve(
    CI,
    name="joins, all may fail",
    spec=workflow(
        step("a", compensate=True, max_deliveries=2),
        step("b", compensate=True, max_deliveries=1),
        step("c", after=("a", "b"), max_deliveries=1),
    ),
    extras=1,
    endings={"do.a": ("ok", "fail"), "do.b": ("ok", "fail", "defer"), "do.c": ("ok", "fail")},
)
