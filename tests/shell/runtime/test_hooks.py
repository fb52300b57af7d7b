"""Hooks: who is told, when again, and what is forgotten."""

import asyncio
import functools
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from squidmesh import ConfigError, Hook, Mesh, Notice, StorageUnavailable
from squidmesh.ports import Ports
from squidmesh.results import Defer
from squidmesh.workers.hooks.asking import Asked, Read, ReadClock, Reply, Rest
from squidmesh.workers.hooks.notifier import problem_of
from squidmesh.workers.hooks.telling import LOOK, pause_after
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.notices import Event
from squidmesh_core.values import DeadlinePolicy
from squidmesh_storage.api import Quarantine, Wakeups
from squidmesh_storage.memory import MemoryJournal
from support.hooks import Teller
from support.stage import EPOCH, Stage, begin
from support.workflows import chain, pause, step, wait

WORK = chain(step("a"))
LATE = DeadlinePolicy(within_ms=60_000, due_soon_ms=20_000, escalate_after_ms=60_000, target="ops")
GATE = chain(pause("ask", deadline=LATE))
PATIENCE = 20.0
HOUR = timedelta(hours=1)


def breaks() -> None:
    """A step that fails for good."""
    raise ValueError("secret")


def works() -> int:
    """A step that succeeds."""
    return 1


def page(notice: Notice) -> None:
    """A function with a name that lasts."""


class Listening:
    """A function that remembers, and may fail."""

    def __init__(self, *, fails: int = 0) -> None:
        self.notices: list[Notice] = []
        self.fails = fails
        self.enough = threading.Event()

    def __call__(self, notice: Notice) -> None:
        self.notices.append(notice)
        if len(self.notices) <= self.fails:
            raise ValueError(f"no, {len(self.notices)}")
        self.enough.set()

    @property
    def events(self) -> list[str]:
        return [one.event for one in self.notices]


def looks(wakeups: Wakeups, seconds: float) -> bool:
    """Rest until somebody rings: whoever only polls is not heard of in a test's time."""
    return wakeups.wait(3 * PATIENCE)


def only(mesh: Mesh) -> Hook:
    """The one hook there is."""
    (hook,) = mesh.hooks()
    return hook


# --- subscribing


