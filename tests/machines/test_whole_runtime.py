"""The whole machine: whatever hosts do in whatever order, all adapters tell the same, and it is true."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from squidmesh import Claim, Mesh, Refused, Run
from squidmesh.door.storing import Kept
from squidmesh_core.decide import Refusal
from squidmesh_core.definition.spec import COMPLETE, Spec
from squidmesh_core.protocol.requests import DefinitionChoice
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.values import DeadlinePolicy, RetryPolicy
from squidmesh_core.views.bulk import Bulk
from squidmesh_core.views.explanation import RefusedAction, actions
from squidmesh_core.views.explanation.records import ActionName
from squidmesh_core.views.index import rows_of
from squidmesh_storage.api import Journal, ListPage, RunFilter
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.anything import Ending, Host, No, alike, does, is_refused, surely
from support.planted import Plant, assert_machine_catches
from support.postgres import empty
from support.stage import Clock
from support.workflows import (
    FORM,
    MESSAGE,
    approval,
    log,
    pause,
    receive,
    route,
    step,
    wait,
    workflow,
)

MINUTE: Final = 60_000
LATE: Final = DeadlinePolicy(within_ms=MINUTE, due_soon_ms=MINUTE // 2)
TWICE: Final = RetryPolicy(max_attempts=2)
#: One after the other, round again where charging fails, and everything but the last can be undone.
ORDERS: Final = evolve(
    workflow(
        step("reserve", output="reserve", compensate=True, retry=TWICE, deadline=LATE),
        approval("ask", form=FORM, timeout_ms=10 * MINUTE, max_visits=3),
        step("charge", compensate=True, compensate_retry=TWICE, priority=-1, max_visits=2),
        receive("parcel", message=MESSAGE, output="parcel", timeout_ms=MINUTE),
        step("ship", irreversible=True, compensatable=False, max_deliveries=1),
        routes=(
            route("reserve", "ask"),
            route("ask", "charge"),
            route("ask", COMPLETE, on="error"),
            route("charge", "parcel"),
            route("charge", "ask", on="error"),
            route("parcel", "ship"),
            route("parcel", "ship", on="timeout"),
        ),
    ),
    workflow="orders",
)
#: The same before a deploy: nothing is waited for.
OLD_ORDERS: Final = evolve(
    workflow(
        step("reserve", output="reserve", compensate=True, retry=TWICE, deadline=LATE),
        step("charge", compensate=True),
        routes=(route("reserve", "charge"),),
    ),
    workflow="orders",
)
#: Side by side, and within half an hour.
TRIP: Final = evolve(
    workflow(
        step("fly", output="fly", compensate=True),
        pause("look", output="look"),
        wait("rest", MINUTE // 2),
        step("sleep", after=("fly",), compensate=True, queue="slow", retry=TWICE),
        receive("bill", message=MESSAGE, after=("fly",), deadline=LATE),
        step("pay", after=("sleep", "look", "bill"), max_deliveries=2),
        log("home", after=("pay", "rest")),
        timeout_ms=30 * MINUTE,
    ),
    workflow="trip",
)
#: What can be started, and what is registered.
STARTED: Final = (ORDERS, OLD_ORDERS, TRIP)
REGISTERED: Final = (ORDERS, TRIP)
#: Runs that are enough: no more of them are replayed at once.
MOST_RUNS: Final = 12

by = st.sampled_from([0, 1])
keys = st.sampled_from([None, None, "k", "l"])
queues = st.sampled_from(["default", "default", "slow"])
endings: st.SearchStrategy[list[Ending]] = st.lists(
    st.sampled_from([1, 1, 0, "breaks", "retries", "defers", "fails"]), max_size=4
)
pauses = st.sampled_from([timedelta(seconds=n) for n in (1, 29, 30, 59, 60, 600)])
statuses: st.SearchStrategy[RunStatus] = st.sampled_from(
    ["started", "running", "paused", "idle", "compensating", "completed", "failed", "cancelled"]
)
#: Names of gates, of what receives messages, of steps, and none.
nodes = st.sampled_from([None, None, "ask", "look", "parcel", "bill", "charge"])


def approves(mesh: Mesh, run: str, node: str | None, key: str | None) -> Run:
    """Somebody says yes."""
    return mesh.approve(run, by="ida", node=node, form={"sure": True}, key=key)


def rejects(mesh: Mesh, run: str, node: str | None, key: str | None) -> Run:
    """Somebody says no."""
    return mesh.reject(run, by="ida", node=node, key=key)


def sends(mesh: Mesh, run: str, node: str | None, key: str | None) -> Run:
    """A message comes."""
    return mesh.send(run, node or "bill", {"n": 1}, key=key)


def resumes(mesh: Mesh, run: str, node: str | None, key: str | None) -> Run:
    """Somebody says go on."""
    return mesh.resume(run, node=node, key=key)


def holds(mesh: Mesh, run: str, _: str | None, key: str | None) -> Run:
    """An operator holds the run."""
    return mesh.pause(run, key=key)


def cancels(mesh: Mesh, run: str, _: str | None, key: str | None) -> Run:
    """An operator ends the run."""
    return mesh.cancel(run, key=key)


def has_it_undone(mesh: Mesh, run: str, _: str | None, key: str | None) -> Run:
    """An operator has the run undone."""
    return mesh.cancel(run, compensate=True, key=key)


def abandons(mesh: Mesh, run: str, _: str | None, key: str | None) -> Run:
    """An operator has enough of undoing."""
    return mesh.cancel(run, abandon=True, key=key)


Command = Callable[[Mesh, str, str | None, str | None], Run]
#: People and messages move a run on more often than operators end it.
commands: st.SearchStrategy[Command] = st.sampled_from(
    [approves, approves, rejects, sends, sends, resumes, resumes]
) | st.sampled_from([holds, cancels, has_it_undone, abandons])


class AllAdaptersRunAlikeAndTellTheTruth(RuleBasedStateMachine):
    """Hosts start, work, steer, replay, limit and prune runs; what they are told is so."""

    runs: Bundle[str] = Bundle("runs")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.hosts = [Host(one, REGISTERED, self.clock) for one in self.journals()]
        #: Every run that ever began, and those that may have changed since they were looked at.
        self.known: list[str] = []
        self.changed: set[str] = set()

    def journals(self) -> list[Journal]:
        """Empty journals; the first is memory."""
        return [MemoryJournal(clock=self.clock), SqliteJournal(":memory:", clock=self.clock)]

    # -- what can happen

    @initialize(target=runs, spec=st.sampled_from(STARTED))
    def a_run_is_there(self, spec: Spec) -> str | MultipleResults[str]:
        return self.somebody_starts(0, spec, None, 0, None)

    @rule(
        target=runs,
        by=by,
        spec=st.sampled_from(STARTED),
        key=keys,
        priority=st.sampled_from([0, 1]),
        partition=st.sampled_from([None, "p", "q"]),
    )
    def somebody_starts(
        self, by: int, spec: Spec, key: str | None, priority: int, partition: str | None
    ) -> str | MultipleResults[str]:
        def start(mesh: Mesh) -> Run:
            return mesh.start_spec(
                spec,
                "placed",
                {},
                actions=mesh.actions,
                key=key,
                priority=priority,
                partition_key=partition,
            )

        return self.begins(alike(self.hosts, by, start))

    @rule(target=claims, by=by, queue=queues, seconds=st.sampled_from([30, 60]))
    def a_worker_claims(self, by: int, queue: str, seconds: int) -> Claim | MultipleResults[Claim]:
        lease = timedelta(seconds=seconds)
        claim = surely(
            self.hosts, by, lambda mesh: mesh.claim(owner="ana", queue=queue, lease=lease)
        )
        # A time-out may have struck: then somebody worked, and nothing is held.
        self.changed.update(self.known)
        return multiple() if claim is None else claim

    @rule(by=by, claim=claims, output=st.sampled_from([0, 1]))
    def that_worker_completes(self, by: int, claim: Claim, output: int) -> None:
        self.settles(by, claim, lambda mesh: mesh.complete(claim, output))

    @rule(by=by, claim=claims, for_good=st.booleans())
    def that_worker_fails(self, by: int, claim: Claim, for_good: bool) -> None:
        self.settles(by, claim, lambda mesh: mesh.fail(claim, "no", retryable=not for_good))

    @rule(by=by, claim=claims)
    def that_worker_defers(self, by: int, claim: Claim) -> None:
        self.settles(by, claim, lambda mesh: mesh.defer(claim, "later", for_="30s"))

    @rule(by=by, claim=claims)
    def that_worker_heartbeats(self, by: int, claim: Claim) -> None:
        self.settles(by, claim, lambda mesh: mesh.heartbeat(claim).lease_until)

    @rule(by=by, queue=queues, endings=endings)
    def a_worker_does_one_thing(self, by: int, queue: str, endings: list[Ending]) -> None:
        surely(self.hosts, by, lambda mesh: mesh.execute_next(queue=queue, owner="ben"), endings)
        self.changed.update(self.known)

    @rule(by=by, limit=st.sampled_from([None, 1, 3]), endings=endings)
    def a_worker_does_all_there_is(self, by: int, limit: int | None, endings: list[Ending]) -> None:
        surely(self.hosts, by, lambda mesh: mesh.drain(limit=limit), endings)
        self.changed.update(self.known)

    @rule(by=by, run=runs, command=commands, node=nodes, key=keys)
    def somebody_steers(
        self, by: int, run: str, command: Command, node: str | None, key: str | None
    ) -> None:
        answer = alike(self.hosts, by, lambda mesh: command(mesh, run, node, key))
        event(f"{command.__name__}: {answer.code if isinstance(answer, No) else 'done'}")
        self.changed.add(run)

    @rule(
        target=runs,
        by=by,
        run=runs,
        key=keys,
        from_step=st.sampled_from([None, None, "charge", "ship", "sleep"]),
        allowed=st.booleans(),
        definition=st.sampled_from(["source", "current"]),
    )
    def somebody_replays(
        self,
        *,
        by: int,
        run: str,
        key: str | None,
        from_step: str | None,
        allowed: bool,
        definition: DefinitionChoice,
    ) -> str | MultipleResults[str]:
        def replay(mesh: Mesh) -> Run:
            return mesh.replay(
                run,
                key=key,
                from_step=from_step,
                allow_irreversible=allowed,
                definition=definition,
            )

        return self.begins(alike(self.hosts, by, replay))

    @rule(target=runs, by=by, run=runs)
    def somebody_has_the_rest_undone(self, by: int, run: str) -> str | MultipleResults[str]:
        return self.begins(alike(self.hosts, by, lambda mesh: mesh.retry_compensation(run)))

    @precondition(lambda self: len(self.known) > 1)
    @rule(by=by, status=statuses, undo=st.booleans(), key=keys)
    def somebody_cancels_many(
        self, by: int, status: RunStatus, undo: bool, key: str | None
    ) -> None:
        """A plan says what is done then."""

        def cancel(mesh: Mesh, plan: bool) -> Bulk:
            return mesh.cancel_all({"status": status}, compensate=undo, key=key, plan=plan)

        planned = surely(self.hosts, by, lambda mesh: cancel(mesh, plan=True))
        done = surely(self.hosts, by, lambda mesh: cancel(mesh, plan=False))
        assert planned == evolve(done, planned=True)
        self.changed.update(self.known)

    @precondition(lambda self: 1 < len(self.known) < MOST_RUNS)
    @rule(target=runs, by=by, workflow=st.sampled_from(["orders", "trip"]), allowed=st.booleans())
    def somebody_replays_many(self, by: int, workflow: str, allowed: bool) -> MultipleResults[str]:
        """A plan says what is done then."""

        def replay(mesh: Mesh, plan: bool) -> Bulk:
            return mesh.replay_all(
                {"workflow": workflow}, key="m", allow_irreversible=allowed, plan=plan
            )

        planned = surely(self.hosts, by, lambda mesh: replay(mesh, plan=True))
        done = surely(self.hosts, by, lambda mesh: replay(mesh, plan=False))
        assert [(one.id, one.outcome, one.code) for one in planned.items] == [
            (one.id, one.outcome, one.code) for one in done.items
        ]
        begun = [one.begun for one in done.items if one.begun and one.begun not in self.known]
        self.known += begun
        self.changed.update(begun)
        return multiple(*begun)

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.clock.advance(pause)
        self.changed.update(self.known)

    @rule(by=by)
    def a_process_restarts(self, by: int) -> None:
        for host in self.hosts:
            host.meshes[by] = host.opened()

    @rule(
        by=by,
        queue=queues,
        concurrency=st.sampled_from([None, 1, 2]),
        per_key=st.sampled_from([None, 1]),
        rate=st.sampled_from([None, "1/s"]),
    )
    def somebody_limits_a_queue(
        self, by: int, queue: str, concurrency: int | None, per_key: int | None, rate: str | None
    ) -> None:
        self.sets_up(
            by,
            lambda mesh: mesh.set_queue(queue, concurrency=concurrency, per_key=per_key, rate=rate),
        )

    @rule(by=by, queue=queues, stops=st.booleans())
    def somebody_stops_a_queue(self, by: int, queue: str, stops: bool) -> None:
        self.sets_up(
            by, lambda mesh: mesh.pause_queue(queue) if stops else mesh.resume_queue(queue)
        )

    @rule(by=by, age=st.sampled_from(["0s", "1m", "1h"]))
    def somebody_prunes(self, by: int, age: str) -> None:
        planned = surely(self.hosts, by, lambda mesh: mesh.prune(age, plan=True))
        done = surely(self.hosts, by, lambda mesh: mesh.prune(age))
        assert (planned.runs, planned.tombstones) == (done.runs, done.tombstones)
        self.changed.update(self.known)

    @rule(by=by, run=runs)
    def somebody_prunes_one(self, by: int, run: str) -> None:
        alike(self.hosts, by, lambda mesh: mesh.prune(run=run))
        self.changed.add(run)

    @rule(by=by, limit=st.sampled_from([1, 50]), status=st.none() | statuses)
    def somebody_looks_through_the_lists(
        self, by: int, limit: int, status: RunStatus | None
    ) -> None:
        surely(self.hosts, by, lambda mesh: list_all(mesh, limit, status))
        for look in (Mesh.counts, Mesh.approvals, Mesh.deadlines, Mesh.queues):
            surely(self.hosts, by, look)

    @rule(run=runs, which=st.integers(0, 9))
    def a_copy_does_what_is_said_to_be_possible(self, run: str, which: int) -> None:
        if run in self.there():
            said = self.hosts[0].meshes[0].explain(run).next_actions
            if said:
                does(self.hosts[0].copied(), run, said[which % len(said)])

    @rule(run=runs, which=st.integers(0, 9))
    def a_copy_is_refused_what_is_said_to_be_refused(self, run: str, which: int) -> None:
        if run in self.there():
            said = self.hosts[0].meshes[0].explain(run).refused_actions
            if said:
                is_refused(self.hosts[0].copied(), run, said[which % len(said)])

    # -- what must always hold

    @invariant()
    def all_tell_the_same_of_each_run(self) -> None:
        for run in sorted(self.changed):
            alike(self.hosts, 0, partial(Mesh.inspect, run=run, history=True))
            alike(self.hosts, 1, partial(Mesh.explain, run=run))
            alike(self.hosts, 1, partial(Mesh.graph, run=run, history=True))
        self.changed.clear()

    @invariant()
    def every_index_is_what_the_journals_say(self) -> None:
        """But for the lease of a held attempt, of which an index may know less."""
        for host in self.hosts:
            for run_id in host.journal.run_ids(None, 1_000):
                known, found = host.meshes[0].door.fresh(run_id), host.journal.rows_of(run_id)
                expected = rows_of(known.state, known.spec)
                assert (expected.run, expected.correlations) == (found.run, found.correlations)
                for one, other in zip(expected.attempts, found.attempts, strict=True):
                    assert one == evolve(other, held_until=one.held_until)
                    assert (one.held_until is None) == (other.held_until is None)

    def teardown(self) -> None:
        """Every journal is clean, can be taken elsewhere, and everything comes to rest."""
        try:
            self.everything_is_clean()
            self.everything_can_be_taken_elsewhere()
            self.everything_comes_to_rest()
        finally:
            for host in self.hosts:
                host.journal.close()

    # --

    def begins(self, answer: Run | No) -> str | MultipleResults[str]:
        """A run that somebody began, if it is new."""
        if isinstance(answer, No):
            event(f"not begun: {answer.code}")
            return multiple()
        self.changed.add(answer.id)
        if answer.id in self.known:
            return multiple()
        self.known.append(answer.id)
        return answer.id

    def settles(self, by: int, claim: Claim, do: Callable[[Mesh], object]) -> None:
        """Whoever holds it says so, too late perhaps, and to another process."""
        answer = alike(self.hosts, by, do)
        event(f"settled: {answer.code if isinstance(answer, No) else 'done'}")
        self.changed.add(claim.run_id)

    def sets_up(self, by: int, do: Callable[[Mesh], object]) -> None:
        """Somebody sets a queue up, and every process has read it."""
        surely(self.hosts, by, do)
        for host in self.hosts:
            for mesh in host.meshes:
                mesh.engine.lanes.reread()
        self.changed.update(self.known)

    def there(self) -> list[str]:
        """Every run of which anything is left."""
        return [*map(str, self.hosts[0].journal.run_ids(None, 1_000))]

    def everything_is_clean(self) -> None:
        """Whoever reads all journals again, by all rules, finds nothing."""
        report = surely(self.hosts, 0, lambda mesh: mesh.verify(checker=True))
        assert () == report.results

    def everything_can_be_taken_elsewhere(self) -> None:
        """What is over looks the same there; what is not is held."""
        mesh = self.hosts[0].meshes[0]
        assert 1 == len({host.exported() for host in self.hosts})
        with TemporaryDirectory() as folder:
            for number, run in enumerate(self.there()):
                before = mesh.inspect(run)
                file = mesh.bundle(run, Path(folder) / str(number))
                there = Mesh(MemoryJournal(clock=self.clock))
                if before.status == "compensating":
                    with pytest.raises(Refused, match="undoing"):
                        there.load(file)
                    continue
                there.load(file)
                after = there.inspect(run)
                assert before.terminal or after.status == "paused"
                assert not before.terminal or after.steps == before.steps
                assert there.verify(run, checker=True).clean

    def everything_comes_to_rest(self) -> None:
        """With nothing in the way, each run ends, or waits for somebody outside."""
        host = self.hosts[0]
        mesh = host.opened()
        for queue in mesh.queues():
            mesh.resume_queue(queue.name)
            mesh.set_queue(queue.name, concurrency=None, per_key=None, rate=None)
        for _ in range(20):
            self.clock.advance(timedelta(minutes=5))
            mesh.drain()
        for run in self.there():
            found = mesh.inspect(run)
            event(f"ends {found.status}")
            assert found.terminal or found.gates or found.awaited, found.reason
        assert () == mesh.verify(checker=True).results


def list_all(mesh: Mesh, limit: int, status: RunStatus | None) -> list[Run]:
    """All runs of a status, page by page, none of them twice."""
    found: list[Run] = []
    cursor: str | None = None
    while True:
        page = mesh.runs(status=status, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert len({run.id for run in found}) == len(found)
    return found


def _some(share: int) -> int:
    """A share of the examples that other machines have."""
    return max(1, settings().max_examples // share)


TestAllAdaptersRunAlike = AllAdaptersRunAlikeAndTellTheTruth.TestCase
# Each program does much, so there are fewer of them than elsewhere.
TestAllAdaptersRunAlike.settings = settings(max_examples=_some(10))


def test_postgres_runs_alike(postgres_dsn: str) -> None:
    """The same, with a PostgreSQL beside memory."""
    PostgresJournal(postgres_dsn, migrate=True).close()

    class BesidePostgres(AllAdaptersRunAlikeAndTellTheTruth):
        def journals(self) -> list[Journal]:
            empty(postgres_dsn)
            return [
                MemoryJournal(clock=self.clock),
                PostgresJournal(postgres_dsn, clock=self.clock),
            ]

    run_state_machine_as_test(BesidePostgres, settings=settings(max_examples=_some(25)))


# --- planted bugs


def bundles_go_on(patch: pytest.MonkeyPatch) -> None:
    """What is loaded is not held."""
    patch.setattr(Kept, "held", lambda kept, door: kept)


def one_adapter_lists_less(patch: pytest.MonkeyPatch) -> None:
    """SQLite leaves the oldest run of a page out."""
    honest = SqliteJournal.runs

    def runs(self: SqliteJournal, where: RunFilter, cursor: Any, limit: int) -> ListPage:
        page = honest(self, where, cursor, limit)
        return evolve(page, items=page.items[:-1])

    patch.setattr(SqliteJournal, "runs", runs)


def another_verb_is_told(patch: pytest.MonkeyPatch) -> None:
    """Whoever could hold or end a run is told to lift its hold."""
    told = {**actions._VERBS, "pause": "resume", "cancel": "resume"}
    patch.setattr(actions, "_VERBS", told)


def another_code_is_told(patch: pytest.MonkeyPatch) -> None:
    """What would be refused is told with a code of its own."""
    honest = actions._refused

    def refused(name: ActionName, answer: Refusal, node: str | None = None) -> RefusedAction:
        return evolve(honest(name, answer, node), code="refused")

    patch.setattr(actions, "_refused", refused)


@pytest.mark.parametrize(
    "plant", [bundles_go_on, one_adapter_lists_less, another_verb_is_told, another_code_is_told]
)
def test_whole_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(AllAdaptersRunAlikeAndTellTheTruth, plant)
