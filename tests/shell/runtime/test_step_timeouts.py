"""Time limits of steps: kept by the worker that runs them."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from attrs import evolve

from squidmesh import Context, Fail, Mesh, Run
from squidmesh.ports import Ports, Site
from squidmesh.workers.line import StepSignals
from squidmesh.workers.timelimits import TimeLimits
from squidmesh_core.ids import NodeName
from squidmesh_core.values import RetryPolicy
from support.stage import Stage, begin, does
from support.workflows import chain
from support.workflows import step as node

#: Milliseconds on the clock of the test, which only steps move.
LIMIT = 40
#: Seconds that a test waits for what must happen at once.
PATIENCE = 10.0
SPEC = chain(evolve(node("work", output="work"), timeout_ms=LIMIT))
TWICE = chain(
    evolve(node("work", output="work", retry=RetryPolicy(max_attempts=2)), timeout_ms=LIMIT)
)


@dataclass
class Hands:
    """A clock moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_limit(self) -> None:
        """Let more time pass than a step has."""
        self.now += LIMIT / 1000


def limited(stage: Stage) -> tuple[Mesh, Hands]:
    """A mesh whose limits strike when the test says so, however slow the machine is."""
    hands = Hands()
    return stage.mesh(ports=Ports(monotonic=hands)), hands


def driven(mesh: Mesh, run: Run, how: str) -> None:
    """Perform what there is, in one of the three ways."""
    match how:
        case "execute_next":
            while mesh.execute_next() is not None:
                pass
        case "drain":
            mesh.drain()
        case _:
            with mesh.worker(concurrency=2):
                mesh.wait_for(run, timeout="60s")