def test_a_function_of_the_module_that_was_started_is_known_as_where_it_is_imported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two processes would be two listeners, and each be told of everything."""
    started = ModuleType("__main__")
    started.__spec__ = ModuleSpec("shop.alerts", None)
    monkeypatch.setitem(sys.modules, "__main__", started)
    monkeypatch.setattr(page, "__module__", "__main__")
    mesh = stage.mesh()
    mesh.on("run_failed", page)

    assert ["run_failed shop.alerts.page"] == [one.key for one in mesh.engine.hooks.all]


def test_a_function_is_known_by_its_qualified_name(stage: Stage) -> None:
    """Or by the one that is given; a decorator gives the function back."""
    mesh = stage.mesh()

    assert page is mesh.on("run_failed", page)
    assert page is mesh.on("run_completed", name="other")(page)

    keys = [one.key for one in mesh.engine.hooks.all]
    assert [f"run_failed {__name__}.page", "run_completed other"] == keys


@pytest.mark.parametrize("fn", [lambda notice: None, functools.partial(page), "page", None])
def test_what_no_other_process_could_name_is_refused(fn: Callable[[Notice], None]) -> None:
    """A hook is the same in every process; and what is no function is none."""
    with Mesh(MemoryJournal()) as mesh:
        with pytest.raises(ConfigError) as refused:
            mesh.on("run_failed", name=None)(fn)

        assert refused.value.code == "invalid_option"
        assert () == mesh.engine.hooks.all


def told_by_halves(notice: Notice) -> Iterator[str]:
    """A generator, by a slip of the pen."""
    yield notice.id


async def told_by_halves_async(notice: Notice) -> AsyncIterator[str]:
    """The same on an event loop."""
    yield notice.id


@pytest.mark.parametrize("fn", [told_by_halves, told_by_halves_async])
def test_a_generator_is_refused(fn: Callable[[Notice], object]) -> None:
    """A call of one runs nothing of it, so every notice would be lost without a word."""
    with Mesh(MemoryJournal()) as mesh, pytest.raises(ConfigError, match="a function of one"):
        mesh.on("run_failed", fn)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\0", "x" * 256])
def test_names_that_cannot_be_kept_are_refused(name: str) -> None:
    """As every text that is stored; and without spaces."""
    with Mesh(MemoryJournal()) as mesh, pytest.raises(ConfigError):
        mesh.on("run_failed", page, name=name)


def test_an_unknown_event_is_refused_with_those_there_are() -> None:
    """Nothing is ever told of it."""
    with Mesh(MemoryJournal()) as mesh, pytest.raises(ConfigError) as refused:
        mesh.on("run_exploded", page)  # type: ignore[call-overload]  # that is the point

    assert "run_failed, run_cancelled, gate_opened" in refused.value.message


def test_two_functions_of_one_name_are_refused() -> None:
    """One of them would not be called; the same one again is fine."""
    with Mesh(MemoryJournal()) as mesh:
        mesh.on("run_failed", page, name="page")
        mesh.on("run_failed", page, name="page")
        mesh.on("run_completed", breaks, name="page")  # type: ignore[call-overload]  # any function

        with pytest.raises(ConfigError):
            mesh.on("run_failed", Listening(), name="page")


# --- telling


def test_a_worker_tells_as_soon_as_a_run_ends(stage: Stage) -> None:
    """Once, after the commit, with where to look; and forgets it."""
    told = Listening()
    mesh = stage.mesh(ports=Ports(rest=looks))
    mesh.on("run_failed", told, name="page")

    with mesh.worker():
        run = begin(mesh, WORK, a=breaks)
        assert told.enough.wait(PATIENCE)

    (notice,) = told.notices
    assert (run.id, "orders", "a", "ValueError", 1) == (
        notice.run_id,
        notice.workflow,
        notice.node,
        notice.error,
        notice.attempt,
    )
    assert "failed" == mesh.inspect(run).run.status
    assert (0, ()) == (only(mesh).pending, only(mesh).failing)


def test_an_async_function_runs_on_the_loop_of_the_steps(stage: Stage) -> None:
    """So clients can be shared with them."""
    heard = threading.Event()
    mesh = stage.mesh()

    async def told(notice: Notice) -> None:
        heard.set()

    mesh.on("run_completed", told, name="told")
    with mesh.worker():
        begin(mesh, WORK, a=lambda: 1)
        assert heard.wait(PATIENCE)


def test_only_one_worker_of_a_process_looks(stage: Stage) -> None:
    """The others rest, and take over when it stops."""
    mesh = stage.mesh()

    assert mesh.engine.hooks.take_turn()
    assert not mesh.engine.hooks.take_turn()
    mesh.engine.hooks.end_turn()
    assert mesh.engine.hooks.take_turn()


def test_without_a_hook_nothing_is_kept_and_nobody_looks(stage: Stage) -> None:
    """Not even a thread begins."""
    mesh = stage.mesh()
    with mesh.worker():
        assert "squidmesh-hooks" not in {thread.name for thread in threading.enumerate()}
        mesh.wait_for(begin(mesh, WORK, a=breaks))

    assert () == mesh.door.journal.records("notice")


def test_what_happened_before_the_first_subscription_is_not_told(stage: Stage) -> None:
    """A new hook does not get the past of the journal."""
    told = Listening()
    mesh = stage.mesh()
    begin(mesh, WORK, a=breaks)
    mesh.drain()
    teller = Teller(stage.journal(), {"page": ("run_failed", told)})
    teller.look()

    begin(mesh, WORK, a=breaks)
    mesh.drain()
    teller.look()

    assert 1 == len(told.notices)


def test_what_is_no_end_of_a_run_tells_nobody(stage: Stage, tmp_path: Path) -> None:
    """Not a replay that begins, a prune, a mark, a rebuilt index, or a run out of a file."""
    mesh, journal = stage.mesh(), stage.journal()
    run = begin(mesh, WORK, a=breaks)
    mesh.drain()
    elsewhere = stage.mesh(journal=MemoryJournal())
    ended = begin(elsewhere, WORK, a=breaks)
    elsewhere.drain()
    file = elsewhere.bundle(ended, tmp_path / "one.sqm")
    events: list[Event] = ["run_completed", "run_failed", "run_cancelled", "gate_opened"]
    Teller(journal, {event: (event, page) for event in events}).look()

    replayed = mesh.replay(run)
    mesh.prune(run=run)
    journal.quarantine(RunId(replayed.id), Quarantine(revision=None, reason="for now"))
    journal.quarantine(RunId(replayed.id), None)
    mesh.reindex()
    mesh.load(file)

    assert () == journal.records("notice")
    mesh.drain()
    assert ["run_failed run_failed"] == [
        record.key.rpartition(" ")[0] for record in journal.records("notice")
    ]


def test_a_function_that_ends_its_thread_or_task_is_one_that_failed(stage: Stage) -> None:
    """The others are told all the same."""
    told = Listening()
    mesh = stage.mesh(ports=Ports(rest=looks))

    async def gives_up(notice: Notice) -> None:
        raise asyncio.CancelledError

    def exits(notice: Notice) -> None:
        raise SystemExit(3)

    mesh.on("run_completed", gives_up, name="a")
    mesh.on("run_completed", exits, name="b")
    mesh.on("run_completed", told, name="c")
    with mesh.worker():
        begin(mesh, WORK, a=works)
        assert told.enough.wait(PATIENCE)

    assert ["CancelledError: ", "SystemExit: 3"] == [
        failing.problem for hook in mesh.hooks() for failing in hook.failing
    ]


def test_a_call_that_fails_is_made_again_after_longer_and_longer(stage: Stage) -> None:
    """It is shown meanwhile, and touches no run."""
    told = Listening(fails=2)
    mesh = stage.mesh()
    teller = Teller(stage.journal(), {"page": ("run_failed", told)})
    teller.look()
    run = begin(mesh, WORK, a=breaks)
    mesh.drain()
    before = list(mesh.journal(run))

    assert 1.0 == teller.look()
    (failing,) = only(mesh).failing
    assert (1, "ValueError('no, 1')", stage.clock.now + timedelta(seconds=1)) == (
        failing.attempts,
        failing.problem,
        failing.next_at,
    )
    assert (only(mesh),) == mesh.health().failing_hooks
    teller.look()
    stage.clock.advance(1)
    assert 2.0 == teller.look()
    stage.clock.advance(2)
    assert LOOK == teller.look()

    assert [1, 2, 3] == [one.attempt for one in told.notices]
    assert 1 == len({one.id for one in told.notices})
    assert (0, ()) == (only(mesh).pending, mesh.health().failing_hooks)
    assert before == list(mesh.journal(run))


def test_pauses_double_up_to_five_minutes() -> None:
    """However often it failed."""
    assert [1, 2, 4, 8, 256, 300, 300] == [
        pause_after(attempts).total_seconds() for attempts in (1, 2, 3, 4, 9, 10, 10_000)
    ]


def test_a_hook_that_fails_holds_up_no_other(stage: Stage) -> None:
    """Nor a later notice of its own."""
    broken, told = Listening(fails=99), Listening()
    mesh = stage.mesh()
    teller = Teller(stage.journal(), {"a": ("run_failed", broken), "b": ("run_failed", told)})
    teller.look()
    for _ in range(3):
        begin(mesh, WORK, a=breaks)
    mesh.drain()

    teller.look()

    assert (3, 3) == (len(broken.notices), len(told.notices))


def test_the_end_of_a_run_that_needs_nobody_is_told_as_well(stage: Stage) -> None:
    """Its last wait is over: whoever looks for work ends it, and performs nothing."""
    told = Listening()
    mesh = stage.mesh()
    teller = Teller(stage.journal(), {"a": ("run_completed", told)})
    teller.look()
    begin(mesh, chain(step("a"), wait("b", 1_000)), a=works)
    mesh.drain()
    stage.clock.advance(1)
    mesh.drain()

    teller.look()

    assert ["run_completed"] == [one.event for one in told.notices]


def test_a_long_backlog_is_told_in_one_look(stage: Stage) -> None:
    """Page by page, past those that are for other processes."""
    told = Listening()
    mesh = stage.mesh()
    for hooks in ({"a": ("run_completed", told)}, {"b": ("run_completed", told)}):
        Teller(stage.journal(), hooks).look()  # type: ignore[arg-type]  # events by name
    for _ in range(120):
        begin(mesh, WORK, a=works)
    mesh.drain()

    Teller(stage.journal(), {"b": ("run_completed", told)}).look()

    assert 120 == len({one.id for one in told.notices})
    assert [120, 0] == [hook.pending for hook in mesh.hooks()]


def test_an_idle_look_is_one_statement(stage: Stage) -> None:
    """Every five seconds, in the whole process."""
    asked: list[Asked] = []

    def saw(request: Asked, reply: Reply) -> None:
        asked.append(request)

    teller = Teller(stage.journal(), {"page": ("run_failed", page)}, done=saw)
    teller.look()
    asked.clear()

    assert LOOK == teller.look()

    assert [ReadClock, Read] == [type(one) for one in asked]


def test_what_a_newer_release_wrote_is_left_alone(stage: Stage) -> None:
    """Neither told nor forgotten."""
    journal, told = stage.journal(), Listening()
    teller = Teller(journal, {"page": ("run_failed", told)})
    teller.look()
    journal.put_record("notice", "run_failed page x", '{"new":1}')

    teller.look()

    assert [] == told.notices
    assert 1 == len(journal.records("notice"))


def test_a_storage_that_is_away_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The notifier says so, and goes on."""
    told = Listening()
    mesh = stage.mesh()
    mesh.on("run_failed", told, name="page")
    away = threading.Event()
    journal = mesh.door.journal
    honest = journal.records

    def records(kind: str, **options: object) -> object:
        if kind == "notice" and not away.is_set():
            away.set()
            raise StorageUnavailable("away", "storage_unavailable", {})
        return honest(kind, **options)  # type: ignore[arg-type]  # as it is called

    with caplog.at_level(logging.WARNING, "squidmesh.hooks"):
        monkeypatch.setattr(journal, "records", records)
        with mesh.worker():
            assert away.wait(PATIENCE)
            begin(mesh, WORK, a=breaks)
            assert told.enough.wait(PATIENCE)

    assert any("away" in message for message in caplog.messages)


