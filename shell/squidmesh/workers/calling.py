"""
Calling a claimed step: what it is given, its lease kept, its time limited.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, cast

from attrs import Factory, frozen

from squidmesh.actions import Action
from squidmesh.authoring.signature import Signature
from squidmesh.context import Context, TxContext, UndoContext
from squidmesh.door.known import Known
from squidmesh.workers.claim import Claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.line import StepSignals
from squidmesh.workers.loop import Settle
from squidmesh.workers.perform import (
    Failed,
    Outcome,
    Performed,
    for_other_code,
    perform,
    timed_out,
)
from squidmesh.workers.settling import settle_all
from squidmesh.workers.transactional import perform_in_transaction
from squidmesh_core.canonical import restore
from squidmesh_core.definition.spec import StepNode
from squidmesh_core.plan.deadline import evaluate
from squidmesh_core.protocol.making import quick

#: Where a lease is not kept or a step has no limit.
_NOTHING: Final = nullcontext()


def perform_claim(crew: Crew, claim: Claim, go_on: Callable[[], bool] = lambda: False) -> Performed:
    """
    Call the claimed step on this thread.

    Args:
        crew: Who works.
        claim: What to call.
        go_on: See `Perform`.

    Raises:
        LookupError: Its action is not registered with this mesh.
    """
    known = crew.door.memory.get(claim.run_id) or crew.door.fresh(claim.run_id)
    return perform_call(call_of(crew, claim, known, go_on))


@quick
@frozen(kw_only=True)
class Call:
    """A claimed step that is about to be called."""

    crew: Crew
    claim: Claim
    #: The run as it is now: the step sees it so.
    known: Known
    action: Action
    signals: StepSignals = Factory(StepSignals)
    #: Milliseconds that it may take; null: as long as it likes.
    limit_ms: int | None
    #: Of a callback, the step that it undoes, where that is performed here too.
    undoes: Signature | None
    #: Whether the step writes in one transaction with the journal.
    transactional: bool = False
    #: Whether that transaction may claim the run's next attempt.
    go_on: Callable[[], bool]

    def context(self, connection: object = None) -> Context:
        """What the step sees of its run, and the connection of its transaction."""
        return context_of(self.known, self.claim, self.signals, connection)

    @contextmanager
    def attended(self, *, alone: bool = False) -> Iterator[None]:
        """
        Keep the lease while the block runs, and end the attempt when its time is over.

        Args:
            alone: Nobody else can write meanwhile: the lease is not kept, and the step
                is only told of its time.
        """
        crew, site = self.crew, self.crew.door.ports.site
        beats = None if alone else crew.heartbeats
        kept = beats.keeping(self.claim, self.signals) if beats else _NOTHING
        site("perform.before")
        with kept, _limited(crew, self.claim, self.signals, self.limit_ms, alone=alone):
            yield
        site("perform.after")

    def judged(self, outcome: Outcome) -> Outcome:
        """
        The outcome that counts.

        Whatever comes after the time limit comes too late.  What does not fit the function,
        because this worker's code is older or newer than the run's definition, is left to
        others: nothing fails because a deploy is in progress.
        """
        if self.limit_ms is not None and self.signals.timed_out:
            return timed_out(self.limit_ms)
        if isinstance(outcome, Failed) and outcome.uncalled and self._is_for_other_code():
            return for_other_code(self.claim, self.action.signature, outcome.error)
        return outcome

    def _is_for_other_code(self) -> bool:
        """A callback is not left: those after it would wait, and a person is told of it."""
        return self.claim.kind == "step" and not self.crew.has_code_of(self.known.spec)


def call_of(crew: Crew, claim: Claim, known: Known, go_on: Callable[[], bool]) -> Call:
    """
    What is called for a claim, and how.

    Args:
        crew: Who works.
        claim: What to call.
        known: Its run.
        go_on: See `Perform`.

    Raises:
        LookupError: Its action is not registered with this mesh.
    """
    action = crew.actions.resolve(claim.action or "")
    if action is None:
        raise LookupError(f"{claim.action} was claimed, but is not registered with this mesh")
    node = known.spec.nodes.get(claim.node)
    step = node if isinstance(node, StepNode) else None
    return Call(
        crew=crew,
        claim=claim,
        known=known,
        action=action,
        limit_ms=step.timeout_ms if step is not None and claim.kind == "step" else None,
        undoes=_undone(crew, claim, step),
        transactional=claim.kind == "step"
        and ((step is not None and step.transaction) or action.signature.context is TxContext),
        go_on=go_on,
    )


def perform_call(call: Call) -> Performed:
    """
    Call a step on this thread, its lease kept alive meanwhile.

    Raises:
        StorageError: The step has a transaction, and the database went away.
    """
    if call.transactional:
        return perform_in_transaction(call)
    with call.attended():
        outcome = perform(
            call.action,
            call.claim,
            call.context,
            lambda coroutine: call.crew.run_async(coroutine, call.signals),
            undoes=call.undoes,
        )
    return call.judged(outcome)


def _undone(crew: Crew, claim: Claim, node: StepNode | None) -> Signature | None:
    """What a callback undoes, if that step is performed here too."""
    if claim.kind != "compensation" or node is None:
        return None
    action = crew.actions.resolve(node.action)
    return action.signature if action is not None else None


def _limited(
    crew: Crew, claim: Claim, signals: StepSignals, limit_ms: int | None, *, alone: bool
) -> AbstractContextManager[None]:
    """Fail the attempt when the limit strikes, without waiting for the step."""
    limits = crew.limits
    if limits is None or limit_ms is None:
        return _NOTHING
    late = Settle(claim=claim, outcome=timed_out(limit_ms), go_on=False)
    return limits.limiting(signals, limit_ms, lambda: None if alone else settle_all(crew, [late]))


def context_of(
    known: Known, claim: Claim, signals: StepSignals, connection: object = None
) -> Context:
    """What the step sees of its run: never the token."""
    state = known.state
    begun = state.started
    attempt = state.attempt(claim.attempt_key)
    deadline = attempt.intent.deadline if attempt else None
    members: dict[str, Any] = {
        "run_id": claim.run_id,
        "workflow": claim.workflow,
        "node": claim.node,
        "attempt": claim.attempt,
        "visit": claim.visit,
        "attempt_key": claim.attempt_key,
        "idempotency_key": claim.idempotency_key,
        "claim_id": claim.claim_id,
        "fencing_token": claim.fencing_token,
        "queue": claim.queue,
        "tags": begun.tags if begun else (),
        "due_at": evaluate(deadline, state.at).due_at if deadline and state.at else None,
        "state": {name: restore(value) for name, value in state.context.items()},
        "signals": signals,
    }
    if claim.kind == "compensation":
        given = cast("Mapping[str, object]", claim.input["input"])
        failure = cast("Mapping[str, object] | None", claim.input["failure"])
        return UndoContext(**members, input=given, failure=failure or {})
    if connection is not None:
        return TxContext(**members, connection=connection)
    return Context(**members)
