"""
Strategies for arbitrary entries and histories, possible and impossible ones.

Keys, names and instants come from small pools, so that entries meet: the same
attempt is claimed twice, a lease ends exactly when another begins.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
from hypothesis import strategies as st

from squidmesh_core.ids import (
    AttemptKey,
    ClaimId,
    Fingerprint,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    run_visit,
)
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Deadline,
    Decided,
    Deferred,
    Entry,
    Failure,
    Input,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    Parent,
    Reused,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    Schedule,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import (
    Binding,
    Constant,
    DeadlinePolicy,
    Exponential,
    FromPath,
    ObjectOf,
    OptionalPath,
    RecoveryPolicy,
    RetryPolicy,
)

RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
OTHER_RUN = RunId("0193e2a0-7b3c-7d10-8f00-cba987654321")
EPOCH = datetime(2026, 11, 21, 2, 14, 25, tzinfo=UTC)

#: Texts that can be stored: no lone surrogates, no NUL.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
words = st.sampled_from(["charge", "ship", "reserve"])
nodes = words.map(NodeName)
numbers = st.integers(1, 3)
milliseconds = st.integers(1, 90_000)

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
#: User values as entries hold them: storable already.
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)

#: Instants around a lease of a minute, to the microsecond, in several zones.
instants = st.builds(
    lambda offset, zone: (EPOCH + offset).astimezone(zone),
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=60)])
    | st.timedeltas(timedelta(0), timedelta(days=2)),
    st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
paths = st.lists(words, max_size=2).map(tuple)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The strategy's values, or null."""
    return st.none() | strategy


def visit_keys(run_id: RunId = RUN) -> st.SearchStrategy[VisitKey]:
    """Keys of a few visits of a run, sometimes of another run, or what stands for the run."""
    visits = st.builds(
        lambda run, undoes, step, visit: VisitKey(f"{run}:{undoes}{step}{visit}"),
        st.sampled_from([run_id, run_id, run_id, OTHER_RUN]),
        st.sampled_from(["", "", "", "compensate:"]),
        words,
        st.sampled_from(["", "@2"]),
    )
    return st.one_of(visits, visits, visits, st.just(run_visit(run_id)))


def attempt_keys(run_id: RunId = RUN) -> st.SearchStrategy[AttemptKey]:
    """Keys of a few attempts of a run, sometimes of another run."""
    tails = st.sampled_from([":1", ":2", ":1:deferred", ":timeout"])
    return st.builds(lambda visit, tail: AttemptKey(visit + tail), visit_keys(run_id), tails)


bindings: st.SearchStrategy[Binding] = st.one_of(
    st.builds(FromPath, path=paths),
    st.builds(Constant, value=values),
    st.builds(OptionalPath, path=paths, default=values),
    st.builds(ObjectOf, fields=st.dictionaries(words, paths, max_size=2)),
)
retries = st.builds(
    RetryPolicy,
    max_attempts=numbers,
    backoff=optional(st.builds(Exponential, min_ms=milliseconds, max_ms=milliseconds)),
    jitter=st.booleans(),
    retry_on=st.lists(words, max_size=2).map(tuple),
)
deadline_policies = st.builds(
    DeadlinePolicy,
    within_ms=st.integers(50_000, 90_000),
    due_soon_ms=optional(st.integers(0, 40_000)),
    escalate_after_ms=optional(milliseconds),
    escalation=st.sampled_from(["diagnostic", "operator_action", "workflow_step", "host_callback"]),
    target=optional(texts),
)
deadlines = st.builds(Deadline, policy=deadline_policies, started_at=instants)
recoveries = st.builds(
    RecoveryPolicy,
    irreversible=st.booleans(),
    compensatable=st.booleans(),
    compensate=optional(words),
    compensate_retry=optional(retries),
)
failures = st.builds(Failure, kind=words, message=texts, code=optional(words), details=objects)
decisions = st.builds(
    Decided,
    source=nodes,
    on=st.sampled_from(["ok", "error", "timeout"]),
    target=nodes,
    condition=optional(objects),
    recovery=st.sampled_from([None, "compensation", "undo"]),
    values=objects,
)


