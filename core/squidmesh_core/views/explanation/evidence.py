"""The revisions of the journal that support an explanation."""

from collections import Counter
from collections.abc import Iterator

from squidmesh_core.protocol.entries import AttemptFailed, Entry
from squidmesh_core.protocol.wire import wire_type
from squidmesh_core.state.run import Receipt, RunState
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.causes import last_routed
from squidmesh_core.views.explanation.records import Evidence, Pointer, Repeated
from squidmesh_core.views.history import command_view


def evidence_of(case: Case) -> Evidence:
    """What the journal has to say for it."""
    state = case.state
    pointers = {one.revision: one for one in _pointers(case)}
    return Evidence(
        at_revision=state.revision,
        pointers=tuple(pointers[revision] for revision in sorted(pointers)),
        commands=Counter(receipt.command for receipt in state.receipts),
        latest_command=command_view(state.receipts[-1]) if state.receipts else None,
        duplicates=repeated(state),
        attempts=Counter(attempt.status for attempt in state.attempts.values()),
        anomalies=len(state.anomalies),
    )


def repeated(state: RunState) -> tuple[Repeated, ...]:
    """Commands that were given several times alike."""
    alike: dict[tuple[str, str], list[Receipt]] = {}
    for receipt in state.receipts:
        alike.setdefault((receipt.command, receipt.digest), []).append(receipt)
    return tuple(
        Repeated(
            command=command,
            count=len(receipts),
            revisions=tuple(receipt.revision for receipt in receipts),
        )
        for (command, _), receipts in sorted(alike.items())
        if len(receipts) > 1
    )


def _pointers(case: Case) -> Iterator[Pointer]:
    state = case.state
    if state.pruned is not None:
        yield _at(state.pruned, "what is left of the run")
        return
    applied = last_routed(case)
    for entry, says in (
        (state.started, "the run exists"),
        (applied, f"the last route: from {str(applied.step) if applied else None!r}"),
        (state.saga.started, "nothing goes forward any more"),
        (state.gates.hold, "the run is held"),
        (state.terminal, "the end"),
    ):
        if entry is not None:
            yield _at(entry, says)
    yield from _attempts(case)
    for gate in state.gates.open.values():
        yield _at(gate, f"{str(gate.step)!r} is open")
    for awaited in state.mail.awaited.values():
        yield _at(awaited, f"{str(awaited.step)!r} waits for a message")


def _attempts(case: Case) -> Iterator[Pointer]:
    for standing in case.standings:
        attempt, name = standing.attempt, repr(str(standing.attempt.intent.step))
        if attempt.claim is not None:
            yield _at(attempt.claim, f"{name} was claimed by {attempt.claim.owner}")
        elif attempt.intent.number == 1 or attempt.intent.deferred is not None:
            yield _at(attempt.intent, f"{name} was scheduled")
        else:
            yield from _born(case, attempt.key, name)


def _born(case: Case, key: str, name: str) -> Iterator[Pointer]:
    """The failure that a retry was born in."""
    for one in case.state.settled.values():
        done = one.settlement
        if isinstance(done, AttemptFailed) and done.retry and done.retry.attempt_key == key:
            yield _at(done, f"{name} failed, and is tried again")


def _at(entry: Entry, says: str) -> Pointer:
    return Pointer(revision=entry.revision, entry=wire_type(type(entry)), at=entry.at, says=says)
