"""
What is done to a PostgreSQL and to those who use it, a round at a time.

What the server is made to say, it says itself: a trigger on the journal raises the
error of the fault, for some of the appends or for all of them.
"""

import random
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from glob import glob
from itertools import count
from pathlib import Path
from typing import Final, Literal

import psycopg
from attrs import frozen

from chaos.postgres_play import Play, playing, wait_until
from squidmesh_storage.migrations import Migration
from squidmesh_storage.postgres import MIGRATIONS, PostgresJournal, migrate
from support.pgbouncer import pgbouncer
from support.postgres import Server, database, execute, missing, of_database
from support.proxy import Cut, Exchange, Proxy

#: Where Debian and Ubuntu keep it.
_FAKETIME: Final = "/usr/lib/*/faketime/libfaketime.so.1"
#: Connections of workers and clients: all but that of whoever asks.
_OTHERS: Final = (
    "from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
)
_BREAKABLE: Final = """
create table public.broken (code text not null, share float not null);
create function public.break_some() returns trigger language plpgsql as $$
declare found text;
begin
    select code into found from public.broken where random() < share limit 1;
    if found is not null then
        raise exception 'broken on purpose' using errcode = found;
    end if;
    return new;
end $$;
create trigger broken before insert on squidmesh.journal
    for each row execute function public.break_some();
"""
#: The row that a worker is about to write, in somebody else's transaction.
_AHEAD: Final = """
insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body)
select j.run_id, max(j.last) + 1, max(j.last) + 1, now(), 1, 'hostile', '', '[]'
from squidmesh.journal as j
where j.run_id = (select run_id from squidmesh.held limit 1)
group by j.run_id
on conflict do nothing
returning run_id
"""


@frozen(kw_only=True)
class Scene:
    """Where a fault finds what it breaks."""

    play: Play
    server: Server
    #: Between everybody and the server.
    proxy: Proxy


@frozen(kw_only=True)
class Fault:
    """One way to break things."""

    #: One round of it; afterwards the workers have to get on.
    strike: Callable[[Scene], None]
    rounds: int = 3
    lease: str = "2s"
    #: SQL on the new database, before anybody connects; `{name}` is the database.
    before: str = ""
    #: What the workers have in their environment.
    environ: Callable[[], Mapping[str, str]] = dict
    #: Whether everybody comes by PgBouncer in transaction mode, and not by the proxy.
    bounced: bool = False
    #: Whether the workers are forked from a process that uses the journal already.
    inherited: bool = False


def play(fault: Fault, server: Server, folder: Path, rounds: int | None = None) -> list[str]:
    """Break things this way, so many times; what was wrong in the end."""
    with ExitStack() as around:
        url = around.enter_context(database(server.tcp_url()))
        proxy = around.enter_context(Proxy(server.port))
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        if fault.bounced:
            through = of_database(around.enter_context(pgbouncer(server.tcp_url())), url)
        PostgresJournal(url, migrate=True).close()
        execute(url, _BREAKABLE)
        for statement in filter(str.strip, fault.before.split(";")):
            (name,) = execute(url, "select current_database()")[0]
            execute(url, statement.format(name=name))
        with playing(
            url,
            folder,
            through=through,
            lease=fault.lease,
            environ=fault.environ(),
            inherited=fault.inherited,
        ) as going:
            scene = Scene(play=going, server=server, proxy=proxy)
            going.await_progress()
            for _ in range(fault.rounds if rounds is None else rounds):
                fault.strike(scene)
                going.await_progress()
        return going.wrong


# -- connections


def _cut_commits(scene: Scene) -> None:
    """Six connections around their COMMIT: two before, two during, two after."""
    proxy = scene.proxy
    cuts: tuple[Cut, ...] = ("before", "during", "after")
    wanted, turns = proxy.cuts.total() + 6, count()

    def judge(exchange: Exchange) -> Cut | None:
        if not exchange.commits or exchange.number % 5 or proxy.cuts.total() >= wanted:
            return None
        return cuts[next(turns) % 3]

    proxy.judge = judge
    wait_until(lambda: proxy.cuts.total() >= wanted, "six cuts")


def _cut_all(scene: Scene) -> None:
    """Every connection there is, wherever it stands."""
    scene.proxy.drop_all()


def _slow_down(scene: Scene) -> None:
    """Every answer takes a twentieth of a second on its way."""
    scene.proxy.delay = 0.05
    scene.play.await_progress()
    scene.proxy.delay = 0.0


def _end_listeners(scene: Scene) -> None:
    """Connections that listen for notifications, as an administrator may."""
    listening = f"{_OTHERS} and query ilike 'listen%'"
    execute(scene.play.url, f"select pg_terminate_backend(pid) {listening}")


def _lose_notifications(scene: Scene) -> None:
    """None arrives for a while; whoever waits for work looks for it all the same."""
    scene.proxy.deaf = True
    scene.play.await_progress()
    scene.proxy.deaf = False


# -- the server


def _restart(mode: Literal["fast", "immediate"]) -> Callable[[Scene], None]:
    return lambda scene: scene.server.restart(mode)


def _kill_backend(scene: Scene) -> None:
    """The process behind one connection: the server drops all of them, and recovers."""
    (pid,) = random.choice(execute(scene.play.url, f"select pid {_OTHERS}"))
    assert isinstance(pid, int)
    scene.server.kill_backend(pid)
    wait_until(lambda: _answers(scene.play.url), "the server is back")