def inputs(run_id: RunId = RUN) -> st.SearchStrategy[Input]:
    """Inputs of every kind."""
    return st.one_of(
        st.builds(InputFrom, bindings=optional(st.dictionaries(texts, bindings, max_size=2))),
        st.builds(InputOf, attempt_key=attempt_keys(run_id)),
        st.builds(InputUndo, visit_key=visit_keys(run_id)),
        st.builds(InputValue, value=values),
    )


def entries(run_id: RunId = RUN) -> st.SearchStrategy[Entry]:
    """Entries of every type, each with any revision, fitting nothing in particular."""
    at = {"at": instants, "revision": st.integers(1, 2**40).map(Revision)}
    fence = {
        "attempt_key": attempt_keys(run_id),
        "claim_id": st.sampled_from(["c1", "c2"]).map(ClaimId),
        "claim_token_hash": st.sampled_from(["ab" * 32, "cd" * 32]),
    }
    visit = {"visit_key": visit_keys(run_id), "step": nodes}
    return st.one_of(
        _signals(at),
        _starts(at),
        _scheduled(at, visit, run_id),
        st.builds(AttemptClaimed, owner=words, lease_until=instants, **fence, **at),
        st.builds(
            AttemptHeartbeat, lease_until=instants, progress=optional(objects), **fence, **at
        ),
        st.builds(AttemptCompleted, output=values, deferred=st.booleans(), **fence, **at),
        _failed(at, fence, run_id),
        st.builds(
            StepApplied,
            source=optional(numbers.map(Revision)),
            output=optional(words),
            transition=optional(decisions),
            error=optional(failures),
            reused_from=optional(_reused()),
            **visit,
            **at,
        ),
        *_waiting(at, visit),
        *_ending(at, visit),
        _pruned(at),
    )


@st.composite
def histories(draw: st.DrawFn, run_id: RunId = RUN, max_size: int = 12) -> tuple[Entry, ...]:
    """
    Any entries in any order, numbered from 1 and with instants that never step back.

    Some are entries a decider would never write; folding must not mind.
    """
    drawn = draw(st.lists(entries(run_id), max_size=max_size))
    ats = sorted(entry.at for entry in drawn)
    return tuple(
        attrs.evolve(entry, at=at, revision=Revision(index))
        for index, (entry, at) in enumerate(zip(drawn, ats, strict=True), start=1)
    )


_Fields = dict[str, st.SearchStrategy[Any]]


def _signals(at: _Fields) -> st.SearchStrategy[Entry]:
    return st.builds(
        RunSignalReceived,
        command=st.sampled_from(["start", "cancel", "approve", "send"]),
        payload=objects,
        actor=values,
        comment=optional(texts),
        metadata=objects,
        idempotency_key=optional(texts),
        digest=st.sampled_from(["ab" * 32, "cd" * 32]),
        occurred_at=optional(instants),
        **at,
    )


def _starts(at: _Fields) -> st.SearchStrategy[Entry]:
    schedules = st.builds(
        Schedule, cron=words, timezone=words, window=texts, signal_id=optional(words)
    )
    parents = st.builds(
        Parent,
        run_id=st.just(OTHER_RUN),
        step=nodes,
        child_key=words,
        attempt_key=optional(attempt_keys(OTHER_RUN)),
    )
    return st.builds(
        RunStarted,
        workflow=words,
        definition=st.just(Fingerprint("ef" * 32)),
        definition_version=optional(texts),
        trigger=words,
        input=objects,
        queue=words | st.just("default"),
        priority=st.integers(-2, 2),
        tags=st.lists(texts, max_size=2).map(tuple),
        partition_key=optional(texts),
        schedule=optional(schedules),
        parent=optional(parents),
        replayed_from=optional(st.just(OTHER_RUN)),
        forked_at=optional(nodes),
        **at,
    )


