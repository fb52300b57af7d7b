"""A finished run as something to make another of: its results, in order, value by value."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from attrs import evolve, frozen

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, Revision, RunId, VisitKey, attempt_key, undo_key
from squidmesh_core.protocol.commands import Copied
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    Entry,
    Failure,
    ManualStepResolved,
    MessageReceived,
    Reused,
    RunStarted,
    StepApplied,
)
from squidmesh_core.state.run import RunState


@frozen(kw_only=True, slots=False)
class Source:
    """A run that another one is made of."""

    state: RunState
    #: Its whole journal: results are copied from there.
    journal: Sequence[Entry]
    #: The definition that it keeps.
    spec: Spec

    @cached_property
    def begun(self) -> RunStarted:
        """
        How it was started.

        Raises:
            ValueError: Its journal holds no start.
        """
        if self.state.started is None:
            raise ValueError(f"the journal of {self.state.run_id} holds no run_started")
        return self.state.started

    @cached_property
    def applied(self) -> tuple[StepApplied, ...]:
        """The visits whose result it took in, in order."""
        return tuple(sorted(self.state.applied.values(), key=lambda applied: applied.revision))

    @cached_property
    def results(self) -> Mapping[Revision, object]:
        """Every recorded result, by the revision that brought it."""
        found: dict[Revision, object] = {}
        for entry in self.journal:
            match entry:
                case AttemptCompleted():
                    found[entry.revision] = entry.output
                case ManualStepResolved():
                    found[entry.revision] = entry.result
                case MessageReceived():
                    found[entry.revision] = entry.payload
                case _:
                    pass
        return found

    def copy(self, applied: StepApplied, run_id: RunId, *, undo: bool = False) -> Copied:
        """
        A result for another run, which outlives this one.

        Args:
            applied: The visit that took it in.
            run_id: The other run.
            undo: Whether it is there to be undone, not to be worked with.
        """
        earlier = applied.reused_from
        reused = Reused(
            run_id=earlier.run_id if earlier else self.state.run_id,
            value=earlier.value if earlier else self.results.get(applied.source or BEGINNING),
        )
        if undo:
            reused = evolve(reused, input=self._given(applied), undo_key=_undo_key(applied))
        return Copied(
            visit_key=VisitKey(run_id + applied.visit_key[len(self.state.run_id) :]),
            step=applied.step,
            output=applied.output,
            transition=applied.transition,
            error=applied.error or self._error(applied),
            reused_from=reused,
        )

    def _error(self, applied: StepApplied) -> Failure | None:
        """Why a visit was routed away: there is no attempt beside the copy to say it."""
        return None if applied.succeeded else self.state.failures.get(applied.visit_key)

    def _given(self, applied: StepApplied) -> Mapping[str, object]:
        """What the step of a visit was given."""
        if applied.reused_from is not None:
            return applied.reused_from.input or {}
        return next(
            attempt.input
            for attempt in self.state.settled.values()
            if isinstance(attempt.settlement, AttemptCompleted)
            and attempt.settlement.revision == applied.source
        )


def _undo_key(applied: StepApplied) -> str:
    """What the callback handed to the outside, or would have."""
    if applied.reused_from is not None and applied.reused_from.undo_key is not None:
        return applied.reused_from.undo_key
    return attempt_key(undo_key(applied.visit_key), 1)
