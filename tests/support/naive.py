"""
A second opinion on a journal, made another way: plain walks over its entries.

Nothing here knows the fold, the planner or the deciders (reliability invariants
A1, A5, C2, C3, C6, C8, C9, P3, P6, P7, P9); each check names what it met.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from squidmesh_core.definition.spec import Spec, StepNode, WaitNode
from squidmesh_core.ids import AttemptKey, ClaimId, NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    Entry,
    Failure,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    Reused,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import Exponential, RetryPolicy

Journal = Sequence[Entry]


class Entrance(NamedTuple):
    """A node was entered."""

    revision: Revision
    visit: VisitKey
    step: NodeName
    #: Whether it failed on the way in.
    failed: bool


def context(journal: Journal) -> dict[str, object]:
    """The payload, and over it the outputs in the order they were applied."""
    known: dict[str, object] = {}
    outputs: dict[Revision, object] = {}
    for entry in journal:
        if isinstance(entry, RunStarted):
            known.update(entry.input)
        elif isinstance(entry, AttemptCompleted):
            outputs[entry.revision] = entry.output
        elif isinstance(entry, ManualStepResolved):
            outputs[entry.revision] = entry.result
        elif isinstance(entry, MessageReceived):
            outputs[entry.revision] = entry.payload
        elif isinstance(entry, StepApplied) and entry.output is not None:
            if entry.reused_from is not None:
                known[entry.output] = entry.reused_from.value
            else:
                assert entry.source is not None, entry
                known[entry.output] = outputs[entry.source]
    return known


def each_attempt_settles_once(journal: Journal) -> None:
    """An attempt is completed or failed at most once, and not spoken of afterwards (C8)."""
    settled: set[AttemptKey] = set()
    for entry in journal:
        if isinstance(entry, AttemptClaimed | AttemptHeartbeat | AttemptCompleted | AttemptFailed):
            assert entry.attempt_key not in settled, entry
        if isinstance(entry, AttemptCompleted | AttemptFailed):
            settled.add(entry.attempt_key)


def each_visit_is_applied_once(journal: Journal) -> None:
    """A visit's result enters the run at most once (A1)."""
    applied = Counter(entry.visit_key for entry in journal if isinstance(entry, StepApplied))

    assert all(times == 1 for times in applied.values()), applied


def leases_are_exclusive(journal: Journal) -> None:
    """
    One holder at a time (C2, C3, C6): a claim comes when the attempt is visible and no
    lease lives, a holder speaks while its own does, and a heartbeat never shortens it.
    """
    visible: dict[AttemptKey, datetime] = {}
    leases: dict[AttemptKey, tuple[ClaimId, datetime]] = {}
    for entry in journal:
        if isinstance(entry, AttemptScheduled):
            visible[entry.attempt_key] = entry.visible_at
        elif isinstance(entry, AttemptFailed) and entry.retry is not None:
            visible[entry.retry.attempt_key] = entry.retry.visible_at
        if isinstance(entry, AttemptClaimed):
            assert visible[entry.attempt_key] <= entry.at, entry
            if entry.attempt_key in leases:
                assert leases[entry.attempt_key][1] <= entry.at, entry
            leases[entry.attempt_key] = entry.claim_id, entry.lease_until
        elif isinstance(entry, AttemptHeartbeat):
            holder, until = leases[entry.attempt_key]
            assert (holder, True) == (entry.claim_id, entry.at < until), entry
            assert until <= entry.lease_until, entry
            leases[entry.attempt_key] = holder, entry.lease_until
        elif isinstance(entry, AttemptCompleted | AttemptFailed):
            holder, until = leases[entry.attempt_key]
            if entry.claim_id is None:
                assert until <= entry.at, entry
            else:
                assert (holder, True) == (entry.claim_id, entry.at < until), entry


def deliveries_are_bounded(journal: Journal, spec: Spec) -> None:
    """
    An attempt is claimed `max_deliveries` times at most, five where nothing is said (C9).

    Of a callback nothing is ever said: what a step may cost says nothing of undoing it.
    """
    claims = Counter(entry.attempt_key for entry in journal if isinstance(entry, AttemptClaimed))
    for entry in journal:
        if isinstance(entry, AttemptScheduled) and entry.step in spec.nodes:
            node = spec.nodes[entry.step]
            forward = isinstance(node, StepNode) and entry.kind != "compensation"
            most = getattr(node, "max_deliveries", None) if forward else None
            assert claims[entry.attempt_key] <= (most or 5), entry


def joins_come_last(journal: Journal, spec: Spec) -> None:
    """A step is entered when all that it comes after is applied (P3)."""
    entrances = {entrance.revision: entrance for entrance in _entrances(journal)}
    applied: set[str] = set()
    for entry in journal:
        entrance = entrances.get(entry.revision)
        if entrance is not None and not entrance.failed:
            assert set(spec.nodes[entrance.step].after) <= applied, entry
        if isinstance(entry, StepApplied):
            applied.add(entry.step)


def ready_steps_are_entered(journal: Journal, spec: Spec) -> None:
    """In an open run by dependencies, what is ready was scheduled, and once (P3)."""
    applied = {entry.step for entry in journal if isinstance(entry, StepApplied)}
    for node in spec.steps:
        entered = sum(entry.step == node.name for entry in _entrances(journal))
        assert entered == (set(node.after) <= applied), (node.name, entered)


