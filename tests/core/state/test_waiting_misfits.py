"""Every entry about waiting against every state it can meet: it fits, or it is noted and no more."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from attrs import evolve

from squidmesh_core.ids import AttemptKey, ClaimId, NodeName, Revision, VisitKey, visit_key
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    CompensationStarted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    StepApplied,
)
from squidmesh_core.state.fold import fold
from support.scenario import EPOCH, LEASE, RUN, Scenario, a_cancel, content
from support.workflows import pause, receive, step, workflow

NEXT = Revision(100)
LOOK, PARCEL = (visit_key(RUN, NodeName(name)) for name in ("look", "parcel"))


def started() -> Scenario:
    """At `look` and `parcel`, with `pick` to be claimed; all of it can be undone."""
    pick = evolve(step("pick"), compensate="do.unpick")
    run = Scenario(
        workflow(
            pick, pause("look"), receive("parcel"), step("end", after=("pick", "look", "parcel"))
        )
    )
    run.start()
    return run


def held() -> Scenario:
    run = started()
    run.hold()
    return run


def applied() -> Scenario:
    run = started()
    run.resume()
    run.send("parcel")
    return run


def undoing() -> Scenario:
    run = started()
    run.perform("pick")
    run.decides(evolve(a_cancel(), compensate=True))
    return run


def ended() -> Scenario:
    run = started()
    run.cancel()
    return run


STATES: Final[Mapping[str, Callable[[], Scenario]]] = {
    "not there": lambda: Scenario(workflow(step("pick"))),
    "waiting": started,
    "held": held,
    "applied": applied,
    "undoing": undoing,
    "ended": ended,
}


def gate(visit: VisitKey | None, name: str | None) -> ManualStepPaused:
    return ManualStepPaused(
        at=EPOCH,
        revision=NEXT,
        kind="pause",
        visit_key=visit,
        step=None if name is None else NodeName(name),
    )


def answer(visit: VisitKey | None, name: str | None) -> ManualStepResolved:
    return ManualStepResolved(
        at=EPOCH,
        revision=NEXT,
        action="resumed",
        visit_key=visit,
        step=None if name is None else NodeName(name),
    )


def consequence(visit: VisitKey, name: str, source: int | None = None) -> StepApplied:
    return StepApplied(
        at=EPOCH,
        revision=NEXT,
        visit_key=visit,
        step=NodeName(name),
        source=None if source is None else Revision(source),
    )


OTHER = VisitKey(f"{RUN}:look@2")
ENTRIES: Final[Mapping[str, Entry]] = {
    "gate of the visit": gate(LOOK, "look"),
    "gate of another visit": gate(OTHER, "look"),
    "gate without a visit": gate(None, "look"),
    "gate without a step": gate(OTHER, None),
    "hold": ManualStepPaused(at=EPOCH, revision=NEXT, kind="hold"),
    "answer": answer(LOOK, "look"),
    "answer of another visit": answer(OTHER, "look"),
    "end of a hold": answer(None, None),
    "await of the visit": MessageAwaited(
        at=EPOCH, revision=NEXT, visit_key=PARCEL, step=NodeName("parcel")
    ),
    "await of another visit": MessageAwaited(
        at=EPOCH, revision=NEXT, visit_key=VisitKey(f"{PARCEL}@2"), step=NodeName("parcel")
    ),
    "message": MessageReceived(at=EPOCH, revision=NEXT, step=NodeName("parcel")),
    "consequence": consequence(LOOK, "look"),
    "consequence of nothing": consequence(LOOK, "look", 99),
    "compensation": CompensationStarted(at=EPOCH, revision=NEXT, cause="cancel"),
    "claim": AttemptClaimed(
        at=EPOCH,
        revision=NEXT,
        attempt_key=AttemptKey(f"{RUN}:pick:1"),
        claim_id=ClaimId("c"),
        claim_token_hash="0" * 64,
        owner="ana",
        lease_until=EPOCH + LEASE,
    ),
}

#: In the order of `STATES`; a dot: it fits.
GRID: Final = """
gate of the visit       | malformed_entry active_manual_step      active_manual_step      terminal_attempt        compensating            terminal_run
gate of another visit   | malformed_entry .                       .                       .                       compensating            terminal_run
gate without a visit    | malformed_entry malformed_entry         malformed_entry         malformed_entry         compensating            terminal_run
gate without a step     | malformed_entry malformed_entry         malformed_entry         malformed_entry         compensating            terminal_run
hold                    | malformed_entry .                       active_manual_step      .                       compensating            terminal_run
answer                  | malformed_entry .                       .                       stale_manual_resolution stale_manual_resolution terminal_run
answer of another visit | malformed_entry stale_manual_resolution stale_manual_resolution stale_manual_resolution stale_manual_resolution terminal_run
end of a hold           | malformed_entry stale_manual_resolution .                       stale_manual_resolution stale_manual_resolution terminal_run
await of the visit      | malformed_entry active_await            active_await            terminal_attempt        compensating            terminal_run
await of another visit  | malformed_entry .                       .                       .                       compensating            terminal_run
message                 | malformed_entry .                       .                       .                       compensating            terminal_run
consequence             | malformed_entry .                       .                       conflicting_completion  .                       terminal_run
consequence of nothing  | malformed_entry result_not_completed    result_not_completed    conflicting_completion  result_not_completed    terminal_run
compensation            | malformed_entry .                       .                       .                       compensating            terminal_run
claim                   | malformed_entry .                       held_run                .                       compensating            terminal_run
"""
ROWS: Final = {
    name.strip(): dict(zip(STATES, reasons.split(), strict=True))
    for name, bar, reasons in (line.partition("|") for line in GRID.splitlines())
    if bar
}


def test_every_entry_has_its_row() -> None:
    """The grid and the entries above it are the same."""
    assert ENTRIES.keys() == ROWS.keys()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_in_state(entry: str, state: str) -> None:
    """The grid's reason; what does not fit changes nothing else."""
    before = STATES[state]().state
    after = fold(before, [ENTRIES[entry]])
    noted = [anomaly.reason for anomaly in after.anomalies]

    assert ([] if ROWS[entry][state] == "." else [ROWS[entry][state]]) == noted
    assert (content(before) == content(after)) == bool(noted)