def test_what_went_wrong_is_kept_short_and_storable() -> None:
    """Whatever a function raises."""
    assert "ValueError: no" == problem_of(ValueError("no"))
    assert 500 == len(problem_of(ValueError("x" * 10_000)))
    assert "\0" not in problem_of(ValueError("a\0b"))
    assert "SystemExit: 3" == problem_of(SystemExit(3))
    assert problem_of(Defer("later", for_="1h")).startswith("TypeError: a hook cannot be deferred")


# --- subscriptions


def test_a_subscription_keeps_its_beginning_and_says_hourly_that_it_lives(stage: Stage) -> None:
    """However often processes begin."""
    mesh = stage.mesh()
    teller = Teller(stage.journal(), {"page": ("run_failed", page)})
    teller.look()
    stage.clock.advance(HOUR - timedelta(seconds=1))
    teller.look()
    assert (EPOCH, EPOCH) == (only(mesh).since, only(mesh).seen_at)

    stage.clock.advance(1)
    teller.look()
    assert (EPOCH, EPOCH + HOUR) == (only(mesh).since, only(mesh).seen_at)

    stage.clock.advance(1)
    Teller(stage.journal(), {"page": ("run_failed", page)}).look()
    assert EPOCH == only(mesh).since


def test_a_hook_of_nobody_is_forgotten_after_a_week_with_its_notices(stage: Stage) -> None:
    """By whatever worker has hooks; one that lives stays, and so do its notices."""
    mesh, told = stage.mesh(), Listening(fails=9)
    Teller(stage.journal(), {"old": ("run_failed", page)}).look()
    teller = Teller(stage.journal(), {"new": ("run_failed", told)})
    teller.look()
    begin(mesh, WORK, a=breaks)
    mesh.drain()

    stage.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    teller.look()
    assert ["new", "old"] == [hook.name for hook in mesh.hooks()]
    for _ in range(2):
        stage.clock.advance(HOUR)
        teller.look()

    assert ["new"] == [hook.name for hook in mesh.hooks()]
    assert ["run_failed new"] == [
        record.key.rpartition(" ")[0] for record in mesh.door.journal.records("notice")
    ]


