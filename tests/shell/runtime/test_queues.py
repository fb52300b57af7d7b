"""Queues as data: limits, turns, rates and pauses, as workers meet them."""

import threading
from collections.abc import Callable

import pytest

from squidmesh import ConfigError, Mesh, Run, Spec, StorageUnavailable
from squidmesh.ports import Ports
from squidmesh.queues.limits import QueueLimits
from squidmesh.workers.lanes import Lanes
from squidmesh_core.plan.admission import QueueSettings, settings_to_text
from squidmesh_core.plan.admission.records import MOST_STARTS
from squidmesh_storage.api import Record, Wakeups
from squidmesh_storage.lanes import SETTINGS
from squidmesh_storage.memory import MemoryJournal
from support.held import PATIENCE, HeldStep
from support.stage import Stage, claimed, does
from support.workflows import chain, log, step, wait

ONE = chain(step("a", output="a"))
TWO = chain(step("a", output="a"), step("b", output="b"))
ACTIONS = does(a=lambda: 1, b=lambda: 2)


def start(mesh: Mesh, spec: Spec = ONE, *, key: str | None = None, count: int = 1) -> list[Run]:
    """So many runs of one key."""
    return [
        mesh.start_spec(spec, "placed", {}, actions=ACTIONS, partition_key=key)
        for _ in range(count)
    ]


def resting(seconds: float = PATIENCE) -> Ports:
    """A worker with these never looks by itself: it has to be told."""

    def rest(wakeups: Wakeups, _seconds: float) -> bool:
        return wakeups.wait(seconds)

    return Ports(rest=rest)


# --- what is held


def test_a_full_queue_gives_nothing_out_until_a_slot_is_let_go(stage: Stage) -> None:
    """Whoever asks, from whatever process."""
    mesh, other = stage.mesh(), stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", concurrency=1)
    start(mesh, count=2)
    held = claimed(mesh)

    assert other.claim(owner="ben") is None
    assert mesh.claim(owner="ana") is None

    mesh.complete(held, 1)
    assert claimed(other, owner="ben").run_id != held.run_id


def test_no_more_are_performed_at_once_than_the_concurrency(stage: Stage) -> None:
    """Three workers with two slots each, and a queue that allows two."""
    lock, arrived, leave = threading.Lock(), threading.Semaphore(0), threading.Semaphore(0)
    inside: list[int] = [0, 0]

    def work() -> int:
        with lock:
            inside[0] += 1
            inside[1] = max(inside)
        arrived.release()
        leave.acquire(timeout=PATIENCE)
        with lock:
            inside[0] -= 1
        return 1

    actions = does(a=work)
    meshes = [stage.mesh(actions=actions) for _ in range(3)]
    meshes[0].set_queue("default", concurrency=2)
    runs = [meshes[0].start_spec(ONE, "placed", {}, actions=actions) for _ in range(6)]
    workers = [mesh.worker(concurrency=2).start() for mesh in meshes]

    for number in range(6):
        assert arrived.acquire(timeout=PATIENCE)
        if number:
            leave.release()
    leave.release()
    ended = {meshes[0].wait_for(run, timeout="60s").status for run in runs}
    for worker in workers:
        worker.stop()

    assert ({"completed"}, 2) == (ended, inside[1])


def test_a_worker_looks_again_as_soon_as_it_lets_a_slot_go(stage: Stage) -> None:
    """It has slots to spare, but the queue was full: nobody else would tell it."""
    mesh = stage.mesh(actions=ACTIONS, ports=resting())
    mesh.set_queue("default", concurrency=1)
    runs = start(mesh, count=5)

    with mesh.worker(concurrency=3):
        ended = {mesh.wait_for(run, timeout="60s").status for run in runs}

    assert {"completed"} == ended


def test_each_key_has_its_share_and_its_turn(stage: Stage) -> None:
    """One of each key at once, however much one of them has waiting before the others."""
    mesh = stage.mesh()
    mesh.set_queue("default", per_key=1, concurrency=3)
    key_of = {
        run.id: key
        for key, count in (("ana", 3), ("ben", 2), (None, 1))
        for run in start(mesh, key=key, count=count)
    }

    held = [claimed(mesh) for _ in range(3)]

    assert {"ana", "ben", None} == {key_of[claim.run_id] for claim in held}
    assert mesh.claim(owner="ana") is None
    for claim in held:
        mesh.complete(claim, 1)
    assert {"ana", "ben"} == {key_of[claimed(mesh).run_id] for _ in range(2)}
    assert mesh.claim(owner="ana") is None


