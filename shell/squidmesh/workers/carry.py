"""
Carrying a claim: perform it, settle it, and go on with its run.

The thread that drives a `slot_loop`.  Settling and claiming the run's next
attempt are one append, so the steady path costs one commit per step.
"""

import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any, Final, assert_never, cast

from attrs import Factory, frozen

from squidmesh.actions import Action, ActionRegistry
from squidmesh.authoring.signature import Signature
from squidmesh.context import Context, TxContext, UndoContext
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.known import Known
from squidmesh.door.requests import Appending
from squidmesh.workers.claim import Claim, claim_in
from squidmesh.workers.heartbeat import Heartbeats
from squidmesh.workers.lanes import Lanes
from squidmesh.workers.line import StepSignals
from squidmesh.workers.loop import LetGo, Perform, Settle, SlotRequest, slot_loop
from squidmesh.workers.outlook import Outlook
from squidmesh.workers.perform import (
    Deferred,
    Failed,
    Outcome,
    Performed,
    Settled,
    Succeeded,
    perform,
    timed_out,
)
from squidmesh.workers.timelimits import TimeLimits
from squidmesh.workers.transactional import perform_in_transaction
from squidmesh_core.canonical import restore
from squidmesh_core.decide import Refusal
from squidmesh_core.definition.spec import StepNode
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.plan.admission import inline
from squidmesh_core.plan.deadline import evaluate
from squidmesh_core.protocol.commands import Command, Complete, Defer, Fail, Offer
from squidmesh_storage.api import Batch

LOG: Final = logging.getLogger("squidmesh.worker")
#: Settlements of one run that share an append, which each may fill with an output.
MOST_TOGETHER: Final = 32
#: Seconds between tries to settle while the storage is away.
BETWEEN_TRIES: Final = 0.25
#: Where a lease is not kept or a step has no limit.
_NOTHING: Final = nullcontext()


@frozen(kw_only=True)
class Crew:
    """What it takes to work on claims: who, with which actions, for which queues."""

    door: Door
    actions: ActionRegistry
    owner: str
    lease_ms: int
    queues: frozenset[str]
    run_async: Callable[[Coroutine[Any, Any, object], StepSignals], object]
    heartbeats: Heartbeats | None
    #: Null: no step is limited.
    limits: TimeLimits | None = None
    #: The instant that everything is decided at; null: the storage's clock.
    now: datetime | None = None
    #: What is known of limits and pauses.
    lanes: Lanes = Factory(Lanes)
    #: What is known to wait.
    outlook: Outlook = Factory(Outlook)

    def offer(self, *, settled: str | None = None) -> tuple[Offer, str]:
        """
        A free slot of this crew, with a fresh token.

        Args:
            settled: The queue of the attempt that has just left the slot, if one has.
        """
        return self.door.mint.offer(
            owner=self.owner,
            lease_ms=self.lease_ms,
            actions=self.actions.performable(),
            where=inline(self.queues, self.lanes.settings, settled=settled),
            waiting=self.outlook.waiting,
        )


def _nobody_hears(place: int) -> None:
    """Whoever has no slot to leave."""


def carry(crew: Crew, claim: Claim, stopping: Callable[[], bool]) -> int:
    """
    Work on a claim and what follows it in its run; how many attempts were performed.

    Args:
        crew: Who works.
        claim: Where to begin.
        stopping: Whether to settle what runs and take nothing more.
    """
    loop = slot_loop(claim, stopping, crew.door.ports.monotonic, crew.door.has_outgrown)
    try:
        request = next(loop)
        while True:
            request = loop.send(act(crew, request))
    except StopIteration as stop:
        performed: int = stop.value
        return performed


def act(crew: Crew, request: SlotRequest) -> Performed | Claim | None:
    """Do what a slot loop asks for; the reply."""
    match request:
        case Perform(claim=claim, go_on=go_on):
            return perform_claim(crew, claim, go_on)
        case Settle():
            return settle_all(crew, [request])[0]
        case LetGo(claim=claim):
            crew.door.leave_checkpoint(claim.run_id)
            return None
    assert_never(request)


def settle_all(
    crew: Crew, requests: Sequence[Settle], leaving: Callable[[int], object] = _nobody_hears
) -> list[Claim | None]:
    """
    Record what came of steps; for each the claim of its run's next attempt, if one was made.

    What belongs to one run is one append, and all of them travel together.  A refusal is
    normal life: the lease was lost or the run ended, and what the step returned is dropped.
    While the storage is away it is asked again until the leases are past; any other
    storage error leaves the claim to run out.

    Args:
        crew: Who works.
        requests: What is to be settled.
        leaving: Told, before anything is durable, which of them will bring no claim unless
            they have to be decided afresh.
    """
    followed = [
        one.outcome.following if isinstance(one.outcome, Settled) else None for one in requests
    ]
    left = [one for one in enumerate(requests) if not isinstance(one[1].outcome, Settled)]
    while left:
        wave, left = _wave(left)
        for place, claim in _settled(crew, wave, leaving):
            followed[place] = claim
    return followed


