"""
Hints of new work: within the process by its bell, from other processes by LISTEN.

One connection and one thread of each process listen.  Whether hints really come is
tried again and again, with one that the process sends to itself; while they do,
looking for work can be rare.  A process that waits says so in a table, and only
then is there a NOTIFY: inside a transaction that writes, it would make all commits
of the database wait for each other.
"""

import logging
import select
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Final
from uuid import uuid4

import psycopg

from squidmesh_core.errors import StorageError
from squidmesh_storage.postgres.clock import monotonic
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.driving import PAUSES, jittered
from squidmesh_storage.postgres.pool import Pool, SyncSession, open_session
from squidmesh_storage.postgres.rows import texts
from squidmesh_storage.postgres.scripts import ask
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.postgres.telling import Teller
from squidmesh_storage.wakeups import Bell, Listener

LOG: Final = logging.getLogger("squidmesh.storage")

#: Seconds between polls while hints are seen to come from everywhere.
LONGEST_LISTENING: Final = 30.0
#: The same where they are not: with its signs of life an idle worker then asks for less
#: than one statement in 5 s.
LONGEST_POLLING: Final = 6.5
#: Seconds between two tries whether hints come, and for one of them to come.
_TRY_EVERY: Final = 60.0
_TRY_FOR: Final = 5.0
#: Seconds for which a process says that it waits; it says so again in time.
_SAID_FOR: Final = 120.0
#: Seconds of a wait that is over before it is worth telling others: whoever has no slot
#: free waits so, again and again.
BRIEF: Final = 0.25
#: Seconds that opening a subscription waits for the first try.
_AT_FIRST: Final = 2.0
#: Marks a hint that a process sends to itself.
_TRIAL: Final = "?"
#: A hint has less than 8,000 bytes, and the name of a queue up to 64.
_QUEUES_OF_A_HINT: Final = 100