def test_a_lost_lease_lets_its_slot_go(stage: Stage) -> None:
    """And its takeover needs one, like any other start."""
    mesh = stage.mesh()
    mesh.set_queue("default", concurrency=1)
    start(mesh, count=2)
    lost = claimed(mesh)
    stage.clock.advance(61)

    taken = claimed(mesh, owner="ben")

    assert lost.run_id == taken.run_id
    assert mesh.claim(owner="ben") is None


# --- rates


def test_a_rate_counts_starts_whatever_becomes_of_them(stage: Stage) -> None:
    """Two at once, then one each half second by the storage's clock."""
    mesh = stage.mesh()
    mesh.set_queue("default", rate="2/s")
    start(mesh, count=4)
    for _ in range(2):
        mesh.complete(claimed(mesh), 1)

    assert mesh.claim(owner="ana") is None
    stage.clock.advance(0.499)
    assert mesh.claim(owner="ana") is None
    stage.clock.advance(0.001)
    claimed(mesh)
    assert mesh.claim(owner="ana") is None


def test_a_rate_that_is_taken_away_takes_along_what_it_counted(stage: Stage) -> None:
    """Set again it begins anew, and until then nothing of it is kept."""
    mesh = stage.mesh()
    mesh.set_queue("default", rate="1/h")
    start(mesh, count=3)
    claimed(mesh)
    assert mesh.claim(owner="ana") is None

    mesh.set_queue("default", rate=None)

    assert () == mesh.door.journal.records("lane")
    mesh.set_queue("default", rate="1/h")
    claimed(mesh)
    assert mesh.claim(owner="ana") is None


def test_a_rate_says_when_to_look_again(stage: Stage) -> None:
    """So that a worker rests until then, and not for seconds."""
    mesh = stage.mesh()
    mesh.set_queue("default", rate="4/s", burst=1)
    start(mesh, count=2)
    crew = mesh.engine.crew(("default",), "60s", owner="ana")

    assert 1 == len(mesh.engine.take(crew, 8).claims)
    refused = mesh.engine.take(crew, 8)

    assert ((), 0, 0.25) == (refused.claims, refused.appends, refused.due_in)


# --- pauses


def test_a_paused_queue_gives_nothing_out(stage: Stage) -> None:
    """From the next claim on, whoever makes it; what is held settles."""
    mesh, other = stage.mesh(), stage.mesh(actions=ACTIONS)
    start(mesh, TWO, count=2)
    held = claimed(mesh)
    assert mesh.pause_queue("default", by="ana", note="stock-taking").paused is not None

    assert other.claim(owner="ben") is None
    mesh.complete(held, 1)
    assert mesh.claim(owner="ana") is None

    mesh.resume_queue("default")
    claimed(other, owner="ben")


def test_a_pause_holds_waits_back_as_well(stage: Stage) -> None:
    """Nothing at all happens in the queue, as in a run that is held."""
    mesh = stage.mesh()
    (run,) = start(mesh, chain(wait("w", 1_000), step("a", output="a")))
    mesh.pause_queue("default")
    stage.clock.advance(2)

    assert 0 == mesh.drain()
    mesh.resume_queue("default")
    assert 1 == mesh.drain()
    assert "completed" == mesh.inspect(run).status


def test_resuming_wakes_the_workers_that_rest(stage: Stage) -> None:
    """Inside one process nobody waits for a poll."""
    mesh = stage.mesh(ports=resting())
    mesh.pause_queue("default")
    with mesh.worker():
        (run,) = start(mesh)
        assert "running" == mesh.inspect(run).status

        mesh.resume_queue("default")

        assert "completed" == mesh.wait_for(run, timeout="60s").status


def test_one_paused_queue_stops_no_other(stage: Stage) -> None:
    """A worker that serves both goes on with the other one."""
    mesh = stage.mesh(ports=resting())
    mesh.pause_queue("slow")
    with mesh.worker(queues=("slow", "default")):
        stopped = mesh.start_spec(ONE, "placed", {}, actions=ACTIONS, queue="slow")
        (run,) = start(mesh)

        assert "completed" == mesh.wait_for(run, timeout="60s").status
    assert "attempt_visible" == mesh.inspect(stopped).reason


# --- claims on the way


