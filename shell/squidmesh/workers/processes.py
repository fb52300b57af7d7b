"""
Several worker processes under one: each is replaced when it ends, all are drained together.

A worker process holds the reading end of a pipe whose writing end only the
supervisor has.  When that closes, the process drains: because it was asked to, or
because the supervisor is gone, `kill -9` included.  No signal is sent for it, and
none from the terminal arrives: the processes are in sessions of their own.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from attrs import define, field

from squidmesh.workers.stopping import asked_by_signals

#: Seconds between looks at whether a signal came.
GLANCE: Final = 0.2
#: Seconds before a process is replaced that ended soon: the first time, and at most.
SHORTEST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
#: A process that worked for so many seconds began well: the next one begins at once.
LONG_ENOUGH: Final = 60.0


def pause_after(lived: float, soon: int) -> float:
    """
    Seconds until a process that ended is replaced: a crash loop must not burn the CPU.

    Args:
        lived: How many seconds it worked.
        soon: How many before it, in a row, ended before they had worked long enough.
    """
    return 0.0 if lived >= LONG_ENOUGH else min(SHORTEST_PAUSE * 2**soon, LONGEST_PAUSE)


def drain_with_supervisor(drain: Callable[[], object]) -> None:
    """Call `drain` when the supervisor asks for it, or has gone; in a worker process."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass  # nobody writes; the end is what counts
        drain()

    threading.Thread(target=watch, name="squidmesh-supervised", daemon=True).start()


@define(eq=False)
class _Place:
    """One worker process after another."""

    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    #: Those that ended too soon, in a row.
    soon: int = 0
    #: When the next one begins.
    due: float = 0.0


@define(eq=False)
class Supervisor:
    """
    Keeps worker processes running.

    Args:
        command: What each process runs; it must call `drain_with_supervisor`.
        count: How many of them.
        monotonic: Seconds of a clock that never goes back.
        replaced: Told of each end that nobody asked for: process id, exit code, and
            the seconds until another one begins.
    """

    command: Sequence[str]
    count: int
    monotonic: Callable[[], float]
    replaced: Callable[[int, int, float], object]
    #: Set by signal handlers, which may take no lock.
    asked_to_drain: bool = field(default=False, init=False)
    _ended: SimpleQueue[_Place] = field(factory=SimpleQueue, init=False)
    _places: list[_Place] = field(factory=list, init=False)

    def run(self) -> bool:
        """
        Keep `count` processes running until `ask` is called; whether all ended in peace.

        On the main thread only: SIGTERM and SIGINT ask.  A second one ends the
        processes at once, and this one.
        """
        self._places = [_Place() for _ in range(self.count)]
        with asked_by_signals(self.ask, at_once=self._kill):
            return self._keep_running()

    def ask(self) -> None:
        """Ask for the drain, without waiting for it."""
        self.asked_to_drain = True

    def _keep_running(self) -> bool:
        while not self.asked_to_drain:
            for place in self._places:
                if place.process is None and place.due <= self.monotonic():
                    self._begin(place)
            self._wait()
        return self._drain()

    def _kill(self) -> None:
        """End all processes at once; their leases run out."""
        for place in self._places:
            if place.process is not None:
                place.process.kill()

    def _begin(self, place: _Place) -> None:
        process = subprocess.Popen(  # noqa: S603  # what a program of ours typed
            self.command, stdin=subprocess.PIPE, start_new_session=True
        )
        place.process, place.began = process, self.monotonic()

        def wait() -> None:
            process.wait()
            self._ended.put(place)

        threading.Thread(target=wait, name="squidmesh-supervisor", daemon=True).start()

    def _wait(self) -> None:
        """Wait for an end, a moment at most, and plan who comes next."""
        try:
            place = self._ended.get(timeout=GLANCE)
        except Empty:
            return
        pid, code = self._ends(place)
        now = self.monotonic()
        pause = pause_after(now - place.began, place.soon)
        place.soon = place.soon + 1 if pause else 0
        place.due = now + pause
        self.replaced(pid, code, pause)

    def _drain(self) -> bool:
        """Ask all to drain, and wait for them."""
        working = [place for place in self._places if place.process is not None]
        for place in working:
            if place.process is not None and place.process.stdin is not None:
                place.process.stdin.close()
        codes = [self._ends(self._ended.get())[1] for _ in working]
        return not any(codes)

    def _ends(self, place: _Place) -> tuple[int, int]:
        """Take leave of a process that has ended: its id and exit code."""
        process, place.process = place.process, None
        if process is None:
            raise RuntimeError("a process ended twice")
        if process.stdin is not None:
            process.stdin.close()
        return process.pid, process.wait()
