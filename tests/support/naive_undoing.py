"""
A second opinion on how a journal undoes its steps: plain walks over its entries.

Nothing here knows the fold, the planner or the deciders (reliability invariants
S1 to S5 as specs/protocol.md §5 reads them); each check names what it met.
"""

from collections.abc import Sequence

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import AttemptKey, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    Failure,
    ManualStepPaused,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    RunSignalReceived,
    RunTerminal,
    StepApplied,
)

Journal = Sequence[Entry]


def every_rule_holds(journal: Journal, spec: Spec) -> None:
    """All of the rules below."""
    effects_are_undone_backwards(journal, spec)
    one_callback_at_a_time(journal)
    nothing_goes_forward_while_undoing(journal)
    everything_is_accounted_for(journal, spec)
    first_failure_stays_the_error(journal)


def started(journal: Journal) -> CompensationStarted | None:
    """Where undoing begins; it does so once at most."""
    found = [entry for entry in journal if isinstance(entry, CompensationStarted)]
    assert len(found) <= 1, found
    return found[0] if found else None


def effects(journal: Journal, spec: Spec) -> list[VisitKey]:
    """The visits that can be undone, as they were applied: with a result and a callback."""
    return [
        entry.visit_key
        for entry in journal
        if isinstance(entry, StepApplied)
        and ":compensate:" not in entry.visit_key
        and _callback(spec, entry.step) is not None
        and (
            entry.source is not None
            or (entry.reused_from is not None and entry.reused_from.undo_key is not None)
        )
    ]


def undone(journal: Journal) -> list[VisitKey]:
    """The visits whose callback was scheduled, in that order."""
    return [
        _forward(entry.visit_key)
        for entry in journal
        if isinstance(entry, AttemptScheduled)
        and entry.kind == "compensation"
        and entry.deferred is None
    ]


def effects_are_undone_backwards(journal: Journal, spec: Spec) -> None:
    """What took effect, and nothing else, is undone: the last first, each once (S2, S3)."""
    before = effects(journal, spec)[::-1]
    order = undone(journal)

    assert before[: len(order)] == order


def one_callback_at_a_time(journal: Journal) -> None:
    """A callback is scheduled when nothing else is held or to be tried any more (S3)."""
    open_: set[AttemptKey] = set()
    for entry in journal:
        if isinstance(entry, AttemptScheduled):
            if entry.kind == "compensation":
                assert not open_, (entry, open_)
                open_.add(entry.attempt_key)
        elif isinstance(entry, AttemptClaimed):
            open_.add(entry.attempt_key)
        elif isinstance(entry, AttemptCompleted | AttemptFailed):
            open_.discard(entry.attempt_key)
            if isinstance(entry, AttemptFailed) and entry.retry and _undoes(entry.attempt_key):
                open_.add(entry.retry.attempt_key)


def nothing_goes_forward_while_undoing(journal: Journal) -> None:
    """From `compensation_started` on: no schedule, retry, claim, route, gate or message (S1)."""
    begun = started(journal)
    if begun is None:
        assert undone(journal) == []
        return
    for entry in journal[begun.revision :]:
        match entry:
            case AttemptScheduled():
                assert entry.kind == "compensation", entry
            case AttemptClaimed() | AttemptFailed(retry=NextAttempt()):
                assert _undoes(entry.attempt_key), entry
            case StepApplied():
                assert entry.transition is None, entry
            case ManualStepPaused() | MessageAwaited() | MessageReceived():
                raise AssertionError(entry)
            case _:
                pass


def everything_is_accounted_for(journal: Journal, spec: Spec) -> None:
    """At the end each effect is undone or listed, with what nobody knows the effect of (S5)."""
    end = journal[-1]
    if not isinstance(end, RunTerminal):
        return
    begun = started(journal)
    if begun is None:
        assert end.recovery == (), end
        assert end.status != "failed" or effects(journal, spec) == [], end
        return
    given_up = isinstance(journal[-2], RunSignalReceived) and journal[-2].command == "cancel"
    held = _held(journal)
    assert given_up or not held, (end, held)
    ways = dict.fromkeys(effects(journal, spec), "abandoned")
    ways |= dict.fromkeys(_not_undone(journal), "compensation_failed")
    ways = {visit: how for visit, how in ways.items() if visit not in _compensated(journal)}
    assert given_up or "abandoned" not in ways.values(), ways
    ways |= dict.fromkeys([*_uncertain(journal), *held], "effect_unknown")

    assert ways == {item.visit_key: item.reason for item in end.recovery}


def first_failure_stays_the_error(journal: Journal) -> None:
    """However many fail after it, the run ends as what undoing began with (S5)."""
    begun, end = started(journal), journal[-1]
    if begun is not None and isinstance(end, RunTerminal):
        assert (begun.failure, begun.step) == (end.error, end.step)
        if not isinstance(journal[-2], RunSignalReceived):
            assert {"failure": "failed", "cancel": "cancelled"}[begun.cause] == end.status


def _callback(spec: Spec, step: str) -> str | None:
    node = next((node for node in spec.steps if node.name == step), None)
    return node.compensate if isinstance(node, StepNode) else None


def _forward(visit: VisitKey) -> VisitKey:
    return VisitKey(visit.replace(":compensate:", ":"))


def _undoes(key: AttemptKey) -> bool:
    return ":compensate:" in key


def _visit(key: AttemptKey) -> VisitKey:
    """The forward visit of an attempt, or the one that it undoes: `<run>:<step>`."""
    run_id, *rest = key.split(":")
    return VisitKey(f"{run_id}:{rest[1] if _undoes(key) else rest[0]}")


def _compensated(journal: Journal) -> set[VisitKey]:
    return {
        _forward(entry.visit_key)
        for entry in journal
        if isinstance(entry, StepApplied) and ":compensate:" in entry.visit_key
    }


def _not_undone(journal: Journal) -> list[VisitKey]:
    """Visits whose callback failed for good."""
    return [
        _visit(entry.attempt_key)
        for entry in journal
        if isinstance(entry, AttemptFailed) and entry.retry is None and _undoes(entry.attempt_key)
    ]


def _uncertain(journal: Journal) -> dict[VisitKey, Failure | None]:
    """Visits whose attempt ended without a result after undoing began."""
    begun = started(journal)
    found: dict[VisitKey, Failure | None] = {}
    for entry in journal[begun.revision :] if begun is not None else ():
        if isinstance(entry, AttemptFailed | AttemptCompleted):
            if _undoes(entry.attempt_key):
                continue
            if isinstance(entry, AttemptFailed):
                found[_visit(entry.attempt_key)] = entry.error
            elif entry.deferred:
                found[_visit(entry.attempt_key)] = None
    return found


def _held(journal: Journal) -> list[VisitKey]:
    """Forward visits that somebody still holds at the end."""
    held: dict[AttemptKey, VisitKey] = {}
    for entry in journal:
        if isinstance(entry, AttemptClaimed) and not _undoes(entry.attempt_key):
            held[entry.attempt_key] = _visit(entry.attempt_key)
        elif isinstance(entry, AttemptCompleted | AttemptFailed):
            held.pop(entry.attempt_key, None)
    return list(held.values())
