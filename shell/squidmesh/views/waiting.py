"""
Waiting for a run to be over, or to have a status.

`waiting` holds the policy (when to read, how long to rest, when to give up) as a
generator that does nothing itself; `wait_for` drives it on the calling thread.
Moves of this process are noticed at once, those of others within half a second.
"""

import threading
from collections.abc import Callable, Generator
from typing import Final, assert_never

from attrs import frozen

from squidmesh.door.door import Door
from squidmesh.door.known import Known, Memory
from squidmesh.duration import Duration, duration_ms
from squidmesh.views.filtering import run_status
from squidmesh_core.errors import WaitTimeout
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.run import RunState
from squidmesh_core.views.inspection import Run, run_of

#: Seconds before the first look at a run that another process may move; when somebody has
#: claimed it, mostly one of ours, who tells us when it is over; and when nobody has, so
#: that most likely another one will.
FIRST_LOOK: Final = 0.02
FIRST_LOOK_CLAIMED: Final = 0.1
FIRST_LOOK_ELSEWHERE: Final = 0.002
#: The looks of short runs elsewhere lie closer together than those of long ones.
GROWTH, GROWTH_ELSEWHERE = 2.0, 1.5
LONGEST_LOOK: Final = 0.5


@frozen
class ReadRun:
    """Read what was appended; the reply is the run."""


@frozen
class AwaitMove:
    """Wait until this process moves the run, at most so many seconds."""

    seconds: float


WaitRequest = ReadRun | AwaitMove
Waiting = Generator[WaitRequest, Known | None, Run]


def waiting(
    memory: Memory,
    run_id: RunId,
    *,
    status: RunStatus | None,
    timeout: Duration | None,
    monotonic: Callable[[], float],
) -> Waiting:
    """
    Wait until a run is over, or has a status.

    Args:
        memory: What this process knows of runs.
        run_id: The run.
        status: What to wait for; null: its end.
        timeout: How long at most; null: for ever.
        monotonic: Seconds of a clock that never goes back.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: There is no such status, or the time-out is not a duration.
        WaitTimeout: It took longer, or the run is over and never had that status.
    """
    timeout_ms = None if timeout is None else duration_ms(timeout, option="timeout")
    if status is not None:
        status = run_status(status)
    until = None if timeout_ms is None else monotonic() + timeout_ms / 1000
    look, late = 0.0, False
    # Nobody asks for a journal that this process is moving itself: the first
    # read comes after the first wait, and so does the first time-out.
    seen = (memory.get(run_id) if status is None else None) or (
        yield from _newest(memory, run_id, None)
    )
    while True:
        state = seen.state
        if state.terminal is not None if status is None else state.status == status:
            return run_of(state)
        if state.terminal is not None:
            raise _too_late(state, f"and will not be {status} any more")
        if late:
            raise _too_late(state, f"after {timeout_ms} ms; it goes on without us")
        look = look or _first_look(state)
        yield AwaitMove(look if until is None else min(look, max(0.0, until - monotonic())))
        # What is moved from here is not read meanwhile: at 32 runs at once these reads
        # took a quarter of all CPU time, because each lets go of the interpreter so often.
        moved = memory.get(run_id)
        if moved is not None and moved is not seen:
            look = max(look, FIRST_LOOK_CLAIMED)
        else:
            growth = GROWTH_ELSEWHERE if look < FIRST_LOOK else GROWTH
            look = min(look * growth, LONGEST_LOOK)
        late = until is not None and until <= monotonic()
        seen = yield from _newest(memory, run_id, None if late else seen)


def wait_for(
    door: Door, run_id: RunId, *, status: RunStatus | None, timeout: Duration | None
) -> Run:
    """
    Wait on this thread; see `waiting`.

    Raises:
        SquidmeshError: What `waiting` raises.
    """
    asked = waiting(
        door.memory, run_id, status=status, timeout=timeout, monotonic=door.ports.monotonic
    )
    reply: Known | None = None
    with door.watchers.watching(run_id, threading.Event()) as moved:
        while True:
            try:
                request = asked.send(reply)
            except StopIteration as stop:
                run: Run = stop.value
                return run
            match request:
                case ReadRun():
                    reply = door.fresh(run_id)
                case AwaitMove(seconds=seconds):
                    moved.wait(seconds)
                    moved.clear()
                    reply = None
                case _:
                    assert_never(request)


def _first_look(state: RunState) -> float:
    """Seconds to wait before the first read."""
    if not state.live:
        return FIRST_LOOK
    claimed = any(one.status == "claimed" for one in state.live.values())
    return FIRST_LOOK_CLAIMED if claimed else FIRST_LOOK_ELSEWHERE


def _newest(
    memory: Memory, run_id: RunId, seen: Known | None
) -> Generator[WaitRequest, Known | None, Known]:
    """
    The run as it is.

    It need not be read if it is known to be over, which it stays, or if this process
    has moved it since it was seen.
    """
    known = memory.get(run_id)
    if known is None or (known.state.terminal is None and (seen is None or known is seen)):
        known = yield ReadRun()
        if known is None:
            raise TypeError("whoever drives this wait gave no run")
    return known


def _too_late(state: RunState, why: str) -> WaitTimeout:
    return WaitTimeout(
        f"run {state.run_id} is {state.status} {why}",
        "wait_timeout",
        {"run_id": state.run_id, "status": state.status},
    )
