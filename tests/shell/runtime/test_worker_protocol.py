"""The worker protocol by hand: claims raced against each other, against time and the end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from squidmesh import ActionRegistry, Claim, ConfigError, Mesh, Refused, Run, StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.values import Exponential, RetryPolicy
from support.stage import EPOCH, LEASE, Stage, begin, claimed, does, entries, types
from support.workflows import chain, step

INSTANT = timedelta(microseconds=1)
RETRIED = RetryPolicy(max_attempts=3, backoff=Exponential(min_ms=1_000, max_ms=60_000))
SPEC = chain(
    step("charge", retry=RETRIED, output="charge", max_deliveries=50), step("ship", output="ship")
)


def nothing() -> None:
    """Do nothing."""


def started(stage: Stage) -> tuple[Mesh, Run]:
    """A mesh with one run of two steps."""
    mesh = stage.mesh()
    return mesh, begin(mesh, SPEC, charge=nothing, ship=nothing)


def refused(code: str, attempt: Any, *args: object, **options: object) -> Refused:
    """What a verb is refused with."""
    with pytest.raises(Refused) as caught:
        attempt(*args, **options)
    assert code == caught.value.code
    return caught.value


def test_a_claim_says_what_to_do_and_until_when(stage: Stage) -> None:
    """Everything an executor of one's own needs; the token is not printed."""
    mesh, run = started(stage)

    claim = claimed(mesh)

    assert (run.id, "charge", "do.charge", 1, 1, "default", "ana") == (
        claim.run_id,
        claim.node,
        claim.action,
        claim.attempt,
        claim.visit,
        claim.queue,
        claim.owner,
    )
    assert EPOCH + LEASE == claim.lease_until
    assert f"{run.id}:charge:1" == claim.attempt_key == claim.idempotency_key
    assert claim.token not in repr(claim)
    assert claim.token not in str([one.data for one in mesh.journal(run)])


def test_a_claimed_attempt_is_claimed_by_nobody_else(stage: Stage) -> None:
    """Not in this process and not in another."""
    mesh, _ = started(stage)
    claimed(mesh)

    assert mesh.claim(owner="ben") is None
    assert stage.mesh(actions=does(charge=nothing)).claim(owner="ben") is None


def test_another_takes_over_exactly_when_the_lease_ends(stage: Stage) -> None:
    """No gap and no overlap; the fencing token grows, the idempotency key stays."""
    mesh, _ = started(stage)
    other = stage.mesh(actions=does(charge=nothing))
    first = claimed(mesh)

    assert other.claim(owner="ben", now=first.lease_until - INSTANT) is None
    second = claimed(other, owner="ben", now=first.lease_until)

    assert second.fencing_token > first.fencing_token
    assert second.claim_id != first.claim_id
    assert (first.attempt_key, first.idempotency_key) == (
        second.attempt_key,
        second.idempotency_key,
    )


@pytest.mark.parametrize("verb", ["complete", "fail", "defer", "heartbeat"])
def test_a_holder_is_heard_until_the_lease_ends_and_not_then(stage: Stage, verb: str) -> None:
    """`now < lease_until` holds; at the boundary it is `expired_claim`."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    act = acting(mesh, verb)
    written = types(mesh, run)

    error = refused("expired_claim", act, claim, claim.lease_until)

    assert claim.attempt_key == error.details["attempt_key"]
    assert written == types(mesh, run)
    act(claim, claim.lease_until - INSTANT)
    assert len(written) < len(types(mesh, run))


@pytest.mark.parametrize("verb", ["complete", "fail", "defer", "heartbeat"])
def test_a_superseded_worker_cannot_settle(stage: Stage, verb: str) -> None:
    """A worker whose lease was taken over is `stale_claim`, whatever it says."""
    mesh, run = started(stage)
    other = stage.mesh(actions=does(charge=nothing))
    first = claimed(mesh)
    stage.clock.now = first.lease_until
    second = claimed(other, owner="ben")
    written = types(mesh, run)

    refused("stale_claim", acting(mesh, verb), first, None)

    assert written == types(mesh, run)
    other.complete(second, 1)


@pytest.mark.parametrize("verb", ["complete", "fail", "defer", "heartbeat"])
def test_a_guessed_token_proves_nothing(stage: Stage, verb: str) -> None:
    """The claim id alone is no authority."""
    mesh, _ = started(stage)

    refused("stale_claim", acting(mesh, verb), evolve(claimed(mesh), token="a guess"), None)


@pytest.mark.parametrize("verb", ["complete", "fail", "defer", "heartbeat"])
def test_after_the_end_nothing_is_recorded(stage: Stage, verb: str) -> None:
    """A cancelled run refuses its workers with `terminal_run`."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    stage.mesh().cancel(run)
    written = types(mesh, run)

    refused("terminal_run", acting(mesh, verb), claim, None)

    assert written == types(mesh, run)


