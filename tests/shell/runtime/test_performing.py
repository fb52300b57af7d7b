"""Performing steps: whatever a step does is a value, and its worker lives."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import getcontext

import pytest

from squidmesh import (
    Context,
    Defer,
    Fail,
    Mesh,
    Refused,
    Retries,
    Retry,
    Run,
    Workflow,
    manual,
    step,
)
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import Exponential, RetryPolicy
from support.stage import EPOCH, Stage, begin, claimed, does, types
from support.workflows import chain, log, route, wait, workflow
from support.workflows import step as node

SPEC = chain(node("work", output="work"))
TWICE = RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=1_000, max_ms=8_000))
RETRIED = chain(node("work", output="work", retry=TWICE))


def performed(stage: Stage, fn: Callable[..., object]) -> tuple[Mesh, Run]:
    """A run of one step, after one `execute_next`."""
    mesh = stage.mesh()
    begin(mesh, RETRIED, work=fn)
    run = mesh.execute_next()
    assert run is not None
    return mesh, run


def failure(mesh: Mesh, run: Run) -> Failure:
    """What the first attempt failed with, read by a process that knows nothing."""
    error = mesh.inspect(run, history=True).attempts[0].error
    assert error is not None
    return error


class BadTextError(Exception):
    """Its text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raiser(error: BaseException) -> Callable[[], object]:
    """A step that raises."""

    def work() -> object:
        raise error

    return work


def async_raiser(error: BaseException) -> Callable[[], object]:
    """An async step that raises."""

    async def work() -> object:
        await asyncio.sleep(0)
        raise error

    return work


ERRORS = [
    (sqlite3.OperationalError("database is locked"), "OperationalError", "database is locked"),
    (OSError(28, "No space left on device"), "OSError", "[Errno 28] No space left on device"),
    (SystemExit(3), "SystemExit", "3"),
    (asyncio.CancelledError(), "CancelledError", ""),
    (GeneratorExit(), "GeneratorExit", ""),
    (BadTextError(), "BadTextError", "(its text cannot be read)"),
    (ValueError("a\0b\ud800c"), "ValueError", "a\ufffdb?c"),
    (ValueError("x" * 100_000), "ValueError", "x" * 8192),
    (Refused("not the runtime's own", "stale_claim"), "Refused", "not the runtime's own"),
]


@pytest.mark.parametrize(("error", "kind", "message"), ERRORS)
@pytest.mark.parametrize("make", [raiser, async_raiser])
def test_whatever_a_step_raises_is_its_failure(
    stage: Stage,
    make: Callable[[BaseException], Callable[[], object]],
    error: BaseException,
    kind: str,
    message: str,
) -> None:
    """Judged by where it was raised, never by type; it is retried, and the next step works."""
    mesh, run = performed(stage, make(error))

    kept = failure(stage.mesh(), run)
    assert (kind, message) == (kept.kind, kept.message)
    assert "running" == run.status
    stage.clock.advance(1)
    assert "failed" == mesh.execute_next().status  # type: ignore[union-attr]  # the retry


def make() -> int:
    return 1


class Elsewhere(Workflow):
    """Another workflow, whose outputs no run here has."""

    placed = manual()
    made = step(make)


def test_an_error_of_ours_keeps_its_code_and_its_facts(stage: Stage) -> None:
    """Such as a step raises that asks for an output that is not there."""

    def work(ctx: Context) -> object:
        return ctx.out(Elsewhere.made)

    _, run = performed(stage, work)
    kept = failure(stage.mesh(), run)

    assert ("Refused", "output_not_certain") == (kept.kind, kept.code)
    assert {"run_id": run.id, "node": "made"} == dict(kept.details)


