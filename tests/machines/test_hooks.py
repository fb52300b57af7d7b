"""The hook machine: every kept notice is told at least once, and never after that was noted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from squidmesh import Refused
from squidmesh.ports import Ports, Site
from squidmesh.workers.hooks.asking import Asked, Call, Drop, Put, Reply, Request, Rest
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import ManualStepPaused, ManualStepResolved, RunTerminal
from squidmesh_core.protocol.notices import Event, Notice, delivery_from_text
from squidmesh_core.values import DeadlinePolicy
from squidmesh_storage.api import Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.records import NOTICE
from squidmesh_storage.sqlite import SqliteJournal
from support import hook_bugs
from support.faults import ProcessDied, counted_bytes
from support.hooks import Hooks, Teller
from support.planted import Plant, assert_machine_catches
from support.postgres import empty
from support.stage import Clock, does, entries
from support.workflows import chain, pause, step

HOUR: Final = timedelta(hours=1)
HELD: Final = timedelta(seconds=60)
LATE: Final = DeadlinePolicy(within_ms=3_600_000, escalate_after_ms=1_800_000)
WORK: Final = chain(step("a"))
GATES: Final = chain(pause("one", deadline=LATE), pause("two", deadline=LATE))
ACTIONS: Final = does(a=lambda: 1)
#: What each process has a function for; the second does more.
BOTH: Final[dict[str, Event]] = {
    "page": "run_failed",
    "ask": "gate_opened",
    "late": "deadline_overdue",
}
SECOND: Final[dict[str, Event]] = {**BOTH, "log": "run_completed", "boss": "deadline_escalated"}

numbers = st.sampled_from([0, 1])
names = st.sampled_from(sorted(SECOND))
pauses = st.sampled_from(
    [timedelta(seconds=1), timedelta(seconds=15), HELD, timedelta(minutes=6), HOUR]
)


class KeptNoticesAreTold(RuleBasedStateMachine):
    """Runs end and wait, two processes tell of it, stall, die, and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.journal = self.kept()
        self.bytes = counted_bytes()
        self.dies_at: Site | None = None
        self.failing: set[str] = set()
        self.runs: list[RunId] = []
        #: What the clock said when each process read it last: pauses count from then.
        self.read_at: dict[int, datetime] = {}
        #: The model: who was told of what, which notices were noted as told, and until
        #: when nobody may call for one.
        self.told: set[str] = set()
        self.noted: set[str] = set()
        self.attempts: dict[str, int] = {}
        self.free_at: dict[str, datetime] = {}
        self.processes = [self.opened(by) for by in (0, 1)]
        for process in self.processes:
            process.look()

    # -- what can happen --

    @rule(by=numbers)
    def a_run_starts_that_works(self, by: int) -> None:
        self.starts(by, "work")

    @rule(by=numbers)
    def a_run_starts_that_asks(self, by: int) -> None:
        self.starts(by, "gates")

    @rule(by=numbers, works=st.booleans(), dies=st.booleans())
    def a_step_is_settled(self, by: int, works: bool, dies: bool) -> None:
        mesh = self.processes[by].mesh
        claim = mesh.claim(owner="ana")
        if claim is None:
            return
        self.dies_at = "append.after" if dies else None
        try:
            if works:
                mesh.complete(claim, 1)
            else:
                mesh.fail(claim, "no", retryable=False)
        except ProcessDied:
            self.restarts(by)

    @rule(by=numbers, place=st.integers(0, 9), dies=st.booleans())
    def a_person_answers(self, by: int, place: int, dies: bool) -> None:
        self.steers(by, place, dies, lambda mesh, run: mesh.resume(run, by="olga"))

    @rule(by=numbers, place=st.integers(0, 9), dies=st.booleans())
    def an_operator_cancels(self, by: int, place: int, dies: bool) -> None:
        self.steers(by, place, dies, lambda mesh, run: mesh.cancel(run))

    @rule(by=numbers)
    def a_process_looks(self, by: int) -> None:
        self.processes[by].look()

    @rule(by=numbers, requests=st.integers(1, 12))
    def a_process_stalls(self, by: int, requests: int) -> None:
        for _ in range(requests):
            self.processes[by].advance()
        event(f"stalls in a call: {self.processes[by].calling}")

    @rule(by=numbers, what=st.sampled_from([Put, Call, Drop]))
    def a_process_stalls_before(self, by: int, what: type[Request]) -> None:
        process = self.processes[by]
        process.advance()
        while not isinstance(process.asked, what | Rest):
            process.advance()
        event(f"stalls before a {what.__name__}: {isinstance(process.asked, what)}")

    @rule(by=numbers, requests=st.integers(0, 12))
    def a_process_dies(self, by: int, requests: int) -> None:
        self.a_process_stalls(by, requests)
        self.restarts(by)

    @rule(name=names)
    def a_function_breaks(self, name: str) -> None:
        self.failing.add(name)

    @rule()
    def functions_are_mended(self) -> None:
        self.failing.clear()

    @rule(by_so_much=pauses)
    def time_passes(self, by_so_much: timedelta) -> None:
        self.clock.advance(by_so_much)

    # -- what must always hold --

    @invariant()
    def what_happened_is_kept_until_it_was_told(self) -> None:
        kept = {record.key for record in self.journal.records(NOTICE)}
        for key in self.happened():
            assert key in kept or key in self.noted, key

    @invariant()
    def nothing_else_is_kept(self) -> None:
        expected = self.happened() | self.thresholds()
        assert {record.key for record in self.journal.records(NOTICE)} <= expected

    # -- helpers --

    def starts(self, by: int, what: str) -> None:
        spec = WORK if what == "work" else GATES
        run = self.processes[by].mesh.start_spec(spec, "placed", {}, actions=ACTIONS)
        self.runs.append(RunId(run.id))

    def steers(self, by: int, place: int, dies: bool, verb: Callable[..., object]) -> None:
        if not self.runs:
            return
        self.dies_at = "append.after" if dies else None
        try:
            verb(self.processes[by].mesh, self.runs[place % len(self.runs)])
        except Refused:
            self.dies_at = None
        except ProcessDied:
            self.restarts(by)

    def opened(self, by: int) -> Teller:
        """A process that knows nothing yet."""
        hooks = SECOND if by else BOTH
        functions: Hooks = {name: (told, self.function(name)) for name, told in hooks.items()}
        ports = Ports(random_bytes=self.bytes, site=self.at)
        done = partial(self.saw, by)
        return Teller(self.journal, functions, ports=ports, done=done, begins=self.calls)

    def restarts(self, by: int) -> None:
        """The process is gone, and another one begins."""
        self.processes[by] = self.opened(by)

    def function(self, name: str) -> Callable[[Notice], None]:
        def told(notice: Notice) -> None:
            key = f"{notice.event} {name} {notice.id}"
            assert key in self.happened() | self.thresholds(), f"{key} never happened"
            if name in self.failing:
                event(f"a call fails, attempt {min(notice.attempt, 3)} or more")
                raise ValueError(name)
            self.told.add(key)
            event(f"told at attempt {min(notice.attempt, 3)} or more")

        return told

    def calls(self, call: Call) -> None:
        """Nobody is called for what was noted as told."""
        key = f"{call.handler.key} {call.notice.id}"
        assert key not in self.noted, f"{key} again"

    def saw(self, by: int, asked: Asked, reply: Reply) -> None:
        """What a notifier did to the records: only what it may."""
        if isinstance(reply, datetime):
            self.read_at[by] = reply
        if reply is not True or not isinstance(asked, Put | Drop):
            return
        if isinstance(asked, Drop) and asked.kind == NOTICE:
            assert asked.key in self.told, f"{asked.key} was given up"
            self.noted.add(asked.key)
            self.attempts.pop(asked.key, None)
            self.free_at.pop(asked.key, None)
        elif isinstance(asked, Put) and asked.kind == NOTICE:
            delivery = delivery_from_text(asked.body)
            assert delivery is not None
            if delivery.attempts > self.attempts.get(asked.key, 0):
                assert self.free_at.get(asked.key, self.clock.now) <= self.clock.now, asked.key
                self.attempts[asked.key] = delivery.attempts
                self.free_at[asked.key] = self.read_at[by] + HELD
            elif delivery.attempts:
                seconds = min(2 ** (delivery.attempts - 1), 300)
                self.free_at[asked.key] = self.read_at[by] + timedelta(seconds=seconds)

    def happened(self) -> set[str]:
        """What hooks are to be told of, by what the journals say."""
        found = set()
        for run in self.runs:
            for entry in entries(self.journal, run):
                told = None
                if isinstance(entry, RunTerminal):
                    told = f"run_{entry.status}"
                elif isinstance(entry, ManualStepPaused) and entry.kind != "hold":
                    told = "gate_opened"
                found |= {
                    f"{told} {name} {run}:{entry.revision}:{told}"
                    for name, wanted in SECOND.items()
                    if wanted == told
                }
        return found

    def thresholds(self, *, open_only: bool = False) -> set[str]:
        """What has passed of the deadlines of all gates, or of those that are open."""
        found = set()
        for run in self.runs:
            gates = [one for one in entries(self.journal, run) if isinstance(one, ManualStepPaused)]
            if open_only:
                gates = gates[-1:] if self.waits(run) else []
            for gate in gates:
                began = gate.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                for name, told, after in (
                    ("late", "deadline_overdue", HOUR),
                    ("boss", "deadline_escalated", HOUR * 1.5),
                ):
                    if gate.at + after <= self.clock.now:
                        found.add(f"{told} {name} {run}:{gate.step}:{began}:{told}")
        return found

    def waits(self, run: RunId) -> bool:
        """Whether a gate of a run is open."""
        found = entries(self.journal, run)
        answered = [one for one in found if isinstance(one, ManualStepResolved | RunTerminal)]
        return len(answered) < sum(isinstance(one, ManualStepPaused) for one in found)

    def at(self, site: Site) -> None:
        """Die here, if that was said."""
        if site == self.dies_at:
            self.dies_at = None
            raise ProcessDied(site)

    def kept(self) -> Journal:
        """Where everything is kept."""
        return MemoryJournal(clock=self.clock)

    def teardown(self) -> None:
        """
        All is well in the end: whatever is left is told, and nothing again.

        What is broken breaks for a while yet, and gates stay open past every threshold.
        """
        if self.failing:
            self.all_look(2, minutes=6)
            self.failing.clear()
        self.all_look(3, minutes=6)
        self.all_is_told()
        self.all_look(5, minutes=20)
        self.all_is_told()
        self.journal.close()

    def all_look(self, times: int, *, minutes: int) -> None:
        """Each process looks so often, so far apart."""
        for _ in range(times):
            self.clock.advance(timedelta(minutes=minutes))
            for process in self.processes:
                process.look()

    def all_is_told(self) -> None:
        """Nothing that hooks are to be told of is left."""
        expected = self.happened() | self.thresholds(open_only=True)
        assert expected <= self.told
        assert () == self.journal.records(NOTICE)


class KeptNoticesAreToldOnSqlite(KeptNoticesAreTold):
    """The same, on the adapter that most begin with."""

    def kept(self) -> Journal:
        return SqliteJournal(":memory:", clock=self.clock)


TestKeptNoticesAreTold = KeptNoticesAreTold.TestCase
TestKeptNoticesAreToldOnSqlite = KeptNoticesAreToldOnSqlite.TestCase


@pytest.mark.postgres
@pytest.mark.timeout(240)
def test_kept_notices_are_told_on_postgresql(postgres_dsn: str) -> None:
    """The same on a server; few examples, because each request is a round trip."""

    class OnPostgres(KeptNoticesAreTold):
        def kept(self) -> Journal:
            empty(postgres_dsn)
            return PostgresJournal(postgres_dsn, clock=self.clock)

    fewer = settings(max_examples=max(1, settings().max_examples // 10), stateful_step_count=20)
    run_state_machine_as_test(OnPostgres, settings=fewer)


@pytest.mark.parametrize("plant", hook_bugs.ALL)
def test_hook_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(KeptNoticesAreTold, plant)
