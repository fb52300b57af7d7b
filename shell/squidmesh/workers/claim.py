"""The right to settle an attempt, as workers and hosts hold it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import field, frozen

from squidmesh_core.canonical import restore
from squidmesh_core.ids import (
    AttemptKey,
    ClaimId,
    FencingToken,
    NodeName,
    RunId,
    token_hash,
    visit_number,
)
from squidmesh_core.protocol.commands import Held, Offer
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptKind,
    Entry,
    Input,
    InputFrom,
    InputOf,
)
from squidmesh_core.protocol.making import quick
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState


@quick
@frozen(kw_only=True)
class Claim:
    """The right to settle one attempt while `now < lease_until`."""

    run_id: RunId
    attempt_key: AttemptKey
    workflow: str
    node: NodeName
    #: What the attempt is: a step, or the callback that undoes one (`compensation`).
    kind: AttemptKind
    #: The action to perform, by key.
    action: str | None
    input: Mapping[str, object] = field(repr=False)
    #: Whether the input is the whole run context, of which the step takes what it names.
    whole_context: bool
    #: Which try this is, counting from 1.
    attempt: int
    #: Which entry into the node this is, counting from 1.
    visit: int
    queue: str
    owner: str
    claim_id: ClaimId
    #: Proves that this is the holder; kept by nobody else, shown nowhere.
    token: str = field(repr=False)
    #: Grows with each claim of a run; hand it to resources that can compare.
    fencing_token: FencingToken
    lease_until: datetime
    #: The length that a heartbeat renews the lease to.
    lease_ms: int
    #: What to hand to the outside: the same for every try of this visit.
    idempotency_key: str

    @property
    def held(self) -> Held:
        """The proof, as the deciders want it."""
        return Held(
            attempt_key=self.attempt_key,
            claim_id=self.claim_id,
            claim_token_hash=token_hash(self.token),
        )


def claim_in(state: RunState, entries: Sequence[Entry], offer: Offer, token: str) -> Claim | None:
    """The claim that these entries made on this offer, if they made one that counts."""
    for entry in reversed(entries):
        if isinstance(entry, AttemptClaimed) and entry.claim_id == offer.claim_id:
            attempt = state.live.get(entry.attempt_key)
            if attempt is not None and attempt.claim == entry:
                return _claim(state, attempt, entry, offer, token)
    return None


def _claim(
    state: RunState, attempt: Attempt, entry: AttemptClaimed, offer: Offer, token: str
) -> Claim:
    intent = attempt.intent
    return Claim(
        run_id=state.run_id,
        attempt_key=intent.attempt_key,
        workflow=state.started.workflow if state.started else "",
        node=intent.step,
        kind=intent.kind,
        action=intent.action,
        input={name: restore(value) for name, value in attempt.input.items()},
        whole_context=_is_whole_context(state, intent.input),
        attempt=intent.number,
        visit=visit_number(intent.visit_key),
        queue=intent.queue,
        owner=entry.owner,
        claim_id=entry.claim_id,
        token=token,
        fencing_token=FencingToken(entry.revision),
        lease_until=entry.lease_until,
        lease_ms=offer.lease_ms,
        idempotency_key=intent.idempotency_key,
    )


def _is_whole_context(state: RunState, source: Input) -> bool:
    """Whether an input is the whole run context, at first or again after deferrals."""
    while isinstance(source, InputOf):
        earlier = state.attempt(source.attempt_key)
        if earlier is None:
            return False
        source = earlier.intent.input
    return isinstance(source, InputFrom) and source.bindings is None