class Ear:
    """What a process hears of new work, and what it tells others."""

    def __init__(
        self,
        target: Target,
        sql: Statements,
        pool: Pool,
        name: str,
        heard: Callable[[Collection[str]], None],
    ) -> None:
        """
        Begin to know of hints; the thread begins with the first subscription.

        Args:
            target: Where the journal is.
            sql: The statements.
            pool: For what is said; listening has a connection of its own.
            name: That of this process.
            heard: Called with the queues of each hint from elsewhere, on the listening thread.
        """
        self.bell = Bell()
        self.name = name
        #: Whether hints from other processes were seen to come.
        self.hears = False
        self._target = target
        self._sql = sql
        self._pool = pool
        self._heard = heard
        self._lock = Lock()
        #: Queue → how many subscriptions wait for it right now.
        self._waiting: Counter[str] = Counter()
        #: Queue → until when others know that this process waits for it.
        self._said: dict[str, float] = {}
        self._teller = Teller(self._tell_others)
        self._thread: _Thread | None = None
        self._closed = False

    @property
    def how(self) -> str:
        """In a word, for people."""
        return "listening" if self.hears else "polling"

    @property
    def longest(self) -> float:
        """Seconds after which to look all the same."""
        return LONGEST_LISTENING if self.hears else LONGEST_POLLING

    def begin(self) -> None:
        """Begin to listen, and wait a moment until it is known whether hints come."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = _Thread(self._target, self._sql, self)
            thread = self._thread
        if thread is not None:
            thread.tried.wait(_AT_FIRST)

    @contextmanager
    def listen(self, queues: Sequence[str]) -> Iterator["Hints"]:
        """A subscription to some queues, for as long as the block lasts."""
        self.begin()
        with self.bell.listen(queues) as listener:
            yield Hints(self, listener)

    def tell(self, queues: Collection[str], *, others: bool) -> None:
        """Wake who waits for work of these queues: here, and in other processes."""
        self.bell.ring(queues)
        if others:
            self._teller.tell(queues)

    def take(self, hint: str) -> None:
        """Pass on a hint from another process."""
        queues = hint.split(" ")
        self._heard(queues)
        self.bell.ring(queues)

    def notify(self, hint: str) -> None:
        """
        Tell every process that listens, this one as well.

        Raises:
            StorageError: It was not told.
        """
        call = self._sql.call("notify", channel=self._sql.names.channel, payload=hint)
        self._pool.run(lambda: ask(call), harmless=True)

    def expect(self, queues: Collection[str], seconds: float) -> bool:
        """Say that this process will wait for some queues; whether that was news to others."""
        news = self.news(queues, seconds)
        if not news:
            return False
        said_for = max(_SAID_FOR, 2 * seconds)
        try:
            self._pool.run(
                lambda: ask(
                    self._sql.call(
                        "idle", listener=self.name, queues=texts(news), seconds=str(said_for)
                    )
                ),
                harmless=True,
            )
        except StorageError:
            return False  # then nobody tells us, and we look by ourselves
        self._said |= dict.fromkeys(news, monotonic() + said_for)
        return True

    def news(self, queues: Collection[str], seconds: float) -> list[str]:
        """Those of some queues of which others do not know that we will wait so long."""
        until = monotonic() + seconds
        return [one for one in queues if self._said.get(one, 0.0) < until] if self.hears else []

    def busy(self, queues: Collection[str]) -> None:
        """Take back that this process waits, for queues that nobody here waits for any more."""
        over = [queue for queue in queues if queue in self._said and not self._waiting[queue]]
        if not over:
            return
        for queue in over:
            self._said.pop(queue, None)
        with suppress(StorageError):  # it runs out
            self._pool.run(
                lambda: ask(self._sql.call("busy", listener=self.name, queues=texts(over))),
                harmless=True,
            )

    @contextmanager
    def waiting(self, queues: Collection[str]) -> Iterator[None]:
        """While a subscription waits."""
        with self._lock:
            self._waiting.update(queues)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.subtract(queues)

    def close(self) -> None:
        """End the thread; what was to be told is told before."""
        self._teller.close()
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()

    def _tell_others(self, queues: Collection[str]) -> None:
        named = sorted(queues)
        with suppress(StorageError):  # whoever waits will look by itself
            for start in range(0, len(named), _QUEUES_OF_A_HINT):
                self.notify(" ".join(named[start : start + _QUEUES_OF_A_HINT]))


class Hints:
    """One subscription, as its owner sees it."""

    def __init__(self, ear: Ear, listener: Listener) -> None:
        self._ear = ear
        self._listener = listener

    @property
    def longest(self) -> float:
        """See `Wakeups.longest`."""
        return self._ear.longest

    def wait(self, seconds: float) -> bool:
        """See `Wakeups.wait`; a hint is also that others have only now come to know of us."""
        if seconds <= BRIEF:
            return self._listener.wait(seconds)
        queues = self._listener.queues
        with self._ear.waiting(queues):
            if self._listener.wait(0):
                return True
            if self._ear.expect(queues, seconds):
                # What was stored before they knew was told to nobody: look once more.
                return True
            return self._listener.wait(seconds)

    def ring(self) -> None:
        """See `Wakeups.ring`."""
        self._listener.ring()


class _Thread:
    """Listens, and tries whether what it hears is all there is."""

    def __init__(self, target: Target, sql: Statements, ear: Ear) -> None:
        self._target = target
        self._sql = sql
        self._ear = ear
        #: Set when it is known for the first time whether hints come.
        self.tried = Event()
        self._ending = Event()
        self._warned = False
        # Wakes the thread out of its wait for the connection.
        self._bell, self._clapper = socket.socketpair()
        self._thread = Thread(target=self._run, name="squidmesh-listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._clapper.send(b"!")
        self._thread.join()
        self._bell.close()
        self._clapper.close()

    def _run(self) -> None:
        failures = 0
        while not self._ending.is_set():
            try:
                session = open_session(self._target)
                try:
                    if session.pooled:
                        self._warn("a pooler stands before the database, where LISTEN has no place")
                        return
                    self._listen(session)
                finally:
                    with suppress(psycopg.Error):
                        session.connection.close()
                failures = 0
            except (StorageError, psycopg.Error) as error:
                self._warn(str(error).splitlines()[0])
                failures += 1
            finally:
                self._ear.hears = False
                self.tried.set()
            self._ending.wait(jittered(PAUSES[min(failures, len(PAUSES) - 1)]))

    def _listen(self, session: SyncSession) -> None:
        """Listen until the connection breaks, hints fail to come, or the end."""
        session.connection.execute(f"listen {self._sql.names.quoted_channel}".encode())
        trial, due = "", monotonic()
        while not self._ending.is_set():
            if monotonic() >= due:
                if trial:
                    self._warn("a hint that was sent has not come")
                    return
                trial = _TRIAL + uuid4().hex
                self._ear.notify(trial)
                due = monotonic() + _TRY_FOR
            for hint in self._heard_until(session, due):
                if hint == trial:
                    trial, due = "", monotonic() + _TRY_EVERY
                    self._ear.hears, self._warned = True, False
                    self.tried.set()
                elif not hint.startswith(_TRIAL):
                    self._ear.take(hint)

    def _heard_until(self, session: SyncSession, due: float) -> list[str]:
        """What has come, once something has; nothing when it is time, or over."""
        looked = select.poll()
        looked.register(session.connection.fileno(), select.POLLIN)
        looked.register(self._bell, select.POLLIN)
        looked.poll(max(0.0, due - monotonic()) * 1000)
        return [notify.payload for notify in session.connection.notifies(timeout=0)]

    def _warn(self, why: str) -> None:
        """Say once that hints from other processes do not come."""
        if not self._warned and not self._ending.is_set():
            self._warned = True
            LOG.warning(
                "%s: no hints come from other processes (%s); work of theirs is found by looking, "
                "every %g s at the latest",
                self._target.url,
                why,
                LONGEST_POLLING,
            )
