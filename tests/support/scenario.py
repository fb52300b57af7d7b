"""
Reaching states through the front door: one run, moved by commands and by time.

    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    held = run.claim("charge")
    run.time_passes(LEASE)
    assert "expired_claim" == run.expects_refusal(Complete(held=held)).code

Verbs that end in a decision append it, and assert that it did.  Every append
is checked against the fold, so each test is one of the deciders' promise as well;
and whatever is answered can be written down.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

from attrs import evolve

from squidmesh_core.canonical import storable
from squidmesh_core.decide import Already, Answer, Decision, Refusal, decide
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import (
    BEGINNING,
    AttemptKey,
    ClaimId,
    Fingerprint,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    timeout_key,
    token_hash,
)
from squidmesh_core.protocol.codec import decode, encode
from squidmesh_core.protocol.commands import (
    Cancel,
    Claim,
    Command,
    Complete,
    Defer,
    Fail,
    Heartbeat,
    Held,
    Offer,
    Pause,
    Receipted,
    Resume,
    Review,
    Send,
    Start,
)
from squidmesh_core.protocol.entries import AttemptClaimed, Entry, Failure
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
LEASE: Final = timedelta(seconds=60)
RUN: Final = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
BOOM: Final = Failure(kind="Boom", message="it broke")

E = TypeVar("E", bound=Entry)


class Scenario:
    """One run: its definition, its journal, the clock, and what the journal adds up to."""

    def __init__(self, spec: Spec, *, now: datetime = EPOCH, run_id: RunId = RUN) -> None:
        self.spec = spec
        self.now = now
        self.journal: list[Entry] = []
        self.state = RunState(run_id=run_id)
        #: The state after each append, the empty one first.
        self.states = [self.state]
        self._drawn = 0

    # -- commands

    def ask(self, command: Command) -> Answer:
        """Put a command to the run; what is decided is appended."""
        answer = decide(self.state, self.spec, command, self.now)
        if isinstance(answer, Decision):
            self._append(answer)
        elif isinstance(answer, Refusal):
            assert said(answer)
        return answer

    def decides(self, command: Command) -> Decision:
        """Put a command to the run that it must follow."""
        answer = self.ask(command)
        assert isinstance(answer, Decision), answer
        return answer

    def expects_refusal(self, command: Command) -> Refusal:
        """Put a command to the run that it must refuse."""
        answer = self.ask(command)
        assert isinstance(answer, Refusal), answer
        return answer

    def expects_already(self, command: Command) -> Already:
        """Put a command to the run that it must have followed before."""
        answer = self.ask(command)
        assert isinstance(answer, Already), answer
        return answer

    def start(
        self,
        payload: Mapping[str, object] | None = None,
        *,
        offer: Offer | None = None,
        queue: str = "default",
        priority: int = 0,
        visible_at: datetime | None = None,
    ) -> Decision:
        """Begin the run."""
        return self.decides(
            a_start(
                payload,
                run_id=self.state.run_id,
                offer=offer,
                queue=queue,
                priority=priority,
                visible_at=visible_at,
            )
        )

    def claim(self, step: str, *, by: str = "ana", lease: timedelta = LEASE) -> Held:
        """Let a worker claim the newest attempt of a step; what it holds then."""
        offer = self.offer(by, lease=lease)
        self.decides(Claim(attempt_key=self.attempt(step).key, offer=offer))
        return self.held(offer)

    def tick(self, step: str) -> Decision:
        """Let a worker do what needs nobody: a log, or a wait that is over."""
        return self.decides(Claim(attempt_key=self.attempt(step).key, offer=self.offer()))

    def complete(
        self, held: Held, output: object = None, *, offer: Offer | None = None
    ) -> Decision:
        """End an attempt with an output."""
        return self.decides(Complete(held=held, output=output, offer=offer))

    def perform(self, step: str, output: object = None) -> Decision:
        """Claim and complete."""
        return self.complete(self.claim(step), output)

    def fail(self, held: Held, error: Failure = BOOM, *, retryable: bool = True) -> Decision:
        """End an attempt with an error."""
        return self.decides(Fail(held=held, error=error, retryable=retryable))

    def defer(self, held: Held, *, delay_ms: int = 0) -> Decision:
        """End an attempt with: same work, later."""
        return self.decides(Defer(held=held, reason="not yet", delay_ms=delay_ms))

    def heartbeat(self, held: Held, *, lease: timedelta = LEASE) -> Decision:
        """Move a lease."""
        return self.decides(Heartbeat(held=held, lease_ms=milliseconds(lease)))

    def undo(self, step: str, output: object = None, *, offer: Offer | None = None) -> Decision:
        """Claim and complete the callback that is due, which must be this step's."""
        assert ["compensation"] == [attempt.intent.kind for attempt in self.state.live.values()]
        return self.complete(self.claim(step), output, offer=offer)

    def cancel(
        self, *, key: str | None = None, compensate: bool = False, abandon: bool = False
    ) -> Decision:
        """End the run as an operator."""
        return self.decides(a_cancel(key=key, compensate=compensate, abandon=abandon))

    def hold(self, *, actor: object = "olga", key: str | None = None) -> Decision:
        """Hold the whole run as an operator."""
        return self.decides(a_hold(actor=actor, key=key))

    def resume(
        self, node: str | None = None, *, actor: object = "olga", key: str | None = None
    ) -> Decision:
        """Lift the hold, or answer a pause node."""
        return self.decides(a_resume(node, actor=actor, key=key))

    def approve(
        self,
        node: str | None = None,
        *,
        form: Mapping[str, object] | None = None,
        actor: object = "ida",
        key: str | None = None,
    ) -> Decision:
        """Say yes."""
        return self.decides(a_review("approved", node, form=form, actor=actor, key=key))

    def reject(
        self,
        node: str | None = None,
        *,
        form: Mapping[str, object] | None = None,
        actor: object = "ida",
        key: str | None = None,
    ) -> Decision:
        """Say no."""
        return self.decides(a_review("rejected", node, form=form, actor=actor, key=key))

    def send(
        self, node: str, payload: object = None, *, actor: object = None, key: str | None = None
    ) -> Decision:
        """Hand a message in; null: an empty one."""
        return self.decides(a_message(node, payload, actor=actor, key=key))

    def strike(self, visit: str | None = None, *, offer: Offer | None = None) -> Decision:
        """
        Let a worker take the timer of a visit, `<node>` or `<node>@<n>`; null: of the run.

        Time must have passed: nothing is waited for here.
        """
        run_id = self.state.run_id
        key = timeout_key(VisitKey(run_id if visit is None else f"{run_id}:{visit}"))
        return self.decides(Claim(attempt_key=key, offer=offer or self.offer()))

    # -- what befalls a run

    def finds(self, *entries: Entry) -> None:
        """Take in what is in the journal without a command: the tombstone of a pruned run."""
        self._append(Decision(entries=entries, state=fold(self.state, entries)))

    def time_passes(self, pause: timedelta) -> None:
        """Move the clock."""
        self.now += pause

    def process_restarts(self) -> None:
        """Forget the state and read the journal again."""
        self.state = fold(RunState(run_id=self.state.run_id), self.journal)

    # -- workers

    def offer(
        self,
        by: str = "ana",
        *,
        lease: timedelta = LEASE,
        actions: frozenset[str] | None = None,
        queues: frozenset[str] = frozenset({"default"}),
    ) -> Offer:
        """A worker's free slot, with a claim id and a token of its own."""
        self._drawn += 1
        steps = [node for node in self.spec.steps if isinstance(node, StepNode)]
        callbacks = {node.compensate for node in steps if node.compensate is not None}
        every = callbacks | {node.action for node in steps}
        return Offer(
            owner=by,
            claim_id=ClaimId(f"claim-{self._drawn}"),
            claim_token_hash=token_hash(f"token-{self._drawn}"),
            lease_ms=milliseconds(lease),
            actions=frozenset(every) if actions is None else actions,
            queues=queues,
        )

    def held(self, offer: Offer) -> Held:
        """What was claimed for an offer."""
        return Held(
            attempt_key=self.claimed_for(offer)[0],
            claim_id=offer.claim_id,
            claim_token_hash=offer.claim_token_hash,
        )

    def claimed_for(self, offer: Offer) -> list[AttemptKey]:
        """Keys of the attempts that were claimed for an offer: none or one."""
        claims = self.entries(AttemptClaimed)
        return [claim.attempt_key for claim in claims if claim.claim_id == offer.claim_id]

    # -- looking

    def attempt(self, step: str) -> Attempt:
        """The newest attempt of a step, live ones first."""
        live = [a for a in self.state.live.values() if a.intent.step == step]
        return (live or [a for a in self.state.settled.values() if a.intent.step == step])[-1]

    def entries(self, kind: type[E]) -> list[E]:
        """The entries of one type, in order."""
        return [entry for entry in self.journal if isinstance(entry, kind)]

    @property
    def steps(self) -> list[NodeName]:
        """The nodes that have a live attempt."""
        return [attempt.intent.step for attempt in self.state.live.values()]

    def _append(self, decision: Decision) -> None:
        first = self.state.revision + 1
        revisions = list(range(first, first + len(decision.entries)))
        folded = fold(self.state, decision.entries)
        body = encode(decision.entries, self.state.run_id)
        assert decision.entries == decode(body, run_id=self.state.run_id, first=Revision(first))
        assert revisions == [entry.revision for entry in decision.entries]
        assert () == folded.anomalies
        assert folded == decision.state
        self.journal.extend(decision.entries)
        self.state = decision.state
        self.states.append(self.state)


