"""
Telling: which notices are due, who is called, and when a failed call is made again.

    keep    say that this process has these functions     (`subscribing`)
    late    make notices of deadlines that have passed    (`lateness`)
    tell    take a notice for a while ─▶ call ─▶ forget it
    rest    until something is committed here, or a while

A notice is taken by a conditional write, so of two workers one calls; should that one
die, its time runs out and another one calls: at least once.  A notice that was
forgotten is nowhere any more: never again.
"""

import logging
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Final

from attrs import evolve

from squidmesh.workers.hooks.asking import (
    Reply,
    Request,
    Rest,
    Trip,
    call,
    drop,
    put,
    read,
    read_clock,
)
from squidmesh.workers.hooks.handlers import Handler, Handlers
from squidmesh.workers.hooks.lateness import Late, remember, was_told
from squidmesh.workers.hooks.subscribing import Mine
from squidmesh_core.errors import SquidmeshError
from squidmesh_core.protocol.notices import Delivery, begun, delivery_from_text, delivery_to_text
from squidmesh_storage.api import Record
from squidmesh_storage.records import NOTICE, hook_of

LOG: Final = logging.getLogger("squidmesh.hooks")
#: Seconds between looks, where nothing is committed in this process.
LOOK: Final = 5.0
#: Notices that are read at once.
PAGE: Final = 100
#: How long a call may take before another worker makes it, too.
HELD: Final = timedelta(seconds=60)
#: After a call that failed: the first pause, doubled with each up to the longest.
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=5)
#: Doublings after which a pause is the longest for certain.
_MOST_DOUBLINGS: Final = 16


def notifier(
    handlers: Handlers, mine: Mine, stopping: Callable[[], bool]
) -> Generator[Request, Reply, None]:
    """
    Tell the functions of this process what is to be told, until it stops.

    Args:
        handlers: Those functions.
        mine: Their subscriptions.
        stopping: Whether no further call is to be made.
    """
    late = Late(handlers)
    while not stopping():
        seconds = LOOK
        if handlers.take_turn():
            try:
                seconds = yield from _look(handlers, stopping, mine, late)
            except SquidmeshError as error:
                LOG.warning("hooks were not told of everything, trying again: %s", error)
            finally:
                handlers.end_turn()
        if not stopping():
            yield Rest(seconds=seconds)


def pause_after(attempts: int) -> timedelta:
    """How long nobody calls after so many calls have failed."""
    pause: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, _MOST_DOUBLINGS)
    return min(pause, LONGEST_PAUSE)


def _look(handlers: Handlers, stopping: Callable[[], bool], mine: Mine, late: Late) -> Trip[float]:
    """Tell all that is due; in how many seconds to look again."""
    now = yield from read_clock()
    yield from mine.keep(now)
    yield from late.look(now, mine.since)
    seconds, after = LOOK, ""
    while not stopping():
        page = yield from read(NOTICE, after=after, limit=PAGE)
        for record in page:
            handler = handlers.get(hook_of(record.key))
            if handler is not None and not stopping():
                seconds = min(seconds, (yield from _tell(handler, record)))
        if len(page) < PAGE:
            break
        after = page[-1].key
    return seconds


def _tell(handler: Handler, record: Record) -> Trip[float]:
    """Tell one function of one notice, if that is due; in how many seconds to look again."""
    delivery = delivery_from_text(record.body)
    if delivery is None:
        return LOOK  # a newer release knows what it says
    now = yield from read_clock()
    if delivery.until is not None and now < delivery.until:
        return (delivery.until - now).total_seconds()
    taken = begun(delivery, now + HELD)
    if not (yield from put(NOTICE, record.key, delivery_to_text(taken), expected=record.version)):
        return LOOK  # somebody else was first
    held = evolve(record, version=record.version + 1)
    if (yield from was_told(held.key, taken)):
        problem = None
    else:
        problem = yield from call(handler, taken.notice)
    if problem is not None:
        return (yield from _put_off(held, taken, problem))
    yield from remember(held.key, taken)
    yield from drop(NOTICE, held.key, expected=held.version)
    return LOOK


def _put_off(held: Record, taken: Delivery, problem: str) -> Trip[float]:
    """Let others call after a pause; if somebody took it over meanwhile, it is theirs."""
    LOG.warning("hook %s failed: %s", held.key, problem)
    pause = pause_after(taken.attempts)
    now = yield from read_clock()
    failed = evolve(taken, problem=problem, until=now + pause)
    yield from put(NOTICE, held.key, delivery_to_text(failed), expected=held.version)
    return pause.total_seconds()