def acting(mesh: Mesh, verb: str) -> Any:
    """A verb of the protocol, called with a claim and an instant."""
    return {
        "complete": lambda claim, now: mesh.complete(claim, 1, now=now),
        "fail": lambda claim, now: mesh.fail(claim, "no", now=now),
        "defer": lambda claim, now: mesh.defer(claim, "later", for_="1s", now=now),
        "heartbeat": lambda claim, now: mesh.heartbeat(claim, now=now),
    }[verb]


def test_the_same_completion_twice_is_one(stage: Stage) -> None:
    """It is a success without a write, even long after the lease, and from a cold process."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    mesh.complete(claim, {"paid": 5})
    written = types(mesh, run)
    stage.clock.advance(LEASE * 3)

    for one in (mesh, stage.mesh()):
        again = one.complete(claim, {"paid": 5})
        assert (True, "running") == (again.duplicate, again.status)

    assert written == types(mesh, run)


def test_another_completion_after_the_first_is_a_conflict(stage: Stage) -> None:
    """An output is never replaced."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    mesh.complete(claim, 1)

    refused("conflicting_completion", mesh.complete, claim, 2)

    assert {"charge": 1} == mesh.inspect(run).context


def test_a_heartbeat_moves_the_lease_and_never_back(stage: Stage) -> None:
    """It returns the claim with its new end; progress rides on it."""
    mesh, run = started(stage)
    claim = claimed(mesh)

    moved = mesh.heartbeat(claim, progress={"done": 3}, now=EPOCH + timedelta(seconds=20))
    again = mesh.heartbeat(moved, now=EPOCH)

    assert EPOCH + timedelta(seconds=80) == moved.lease_until == again.lease_until
    assert {"done": 3} == mesh.inspect(run).attempts[0].progress
    assert stage.mesh(actions=does(charge=nothing)).claim(owner="ben", now=EPOCH + LEASE) is None


def test_a_failure_is_retried_after_its_delay_then_ends_the_run(stage: Stage) -> None:
    """Three attempts with a backoff of 1 s and 2 s; the error is kept."""
    mesh, run = started(stage)
    for delay in (1, 2):
        mesh.fail(claimed(mesh), ValueError("card declined"))
        assert mesh.claim(owner="ana") is None
        stage.clock.advance(delay)

    ended = mesh.fail(claimed(mesh), ValueError("card declined"))

    assert ("failed", "ValueError: card declined") == (ended.status, ended.error)
    assert [1, 2, 3] == [one.number for one in mesh.inspect(run).attempts]


def test_a_failure_may_ask_for_a_longer_delay_or_for_none_at_all(stage: Stage) -> None:
    """`retry_after` lengthens up to the cap; `retryable=False` ends it."""
    mesh, run = started(stage)
    mesh.fail(claimed(mesh), "busy", retry_after="30s")

    assert EPOCH + timedelta(seconds=30) == mesh.inspect(run).next_visible_at
    stage.clock.advance(30)
    assert "failed" == mesh.fail(claimed(mesh), "no", retryable=False).status


