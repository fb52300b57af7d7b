"""The recovery machine: processes die anywhere, answers go astray, and the work is done once."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from attrs import evolve
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from squidmesh import ActionRegistry, Context, Refused
from squidmesh.door import door as door_module
from squidmesh.door import handle as handle_module
from squidmesh.door import requests as requests_module
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.known import Known, Memory
from squidmesh.door.outcomes import answered
from squidmesh.door.requests import Appending, Reply, Request, Trip, Write, nobody_hears
from squidmesh.ports import SITES, Ports
from squidmesh.starting import prepare, start
from squidmesh.workers import taking
from squidmesh.workers.carry import act
from squidmesh.workers.crew import Crew
from squidmesh.workers.loop import SlotLoop, SlotRequest, slot_loop
from squidmesh.workers.taking import take
from squidmesh_core.checker import check_run
from squidmesh_core.decide import Already, Decision, Refusal
from squidmesh_core.errors import SquidmeshError, StorageError
from squidmesh_core.ids import AppendId, RunId
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.commands import Cancel, Command, Complete, Defer, Fail, Heartbeat
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    Entry,
    RunTerminal,
)
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.values import RetryPolicy
from squidmesh_core.views.index import rows_of
from squidmesh_storage.api import Batch, Committed, Conflict, Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from support import bugs, naive
from support.faults import ASTRAY, Fault, Faults, FaultyJournal, ProcessDied, counted_bytes
from support.planted import Plant, assert_machine_catches
from support.postgres import empty
from support.stage import Clock, entries
from support.workflows import step, workflow

LEASE = timedelta(seconds=60)
PATIENT = RetryPolicy(max_attempts=50)
#: Two steps side by side, so that two workers meet on one run.
SPEC = workflow(
    step("pack", output="pack", retry=PATIENT, max_deliveries=50),
    step("bill", output="bill", retry=PATIENT, max_deliveries=50),
    step("ship", after=("pack", "bill"), output="ship", retry=PATIENT, max_deliveries=50),
)

#: Half of all that happens goes well, and half of what does not goes astray.
faults = st.none() | st.none() | st.sampled_from(ASTRAY) | st.sampled_from(SITES)
workers = st.sampled_from(["ana", "ben"])
#: The last one is the only one that is ever cancelled: the play goes on without it.
ORDERS = ["order:1", "order:2", "order:3"]
orders = st.sampled_from(ORDERS)
pauses = st.sampled_from([timedelta(seconds=1), LEASE - timedelta(seconds=1), LEASE])


class TruthfulDoor(Door):
    """A door whose every answer is compared with the journal."""

    def handle(
        self,
        run_id: RunId,
        command: Command,
        *,
        begin: Known | None = None,
        now: datetime | None = None,
    ) -> Handled:
        """Carry out a command, and look whether what is said of it is so."""
        handled = super().handle(run_id, command, begin=begin, now=now)
        self.is_true(run_id, command, handled)
        return handled

    def handle_all(
        self,
        commands: Sequence[tuple[RunId, Command]],
        *,
        now: datetime | None = None,
        appending: Appending = nobody_hears,
    ) -> list[Handled | Exception]:
        """The same for several."""
        answers = super().handle_all(commands, now=now, appending=appending)
        for (run_id, command), handled in zip(commands, answers, strict=True):
            if isinstance(handled, Handled):
                self.is_true(run_id, command, handled)
        return answers

    def is_true(self, run_id: RunId, command: Command, handled: Handled) -> None:
        """What was said to be written is, and what was refused is not."""
        answer = handled.answer
        if isinstance(answer, Decision):
            said = answer.entries
            written = entries(self.journal, run_id) if _exists(self.journal, run_id) else []
            there = written[said[0].revision - 1 : said[-1].revision]
            assert list(said) == there, ("said and not written", command)
        if isinstance(command, Complete):
            # A slot settles once, so nobody was told before.
            assert not isinstance(answer, Already), ("told as a repetition", command)
        if isinstance(answer, Refusal) and isinstance(command, Complete | Fail | Defer):
            for entry in entries(self.journal, run_id):
                if isinstance(entry, AttemptCompleted | AttemptFailed):
                    claim_id = command.held.claim_id
                    assert entry.claim_id != claim_id, ("refused, and written", command)


class Worker:
    """A process with one slot: what it is doing, and what dies with it."""

    def __init__(self, journal: Journal, ports: Ports, actions: ActionRegistry, name: str) -> None:
        self.door = TruthfulDoor(journal, ports)
        self.crew = Crew(
            door=self.door,
            actions=actions,
            owner=name,
            lease_ms=LEASE // timedelta(milliseconds=1),
            queues=frozenset({"default"}),
            run_async=lambda coroutine, signals: None,
            heartbeats=None,
        )
        self.slot: SlotLoop | None = None
        self.request: SlotRequest | None = None

    def takes(self) -> None:
        """Claim one attempt, if there is one."""
        crew = self.crew
        taken = take(self.door, ("default",), crew.actions.performable(), 1, crew.offer)
        for claim in taken.claims:
            self.slot = slot_loop(claim, lambda: False, lambda: 0.0)
            self.request = next(self.slot)

    def works(self) -> None:
        """Do the next thing: what its slot asks for, or look for work."""
        if self.slot is None or self.request is None:
            self.takes()
            return
        reply = act(self.crew, self.request)
        try:
            self.request = self.slot.send(reply)
        except StopIteration:
            self.slot = self.request = None


class CrashesLoseNothingAndRepeatNothing(RuleBasedStateMachine):
    """Workers die at any site and answers go astray; others take over, and every run ends."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.faults = Faults()
        self.honest = self.open_journal()
        self.journal = FaultyJournal(self.honest, self.faults)
        self.ports = Ports(
            random_bytes=counted_bytes(),
            draw=lambda: 0.5,
            monotonic=lambda: 0.0,
            site=self.faults.at,
        )
        self.actions = ActionRegistry()
        for name in ("pack", "bill", "ship"):
            self.actions.add(f"do.{name}", self.effect)
        self.workers = {name: self.worker(name) for name in ("ana", "ben")}
        # The model: what was done outside, and what somebody was told.
        self.effects: list[str] = []
        self.told_started: dict[RunId, str] = {}
        self.next_fails = False
        # What steps found wrong; raised there, it would be their failure.
        self.mischief: list[str] = []

    # -- what can happen --

    @initialize()
    def an_order_is_there(self) -> None:
        self.client_starts(ORDERS[0], None)

    @rule(order=orders, fault=faults)
    def client_starts(self, order: str, fault: Fault) -> None:
        door = TruthfulDoor(self.journal, self.ports)

        def starting() -> None:
            request = prepare(door, SPEC, "placed", {}, {"key": order})
            run = answered(start(door, request, None))
            self.told_started[run.id] = order

        self.happens(starting, fault)

    @rule(worker=workers, fault=faults, fails=st.booleans(), requests=st.integers(1, 4))
    def worker_works(self, worker: str, fault: Fault, fails: bool, requests: int) -> None:
        self.next_fails = fails

        def working() -> None:
            for _ in range(requests):
                self.workers[worker].works()

        self.happens(working, fault, worker)

    @precondition(lambda self: any(one.slot for one in self.workers.values()))
    @rule(worker=workers, fault=faults)
    def worker_heartbeats(self, worker: str, fault: Fault) -> None:
        one = self.workers[worker]
        if one.request is not None:
            claim = one.request.claim
            command = Heartbeat(held=claim.held, lease_ms=claim.lease_ms)
            self.happens(lambda: one.door.handle(claim.run_id, command), fault, worker)

    @precondition(lambda self: ORDERS[-1] in self.told_started.values())
    @rule(fault=faults)
    def operator_cancels(self, fault: Fault) -> None:
        door = TruthfulDoor(self.journal, self.ports)
        for run_id, order in self.told_started.items():
            if order == ORDERS[-1]:
                self.happens(partial(door.handle, run_id, Cancel(digest=order)), fault)

    @rule(pause=pauses)
    def time_passes_and_late_appends_land(self, pause: timedelta) -> None:
        self.clock.advance(pause)
        self.journal.late_ones_land()

    # -- what must always hold --

    @invariant()
    def no_acknowledged_append_is_lost(self) -> None:
        for record in self.journal.acknowledged:
            assert record in self.honest.load(record.run_id, whole=True).records, record

    @invariant()
    def steps_run_under_a_durable_claim_and_not_after_their_result(self) -> None:
        assert [] == self.mischief

    @invariant()
    def no_process_remembers_what_is_not_written(self) -> None:
        for run_id, history in self.histories().items():
            for worker in self.workers.values():
                known = worker.door.memory.get(run_id)
                if known is not None:
                    read = fold_run(run_id, history[: known.state.revision])
                    assert read == known.state

    @invariant()
    def every_acknowledged_start_is_there(self) -> None:
        assert set(self.told_started) <= set(self.histories())

    @invariant()
    def each_attempt_settles_once_and_each_result_is_applied_once(self) -> None:
        for history in self.histories().values():
            naive.each_attempt_settles_once(history)
            naive.each_visit_is_applied_once(history)
            naive.leases_are_exclusive(history)

    @invariant()
    def no_result_without_its_effect(self) -> None:
        for history in self.histories().values():
            keys = {
                entry.attempt_key: entry.idempotency_key
                for entry in history
                if isinstance(entry, AttemptScheduled)
            }
            for entry in history:
                if isinstance(entry, AttemptCompleted) and entry.attempt_key in keys:
                    assert keys[entry.attempt_key] in self.effects, entry

    @invariant()
    def index_is_what_the_journals_say(self) -> None:
        for run_id, history in self.histories().items():
            state = fold_run(run_id, history)
            assert () == state.anomalies
            assert rows_of(state, SPEC) == self.honest.rows_of(run_id)

    def teardown(self) -> None:
        """Faults stop: then every run ends, and what was done outside is what the journal says."""
        self.faults.armed, self.next_fails = None, False
        self.journal.late_ones_land()
        for fault in self.faults.met:
            event(f"met {fault}")
        for _ in range(20):
            self.clock.advance(LEASE)
            saviour = self.worker("carla")
            saviour.works()
            while saviour.slot is not None:
                saviour.works()
        for run_id, history in self.histories().items():
            assert isinstance(history[-1], RunTerminal), (run_id, history)
            event(f"a run is {history[-1].status}")
            records = self.honest.load(run_id, whole=True).records
            assert () == check_run(records, SPEC).violations
            if history[-1].status == "completed":
                done = {f"{run_id}:{name}:1" for name in ("pack", "bill", "ship")}
                assert done <= set(self.effects), (done, self.effects)
        self.honest.close()

    # --

    def effect(self, ctx: Context) -> int:
        """What a step does to the outside world: only with a durable claim, only in its turn."""
        run_id = RunId(ctx.run_id)
        history = entries(self.honest, run_id)
        claims = [e for e in history if isinstance(e, AttemptClaimed)]
        mine = [claim for claim in claims if claim.claim_id == ctx.claim_id]
        settled = {
            e.attempt_key for e in history if isinstance(e, AttemptCompleted | AttemptFailed)
        }
        if not mine:
            self.mischief.append(f"{ctx.attempt_key} was performed without a durable claim")
        elif self.clock.now < mine[0].lease_until and ctx.attempt_key in settled:
            self.mischief.append(f"{ctx.attempt_key} was performed after its result was durable")
        self.effects.append(ctx.idempotency_key)
        if self.next_fails:
            raise ValueError("not this time")
        return len(ctx.state)

    def open_journal(self) -> Journal:
        """Where everything is kept."""
        return MemoryJournal(clock=self.clock)

    def worker(self, name: str) -> Worker:
        """A process that knows nothing."""
        return Worker(self.journal, self.ports, self.actions, name)

    def happens(self, what: Callable[[], object], fault: Fault, worker: str | None = None) -> None:
        """Let something happen under a fault; the process that dies of it begins anew."""
        self.faults.armed = fault
        try:
            what()
        except ProcessDied:
            if worker is not None:
                self.workers[worker] = self.worker(worker)
        except (StorageError, Refused) as error:
            event(f"{type(error).__name__}")
        except SquidmeshError as error:
            raise AssertionError("nobody should meet this") from error
        finally:
            self.faults.armed = None

    def histories(self) -> dict[RunId, list[Entry]]:
        """All entries of all runs, from the storage itself."""
        return {run: entries(self.honest, run) for run in self.honest.run_ids(None, 10)}