def _take_every_connection(scene: Scene) -> None:
    """All connections that the server has are somebody else's, for a while."""
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(scene.server.url()))
        scene.proxy.drop_all()
        threading.Event().wait(0.5)


def _migrate_ahead(scene: Scene) -> None:
    """The next release adds to the tables, and workers of this one come after it."""
    (number,) = execute(scene.play.url, "select version from squidmesh.schema")[0]
    assert isinstance(number, int)
    later = tuple(_addition(one) for one in range(MIGRATIONS[-1].number + 1, number + 2))
    assert later[-1:] == migrate(scene.play.url, (*MIGRATIONS, *later)).steps
    scene.play.crew.kill_one()


def _addition(number: int) -> Migration:
    sql = f"alter table squidmesh.held add column later_{number} text;\n"
    return Migration(number=number, kind="expand", title="something more", sql=sql)


def _raise(code: str, *, share: float) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        execute(scene.play.url, f"insert into public.broken values ('{code}', {share})")
        if share < 1:
            scene.play.await_progress()
        else:
            scene.play.await_standstill()
        execute(scene.play.url, "truncate public.broken")

    return strike


def _lock_backwards(scene: Scene) -> None:
    """Somebody takes a journal before its attempts, until there were two deadlocks."""
    url = scene.play.url
    before = _deadlocks(url)
    with psycopg.connect(url, autocommit=True) as hostile:
        # The others notice first, and so are the victims.
        hostile.execute("set deadlock_timeout = '20s'")
        wait_until(lambda: _met(hostile) and _deadlocks(url) >= before + 2, "two deadlocks")


def _met(hostile: psycopg.Connection[tuple[object, ...]]) -> bool:
    """One try to be where a worker wants to be, and to want what it has."""
    with hostile.transaction(force_rollback=True):
        (run_id,) = hostile.execute(_AHEAD).fetchone() or (None,)
        threading.Event().wait(0.03)  # a worker has its attempt, and waits for the journal
        hostile.execute("select 1 from squidmesh.held where run_id = %s for update", (run_id,))
    return True


def _deadlocks(url: str) -> int:
    found = "select deadlocks from pg_stat_database where datname = current_database()"
    (number,) = execute(url, found)[0]
    assert isinstance(number, int)
    return number


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        return bool(execute(url, "select 1"))
    return False


# -- workers


def _kill_worker(scene: Scene) -> None:
    """`kill -9`, and another one in its place."""
    scene.play.crew.kill_one()


def _stop_worker(scene: Scene) -> None:
    """One stands still until its leases of a second are past, and goes on in the middle."""
    with scene.play.crew.one_stopped():
        threading.Event().wait(1.5)
        scene.play.await_progress()


def _nothing(scene: Scene) -> None:
    """What is wrong is wrong all the time."""


def clock_off_by(seconds: int) -> Mapping[str, str]:
    """An environment in which the clock is wrong, and durations are right."""
    found = glob(_FAKETIME)
    if not found:
        missing("libfaketime is not installed, so no clock was put wrong")
    # With this clock faked as well, waiting for an event never ends.
    return {
        "LD_PRELOAD": found[0],
        "FAKETIME": f"{seconds:+}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


FAULTS: Final[Mapping[str, Fault]] = {
    "cut_commits": Fault(strike=_cut_commits),
    "cut_all": Fault(strike=_cut_all),
    "slow_down": Fault(strike=_slow_down, rounds=1),
    "end_listeners": Fault(strike=_end_listeners),
    "lose_notifications": Fault(strike=_lose_notifications, rounds=1),
    "restart_immediately": Fault(strike=_restart("immediate")),
    "restart_fast": Fault(strike=_restart("fast")),
    "kill_backend": Fault(strike=_kill_backend, rounds=2),
    "no_room": Fault(strike=_take_every_connection, rounds=1),
    "schema_ahead": Fault(strike=_migrate_ahead),
    "serialization_failures": Fault(strike=_raise("40001", share=0.1)),
    # The adapter's transactions name their own isolation: this changes nothing.
    "serializable": Fault(
        strike=_nothing,
        before="alter database {name} set default_transaction_isolation = 'serializable'",
    ),
    "deadlocks_told": Fault(strike=_raise("40P01", share=0.1)),
    "deadlocks": Fault(
        strike=_lock_backwards,
        rounds=1,
        before="alter database {name} set deadlock_timeout = '10ms'",
    ),
    "disk_full": Fault(strike=_raise("53100", share=1), rounds=1),
    "kill_worker": Fault(strike=_kill_worker, rounds=5),
    "stop_worker": Fault(strike=_stop_worker, rounds=2, lease="1s"),
    "clock_ahead": Fault(strike=_kill_worker, environ=lambda: clock_off_by(3600)),
    "clock_behind": Fault(strike=_kill_worker, environ=lambda: clock_off_by(-3600)),
    "behind_pgbouncer": Fault(strike=_kill_worker, bounced=True),
    "pgbouncer_loses_the_server": Fault(strike=_restart("immediate"), rounds=1, bounced=True),
    "forked_late": Fault(strike=_kill_worker, inherited=True),
}
