"""Bugs to plant in replays and forks: each is a mistake that somebody could make there."""

from collections.abc import Callable
from importlib import import_module

import pytest
from attrs import evolve

from squidmesh_core.decide.source import Source
from squidmesh_core.definition.spec import Node, StepNode
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Copied
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.state import fold
from squidmesh_core.state.draft import Draft
from support.planted import Plant

replay_module = import_module("squidmesh_core.decide.replay")


def guard_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What cannot be undone is repeated without a word."""
    patch.setattr(replay_module, "_unsafe", lambda source, applied: False)


def guard_for_irreversible_only(patch: pytest.MonkeyPatch) -> None:
    """`compensatable=False` is not looked at."""

    def unsafe(source: Source, applied: StepApplied) -> bool:
        node = source.spec.nodes.get(applied.step)
        return isinstance(node, StepNode) and node.irreversible

    patch.setattr(replay_module, "_unsafe", unsafe)


def guard_looks_at_everything(patch: pytest.MonkeyPatch) -> None:
    """Also what is taken over counts as repeated."""
    honest = replay_module._again
    patch.setattr(replay_module, "_again", lambda source, copied: honest(source, ()))


def failure_counts_as_a_result(patch: pytest.MonkeyPatch) -> None:
    """A step that failed and was routed away is said to be repeated."""
    patch.setattr(StepApplied, "succeeded", property(lambda applied: True))


def fork_takes_too_much(patch: pytest.MonkeyPatch) -> None:
    """The node that a fork begins at is taken over too."""

    def before(source: Source, honest: tuple[StepApplied, ...]) -> tuple[StepApplied, ...]:
        return source.applied[: len(honest) + 1]

    _taken_over(patch, before)


def fork_takes_too_little(patch: pytest.MonkeyPatch) -> None:
    """The last result before the node is not taken over."""
    _taken_over(patch, lambda source, honest: honest[:-1])


def fork_takes_the_wrong_strand(patch: pytest.MonkeyPatch) -> None:
    """By dependencies, only the node itself counts as what depends on it."""
    patch.setattr(replay_module, "_depending_on", lambda spec, step: {step})


def fork_at_the_first_visit(patch: pytest.MonkeyPatch) -> None:
    """A loop is forked at its first round."""

    def before(source: Source, honest: tuple[StepApplied, ...]) -> tuple[StepApplied, ...]:
        target = honest[-1].transition.target if honest and honest[-1].transition else None
        for index, applied in enumerate(source.applied, start=1):
            if applied.transition is not None and applied.transition.target == target:
                return source.applied[:index]
        return honest

    _taken_over(patch, before)


def value_not_copied(patch: pytest.MonkeyPatch) -> None:
    """The copy names its source, and has no value of its own."""
    honest = Source.copy

    def copy(self: Source, applied: StepApplied, run_id: RunId, *, undo: bool = False) -> Copied:
        copied = honest(self, applied, run_id, undo=undo)
        return evolve(copied, reused_from=evolve(copied.reused_from, value=None))

    patch.setattr(Source, "copy", copy)


def visits_not_counted(patch: pytest.MonkeyPatch) -> None:
    """What was taken over is entered once more."""
    honest = fold._settle_visit

    def settle_visit(draft: Draft, entry: StepApplied) -> None:
        honest(draft, evolve(entry, reused_from=None))

    patch.setattr(fold, "_settle_visit", settle_visit)


def _taken_over(
    patch: pytest.MonkeyPatch,
    choose: Callable[[Source, tuple[StepApplied, ...]], tuple[StepApplied, ...]],
) -> None:
    """Have forks take over something else."""
    honest = replay_module._before

    def before(source: Source, node: Node) -> tuple[StepApplied, ...] | None:
        kept = honest(source, node)
        return None if kept is None else choose(source, kept)

    patch.setattr(replay_module, "_before", before)


REPLAY: tuple[Plant, ...] = (
    guard_forgotten,
    guard_for_irreversible_only,
    guard_looks_at_everything,
    failure_counts_as_a_result,
    fork_takes_too_much,
    fork_takes_too_little,
    fork_takes_the_wrong_strand,
    fork_at_the_first_visit,
    value_not_copied,
    visits_not_counted,
)