@pytest.mark.parametrize("how", ["execute_next", "drain", "worker"])
def test_an_async_step_is_cancelled(
    stage: Stage, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The attempt fails as `timed_out`, the step has seen its cancellation, nobody is warned."""
    seen: list[tuple[bool, bool]] = []
    mesh, hands = limited(stage)

    async def work(ctx: Context) -> None:
        hands.pass_limit()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append((ctx.cancelled, ctx.lost))

    run = begin(mesh, SPEC, work=work)
    driven(mesh, run, how)

    error = mesh.inspect(run).error
    assert error is not None
    assert ("timed_out", [(True, False)]) == (error.kind, seen)
    assert f"{LIMIT} ms" in error.message
    assert "" == caplog.text


@pytest.mark.parametrize("how", ["execute_next", "drain", "worker"])
def test_a_sync_step_is_told_and_its_late_result_refused(stage: Stage, how: str) -> None:
    """The failure is there before the function returns, and what it returns counts no more."""
    failed: list[str] = []
    mesh, hands = limited(stage)

    def work(ctx: Context) -> str:
        hands.pass_limit()
        while not ctx.cancelled:
            pass
        while mesh.inspect(ctx.run_id).status != "failed":
            pass
        failed.append(mesh.inspect(ctx.run_id).attempts[0].status)
        return "late"

    run = begin(mesh, SPEC, work=work)
    driven(mesh, run, how)

    snapshot = mesh.inspect(run)
    assert ["failed"] == failed
    assert {} == snapshot.context
    assert snapshot.error is not None
    assert "timed_out" == snapshot.error.kind


def test_the_policy_may_try_again(stage: Stage) -> None:
    """The second attempt keeps to its time."""

    mesh, hands = limited(stage)

    async def work(ctx: Context) -> int:
        if ctx.attempt == 1:
            hands.pass_limit()
            await asyncio.Event().wait()
        return ctx.attempt

    run = begin(mesh, TWICE, work=work)
    mesh.drain()

    assert ("completed", {"work": 2}) == (mesh.inspect(run).status, mesh.inspect(run).context)


def test_a_step_that_ignores_its_cancellation_has_failed_all_the_same(stage: Stage) -> None:
    """An async step that catches it and returns something is too late, too."""

    mesh, hands = limited(stage)

    async def work() -> str:
        hands.pass_limit()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "as if nothing had been"
        return "never"

    run = begin(mesh, SPEC, work=work)
    mesh.drain()

    error = mesh.inspect(run).error
    assert error is not None
    assert "timed_out" == error.kind


@pytest.mark.parametrize(
    ("ends", "status", "kind"),
    [(lambda: "in time", "completed", None), (lambda: Fail("of itself"), "failed", "Fail")],
    ids=["completes", "fails"],
)
def test_a_step_in_time_is_left_alone(
    stage: Stage, ends: Callable[[], object], status: str, kind: str | None
) -> None:
    """Its own result is recorded, whatever the limit is."""
    spec = chain(evolve(node("work", output="work"), timeout_ms=3_600_000))
    mesh = stage.mesh()
    run = begin(mesh, spec, work=ends)
    mesh.drain()

    snapshot = mesh.inspect(run)
    assert (status, kind) == (snapshot.status, snapshot.error and snapshot.error.kind)


def test_the_next_attempt_begins_while_the_late_function_still_runs(stage: Stage) -> None:
    """The failure waits for nobody: a second slot performs the retry, and its result stands."""
    retried = threading.Event()
    seen: list[bool] = []
    mesh, hands = limited(stage)

    def work(ctx: Context) -> str:
        if ctx.attempt == 2:
            retried.set()
            return "second"
        hands.pass_limit()
        seen.append(retried.wait(PATIENCE))  # an assertion here would be the step's failure
        return "first"

    run = begin(mesh, TWICE, work=work)
    with mesh.worker(concurrency=2):
        mesh.wait_for(run, timeout="60s")

    snapshot = mesh.inspect(run, history=True)
    assert [True] == seen
    assert ("completed", {"work": "second"}) == (snapshot.status, snapshot.context)
    assert ["timed_out", None] == [one.error and one.error.kind for one in snapshot.attempts]


def test_a_limit_that_could_not_be_recorded_is_recorded_by_the_step_s_own_thread(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Its late result is dropped all the same."""
    struck = threading.Event()
    seen: list[bool] = []

    def site(reached: Site) -> None:
        if reached == "settle.before" and not struck.is_set():
            struck.set()
            raise OSError("away")

    hands = Hands()
    mesh = stage.mesh(ports=Ports(monotonic=hands, site=site))

    def work() -> str:
        hands.pass_limit()
        seen.append(struck.wait(PATIENCE))
        return "late"

    run = begin(mesh, SPEC, work=work)
    mesh.drain()

    snapshot = mesh.inspect(run)
    assert [True] == seen
    mesh.close()  # by now the thread of the limits has said what it had to say
    assert ("failed", {}) == (snapshot.status, snapshot.context)
    assert snapshot.error is not None
    assert "timed_out" == snapshot.error.kind
    assert "could not be failed" in caplog.text


def test_the_limit_is_that_of_the_definition_the_run_began_with(stage: Stage) -> None:
    """A deploy that shortens it changes new runs only."""
    generous = chain(evolve(node("work", output="work"), timeout_ms=LIMIT * 2))
    mesh, hands = limited(stage)

    def work() -> str:
        hands.pass_limit()
        mesh.engine._here.limits.strike_due()
        return "in time"

    run = begin(stage.mesh(), generous, work=work)
    late = begin(mesh, SPEC, work=work)
    mesh.drain()

    assert ("completed", {"work": "in time"}) == (
        mesh.inspect(run).status,
        mesh.inspect(run).context,
    )
    assert "failed" == mesh.inspect(late).status


# --- the clockwork itself


def by_hand() -> tuple[TimeLimits, Hands]:
    """Limits without a thread of their own, and their clock."""
    hands = Hands()
    limits = TimeLimits(hands)
    limits.stop()
    return limits, hands


def test_limits_strike_in_their_turn_and_once() -> None:
    """Those that ended before are forgotten."""
    struck: list[str] = []
    limits, hands = by_hand()
    quick, slow, gone = StepSignals(), StepSignals(), StepSignals()
    with limits.limiting(gone, 500, lambda: struck.append("gone")):
        pass
    with (
        limits.limiting(quick, 1_000, lambda: struck.append("quick")),
        limits.limiting(slow, 3_000, lambda: struck.append("slow")),
    ):
        for instant in (0.9, 1.0, 1.0, 2.9, 3.5, 9.0):
            hands.now = instant
            limits.strike_due()
            assert (instant >= 1.0, instant >= 3.0) == (quick.timed_out, slow.timed_out)

    assert (["quick", "slow"], False) == (struck, gone.cancelled)


def test_a_strike_that_fails_spares_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """The storage may be away for one of them."""
    struck: list[str] = []
    limits, hands = by_hand()

    def breaks() -> None:
        raise OSError("away")

    with (
        limits.limiting(StepSignals(), 1, breaks),
        limits.limiting(StepSignals(), 1, lambda: struck.append("other")),
    ):
        hands.now = 1.0
        limits.strike_due()

    assert ["other"] == struck
    assert "could not be failed" in caplog.text


def test_all_are_told_before_the_first_is_recorded() -> None:
    """Recording may take long while the storage is away."""
    told: list[bool] = []
    limits, hands = by_hand()
    first, second = StepSignals(), StepSignals()
    with (
        limits.limiting(first, 1, lambda: told.append(second.timed_out)),
        limits.limiting(second, 1, lambda: told.append(first.timed_out)),
    ):
        hands.now = 1.0
        limits.strike_due()

    assert [True, True] == told


def test_a_shorter_limit_that_comes_later_strikes_first(stage: Stage) -> None:
    """The thread that waits for a long limit is woken for a short one."""
    ended = threading.Event()
    limits = TimeLimits(stage.mesh().door.ports.monotonic)
    with (
        limits.limiting(StepSignals(), 3_600_000, lambda: None),
        limits.limiting(StepSignals(), 1, ended.set),
    ):
        assert ended.wait(60)
    limits.stop()


def watching() -> list[threading.Thread]:
    """The threads that end steps which take too long."""
    return [one for one in threading.enumerate() if one.name == "squidmesh-time-limits"]


def test_a_node_without_a_limit_costs_no_thread(stage: Stage) -> None:
    """Nobody would have anything to wait for."""
    mesh = stage.mesh()
    begin(mesh, chain(node(NodeName("work"))), work=lambda: None)
    mesh.drain()

    assert not watching()


def test_a_callback_is_not_limited_by_what_it_undoes(stage: Stage) -> None:
    """To take something back may take longer than to do it."""
    seen: list[list[threading.Thread]] = []

    def fails() -> None:
        raise Fail("no van goes there")

    actions = does(work=lambda: 1, fails=fails)
    actions.add("undo.work", lambda: seen.append(watching()))
    limited = evolve(node("work", output="work", compensate=True), timeout_ms=3_600_000)
    mesh = stage.mesh()
    mesh.start_spec(chain(limited, node("fails")), "placed", {}, actions=actions)
    mesh.drain(limit=2)
    of_the_step = watching()
    stage.mesh(actions=actions).drain()

    assert [of_the_step] == seen
    assert 1 == len(of_the_step)
