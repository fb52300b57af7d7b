"""
The shell's doors to the outside: clock, chance, waiting, and named fault sites.

Storage and the steps themselves are ports too (`Journal`, the actions).  With
all of them handed in, a whole worker can be run by a test on one thread.
"""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, get_args

from attrs import frozen

from squidmesh import chance
from squidmesh_storage.api import Wakeups

#: Where a test may crash, delay or raise: the crash points of the runtime.
Site = Literal[
    "append.before",
    "append.after",
    "claim.before",
    "claim.after",
    "perform.before",
    "perform.after",
    "settle.before",
    "settle.after",
    "heartbeat.before",
    "heartbeat.after",
    "define.before",
    "define.after",
    "checkpoint.before",
    "checkpoint.after",
    "remove.before",
    "remove.after",
]
SITES: Final[tuple[Site, ...]] = get_args(Site)


def _host_time() -> datetime:
    return datetime.now(UTC)


def _rest(wakeups: Wakeups, seconds: float) -> bool:
    return wakeups.wait(seconds)


def _pause(seconds: float) -> None:
    # `time.sleep` fails under a faked clock; nobody sets this event.
    threading.Event().wait(seconds)


def _pass(site: Site) -> None:
    """Production has no faults of its own."""


@frozen(kw_only=True)
class Ports:
    """What the shell may not do by itself."""

    #: Bytes for ids and tokens; must be unguessable.
    random_bytes: Callable[[int], bytes] = chance.random_bytes
    #: A number 0 ≤ x < 1 for jitter; need not be unguessable.
    draw: Callable[[], float] = random.random
    #: Seconds on a clock that never steps back; measures, never judges leases.
    monotonic: Callable[[], float] = time.monotonic
    #: This host's clock: compared with the storage's, and never believed.
    host_time: Callable[[], datetime] = _host_time
    #: Wait for a hint of new work, at most so many seconds; whether there was one.
    rest: Callable[[Wakeups, float], bool] = _rest
    #: Wait so many seconds, whatever happens.
    pause: Callable[[float], object] = _pause
    #: Called at each named place; may raise or kill in tests.
    site: Callable[[Site], None] = _pass
