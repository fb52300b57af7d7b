"""Redacted journals: nothing that a host handed in gets out unseen, and the run stays the run."""

from typing import Final

import pytest
from attrs import fields
from hypothesis import given

from squidmesh.files.masking import MASK, Mask
from squidmesh.files.redacting import redacted
from squidmesh_core.canonical import decode
from squidmesh_core.definition.spec import Field, ManualTrigger, Spec
from squidmesh_core.ids import (
    BEGINNING,
    AttemptKey,
    ClaimId,
    Fingerprint,
    NodeName,
    VisitKey,
)
from squidmesh_core.protocol import entries as kinds
from squidmesh_core.protocol.chain import first_break, origin
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.state.fold import fold_run
from support.entries import RUN, histories
from support.journals.writing import bind
from support.scenario import EPOCH

SECRET = "canary-4711"
SPEC = Spec(
    workflow="w",
    triggers=(ManualTrigger(name="t", payload=(Field(name="card", type="string"),)),),
    steps=(),
    sensitive=(("card",),),
)
MASKING = Mask(SPEC, {"card": SECRET})
#: Members that move the run, or name what the definition has: nobody's data.
STRUCTURAL: Final = frozenset({
    "action", "at", "attempt_key", "cause", "claim_id", "claim_token_hash", "command",
    "deadline", "definition", "definition_version", "digest", "ended_at", "forked_at",
    "idempotency_key", "kind", "lease_until", "max_deliveries", "number", "occurred_at",
    "owner", "parent", "priority", "queue", "recovery", "replayed_from", "retry", "revision",
    "schedule", "source", "started_at", "status", "step", "target", "targets", "trigger",
    "visible_at", "visit_key", "workflow",
})  # fmt: skip
#: Entry → members that a host fills, all of which the redactor looks at.
FILLED: Final[dict[type, str]] = {
    kinds.RunSignalReceived: "payload actor comment metadata idempotency_key",
    kinds.RunStarted: "input tags partition_key",
    kinds.AttemptScheduled: "input deferred",
    kinds.AttemptClaimed: "",
    kinds.AttemptHeartbeat: "progress",
    kinds.AttemptCompleted: "output deferred",  # whether it was
    kinds.AttemptFailed: "error",
    kinds.StepApplied: "transition error reused_from output",  # the last is a key
    kinds.ManualStepPaused: "output",  # a key
    kinds.ManualStepResolved: "actor comment result",
    kinds.MessageAwaited: "correlation",
    kinds.MessageReceived: "payload",
    kinds.CompensationStarted: "failure",
    kinds.RunTerminal: "error recovery",
    kinds.RunPruned: "",
}


@pytest.mark.parametrize("kind", WIRE_TYPES)
def test_a_new_member_has_to_be_thought_about(kind: type) -> None:
    """Whoever adds one says here whether a host fills it, and teaches the redactor."""
    unknown = {one.name for one in fields(kind)} - STRUCTURAL - set(FILLED[kind].split())

    assert set() == unknown


@given(histories())
def test_a_redacted_journal_is_a_journal(history: tuple[Entry, ...]) -> None:
    """Its chain holds, and it leads to the same steps, keys and end, whatever is in it."""
    if not history:
        return
    records = bind([[entry] for entry in history], RUN)
    entries = [entry for record in records for entry in entries_of(record)]
    state = fold_run(RUN, entries)

    made = redacted(RUN, records, state, MASKING)
    after = [entry for record in made for entry in entries_of(record)]
    other = fold_run(RUN, after)

    assert first_break(made, previous=origin(RUN), after=BEGINNING) is None
    assert [(type(one), one.at, one.revision) for one in entries] == [
        (type(one), one.at, one.revision) for one in after
    ]
    assert (state.status, state.revision, [*state.attempts], [*state.applied]) == (
        other.status,
        other.revision,
        [*other.attempts],
        [*other.applied],
    )


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    """Masked first, it would leave the rest of the longer one to be read."""
    mask = Mask(SPEC, {"card": ["yard", "back yard"]})

    assert f"in the {MASK}, in a {MASK}" == mask.text("in the back yard, in a yard")


def test_secrets_are_masked_in_every_entry() -> None:
    """In whatever member a host's text may stand."""
    failure = kinds.Failure(kind="Boom", message=f"no {SECRET}", code=SECRET, details={"x": SECRET})
    visit = VisitKey(f"{RUN}:a@1")
    key = AttemptKey(f"{RUN}:a@1:1")
    step = NodeName("a")
    digest = "0" * 64
    history: list[Entry] = [
        kinds.RunSignalReceived(
            at=EPOCH, command="start", digest="", actor={"id": SECRET}, comment=SECRET,
            metadata={"m": [SECRET]}, idempotency_key=SECRET,
        ),
        kinds.RunStarted(
            at=EPOCH, workflow="w", definition=Fingerprint(SPEC.fingerprint), trigger="t",
            input={"card": SECRET, "also": SECRET, "password": "other-secret"}, tags=(SECRET,),
            partition_key=SECRET,
        ),
        kinds.AttemptHeartbeat(
            at=EPOCH, attempt_key=key, claim_id=ClaimId("c"), lease_until=EPOCH,
            progress={"note": SECRET}, claim_token_hash=digest,
        ),
        kinds.AttemptCompleted(
            at=EPOCH, attempt_key=key, claim_id=ClaimId("c"), output=[SECRET], claim_token_hash=digest
        ),
        kinds.AttemptFailed(at=EPOCH, attempt_key=key, error=failure),
        kinds.StepApplied(
            at=EPOCH, visit_key=visit, step=step, error=failure,
            reused_from=kinds.Reused(run_id=RUN, value=SECRET, input={"x": SECRET}),
            transition=kinds.Decided(
                source=step, on="ok", target=step, values={"card": 1, "b": SECRET}
            ),
        ),
        kinds.ManualStepResolved(
            at=EPOCH, action="approved", visit_key=visit, step=step, actor=SECRET, comment=SECRET,
            result={"form": {"x": SECRET}},
        ),
        kinds.MessageAwaited(at=EPOCH, visit_key=visit, step=step, correlation=SECRET),
        kinds.MessageReceived(at=EPOCH, step=step, payload={"x": SECRET}),
        kinds.CompensationStarted(at=EPOCH, cause="failure", failure=failure),
        kinds.RunTerminal(
            at=EPOCH, status="failed", error=failure,
            recovery=(kinds.Unrecovered(visit_key=visit, step=step, reason="abandoned", error=failure),),
        ),
    ]  # fmt: skip
    records = bind([[entry] for entry in history], RUN)

    for record in redacted(RUN, records, fold_run(RUN, history), MASKING):
        assert SECRET not in record.body, decode(record.body)
        assert "other-secret" not in record.body
        assert MASK in record.body