def test_ctrl_c_under_a_step_is_the_person_s(stage: Stage) -> None:
    """On the main thread it goes up; the claim is given back, and the next one has it at once."""
    mesh = stage.mesh()
    begin(mesh, SPEC, work=raiser(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        mesh.execute_next()

    assert 1 == claimed(mesh).attempt


def test_what_a_step_sets_in_its_context_ends_with_it(stage: Stage) -> None:
    """The next step of the same thread belongs to another run, and another customer."""
    customer = ContextVar("customer", default="nobody")
    seen = list[tuple[str, int]]()

    def work() -> None:
        seen.append((customer.get(), getcontext().prec))
        customer.set("ana")
        getcontext().prec = 5

    mesh = stage.mesh()
    runs = [begin(mesh, SPEC, work=work) for _ in range(2)]
    with mesh.worker(concurrency=1):
        for run in runs:
            mesh.wait_for(run, timeout="60s")

    assert [("nobody", 28)] * 2 == seen


def test_a_worker_s_thread_outlives_a_step_that_plays_ctrl_c(stage: Stage) -> None:
    """Off the main thread nobody pressed anything: it is the step's failure."""
    mesh = stage.mesh()
    run = begin(mesh, SPEC, work=raiser(KeyboardInterrupt()))

    with mesh.worker(concurrency=1):
        ended = mesh.wait_for(run, timeout="60s")

    assert "KeyboardInterrupt: " == ended.error


@dataclass(frozen=True)
class Paid:
    """An output."""

    cents: int


def declared(value: object) -> Callable[[], Paid]:
    """A step that promises `Paid` and returns something."""

    def work() -> Paid:
        return value  # type: ignore[return-value]  # the mistake under test

    return work


def nested(depth: int) -> object:
    """A list in a list in a list …"""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


class Hostile(dict[str, object]):
    """A mapping that raises when it is looked into."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("do not look")

    items = keys = __iter__  # type: ignore[assignment]  # the same, however one looks


UNSTORABLE: dict[str, object] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a lone surrogate": "\ud800",
    "NUL": "a\0b",
    "an object": object(),
    "a key that is no text": {1: 2},
    "bytes": {"a": b"bytes"},
    "too deep": nested(65),
    "deeper than the stack": nested(5_000),
    "too large an integer": 2**14_000,
    "too many bytes": "x" * (2 * 1024 * 1024 + 1),
    "too many items": list(range(10_001)),
    "a mapping that raises": Hostile(a=1),
}


@pytest.mark.parametrize("what", UNSTORABLE)
def test_an_output_that_cannot_be_stored_fails_its_attempt(stage: Stage, what: str) -> None:
    """`invalid_output`, not retried: the same code would return the same."""
    mesh, run = performed(stage, lambda: UNSTORABLE[what])

    assert ("failed", "invalid_output") == (run.status, failure(mesh, run).kind)


@pytest.mark.parametrize("value", [{"cents": 5}, Paid(cents="5"), None, 5])  # type: ignore[arg-type]  # the mistakes
def test_an_output_of_another_type_fails_its_attempt(stage: Stage, value: object) -> None:
    """A return annotation is a promise."""
    mesh, run = performed(stage, declared(value))

    assert ("failed", "invalid_output") == (run.status, failure(mesh, run).kind)


def test_an_output_is_stored_and_comes_back(stage: Stage) -> None:
    """Also what JSON itself could not hold."""
    output = {"big": 2**60, "$int": "5", "text": "Ünïcödé", "list": [1, None, True, 0.5]}

    _, run = performed(stage, lambda: output)

    assert "completed" == run.status
    assert {"work": output} == stage.mesh().inspect(run).context


def test_outputs_reach_the_next_step_as_they_were(stage: Stage) -> None:
    """Tags of storage are never seen by steps."""
    seen: list[object] = []
    mesh = stage.mesh()
    spec = chain(node("make", output="made"), node("use"))

    def use(made: object) -> None:
        seen.append(made)

    begin(mesh, spec, make=lambda: {"$int": 2**60}, use=use)
    stage.mesh(actions=does(make=lambda: {"$int": 2**60}, use=use)).drain()

    assert [{"$int": 2**60}] == seen


def test_an_input_that_does_not_fit_fails_its_attempt(stage: Stage) -> None:
    """`invalid_input` names the parameter; no retry helps."""
    mesh = stage.mesh()
    spec = chain(node("make", output="made"), node("use", retry=TWICE))

    def use(made: int) -> None:
        raise AssertionError(made)

    run = begin(mesh, spec, make=lambda: "five", use=use)

    assert 2 == mesh.drain()
    error = mesh.inspect(run).error
    assert error is not None
    assert ("invalid_input", "made is not int") == (error.kind, error.message)


def test_a_contract_that_raises_while_it_is_made_is_an_invalid_input(stage: Stage) -> None:
    """A contract may check itself; whatever it raises is said, and ends no worker."""

    @dataclass(frozen=True)
    class Positive:
        cents: int

        def __post_init__(self) -> None:
            if self.cents < 0:
                raise LookupError("below zero")

    mesh = stage.mesh()

    def use(made: Positive) -> None:
        raise AssertionError(made)

    run = begin(
        mesh, chain(node("make", output="made"), node("use")), make=lambda: {"cents": -1}, use=use
    )
    mesh.drain()

    error = mesh.inspect(run).error
    assert error is not None
    assert "invalid_input" == error.kind
    assert "LookupError" in error.message


@pytest.mark.parametrize("raised", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_retry_defer_and_fail_mean_the_same_returned_and_raised(
    stage: Stage, raised: bool, is_async: bool
) -> None:
    """Sync and async alike."""
    answers: list[Exception] = [
        Defer("closed", for_="5s", shop="A"),
        Retry("busy", after="3s", code="busy", queue=4),
        Fail("no such card", code="card_unknown", last4="4242"),
    ]

    def answer() -> object:
        one = answers.pop(0)
        if raised:
            raise one
        return one

    async def later() -> object:
        await asyncio.sleep(0)
        return answer()

    mesh = stage.mesh()
    run = begin(mesh, RETRIED, work=later if is_async else answer)
    mesh.execute_next()
    assert EPOCH + timedelta(seconds=5) == mesh.inspect(run).next_visible_at
    stage.clock.advance(5)
    mesh.execute_next()
    assert EPOCH + timedelta(seconds=8) == mesh.inspect(run).next_visible_at
    stage.clock.advance(3)
    mesh.execute_next()

    seen = stage.mesh().inspect(run, history=True)
    assert "failed" == seen.status
    assert [
        None,
        Failure(kind="Retry", message="busy", code="busy", details={"queue": 4}),
        Failure(
            kind="Fail", message="no such card", code="card_unknown", details={"last4": "4242"}
        ),
    ] == [one.error for one in seen.attempts]


@pytest.mark.parametrize(
    "answer",
    [
        Fail(5, code=7),  # type: ignore[arg-type]  # wrong types
        Fail("a\0b", code="\ud800"),
        Fail("odd", when=object()),
        Fail("odd", number=float("nan")),
        Fail("odd", facts=Hostile(a=1)),
        Retry(BadTextError()),  # type: ignore[arg-type]  # wrong type
        Defer("too long", for_="999999999d"),
        Defer("too late", until=datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
        Defer(5, for_="1s"),  # type: ignore[arg-type]  # wrong type
        Defer("odd", until=datetime(2026, 1, 1, tzinfo=UTC), when=object()),
    ],
)
def test_odd_answers_never_make_a_journal_unreadable(stage: Stage, answer: Exception) -> None:
    """What a step says of itself is made storable, whatever it is."""
    _, run = performed(stage, raiser(answer))

    elsewhere = stage.mesh().inspect(run, history=True)
    assert () == elsewhere.anomalies
    assert elsewhere.attempts[0].status in {"completed", "failed"}


class GatewayError(Exception):
    """What is worth a retry."""


class TimeoutOfGatewayError(GatewayError):
    """A kind of it."""


def flaky(error: str) -> str:
    """A step that fails as told."""
    raise {"kind": TimeoutOfGatewayError, "other": ValueError}[error](error)


def apologise(ctx: Context) -> str:
    """What follows a failure."""
    return f"sorry, run {ctx.run_id}"


@dataclass(frozen=True)
class Ask:
    """Which error to raise."""

    error: str


class Flaky(Workflow):
    """Retries one kind of error, then says sorry."""

    asked = manual(Ask)
    call = step(flaky, retry=Retries(3, on=(GatewayError,)))
    sorry = step(apologise)
    call.on_error(sorry, recovery="compensation")


@pytest.mark.parametrize(("error", "attempts"), [("kind", 3), ("other", 1)])
def test_retry_on_means_the_class_and_its_subclasses(
    stage: Stage, error: str, attempts: int
) -> None:
    """And after the last retry the error route is taken, with its marker."""
    mesh = stage.mesh(Flaky)
    run = mesh.start(Flaky.asked, Ask(error))

    assert attempts + 1 == mesh.drain()
    seen = mesh.inspect(run)
    assert "completed" == seen.status
    assert f"sorry, run {run.id}" == seen.out(Flaky.sorry)
    assert [("call", "compensation"), ("sorry", None)] == [
        (entry.data["step"], entry.data["transition"].get("recovery"))  # type: ignore[attr-defined]  # JSON
        for entry in mesh.journal(run)
        if entry.type == "step_applied"
    ]


def test_a_context_says_where_the_step_is_and_never_the_token(stage: Stage) -> None:
    """Every member, on a retry."""
    seen: list[Context] = []

    def work(ctx: Context) -> None:
        seen.append(ctx)
        if ctx.attempt == 1:
            raise ValueError("once more")

    mesh = stage.mesh()
    actions = does(first=lambda: 1, work=work)
    spec = chain(node("first", output="first"), node("work", retry=TWICE))
    run = mesh.start_spec(spec, "placed", {}, actions=actions, tags=["vip"])
    mesh.drain()
    stage.clock.advance(1)
    mesh.drain()

    ctx = seen[1]
    assert (run.id, "orders", "work", 2, 1, "default", ("vip",)) == (
        ctx.run_id,
        ctx.workflow,
        ctx.node,
        ctx.attempt,
        ctx.visit,
        ctx.queue,
        ctx.tags,
    )
    assert {"first": 1} == ctx.state
    assert (f"{run.id}:work:2", f"{run.id}:work:1") == (ctx.attempt_key, ctx.idempotency_key)
    assert ctx.fencing_token > seen[0].fencing_token
    assert "token=" not in repr(ctx).replace("fencing_token=", "")


def test_sync_and_async_steps_mix_and_share_one_event_loop(stage: Stage) -> None:
    """Clients that belong to a loop can be kept between steps."""
    loops: list[object] = []

    async def one() -> int:
        loops.append(asyncio.get_running_loop())
        return 1

    def two() -> int:
        return 2

    async def three() -> int:
        loops.append(asyncio.get_running_loop())
        return await asyncio.to_thread(lambda: 3)

    mesh = stage.mesh()
    names = ("one", "two", "three")
    spec = chain(*(node(name, output=name) for name in names))
    run = begin(mesh, spec, one=one, two=two, three=three)

    assert 3 == mesh.drain()
    assert {"one": 1, "two": 2, "three": 3} == mesh.inspect(run).context
    assert loops[0] is loops[1]


def test_tasks_that_async_steps_left_behind_are_cancelled_at_the_end(stage: Stage) -> None:
    """Closing a mesh leaves nothing that would run on."""
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        tasks.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    mesh, _ = performed(stage, work)
    mesh.close()

    assert ["cancelled"] == ended


def test_a_lost_lease_cancels_an_async_step_and_tells_it(stage: Stage) -> None:
    """Cancelled in the middle, by the heartbeat that was refused; nothing is recorded for it."""
    seen: list[tuple[bool, bool]] = []
    inside = threading.Event()

    async def work(ctx: Context) -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append((ctx.lost, ctx.cancelled))

    mesh = stage.mesh()
    run = begin(mesh, SPEC, work=work)

    with mesh.worker(concurrency=1, lease="60ms"):
        assert inside.wait(60)
        stage.mesh().cancel(run)
        written = types(mesh, run)

    assert [(True, True)] == seen
    assert written == types(mesh, run)
    assert "cancelled" == mesh.inspect(run).status


def test_progress_rides_on_heartbeats(stage: Stage) -> None:
    """It costs no write of its own, and what cannot be stored is refused where it is said."""
    told = threading.Event()

    def work(ctx: Context) -> str:
        ctx.progress(3, of=10, note="a third")
        told.wait(60)
        try:
            ctx.progress(float("nan"))
        except Exception as error:  # whatever it is, the test names it
            return type(error).__name__
        return "accepted"

    mesh = stage.mesh()
    run = begin(mesh, SPEC, work=work)
    with mesh.worker(concurrency=1, lease="60ms"):
        while mesh.inspect(run).attempts[0].progress is None:
            pass
        told.set()
        mesh.wait_for(run, timeout="60s")

    assert {"done": 3, "of": 10, "note": "a third"} == mesh.inspect(run).attempts[0].progress
    assert {"work": "StorageError"} == mesh.inspect(run).context


def test_a_log_node_emits_its_line_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """After the commit; reading the run again says nothing."""
    mesh = stage.mesh()
    with caplog.at_level(logging.DEBUG, logger="squidmesh.workflow"):
        run = begin(mesh, chain(log("hello"), node("work")), work=lambda: None)
        mesh.drain()
        stage.mesh().inspect(run)

    lines = [one for one in caplog.records if one.name == "squidmesh.workflow"]
    assert [("INFO", "at hello", run.id)] == [
        (one.levelname, one.getMessage(), one.__dict__["run_id"]) for one in lines
    ]


def test_a_wait_is_over_when_its_time_has_come_whoever_looks(stage: Stage) -> None:
    """Nobody sleeps through it; a process that knows nothing moves the run on."""
    mesh = stage.mesh()
    run = begin(mesh, chain(wait("cool_off", 600_000), node("work")), work=lambda: None)
    assert 0 == mesh.drain()
    stage.clock.advance(599)
    assert 0 == mesh.drain()
    stage.clock.advance(1)

    assert 1 == stage.mesh(actions=does(work=lambda: None)).drain()
    assert "completed" == mesh.inspect(run).status


def test_steps_side_by_side_join(stage: Stage) -> None:
    """A dependency workflow completes when every node is done."""
    mesh = stage.mesh()
    spec = workflow(
        node("a", output="a"), node("b", output="b"), node("c", after=("a", "b"), output="c")
    )
    run = begin(mesh, spec, a=lambda: 1, b=lambda: 2, c=lambda a, b: a + b)

    assert 3 == mesh.drain()
    assert {"a": 1, "b": 2, "c": 3} == mesh.inspect(run).context


def test_a_drain_with_a_limit_performs_so_many(stage: Stage) -> None:
    """And the rest is there for the next one."""
    mesh = stage.mesh()
    actions = does(a=lambda: 1, b=lambda: 2)
    for _ in range(3):
        mesh.start_spec(chain(node("a"), node("b")), "placed", {}, actions=actions)

    assert [0, 4, 2, 0] == [mesh.drain(limit=limit) for limit in (0, 4, None, None)]


def test_a_step_is_one_append_where_the_worker_goes_on(stage: Stage) -> None:
    """Settling one attempt claims the next: one commit per step on the steady path."""
    mesh = stage.mesh()
    names = ("a", "b", "c", "d", "e")
    run = begin(
        mesh, chain(*(node(name) for name in names)), **{name: (lambda: 1) for name in names}
    )
    mesh.drain()

    # One for the start, one for the first claim, then one for each step.
    assert 7 == len(mesh.door.journal.load(run.id).records)


def test_a_start_fills_a_free_slot_of_its_own_worker(stage: Stage) -> None:
    """The first attempt is claimed in the append that starts the run."""
    mesh = stage.mesh()
    actions = does(work=lambda: 7)
    with mesh.worker(concurrency=1):
        claimed_at_once = False
        while not claimed_at_once:  # the worker may be looking for work itself just then
            run = mesh.start_spec(SPEC, "placed", {}, actions=actions)
            mesh.wait_for(run, timeout="60s")
            first, *others = mesh.door.journal.load(run.id).records
            claimed_at_once = "attempt_claimed" in first.body

    assert 1 == len(others)


def test_an_error_route_without_end_is_bounded(stage: Stage) -> None:
    """A loop needs `max_visits`; one more fails for good."""
    mesh = stage.mesh()
    spec = workflow(
        node("a", max_visits=2), node("b", max_visits=2), routes=(route("a", "b"), route("b", "a"))
    )
    run = begin(mesh, spec, a=lambda: 1, b=lambda: 2)
    mesh.drain()

    error = mesh.inspect(run).error
    assert error is not None
    assert "visits_exhausted" == error.kind


def test_what_a_step_raises_is_logged_with_where_it_came_from(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal keeps the kind and the text of an error; the traceback is in the host's log."""

    def buried() -> None:
        raise ValueError("no such customer")

    def work() -> None:
        buried()

    with caplog.at_level(logging.INFO, "squidmesh.worker"):
        _, run = performed(stage, work)

    (record,) = caplog.records
    assert ("INFO", f"'work' of run {run.id} raised ValueError, attempt 1") == (
        record.levelname,
        record.getMessage(),
    )
    assert "in buried" in caplog.text


def test_what_a_step_answers_is_no_matter_for_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """`Retry`, `Defer` and `Fail` say all there is to say, also when they are raised."""
    with caplog.at_level(logging.INFO, "squidmesh.worker"):
        performed(stage, raiser(Retry("busy")))

    assert [] == caplog.records