def test_a_hook_can_be_forgotten_by_hand(stage: Stage) -> None:
    """All events of that name, with what waits; others stay."""
    mesh = stage.mesh()
    hooks = {"old": ("run_failed", page), "new": ("run_failed", page)}
    Teller(stage.journal(), hooks).look()  # type: ignore[arg-type]  # events by name
    begin(mesh, WORK, a=breaks)
    mesh.drain()

    assert [("old", 1)] == [(one.name, one.pending) for one in mesh.forget_hook("old")]

    assert ["new"] == [hook.name for hook in mesh.hooks()]
    assert 1 == len(mesh.door.journal.records("notice"))
    assert () == mesh.forget_hook("old")


def test_notices_of_a_hook_that_somebody_forgot_are_swept(stage: Stage) -> None:
    """An append that was on its way may have kept one more."""
    journal = stage.journal()
    journal.put_record("notice", "run_failed gone r:1:run_failed", "{}")

    Teller(journal, {"page": ("run_failed", page)}).look()

    assert () == journal.records("notice")


# --- deadlines


def test_each_threshold_of_a_deadline_is_told_once(stage: Stage) -> None:
    """To each hook of its event, by whatever process finds it first."""
    mesh, soon, late, escalated = stage.mesh(), Listening(), Listening(), Listening()
    hooks = {
        "soon": ("deadline_due_soon", soon),
        "late": ("deadline_overdue", late),
        "boss": ("deadline_escalated", escalated),
    }
    tellers = [
        Teller(stage.journal(), hooks)  # type: ignore[arg-type]  # events by name
        for _ in range(2)
    ]
    run = begin(mesh, GATE)

    for _ in range(12):
        for teller in tellers:
            teller.look()
        stage.clock.advance(15)
    Teller(stage.journal(), hooks).look()  # type: ignore[arg-type]  # events by name

    for told, after in ((soon, 40), (late, 60), (escalated, 120)):
        (notice,) = told.notices
        assert EPOCH + timedelta(seconds=after) == notice.at
        assert (run.id, "ask", "ops") == (notice.run_id, notice.node, notice.target)