# --- commands and states


def a_start(
    payload: Mapping[str, object] | None = None,
    *,
    run_id: RunId = RUN,
    digest: str = "as ordered",
    key: str | None = None,
    offer: Offer | None = None,
    queue: str = "default",
    priority: int = 0,
    visible_at: datetime | None = None,
) -> Start:
    """A start of the workflow that `support.workflows` builds."""
    return Start(
        run_id=run_id,
        workflow="orders",
        definition=Fingerprint("f" * 64),
        trigger="placed",
        input=payload or {},
        digest=digest,
        queue=queue,
        priority=priority,
        visible_at=visible_at,
        said=Receipted(key=key),
        offer=offer,
    )


def a_cancel(
    *,
    key: str | None = None,
    digest: str = "as wished",
    compensate: bool = False,
    abandon: bool = False,
) -> Cancel:
    """A cancel by an operator."""
    return Cancel(
        said=Receipted(actor="olga", key=key),
        digest=digest,
        compensate=compensate,
        abandon=abandon,
    )


def a_hold(*, actor: object = "olga", key: str | None = None) -> Pause:
    """A hold by an operator; who asks is part of what is asked."""
    return Pause(said=Receipted(actor=actor, key=key), digest=f"hold by {actor!r}")


def a_resume(node: str | None = None, *, actor: object = "olga", key: str | None = None) -> Resume:
    """The end of a hold, or the answer of a pause node."""
    said = Receipted(actor=actor, key=key)
    return Resume(node=node, said=said, digest=f"resume {node} by {actor!r}")