def routes_are_followed(journal: Journal, spec: Spec) -> None:
    """In an open run by routes, each taken route made one visit, and the entry one more."""
    routed = Counter(
        str(entry.transition.target)
        for entry in journal
        if isinstance(entry, StepApplied) and entry.transition is not None
    )
    routed.update(map(str, spec.entry_steps))
    entered = Counter(str(entry.step) for entry in _entrances(journal))
    del routed["complete"]

    assert routed == entered


def visits_have_their_own_keys(journal: Journal) -> None:
    """Two entries into a step are two visits, with two keys (P9)."""
    keys = [entrance.visit for entrance in _entrances(journal)]

    assert sorted(set(keys)) == sorted(keys)


def visits(journal: Journal) -> dict[NodeName, int]:
    """How often each node was entered."""
    return Counter(entrance.step for entrance in _entrances(journal))


def visits_are_bounded(journal: Journal, spec: Spec) -> None:
    """A step is entered `max_visits` times at most."""
    for name, times in Counter(entry.step for entry in _entrances(journal)).items():
        node = spec.nodes[name]
        most = getattr(node, "max_visits", None)
        assert most is None or times <= most, (name, times)


def retries_keep_to_the_policy(journal: Journal, spec: Spec) -> None:
    """A retry has the next number, is not one too many, and comes after its delay (P6)."""
    policies = {
        entry.attempt_key: _policy(spec, entry)
        for entry in journal
        if isinstance(entry, AttemptScheduled)
    }
    for entry in journal:
        if isinstance(entry, AttemptFailed) and entry.retry is not None:
            retry, policy = entry.retry, policies[entry.attempt_key]
            policies[retry.attempt_key] = policy
            number = number_of(entry.attempt_key)
            assert policy is not None, entry
            assert number + 1 == retry.number == number_of(retry.attempt_key), entry
            assert retry.number <= policy.max_attempts, entry
            least, most = _delays(policy, number)
            assert least <= retry.visible_at - entry.at <= most, entry


def waits_wait(journal: Journal, spec: Spec) -> None:
    """Nobody takes a wait before its time is over (P7)."""
    over: dict[AttemptKey, datetime] = {}
    for entry in journal:
        if isinstance(entry, AttemptScheduled):
            node = spec.nodes.get(entry.step)
            if isinstance(node, WaitNode):
                over[entry.attempt_key] = entry.at + timedelta(milliseconds=node.duration_ms)
        elif isinstance(entry, AttemptClaimed) and entry.attempt_key in over:
            assert over[entry.attempt_key] <= entry.at, entry


def nothing_follows_the_end(journal: Journal) -> None:
    """`run_terminal` is the last entry, if it is there (T1, T3)."""
    assert not any(isinstance(entry, RunTerminal) for entry in journal[:-1])


def time_runs_forwards(journal: Journal) -> None:
    """`at` never decreases (J5)."""
    instants = [entry.at for entry in journal]

    assert sorted(instants) == instants


def number_of(key: AttemptKey) -> int:
    """The number in `<visit>:<number>`, perhaps followed by a deferral."""
    return int(key.partition(":deferred")[0].rpartition(":")[2])


def _entrances(journal: Iterable[Entry]) -> Iterator[Entrance]:
    """Where nodes are entered: by a first attempt, a gate, an await, or a failure on the way in."""
    waiting: set[VisitKey] = set()
    for entry in journal:
        match entry:
            case AttemptScheduled(deferred=None, visit_key=visit, step=step):
                if entry.kind != "compensation" and not entry.attempt_key.endswith(":timeout"):
                    yield Entrance(entry.revision, visit, step, failed=False)
            case ManualStepPaused(visit_key=str(visit), step=str(step)):
                waiting.add(VisitKey(visit))
                yield Entrance(entry.revision, VisitKey(visit), NodeName(step), failed=False)
            case MessageAwaited(visit_key=visit, step=step):
                waiting.add(visit)
                yield Entrance(entry.revision, visit, step, failed=False)
            case StepApplied(reused_from=Reused(), visit_key=visit, step=step):
                yield Entrance(entry.revision, visit, step, failed=False)
            case StepApplied(error=Failure(), visit_key=visit, step=step) if visit not in waiting:
                yield Entrance(entry.revision, visit, step, failed=True)
            case _:
                pass


def _policy(spec: Spec, entry: AttemptScheduled) -> RetryPolicy | None:
    node = spec.nodes.get(entry.step)
    if not isinstance(node, StepNode):
        return None
    if entry.kind == "compensation":
        backoff = Exponential(min_ms=1_000, max_ms=60_000)
        return node.compensate_retry or RetryPolicy(max_attempts=5, backoff=backoff)
    return node.retry


def _delays(policy: RetryPolicy, number: int) -> tuple[timedelta, timedelta]:
    if policy.backoff is None:
        return timedelta(0), timedelta(0)
    most = min(policy.backoff.min_ms * 2 ** (number - 1), policy.backoff.max_ms)
    least = most / 2 if policy.jitter else most
    return timedelta(milliseconds=least), timedelta(milliseconds=most)