def _exists(journal: Journal, run_id: RunId) -> bool:
    return run_id in journal.run_ids(None, 10)


class CrashesLoseNothingAndRepeatNothingOnSqlite(CrashesLoseNothingAndRepeatNothing):
    """The same on the adapter that people use."""

    def open_journal(self) -> Journal:
        """A database of its own."""
        return SqliteJournal(":memory:", clock=self.clock)


TestOnMemory = CrashesLoseNothingAndRepeatNothing.TestCase
TestOnMemory.settings = settings(stateful_step_count=40)
TestOnSqlite = CrashesLoseNothingAndRepeatNothingOnSqlite.TestCase
TestOnSqlite.settings = settings(stateful_step_count=40)


@pytest.mark.postgres
@pytest.mark.timeout(240)
def test_crashes_lose_nothing_on_postgresql(postgres_dsn: str) -> None:
    """The same on a server; few examples, because each look at it is a round trip."""

    class OnPostgres(CrashesLoseNothingAndRepeatNothing):
        def open_journal(self) -> Journal:
            empty(postgres_dsn)
            return PostgresJournal(postgres_dsn, clock=self.clock)

    few = max(1, min(settings().max_examples // 5, 100))
    run_state_machine_as_test(
        OnPostgres, settings=settings(max_examples=few, stateful_step_count=20)
    )


# --- planted bugs


def retried_under_a_new_id(patch: pytest.MonkeyPatch) -> None:
    """An append whose outcome is unknown is sent again as another one."""
    honest = handle_module._resolved

    def resolved(batch: Batch) -> Trip[object]:
        again = evolve(batch.record, append_id=AppendId(batch.record.append_id + "x"))
        return (yield from honest(evolve(batch, record=again)))

    patch.setattr(handle_module, "_resolved", resolved)


def unknown_is_success(patch: pytest.MonkeyPatch) -> None:
    """Nobody knows, so it will have worked."""

    def append(batch: Batch) -> Trip[Committed | Conflict]:
        outcome = yield from requests_module.write(batch)
        if isinstance(outcome, Conflict):
            return outcome
        return Committed(run_id=batch.record.run_id, revision=batch.record.last)

    patch.setattr(handle_module, "_append", append)


def state_cached_before_committed(patch: pytest.MonkeyPatch) -> None:
    """What is remembered moves when the append is sent."""
    honest = handle_module.handle

    def eager(memory: Memory, run_id: RunId, command: Command, **options: object) -> Trip[Handled]:
        trip: Trip[Handled] = honest(memory, run_id, command, **options)  # type: ignore[arg-type]  # passed through
        try:
            request: Request = next(trip)
            while True:
                if isinstance(request, Write):
                    _remember(memory, request.batch)
                try:
                    reply: Reply = yield request
                except SquidmeshError as error:
                    request = trip.throw(error)
                else:
                    request = trip.send(reply)
        except StopIteration as stop:
            handled: Handled = stop.value
            return handled

    patch.setattr(door_module, "handle", eager)


def _remember(memory: Memory, batch: Batch) -> None:
    record = batch.record
    known = memory.get(record.run_id)
    if known is not None and known.state.revision == batch.expected:
        written = decode(record.body, run_id=record.run_id, first=record.first)
        state = fold(known.state, written)
        memory.put(Known(state=state, hash=record.hash, spec=known.spec))


def performed_before_committed(patch: pytest.MonkeyPatch) -> None:
    """A claim is performed whatever became of its append."""
    patch.setattr(taking, "Committed", object)


def index_changed_outside_the_append(patch: pytest.MonkeyPatch) -> None:
    """Rows are written when the append is done."""
    honest = requests_module.answer

    def answer(request: Request, journal: Journal, ports: Ports) -> Reply:
        if not isinstance(request, Write):
            return honest(request, journal, ports)
        run_id = request.batch.record.run_id
        bare = evolve(request.batch, rows=RowChanges())
        outcome = honest(Write(batch=bare), journal, ports)
        state = fold_run(run_id, entries(journal, run_id))
        if isinstance(outcome, Committed):
            journal.index(run_id, state.revision, rows_of(state, SPEC))
        return outcome

    patch.setattr(requests_module, "answer", answer)


@pytest.mark.parametrize(
    "plant",
    [
        retried_under_a_new_id,
        unknown_is_success,
        state_cached_before_committed,
        performed_before_committed,
        index_changed_outside_the_append,
        bugs.no_fence,
    ],
)
def test_recovery_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(CrashesLoseNothingAndRepeatNothing, plant)