def test_thresholds_before_the_subscription_are_not_told(stage: Stage) -> None:
    """As with everything else."""
    told = Listening()
    begin(stage.mesh(), GATE)
    stage.clock.advance(90)

    teller = Teller(
        stage.journal(), {"a": ("deadline_overdue", told), "b": ("deadline_escalated", told)}
    )
    teller.look()
    stage.clock.advance(30)
    teller.look()

    assert ["deadline_escalated"] == told.events


def test_markers_go_once_their_deadline_is_over(stage: Stage) -> None:
    """An hour after they were written at least, and nothing is told again."""
    told, mesh = Listening(), stage.mesh()
    teller = Teller(stage.journal(), {"late": ("deadline_overdue", told)})
    teller.look()
    runs = [begin(mesh, GATE), begin(mesh, GATE)]
    stage.clock.advance(60)
    teller.look()
    assert 2 == len(mesh.door.journal.records("told"))
    mesh.resume(runs[0])
    stage.clock.advance(HOUR - timedelta(seconds=60))
    teller.look()
    assert 2 == len(mesh.door.journal.records("told"))

    for _ in range(3):
        stage.clock.advance(HOUR)
        teller.look()

    (left,) = mesh.door.journal.records("told")
    assert runs[1].id in left.key
    assert 2 == len(told.notices)


