"""
Write a journal as it should be, page by page.

    run = Writing(spec)
    run.begin(run.scheduled("charge"))
    run.page(run.claimed("charge:1"))
    run.page(run.completed("charge:1", 5), run.applied("charge"), run.ended("completed"))
    check_run(bind(run.pages, run.run_id), spec)

Keys are written without the run id.  A source is counted back from the entry
that names it.  Pages that are changed afterwards are bound anew, so the chain
is right whatever they say.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from attrs import evolve

from squidmesh_core.definition.spec import Node, Outcome, Spec, StepNode, WaitNode
from squidmesh_core.ids import (
    AppendId,
    AttemptKey,
    ClaimId,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    attempt_key,
    deferred_key,
    run_visit,
    timeout_key,
    token_hash,
    undo_key,
)
from squidmesh_core.protocol.chain import AppendRecord, link, origin
from squidmesh_core.protocol.codec import encode
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Decided,
    Deferred,
    Entry,
    Failure,
    GateAction,
    GateKind,
    InputFrom,
    InputOf,
    InputUndo,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    Reused,
    RunEnd,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import Exponential, RetryPolicy
from support.scenario import BOOM, EPOCH, LEASE, RUN

Page = Sequence[Entry]

#: What a callback is retried by where its step does not say.
CALLBACK_RETRY: Final = RetryPolicy(
    max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=60_000)
)
LOST: Final = Failure(kind="worker_lost")


def bind(pages: Iterable[Page], run_id: RunId = RUN) -> tuple[AppendRecord, ...]:
    """Appends of these entries, one per page, numbered and chained as they come."""
    records: list[AppendRecord] = []
    previous, last = origin(run_id), 0
    for number, page in enumerate(pages, start=1):
        body = encode(page, run_id)
        previous = link(previous, body)
        records.append(
            AppendRecord(
                run_id=run_id,
                first=Revision(last + 1),
                last=Revision(last + len(page)),
                append_id=AppendId(f"{run_id}/{number}"),
                at=page[0].at,
                body=body,
                hash=previous,
            )
        )
        last += len(page)
    return tuple(records)


class Writing:
    """A run's journal while it is written."""

    def __init__(self, spec: Spec, run_id: RunId = RUN) -> None:
        self.spec = spec
        self.run_id = run_id
        self.now = EPOCH
        self.pages: list[Page] = []
        self._claims: dict[str, AttemptClaimed] = {}

    def page(self, *entries: Entry, after: timedelta = timedelta(0)) -> None:
        """One append; afterwards time passes."""
        first = sum(map(len, self.pages)) + 1
        self.pages.append(
            [_numbered(entry, Revision(first + index)) for index, entry in enumerate(entries)]
        )
        self.now += after

    def begin(self, *entries: Entry, after: timedelta = timedelta(0), **input: object) -> None:
        """The first append of a run that is started by hand; afterwards time passes."""
        self.page(self.receipt("start"), self.started(input), *entries, after=after)

    def visit(self, name: str) -> VisitKey:
        """A visit key of this run."""
        return VisitKey(f"{self.run_id}:{name}")

    def key(self, name: str) -> AttemptKey:
        """An attempt key of this run."""
        return AttemptKey(f"{self.run_id}:{name}")

    # -- the run

    def receipt(
        self, command: str, *, by: str = "olga", key: str | None = None, **payload: object
    ) -> RunSignalReceived:
        """A command arrived."""
        return RunSignalReceived(
            at=self.now,
            command=command,
            payload=payload,
            actor=by,
            idempotency_key=key,
            digest="d" * 64,
        )

    def started(self, input: Mapping[str, object], **more: Any) -> RunStarted:
        """The run exists."""
        return RunStarted(
            at=self.now,
            workflow=self.spec.workflow,
            definition=self.spec.fingerprint,
            trigger=self.spec.triggers[0].name,
            input=input,
            **more,
        )

    def undoing(self, step: str | None = None, failure: Failure | None = None) -> Entry:
        """Undoing begins; without a failure, because of a cancel."""
        return CompensationStarted(
            at=self.now,
            cause="cancel" if failure is None else "failure",
            failure=failure,
            step=None if step is None else NodeName(step),
        )

    def ended(
        self,
        status: RunEnd,
        step: str | None = None,
        error: Failure | None = None,
        **left: str,
    ) -> Entry:
        """The end; `left` says of visits why they were not undone."""
        return RunTerminal(
            at=self.now,
            status=status,
            error=error,
            step=None if step is None else NodeName(step),
            recovery=tuple(
                Unrecovered(visit_key=self.visit(name), step=NodeName(name), reason=why)  # type: ignore[arg-type]  # one of three words, as the test writes it
                for name, why in left.items()
            ),
        )

    # -- attempts

    def scheduled(self, step: str, visit: str | None = None) -> AttemptScheduled:
        """The first attempt of a visit, as its node says."""
        node = self.spec.nodes[NodeName(step)]
        wait = node.duration_ms if isinstance(node, WaitNode) else 0
        key = attempt_key(self.visit(visit or step), 1)
        return AttemptScheduled(
            at=self.now,
            attempt_key=key,
            visit_key=self.visit(visit or step),
            step=NodeName(step),
            visible_at=self.now + timedelta(milliseconds=wait),
            idempotency_key=key,
            **_of(node),
        )

    def timer(self, visit: str, milliseconds: int) -> AttemptScheduled:
        """The time-out of a visit; of an empty one, of the run."""
        guarded = self.visit(visit) if visit else run_visit(self.run_id)
        key = timeout_key(guarded)
        return AttemptScheduled(
            at=self.now,
            attempt_key=key,
            visit_key=guarded,
            step=NodeName(visit.partition("@")[0]),
            kind="timer",
            input=InputFrom(bindings={}),
            visible_at=self.now + timedelta(milliseconds=milliseconds),
            idempotency_key=key,
        )

    def continued(self, key: str, of: AttemptScheduled, delay: timedelta) -> AttemptScheduled:
        """The continuation of a deferred attempt."""
        return evolve(
            of,
            at=self.now,
            attempt_key=deferred_key(self.key(key)),
            input=InputOf(attempt_key=self.key(key)),
            visible_at=self.now + delay,
            deferred=Deferred(reason="later", from_attempt=self.key(key), deferred_at=self.now),
        )

    def undo(
        self, step: str, visit: str | None = None, handed: str | None = None
    ) -> AttemptScheduled:
        """The attempt to undo a visit."""
        node = self.spec.nodes[NodeName(step)]
        assert isinstance(node, StepNode)
        forward = self.visit(visit or step)
        key = attempt_key(undo_key(forward), 1)
        return AttemptScheduled(
            at=self.now,
            attempt_key=key,
            visit_key=undo_key(forward),
            step=node.name,
            kind="compensation",
            input=InputUndo(visit_key=forward),
            action=node.compensate,
            visible_at=self.now,
            idempotency_key=handed or key,
            retry=node.compensate_retry or CALLBACK_RETRY,
        )

    def claimed(self, key: str) -> AttemptClaimed:
        """A worker holds an attempt, with a claim id and token of its own."""
        number = f"{self.run_id}-{len(self._claims)}-{len(self.pages)}"
        claim = AttemptClaimed(
            at=self.now,
            attempt_key=self.key(key),
            claim_id=ClaimId(f"claim-{number}"),
            claim_token_hash=token_hash(number),
            owner="ana",
            lease_until=self.now + LEASE,
        )
        self._claims[key] = claim
        return claim

    def heartbeat(self, key: str) -> AttemptHeartbeat:
        """Its holder goes on."""
        return AttemptHeartbeat(at=self.now, lease_until=self.now + LEASE, **self._fence(key))

    def completed(self, key: str, output: object = None, *, deferred: bool = False) -> Entry:
        """Its holder is done."""
        return AttemptCompleted(at=self.now, output=output, deferred=deferred, **self._fence(key))

    def failed(self, key: str, error: Failure = BOOM, *, retry: timedelta | None = None) -> Entry:
        """Its holder failed, perhaps to be retried."""
        visit, _, number = key.rpartition(":")
        following = None
        if retry is not None:
            following = NextAttempt(
                attempt_key=attempt_key(self.visit(visit), int(number) + 1),
                number=int(number) + 1,
                visible_at=self.now + retry,
            )
        return AttemptFailed(at=self.now, error=error, retry=following, **self._fence(key))

    def lost(self, key: str) -> Entry:
        """The runtime ends a claim that is lost."""
        return AttemptFailed(at=self.now, attempt_key=self.key(key), error=LOST)

    # -- what is applied

    def applied(
        self,
        step: str,
        visit: str | None = None,
        *,
        back: int | None = 1,
        to: str | None = None,
        on: Outcome = "ok",
        error: Failure | None = None,
        reused: Reused | None = None,
        **decided: Any,
    ) -> StepApplied:
        """A visit is applied: the result `back` entries before, the route `to` a node."""
        name = NodeName(step)
        transition = None
        if to is not None:
            transition = Decided(source=name, on=on, target=NodeName(to), **decided)
        output = getattr(self.spec.nodes[name], "output", None)
        return StepApplied(
            at=self.now,
            visit_key=self.visit(visit or step),
            step=name,
            source=None if back is None else Revision(-back),
            output=None if back is None and reused is None else output,
            transition=transition,
            error=error,
            reused_from=reused,
        )

    def undone(self, step: str, visit: str | None = None) -> StepApplied:
        """The undoing of a visit is applied."""
        return StepApplied(
            at=self.now,
            visit_key=undo_key(self.visit(visit or step)),
            step=NodeName(step),
            source=Revision(-1),
        )

    # -- people and messages

    def paused(self, step: str, kind: GateKind, **targets: str) -> ManualStepPaused:
        """A gate is open."""
        node = self.spec.nodes[NodeName(step)]
        return ManualStepPaused(
            at=self.now,
            kind=kind,
            visit_key=self.visit(step),
            step=NodeName(step),
            targets=targets,
            output=getattr(node, "output", None),
        )

    def resolved(self, step: str, action: GateAction, *, by: str = "olga") -> ManualStepResolved:
        """A gate is answered."""
        return ManualStepResolved(
            at=self.now,
            action=action,
            visit_key=self.visit(step),
            step=NodeName(step),
            actor=by,
            result={"decision": action, "actor": by},
        )

    def held(self) -> ManualStepPaused:
        """The run is held."""
        return ManualStepPaused(at=self.now, kind="hold")

    def released(self) -> ManualStepResolved:
        """The hold is lifted."""
        return ManualStepResolved(at=self.now, action="resumed", actor="olga")

    def awaited(self, step: str, visit: str | None = None) -> MessageAwaited:
        """A message is waited for."""
        return MessageAwaited(at=self.now, visit_key=self.visit(visit or step), step=NodeName(step))

    def message(self, step: str, payload: object) -> MessageReceived:
        """A message came."""
        return MessageReceived(at=self.now, step=NodeName(step), payload=payload)

    def _fence(self, key: str) -> dict[str, Any]:
        claim = self._claims[key]
        return {
            "attempt_key": claim.attempt_key,
            "claim_id": claim.claim_id,
            "claim_token_hash": claim.claim_token_hash,
        }


def _numbered(entry: Entry, revision: Revision) -> Entry:
    if isinstance(entry, StepApplied) and entry.source is not None and entry.source < 0:
        entry = evolve(entry, source=Revision(revision + entry.source))
    return evolve(entry, revision=revision)


def _of(node: Node) -> dict[str, Any]:
    if not isinstance(node, StepNode):
        return {"kind": "timer", "input": InputFrom(bindings={})}
    return {
        "input": InputFrom(bindings=node.input),
        "action": node.action,
        "recovery": node.recovery,
        "retry": node.retry,
        "max_deliveries": node.max_deliveries,
    }