def _pruned(at: _Fields) -> st.SearchStrategy[Entry]:
    return st.builds(
        RunPruned,
        workflow=words,
        definition=st.just(Fingerprint("ef" * 32)),
        definition_version=optional(texts),
        trigger=words,
        queue=words | st.just("default"),
        priority=st.integers(-2, 2),
        command=st.sampled_from(["start", "replay", "retry_compensation"]),
        digest=st.sampled_from(["ab" * 32, "cd" * 32]),
        replayed_from=optional(st.just(OTHER_RUN)),
        status=st.sampled_from(["completed", "failed", "cancelled"]),
        started_at=instants,
        ended_at=instants,
        **at,
    )


def _waiting(at: _Fields, visit: _Fields) -> list[st.SearchStrategy[Entry]]:
    """Gates, holds and messages; some gates lack their visit."""
    of_gate = {name: optional(strategy) for name, strategy in visit.items()}
    targets = st.dictionaries(st.sampled_from(["ok", "error", "timeout"]), words, max_size=2)
    return [
        st.builds(
            ManualStepPaused,
            kind=st.sampled_from(["pause", "approval", "hold"]),
            targets=targets,
            output=optional(words),
            deadline=optional(deadlines),
            **of_gate,
            **at,
        ),
        st.builds(
            ManualStepResolved,
            action=st.sampled_from(["resumed", "approved", "rejected"]),
            actor=values,
            comment=optional(texts),
            result=values,
            **of_gate,
            **at,
        ),
        st.builds(
            MessageAwaited,
            correlation=optional(texts),
            deadline=optional(deadlines),
            **visit,
            **at,
        ),
        st.builds(MessageReceived, step=visit["step"], payload=values, **at),
    ]


def _reused() -> st.SearchStrategy[Reused]:
    return st.builds(
        Reused,
        run_id=st.just(OTHER_RUN),
        value=values,
        input=optional(objects),
        undo_key=optional(texts),
    )


def _ending(at: _Fields, visit: _Fields) -> list[st.SearchStrategy[Entry]]:
    """The turn, and the end with what is left."""
    left = st.builds(
        Unrecovered,
        reason=st.sampled_from(["compensation_failed", "effect_unknown", "abandoned"]),
        error=optional(failures),
        **visit,
    )
    return [
        st.builds(
            CompensationStarted,
            cause=st.sampled_from(["failure", "cancel"]),
            failure=optional(failures),
            step=optional(nodes),
            **at,
        ),
        st.builds(
            RunTerminal,
            status=st.sampled_from(["completed", "failed", "cancelled"]),
            error=optional(failures),
            recovery=st.lists(left, max_size=2).map(tuple),
            step=optional(nodes),
            **at,
        ),
    ]


@st.composite
def _scheduled(draw: st.DrawFn, at: _Fields, visit: _Fields, run_id: RunId) -> Entry:
    instant, key = draw(at["at"]), draw(attempt_keys(run_id))
    deferrals = st.builds(
        Deferred, reason=values, from_attempt=attempt_keys(run_id), deferred_at=instants
    )
    return AttemptScheduled(
        at=instant,
        revision=draw(at["revision"]),
        attempt_key=key,
        visit_key=draw(visit["visit_key"]),
        step=draw(visit["step"]),
        number=draw(numbers),
        kind=draw(st.sampled_from(["step", "compensation", "dynamic", "timer"])),
        input=draw(inputs(run_id)),
        queue=draw(words | st.just("default")),
        action=draw(optional(words)),
        priority=draw(st.integers(-2, 2)),
        visible_at=draw(st.just(instant) | instants),
        idempotency_key=draw(st.just(key) | attempt_keys(run_id)),
        recovery=draw(optional(recoveries)),
        retry=draw(optional(retries)),
        deadline=draw(optional(deadlines)),
        deferred=draw(optional(deferrals)),
        max_deliveries=draw(optional(numbers)),
    )


def _failed(at: _Fields, fence: _Fields, run_id: RunId) -> st.SearchStrategy[Entry]:
    retry = st.builds(
        NextAttempt,
        attempt_key=attempt_keys(run_id),
        number=numbers,
        visible_at=instants,
        deadline=optional(deadlines),
    )
    return st.builds(
        AttemptFailed,
        attempt_key=fence["attempt_key"],
        claim_id=optional(fence["claim_id"]),
        claim_token_hash=optional(fence["claim_token_hash"]),
        error=failures,
        retry=optional(retry),
        **at,
    )
