"""
Compensation: how far undoing has come (specs/protocol.md §5).

    forward ── compensation_started ─▶ undoing ── run_terminal ─▶ ended

No list of what is to be undone is stored: it follows from what was applied.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import Factory, evolve, frozen

from squidmesh_core.ids import VisitKey
from squidmesh_core.protocol.entries import CompensationStarted, Failure

Undone = Literal["compensated", "failed"]


@frozen(kw_only=True)
class Saga:
    """What was undone, and what nobody knows the effect of."""

    #: Null while the run goes forward.
    started: CompensationStarted | None = None
    #: Visit → how undoing it ended.
    undone: Mapping[VisitKey, Undone] = Factory(dict)
    #: Visits that ended without a result after undoing began, and why.
    uncertain: Mapping[VisitKey, Failure | None] = Factory(dict)

    def with_undone(self, visit: VisitKey, how: Undone) -> "Saga":
        """The saga once undoing a visit has ended."""
        return evolve(self, undone={**self.undone, visit: how})

    def with_uncertain(self, visit: VisitKey, error: Failure | None) -> "Saga":
        """The saga once a visit ended whose effect nobody knows."""
        return evolve(self, uncertain={**self.uncertain, visit: error})