def test_a_deferral_costs_no_attempt(stage: Stage) -> None:
    """The same attempt number and idempotency key, later, under a key of its own."""
    mesh, _ = started(stage)
    first = claimed(mesh)
    mesh.defer(first, "the shop is closed", for_="1h")
    assert mesh.claim(owner="ana", now=EPOCH + timedelta(minutes=59)) is None

    second = claimed(mesh, now=EPOCH + timedelta(hours=1))

    assert (f"{first.attempt_key}:deferred", 1, first.idempotency_key) == (
        second.attempt_key,
        second.attempt,
        second.idempotency_key,
    )


def test_a_lost_worker_s_attempt_is_delivered_so_often_and_no_more(stage: Stage) -> None:
    """The takeover beyond `max_deliveries` fails it as `worker_lost` instead."""
    mesh = stage.mesh()
    run = begin(mesh, chain(step("charge", max_deliveries=2, retry=RETRIED)), charge=nothing)
    for _ in range(2):
        claimed(mesh)
        stage.clock.advance(LEASE)

    assert stage.mesh(actions=does(charge=nothing)).claim(owner="ben") is None

    error = mesh.inspect(run).error
    assert ("failed", "worker_lost") == (mesh.inspect(run).status, error and error.kind)


def test_a_repeated_settle_by_hand_moves_the_run_once(stage: Stage) -> None:
    """Two workers race to the end of one attempt; one result is applied."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    mesh.complete(claim, 1)
    refused("stale_claim", mesh.fail, claim, "no")
    mesh.complete(claimed(mesh), 2)

    kinds = types(mesh, run)

    assert (2, 2, 1) == tuple(
        kinds.count(kind) for kind in ("attempt_completed", "step_applied", "run_terminal")
    )
    assert {"charge": 1, "ship": 2} == mesh.inspect(run).context


@pytest.mark.parametrize(
    ("verb", "arguments", "error", "code"),
    [
        ("complete", {"output": float("nan")}, StorageError, "not_storable"),
        ("complete", {"output": object()}, StorageError, "not_storable"),
        ("complete", {"output": "\ud800"}, StorageError, "not_storable"),
        ("complete", {"output": {"a": {1: 2}}}, StorageError, "not_storable"),
        ("fail", {"error": 5}, ConfigError, "invalid_option"),
        ("fail", {"error": "no", "retry_after": "soon"}, ConfigError, "invalid_option"),
        ("defer", {"reason": "x", "for_": "soon"}, ConfigError, "invalid_option"),
        ("defer", {"reason": 5, "for_": "1s"}, ConfigError, "invalid_option"),
        ("defer", {"reason": "x", "for_": "999999999d"}, ConfigError, "invalid_option"),
        ("defer", {"reason": "x"}, TypeError, ""),
        ("heartbeat", {"progress": {"done": float("inf")}}, ConfigError, "invalid_option"),
        ("heartbeat", {"progress": [1]}, ConfigError, "invalid_option"),
        ("heartbeat", {"now": "today"}, ConfigError, "invalid_option"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_claim_stays(
    stage: Stage, verb: str, arguments: dict[str, object], error: type[Exception], code: str
) -> None:
    """Nothing was written; the holder may say it better."""
    mesh, run = started(stage)
    claim = claimed(mesh)
    written = types(mesh, run)

    with pytest.raises(error) as caught:
        getattr(mesh, verb)(claim, **arguments)

    assert code == getattr(caught.value, "code", "")
    assert written == types(mesh, run)
    assert "running" == mesh.complete(claim, 1).status


def test_a_list_inside_itself_is_refused(stage: Stage) -> None:
    """Endless depth is no reason to end a process."""
    mesh, _ = started(stage)
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(StorageError, match="cannot be stored"):
        mesh.complete(claimed(mesh), endless)


@pytest.mark.parametrize(
    "options",
    [
        {"owner": ""},
        {"owner": "\ud800"},
        {"owner": 5},
        {"queue": "no spaces"},
        {"lease": "0ms"},
        {"lease": "2h"},
        {"lease": "soon"},
        {"now": "today"},
    ],
)
def test_a_claim_with_a_wrong_option_is_refused(stage: Stage, options: Any) -> None:
    """By name; nothing is claimed."""
    mesh, run = started(stage)
    written = types(mesh, run)

    with pytest.raises(ConfigError) as caught:
        mesh.claim(**{"owner": "ana", **options})

    assert (next(iter(options)), "invalid_option") == (
        caught.value.details["option"],
        caught.value.code,
    )
    assert written == types(mesh, run)


def test_claims_come_by_priority_then_time(stage: Stage) -> None:
    """Smaller is sooner, across runs."""
    mesh = stage.mesh()
    options: list[dict[str, Any]] = [{"priority": 5}, {"priority": -1}, {"priority": 0}]
    for one in options:
        mesh.start_spec(SPEC, "placed", {}, actions=does(charge=nothing, ship=nothing), **one)

    claims = [claimed(mesh) for _ in options]

    assert [-1, 0, 5] == [mesh.inspect(claim.run_id).run.priority for claim in claims]


def test_a_step_s_own_queue_and_priority_win(stage: Stage) -> None:
    """The step says where it is worked on; the run says where the others are."""
    mesh = stage.mesh()
    spec = chain(step("charge", queue="bank"), step("ship"))
    run = begin(mesh, spec, charge=nothing, ship=nothing)

    assert mesh.claim(owner="ana") is None
    claim = mesh.claim(owner="ana", queue="bank")
    assert claim is not None
    mesh.complete(claim)

    assert "ship" == claimed(mesh).node
    assert ("bank", "default") == (claim.queue, mesh.inspect(run).run.queue)


def test_a_worker_without_the_action_does_not_claim(stage: Stage) -> None:
    """Code that is gone fails nothing: the step waits for somebody who can."""
    _, run = started(stage)
    without = stage.mesh(actions=does(ship=nothing))

    assert without.claim(owner="ben") is None
    assert "running" == without.inspect(run).status


def test_an_older_key_is_performed_by_its_alias(stage: Stage) -> None:
    """Functions may move: stored definitions name keys, never import paths."""
    _, run = started(stage)
    actions = ActionRegistry()
    actions.add("billing.charge", lambda: 7, aliases=["do.charge"])
    moved = stage.mesh(actions=actions)

    moved.execute_next()

    assert {"charge": 7} == moved.inspect(run).context


def test_a_withdrawn_action_is_not_performed(stage: Stage) -> None:
    """`enabled=False`: known, and not claimed."""
    started(stage)
    actions = does(ship=nothing)
    actions.add("do.charge", nothing, enabled=False)

    assert stage.mesh(actions=actions).claim(owner="ben") is None


def test_two_meshes_race_on_one_journal_and_each_fact_is_there_once(stage: Stage) -> None:
    """Turn by turn, each with what it remembers of before: nothing is lost or repeated."""
    meshes = [stage.mesh(actions=does(charge=nothing, ship=nothing)) for _ in range(2)]
    runs = [begin(meshes[i % 2], SPEC, charge=nothing, ship=nothing) for i in range(4)]
    for turn in range(8):
        claim: Claim = claimed(meshes[turn % 2])
        meshes[(turn + 1) % 2].complete(claim, turn)  # a claim may travel

    for run in runs:
        assert "completed" == meshes[0].inspect(run).status
        assert meshes[1].inspect(run).context == meshes[0].inspect(run).context
        found = entries(stage.journal(), RunId(run.id))
        assert len(found) == found[-1].revision


@pytest.mark.parametrize(
    "now", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)], ids=str
)
def test_no_verb_decides_where_no_time_limit_can_be_counted_from(
    stage: Stage, now: datetime
) -> None:
    """A claim there overflowed, and left the run quarantined."""
    mesh, run = started(stage)
    verbs: list[Callable[[], object]] = [
        lambda: mesh.claim(owner="ana", now=now),
        lambda: mesh.execute_next(now=now),
        lambda: mesh.cancel(run, now=now),
        lambda: mesh.replay(run, now=now),
        lambda: mesh.explain(run, now=now),
    ]

    for verb in verbs:
        with pytest.raises(ConfigError, match="from 1970 to 9699"):
            verb()

    assert "running" == mesh.inspect(run).status