def a_review(
    decision: Literal["approved", "rejected"],
    node: str | None = None,
    *,
    form: Mapping[str, object] | None = None,
    actor: object = "ida",
    key: str | None = None,
) -> Review:
    """The answer of an approval."""
    return Review(
        decision=decision,
        node=node,
        form=form,
        said=Receipted(actor=actor, key=key),
        digest=f"{decision} {node} {form!r} by {actor!r}",
    )


def a_message(
    node: str, payload: object = None, *, actor: object = None, key: str | None = None
) -> Send:
    """A message; null: an empty one."""
    return Send(
        node=node,
        payload={} if payload is None else payload,
        said=Receipted(actor=actor, key=key),
        digest=f"send {node} {payload!r} by {actor!r}",
    )


def milliseconds(duration: timedelta) -> int:
    """A duration in whole milliseconds."""
    return duration // timedelta(milliseconds=1)


def said(refusal: Refusal) -> bool:
    """Whether a refusal says why, in a text and in data that can be sent anywhere."""
    storable({"code": refusal.code, "details": refusal.details})
    return len(refusal.message) > len(refusal.code) > 0 and not re.search(
        r"\bNone\b", refusal.message
    )


def content(state: RunState) -> RunState:
    """The state without what every entry moves: revision, instant, anomalies."""
    return evolve(state, revision=BEGINNING, at=None, anomalies=())
