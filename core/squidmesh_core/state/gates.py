"""
Gates and the hold: where a person is waited for.

    closed ── paused ─▶ open ── resolved ─▶ closed

Each visit of a pause or approval node is a gate of its own, so several may be
open; the hold of a whole run has no visit, and there is at most one.  A time-out,
compensation and the run's end close without an answer.
"""

from collections.abc import Mapping

from attrs import Factory, evolve, frozen

from squidmesh_core.ids import VisitKey
from squidmesh_core.protocol.entries import ManualStepPaused, ManualStepResolved
from squidmesh_core.state.attempt import Reason


@frozen(kw_only=True)
class Gates:
    """Who is waited for, and what was answered."""

    #: Open gates by visit, in the order they opened.
    open: Mapping[VisitKey, ManualStepPaused] = Factory(dict)
    #: An operator stopped the whole run.
    hold: ManualStepPaused | None = None
    #: All answers, in order.
    answers: tuple[ManualStepResolved, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether a person is waited for."""
        return bool(self.open) or self.hold is not None

    def paused(self, entry: ManualStepPaused) -> "Gates | Reason":
        """The gates once one more is open."""
        if entry.kind == "hold":
            return "active_manual_step" if self.hold else evolve(self, hold=entry)
        if entry.visit_key is None or entry.step is None:
            return "malformed_entry"
        if entry.visit_key in self.open:
            return "active_manual_step"
        return evolve(self, open={**self.open, entry.visit_key: entry})

    def resolved(self, entry: ManualStepResolved) -> "Gates | Reason":
        """The gates once one was answered."""
        answers = (*self.answers, entry)
        if entry.visit_key is None:
            if self.hold is None:
                return "stale_manual_resolution"
            return evolve(self, hold=None, answers=answers)
        if entry.visit_key not in self.open:
            return "stale_manual_resolution"
        return evolve(self.closed(entry.visit_key), answers=answers)

    def closed(self, visit: VisitKey) -> "Gates":
        """The gates without that of a visit, if it has one."""
        if visit not in self.open:
            return self
        return evolve(self, open={key: gate for key, gate in self.open.items() if key != visit})

    def all_closed(self) -> "Gates":
        """Nobody is waited for any more."""
        return evolve(self, open={}, hold=None) if self.waiting else self