def test_a_run_keeps_its_slot_from_step_to_step(stage: Stage) -> None:
    """Its queue is full with it, and still the next step is claimed with the result."""
    mesh = stage.mesh()
    mesh.set_queue("default", concurrency=1)
    with mesh.worker(concurrency=1):
        (run,) = start(mesh, TWO)
        assert "completed" == mesh.wait_for(run, timeout="60s").status

    assert ["claimed", "claimed with the result"] == claims_of(mesh, run)


def test_under_a_rate_each_step_asks(stage: Stage) -> None:
    """A step that goes on is a start as well."""
    mesh = stage.mesh()
    mesh.set_queue("default", rate="1000/s")
    with mesh.worker(concurrency=1):
        (run,) = start(mesh, TWO)
        assert "completed" == mesh.wait_for(run, timeout="60s").status

    assert ["claimed", "claimed"] == claims_of(mesh, run)


def test_a_pause_stops_a_run_between_two_steps(stage: Stage) -> None:
    """The step that is performed settles, and its successor stays unclaimed."""
    held = HeldStep()
    mesh = stage.mesh()
    with mesh.worker(concurrency=1) as worker:
        run = mesh.start_spec(TWO, "placed", {}, actions=does(a=held.step, b=lambda: 2))
        held.until_inside()
        mesh.pause_queue("default")
        held.leave.set()
        while not mesh.inspect(run).context:
            pass  # it is being settled
        worker.stop()

    assert ({"a": 1}, "attempt_visible") == (mesh.inspect(run).context, mesh.inspect(run).reason)


def test_a_start_in_a_limited_queue_claims_nothing_by_itself(stage: Stage) -> None:
    """A free slot of this process is not enough: the others have to be counted."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", concurrency=5)
    with mesh.worker(concurrency=1) as worker:
        assert worker.reserve("default") is None


def test_timers_pass_a_full_queue(stage: Stage) -> None:
    """A log line holds no slot, so it waits for none."""
    mesh = stage.mesh()
    mesh.set_queue("default", concurrency=1, rate="1/h")
    start(mesh)
    claimed(mesh)
    (run,) = start(mesh, chain(log("noted")))

    assert mesh.claim(owner="ana") is None

    assert "completed" == mesh.inspect(run).status


def test_without_settings_a_process_looks_for_some_once_a_second(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that nobody has set up costs its runs nothing."""
    journal = stage.journal()
    mesh = stage.mesh(journal=journal, ports=Ports(monotonic=lambda: 1.0))
    looks: list[str] = []
    honest = journal.records

    def records(kind: str) -> tuple[Record, ...]:
        looks.append(kind)
        return honest(kind)

    monkeypatch.setattr(journal, "records", records)

    with mesh.worker(concurrency=2):
        for run in start(mesh, TWO, count=5):
            mesh.wait_for(run, timeout="60s")

    assert 1 == looks.count("queue")


def claims_of(mesh: Mesh, run: Run) -> list[str]:
    """How the attempts of a run were claimed."""
    found = []
    for record in mesh.door.journal.load(run.id, whole=True).records:
        if '"attempt_claimed"' in record.body:
            alone = '"attempt_completed"' not in record.body
            found.append("claimed" if alone else "claimed with the result")
    return found


# --- what is kept and shown


def test_what_holds_work_back_is_kept_once(stage: Stage) -> None:
    """Asking again and again writes nothing; `queues` says what it was."""
    mesh = stage.mesh()
    mesh.set_queue("default", concurrency=1)
    start(mesh, count=3)
    claimed(mesh)

    for _ in range(5):
        assert mesh.claim(owner="ana") is None

    (record,) = mesh.door.journal.records("lane")
    (queue,) = mesh.queues()
    assert 1 == record.version
    (refusal,) = queue.refusals
    assert ("concurrency", 1, stage.clock.now) == (refusal.kind, refusal.limit, refusal.since)
    assert (2, 1, stage.clock.now) == (queue.waiting, queue.held, queue.waiting_since)