def test_a_late_run_is_read_when_it_has_moved_or_its_next_threshold_has_come(stage: Stage) -> None:
    """However often somebody looks; deadlines are listed every 15 s, and markers swept hourly."""
    asked: list[str] = []

    def saw(request: Asked, reply: Reply) -> None:
        kind = f" {request.kind}" if isinstance(request, Read) else ""
        asked.append(type(request).__name__ + kind)

    def asks(teller: Teller, *, after: float) -> set[str]:
        stage.clock.advance(after)
        asked.clear()
        teller.look()
        return set(asked) & {"ListLate", "ReadRun", "Read told"}

    mesh, told = stage.mesh(), Listening()
    events = ["deadline_due_soon", "deadline_overdue", "deadline_escalated"]
    hooks = {event: (event, told) for event in events}
    teller = Teller(stage.journal(), hooks, done=saw)  # type: ignore[arg-type]  # events by name
    teller.look()
    run = begin(mesh, GATE)

    assert {"ListLate", "ReadRun"} < asks(teller, after=40)
    assert set() == asks(teller, after=14)
    assert {"ListLate"} == asks(teller, after=1)
    assert {"ListLate", "ReadRun"} < asks(teller, after=15)
    assert {"ListLate"} == asks(teller, after=15)
    assert {"ListLate", "ReadRun"} < asks(teller, after=35)
    assert events == told.events
    mesh.pause(run)
    assert {"ListLate", "ReadRun"} == asks(teller, after=15)
    assert {"ListLate"} == asks(teller, after=15)
    assert {"ListLate", "ReadRun", "Read told"} == asks(teller, after=3600)
    assert events == told.events


def test_a_threshold_is_not_taken_for_another_whose_name_begins_alike(stage: Stage) -> None:
    """That 7:10 was told says nothing of 7:1."""
    first, second, journal = Listening(), Listening(), stage.journal()
    tellers = [
        Teller(journal, {name: ("deadline_overdue", told)})
        for name, told in (("a", first), ("b", second))
    ]
    for teller in tellers:
        teller.look()
    begin(stage.mesh(), GATE)
    stage.clock.advance(60)
    tellers[0].look()
    (marker,) = journal.records("told")
    journal.put_record("told", marker.key.replace(" a ", " b ") + "0", marker.body)

    tellers[1].look()

    assert [1, 1] == [len(told.notices) for told in (first, second)]


def test_a_run_that_cannot_be_read_holds_up_no_other(stage: Stage) -> None:
    """It is told of when it can be read again."""
    told, mesh = Listening(), stage.mesh()
    teller = Teller(stage.journal(), {"late": ("deadline_overdue", told)})
    teller.look()
    runs = [begin(mesh, GATE), begin(mesh, GATE)]
    mark = Quarantine(revision=None, reason="for now")
    mesh.door.journal.quarantine(RunId(runs[0].id), mark)
    stage.clock.advance(60)

    teller.look()
    assert [runs[1].id] == [one.run_id for one in told.notices]
    mesh.door.journal.quarantine(RunId(runs[0].id), None)
    stage.clock.advance(15)
    teller.look()

    assert {one.id for one in runs} == {one.run_id for one in told.notices}


def test_a_teller_rests_between_its_looks(stage: Stage) -> None:
    """What the machine drives is what a worker drives."""
    teller = Teller(stage.journal(), {"page": ("run_failed", page)})
    teller.look()

    assert Rest(seconds=LOOK) == teller.asked
