"""What a step costs on PostgreSQL, counted by the server; nothing here is timed."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from attrs import frozen

from squidmesh import Mesh, Workflow, manual, step
from squidmesh.ports import Ports
from squidmesh.workers.loop import LOOK
from squidmesh_storage.api import Wakeups
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres.listening import BRIEF
from support.postgres import execute
from support.stage import does
from support.workflows import chain
from support.workflows import step as spec_step

#: Steps of one run.
STEPS = 5
#: Runs that follow each other, and runs of many clients at once.
IN_A_ROW, AT_ONCE, CLIENTS = 40, 320, 32

COUNTERS = """
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
"""


@frozen
class Job:
    """The payload of a run."""

    number: int


def add_one(number: int) -> int:
    """As little as a step can do."""
    return number + 1


class FiveSteps(Workflow):
    """Add one, five times."""

    go = manual(Job)

    first = step(add_one).takes(go.payload.number)
    second = step(add_one).takes(first.out)
    third = step(add_one).takes(second.out)
    fourth = step(add_one).takes(third.out)
    fifth = step(add_one).takes(fourth.out)

    first.then(second).then(third).then(fourth).then(fifth)


@frozen
class Counted:
    """What some steps cost, each."""

    #: Transactions that wrote.
    commits: float
    #: Bytes of write-ahead log, without images of whole pages.
    wal: float


@pytest.fixture
def rests() -> threading.Semaphore:
    """Released each time the worker has looked for work and found none."""
    return threading.Semaphore(0)


@pytest.fixture
def working(postgres_dsn: str, rests: threading.Semaphore) -> Iterator[Mesh]:
    """A mesh whose worker has found nothing to do, and whose definition is stored."""

    def rest(wakeups: Wakeups, _seconds: float) -> bool:
        rests.release()
        return wakeups.wait(30)

    journal = PostgresJournal(postgres_dsn)
    with (
        Mesh(journal, workflows=[FiveSteps], ports=Ports(rest=rest)) as mesh,
        mesh.worker(concurrency=CLIENTS),
    ):
        assert rests.acquire(timeout=30)
        finish(mesh, 1)
        yield mesh


def finish(mesh: Mesh, runs: int) -> None:
    """Carry so many runs to their end, one after another."""
    for number in range(runs):
        run = mesh.wait_for(mesh.start(FiveSteps.go, Job(number)), timeout="60s")
        assert "completed" == run.status


def finish_at_once(mesh: Mesh, runs: int) -> None:
    """The same by many clients."""
    clients = [
        threading.Thread(target=finish, args=(mesh, runs // CLIENTS)) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def counted(dsn: str, work: Callable[[], None], steps: int) -> Counted:
    """
    What so many steps of this work cost, each: the least of three times.

    The counters are the whole server's, whose vacuum may write meanwhile, and never less.
    """
    costs = [_counted(dsn, work, steps) for _ in range(3)]
    return Counted(commits=min(one.commits for one in costs), wal=min(one.wal for one in costs))


def _counted(dsn: str, work: Callable[[], None], steps: int) -> Counted:
    with psycopg.connect(dsn, autocommit=True) as connection:
        commits, wal = read(connection)
        work()
        commits_after, wal_after = read(connection)
    return Counted(commits=(commits_after - commits) / steps, wal=(wal_after - wal) / steps)


def read(connection: psycopg.Connection) -> tuple[int, int]:
    """Transactions and bytes so far, of the whole server."""
    row = connection.execute(COUNTERS.encode()).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_lone_run_commits_at_most_five_times_for_four_steps(
    working: Mesh, postgres_dsn: str
) -> None:
    """The start claims the first step, each result claims the next: six commits for five steps."""
    steps = IN_A_ROW * STEPS

    assert 1.25 >= counted(postgres_dsn, lambda: finish(working, IN_A_ROW), steps).commits


def test_many_clients_share_their_commits(working: Mesh, postgres_dsn: str) -> None:
    """What is asked for while a commit is in flight travels in the next one."""
    steps = AT_ONCE * STEPS

    assert 0.15 >= counted(postgres_dsn, lambda: finish_at_once(working, AT_ONCE), steps).commits


def test_a_step_of_a_lone_run_is_little_log(working: Mesh, postgres_dsn: str) -> None:
    """Packed entries, the index row that moves with them, and a fifth of a listed run."""
    steps = IN_A_ROW * STEPS

    assert 1_100 >= counted(postgres_dsn, lambda: finish(working, IN_A_ROW), steps).wal


def test_a_step_among_many_is_little_log(working: Mesh, postgres_dsn: str) -> None:
    """Travelling together costs no more than travelling alone."""
    steps = AT_ONCE * STEPS

    assert 1_100 >= counted(postgres_dsn, lambda: finish_at_once(working, AT_ONCE), steps).wal


def test_a_worker_without_a_free_slot_sees_what_waits_by_one_statement_and_wants_no_hints(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is woken; and no start of another process stops to tell it of work."""
    monkeypatch.setattr("squidmesh.workers.loop.LOOK", BRIEF / 25)
    rests, leave = threading.Semaphore(0), threading.Event()
    asked = 0

    def rest(wakeups: Wakeups, seconds: float) -> bool:
        rests.release()
        return wakeups.wait(seconds)

    class Counting(PostgresJournal):
        def foremost(self, *arguments: Any, **options: Any) -> Mapping[str, int]:
            nonlocal asked
            asked += 1
            return super().foremost(*arguments, **options)

    def stay() -> None:
        leave.wait(30)

    # The clock stands still: by it no quarter of a second passes, and no second.
    ports = Ports(rest=rest, monotonic=lambda: 0.0)
    with Mesh(Counting(postgres_dsn), actions=does(stay=stay), ports=ports) as mesh:
        mesh.start_spec(chain(spec_step("stay")), "placed", {}, actions=mesh.actions)
        with mesh.worker(concurrency=1):
            for _ in range(10):
                assert rests.acquire(timeout=30)
            said = execute(postgres_dsn, "select queue from squidmesh.idle")
            leave.set()

    assert (1, []) == (asked, said)


def test_a_worker_without_a_free_slot_rests_too_briefly_to_be_told_of_work() -> None:
    """What the worker's loop and the adapter each call short fits together."""
    assert LOOK <= BRIEF