def test_queues_are_told_with_what_lies_in_them(stage: Stage) -> None:
    """Set up, filled or served: each of them is one."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("set-up", concurrency=3, per_key=1, rate="10/15m", burst=20)
    start(mesh)
    mesh.start_spec(
        ONE, "placed", {}, actions=ACTIONS, queue="later", at=stage.clock.now.replace(year=2030)
    )

    with mesh.worker(queues=("served",)) as worker:
        by_name = {queue.name: queue for queue in mesh.queues()}

    assert ["default", "later", "served", "set-up"] == list(by_name)
    assert (1, 0) == (by_name["default"].waiting, by_name["default"].delayed)
    assert (0, 1) == (by_name["later"].waiting, by_name["later"].delayed)
    assert (worker.owner,) == by_name["served"].served_by
    told = by_name["set-up"]
    assert (3, 1, "10/15m", 20) == (told.concurrency, told.per_key, told.rate, told.burst)


def test_a_limit_that_is_left_out_stays(stage: Stage) -> None:
    """Null takes it away; without any the queue is as if nobody had set it up."""
    mesh = stage.mesh()
    mesh.set_queue("shop", concurrency=3, rate="5/s", burst=9)

    changed = mesh.set_queue("shop", concurrency=4)
    assert (4, "5/s", 9) == (changed.concurrency, changed.rate, changed.burst)
    changed = mesh.set_queue("shop", burst=2)
    assert ("5/s", 2) == (changed.rate, changed.burst)
    changed = mesh.set_queue("shop", rate="7/m")
    assert ("7/m", 7) == (changed.rate, changed.burst)

    mesh.set_queue("shop", concurrency=None, rate=None)
    assert () == mesh.door.journal.records("queue")


def test_pausing_twice_says_who_was_first(stage: Stage) -> None:
    """And is no error; nor is resuming what goes on."""
    mesh = stage.mesh()
    at = stage.clock.now
    mesh.pause_queue("shop", by="ana", note="fire", metadata={"ticket": 7, "api_key": "s3cret"})
    stage.clock.advance(5)

    again = mesh.pause_queue("shop", by="ben").paused

    assert again is not None
    assert ("ana", "fire", at) == (again.by, again.note, again.at)
    assert 7 == again.metadata["ticket"]
    assert "s3cret" not in str(again)
    assert mesh.resume_queue("shop", by="ben").paused is None
    assert mesh.resume_queue("shop", by="cleo").paused is None


def test_the_history_of_a_queue_outlives_its_settings(stage: Stage) -> None:
    """Who did what, and what limited it then; what changed nothing is no part of it."""
    mesh = stage.mesh()
    mesh.set_queue("shop", concurrency=2, by="ana")
    mesh.set_queue("shop", concurrency=2, by="ben")
    mesh.pause_queue("shop", by="cleo", note="why not")
    mesh.set_queue("shop", concurrency=None)
    queue = mesh.resume_queue("shop")

    assert [
        ("set", "ana", {"concurrency": 2}),
        ("paused", "cleo", {"concurrency": 2}),
        ("set", None, {}),
        ("resumed", None, {}),
    ] == [(one.what, one.by, one.limits) for one in queue.history]
    assert () == mesh.door.journal.records("queue")


def test_each_queue_has_settings_and_a_history_of_its_own(stage: Stage) -> None:
    """A change of one neither reads nor moves what was said of another."""
    mesh = stage.mesh()
    for turn in (1, 2):
        for place, name in enumerate(("bakery", "shop")):
            mesh.set_queue(name, concurrency=10 * place + turn, by=name)

    assert {"bakery": (2, [1, 2]), "shop": (12, [11, 12])} == {
        queue.name: (queue.concurrency, [one.limits["concurrency"] for one in queue.history])
        for queue in mesh.queues()
    }
    assert [{"bakery"}, {"shop"}] == [{one.by for one in q.history} for q in mesh.queues()]


@pytest.mark.parametrize(
    "body", ["no json", "7", '{"at":1}', '[7,{"what":"set"},{"at":"never","what":"set"}]']
)
def test_a_history_that_cannot_be_read_is_left_out(stage: Stage, body: str) -> None:
    """People see the rest, and what is done from now on is kept."""
    mesh = stage.mesh()
    mesh.door.journal.put_record("queue_history", "shop", body)
    before = mesh.queues()

    mesh.set_queue("shop", concurrency=2, by="ana")

    assert [()] == [queue.history for queue in before]
    assert [["ana"]] == [[one.by for one in queue.history] for queue in mesh.queues()]


def test_whoever_finds_a_queue_always_changed_by_others_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of trying for ever."""
    mesh = stage.mesh()
    monkeypatch.setattr(mesh.door.journal, "put_record", lambda *_, **__: False)

    with pytest.raises(StorageUnavailable, match="kept being changed by others; nothing was"):
        mesh.set_queue("shop", concurrency=2)

    assert () == mesh.queues()


