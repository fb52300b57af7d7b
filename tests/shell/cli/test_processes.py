"""`squidmesh work --processes`: one that dies is replaced, all drain, none is left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from squidmesh.workers.processes import (
    LONG_ENOUGH,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    Supervisor,
    pause_after,
)
from support.commands import Typed

PATIENCE = 50.0


class Fleet:
    """A supervisor in a process of its own, and what it and its workers say."""

    def __init__(self, folder: Path, count: int) -> None:
        command = [sys.executable, "-m", "squidmesh", "work", "--app=greetings", "--json"]
        self.process = subprocess.Popen(
            [*command, "-p", str(count), "-c", "2", "--queue", "slow", "-q", "default"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        #: Process ids of the workers that said that they began, and did not end.
        self.workers: list[int] = []

    def says(self) -> dict[str, object]:
        """The next event; workers that begin and end are kept count of."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        event: dict[str, object] = json.loads(line)
        if event["event"] == "started":
            self.workers.append(_pid(event))
        if event["event"] == "stopped":
            self.workers.remove(_pid(event))
        return event

    def begun(self, count: int) -> list[int]:
        """The workers, once there are so many."""
        while len(self.workers) < count:
            self.says()
        return list(self.workers)

    def end(self) -> None:
        """Whatever a test left running."""
        for pid in [*self.workers, self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE)


def _pid(event: dict[str, object]) -> int:
    return int(str(event["owner"]).split(":")[1])


@pytest.fixture
def fleet(folder: Path) -> Iterator[Fleet]:
    """Two worker processes under a supervisor."""
    made = Fleet(folder, 2)
    yield made
    made.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_them_all(fleet: Fleet, number: signal.Signals) -> None:
    """Each says that it has drained, and the exit is clean."""
    fleet.begun(2)
    fleet.process.send_signal(number)
    out, _ = fleet.process.communicate(timeout=PATIENCE)

    stopped = [event for event in map(json.loads, out.splitlines()) if event["event"] == "stopped"]
    assert (2, 0) == (len(stopped), fleet.process.returncode)
    fleet.workers.clear()


def test_one_that_is_killed_is_replaced(fleet: Fleet) -> None:
    """The other works on; all that was typed is said to the new one too."""
    killed, other = fleet.begun(2)
    fleet.workers.remove(killed)
    os.kill(killed, signal.SIGKILL)
    replaced = fleet.says()
    started = fleet.says()

    assert ("replaced", killed, -signal.SIGKILL) == (
        replaced["event"],
        replaced["pid"],
        replaced["code"],
    )
    assert ("started", ["slow", "default"], 2) == (
        started["event"],
        started["queues"],
        started["slots"],
    )
    assert other in fleet.workers
    fleet.process.send_signal(signal.SIGTERM)
    assert {"stopped"} == {str(fleet.says()["event"]) for _ in range(2)}
    assert 0 == fleet.process.wait(timeout=PATIENCE)


def test_workers_drain_when_their_supervisor_is_gone(fleet: Fleet) -> None:
    """Nobody is left behind by `kill -9`: the pipe ends with whoever held it."""
    fleet.begun(2)
    os.kill(fleet.process.pid, signal.SIGKILL)

    assert {"stopped"} == {str(fleet.says()["event"]) for _ in range(2)}


def test_what_is_wrong_with_the_application_is_said_once(squidmesh: Typed) -> None:
    """Before any process is started."""
    said = squidmesh("work", "--app", "nowhere", "--processes", "3")

    assert (2, "") == (said.code, said.out)


@pytest.mark.parametrize(
    ("lived", "soon", "pause"),
    [
        (LONG_ENOUGH, 9, 0.0),
        (0.0, 0, SHORTEST_PAUSE),
        (LONG_ENOUGH - 1, 1, SHORTEST_PAUSE * 2),
        (0.0, 99, LONGEST_PAUSE),
    ],
)
def test_a_crash_loop_slows_down(lived: float, soon: int, pause: float) -> None:
    """The pause doubles with each that ended soon; one that worked long enough costs none."""
    assert pause == pause_after(lived, soon)


def test_a_process_that_ends_badly_while_it_drains_is_told() -> None:
    """Not all is well then; the handlers of signals are those that were there before."""
    program = (
        "import os, signal, sys;"
        "os.kill(os.getppid(), signal.SIGTERM);"
        "sys.exit(3 + len(sys.stdin.read()))"
    )
    supervisor = Supervisor((sys.executable, "-c", program), 1, lambda: 0.0, print)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    assert not supervisor.run()
    assert before == {number: signal.getsignal(number) for number in before}


def test_a_second_signal_ends_them_all_at_once() -> None:
    """Also those that do not drain; nobody is left who holds the output open."""
    stubborn = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    program = (
        "import sys, time; from squidmesh.workers.processes import Supervisor;"
        f"Supervisor((sys.executable, '-c', {stubborn!r}), 1, time.monotonic, print).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)

    assert "" == process.communicate(timeout=PATIENCE)[0]
    assert -signal.SIGTERM == process.returncode