def _wave(
    requests: Sequence[tuple[int, Settle]],
) -> tuple[list[tuple[int, Settle]], list[tuple[int, Settle]]]:
    """What is settled now, not too much of any run, and what is left."""
    wave, left, of_run = list[tuple[int, Settle]](), list[tuple[int, Settle]](), Counter[RunId]()
    for one in requests:
        run_id = one[1].claim.run_id
        of_run[run_id] += 1
        (wave if of_run[run_id] <= MOST_TOGETHER else left).append(one)
    return wave, left


def _settled(
    crew: Crew, requests: Sequence[tuple[int, Settle]], leaving: Callable[[int], object]
) -> Iterator[tuple[int, Claim | None]]:
    if any(request.go_on for _, request in requests):
        crew.lanes.look()
    offers = [
        crew.offer(settled=request.claim.queue) if request.go_on else None
        for _, request in requests
    ]
    commands = [
        (
            request.claim.run_id,
            command_for(request.claim, request.outcome, crew.door.ports.draw, offer and offer[0]),
        )
        for (_, request), offer in zip(requests, offers, strict=True)
    ]
    of_run: dict[RunId, list[int]] = {}
    for place, request in requests:
        of_run.setdefault(request.claim.run_id, []).append(place)

    def appending(batch: Batch) -> None:
        for place in of_run[batch.record.run_id][claims_in(batch) :]:
            leaving(place)

    crew.door.ports.site("settle.before")
    handled = _insist(crew, commands, appending)
    crew.door.ports.site("settle.after")
    for (place, request), offer, one in zip(requests, offers, handled, strict=True):
        yield place, following(request.claim, one, offer)


def claims_in(batch: Batch) -> int:
    """How many claims settling makes: no other attempt's row is touched that is held then."""
    return sum(row.held_until is not None for row in batch.rows.put)


def _insist(
    crew: Crew, commands: Sequence[tuple[RunId, Command]], appending: Appending
) -> list[Handled | Exception]:
    """Ask again while the storage is away, for as long as the leases could live."""
    ports = crew.door.ports
    handled = crew.door.handle_all(commands, now=crew.now, appending=appending)
    began = ports.monotonic()
    while (ports.monotonic() - began) * 1000 < crew.lease_ms:
        away = [place for place, one in enumerate(handled) if isinstance(one, StorageUnavailable)]
        if not away:
            break
        ports.pause(BETWEEN_TRIES)
        again = crew.door.handle_all([commands[place] for place in away], now=crew.now)
        for place, one in zip(away, again, strict=True):
            handled[place] = one
    return handled


def following(
    claim: Claim, handled: Handled | Exception, offer: tuple[Offer, str] | None
) -> Claim | None:
    """The claim of the run's next attempt, if settling this one has made it."""
    if isinstance(handled, Exception):
        LOG.error("%s could not be settled: %s", claim.attempt_key, handled)
        LOG.debug("this is where it came from", exc_info=handled)
        return None
    if isinstance(handled.answer, Refusal):
        LOG.warning("%s", handled.answer.message)
        return None
    if offer is None:
        return None
    return claim_in(handled.state, handled.entries, *offer)


def hand_back(crew: Crew, claim: Claim) -> None:
    """Give a claim back before it was begun: somebody else takes it at once."""
    later = Deferred(reason={"message": "worker_stopping"}, delay_ms=0)
    settle_all(crew, [Settle(claim=claim, outcome=later, go_on=False)])


def command_for(
    claim: Claim, outcome: Performed, draw: Callable[[], float], offer: Offer | None
) -> Complete | Fail | Defer:
    """The command that settles a claim with an outcome."""
    match outcome:
        case Succeeded():
            return Complete(held=claim.held, output=outcome.output, offer=offer)
        case Failed():
            return Fail(
                held=claim.held,
                error=outcome.error,
                retryable=outcome.retryable,
                kinds=outcome.kinds,
                retry_after_ms=outcome.retry_after_ms,
                jitter=draw(),
                offer=offer,
            )
        case Deferred():
            return Defer(
                held=claim.held,
                reason=outcome.reason,
                delay_ms=outcome.delay_ms,
                until=outcome.until,
                offer=offer,
            )
        case Settled():
            raise TypeError(f"{claim.attempt_key} was settled already, by its own transaction")


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
        """The outcome that counts: whatever comes after the time limit comes too late."""
        if self.limit_ms is not None and self.signals.timed_out:
            return timed_out(self.limit_ms)
        return outcome


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