def test_a_claim_tells_of_its_own_queues_only() -> None:
    """What was read of the others stays: a start may be for one of them."""
    lanes = Lanes()
    body = settings_to_text(QueueSettings(concurrency=1))
    lanes.keep([Record(kind=SETTINGS, key=name, body=body) for name in ("shop", "bank")])

    lanes.saw(["shop"], [])

    assert {"bank"} == set(lanes.settings)


class Overtaken(MemoryJournal):
    """In which somebody else changes a queue between what is read of it and what is written."""

    def __init__(self) -> None:
        super().__init__()
        #: What they change; null: it is done, or there is nothing to do.
        self.before: Callable[[], object] | None = None

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        self._come_before(kind)
        return super().put_record(kind, key, body, expected=expected)

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        self._come_before(kind)
        return super().drop_record(kind, key, expected=expected)

    def _come_before(self, kind: str) -> None:
        if self.before is not None and kind == SETTINGS:
            before, self.before = self.before, None
            before()


@pytest.mark.parametrize("mine", [5, None], ids=["changed", "dropped"])
def test_two_who_change_a_queue_at_once_both_do(mine: int | None) -> None:
    """Whoever comes second changes what the first has left, also by taking its own limit away."""
    journal, stage = Overtaken(), Stage()
    mesh, other = stage.mesh(journal=journal), stage.mesh(journal=journal)
    mesh.set_queue("default", concurrency=1)
    journal.before = lambda: other.set_queue("default", per_key=3)

    mesh.set_queue("default", concurrency=mine)

    (queue,) = mesh.queues()
    assert (mine, 3) == (queue.concurrency, queue.per_key)
    assert 3 == len(queue.history)
    stage.close()


def test_settings_that_cannot_be_read_stop_the_queue_and_nothing_else(stage: Stage) -> None:
    """People see what is wrong; resuming it mends it."""
    mesh = stage.mesh()
    start(mesh)
    mesh.door.journal.put_record("queue", "default", '{"concurrency":"many"}')

    assert mesh.claim(owner="ana") is None
    (queue,) = mesh.queues()
    assert queue.paused is not None
    assert "cannot be read" in str(queue.paused.note)

    mesh.resume_queue("default")
    claimed(mesh)


def test_what_a_newer_squidmesh_has_set_stays(stage: Stage) -> None:
    """An older one changes what it knows, and carries the rest along."""
    mesh = stage.mesh()
    mesh.door.journal.put_record("queue", "shop", '{"budget":9,"concurrency":3}')

    mesh.set_queue("shop", concurrency=4)

    (record,) = mesh.door.journal.records("queue")
    assert '{"budget":9,"concurrency":4}' == record.body


@pytest.mark.parametrize(
    ("option", "limits"),
    [
        ("concurrency", {"concurrency": 0}),
        ("concurrency", {"concurrency": True}),
        ("concurrency", {"concurrency": "5"}),
        ("per_key", {"per_key": -1}),
        ("rate", {"rate": "fast"}),
        ("rate", {"rate": 5}),
        ("burst", {"rate": "5/s", "burst": 0}),
        ("burst", {"rate": "5/s", "burst": MOST_STARTS + 1}),
        ("burst", {"burst": 5}),
        ("by", {"by": 7, "concurrency": 1}),
        ("note", {"note": "", "concurrency": 1}),
        ("metadata", {"metadata": "no", "concurrency": 1}),
        ("concurency", {"concurency": 1, "per_kee": 1}),
    ],
    ids=str,
)
def test_a_wrong_limit_is_refused_and_nothing_is_written(
    stage: Stage, option: str, limits: QueueLimits
) -> None:
    """The option is named, the first of several."""
    mesh = stage.mesh()

    with pytest.raises(ConfigError, match="nothing was done") as refused:
        mesh.set_queue("shop", **limits)

    assert option == refused.value.details["option"]
    assert () == mesh.queues()


def test_the_largest_burst_is_taken(stage: Stage) -> None:
    """Of one more the option is named, see above."""
    told = stage.mesh().set_queue("shop", rate="5/s", burst=MOST_STARTS)

    assert MOST_STARTS == told.burst


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, 5])
def test_a_wrong_name_is_refused(stage: Stage, name: str) -> None:
    """By every verb."""
    mesh = stage.mesh()
    for verb in (mesh.set_queue, mesh.pause_queue, mesh.resume_queue):
        with pytest.raises(ConfigError, match="name"):
            verb(name)
