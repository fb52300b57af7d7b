"""
Watching a run: its entries as they are committed, each with the run as it was then.

`Stream` knows how far a run was told and when to look again; `watch` drives it on
the calling thread, `squidmesh.aio.stream` on an event loop.  Moves of this process
are noticed at once, those of others within half a second.
"""

import threading
from collections.abc import Iterator

from attrs import field, frozen

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.door.outcomes import refusal
from squidmesh.views.reading import JournalEntry, as_data, snapshot_of
from squidmesh.views.snapshot import Snapshot
from squidmesh.views.waiting import FIRST_LOOK, LONGEST_LOOK
from squidmesh_core.decide.prune import gone
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, RunId
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.entries import Entry, RunStarted
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState


@frozen(kw_only=True)
class Watched(JournalEntry):
    """One entry as data, which can tell how it left the run."""

    #: The run before the append that the entry came with.
    _before: RunState = field(repr=False, eq=False)
    #: What that append brought up to here.
    _entries: tuple[Entry, ...] = field(repr=False, eq=False)
    _spec: Spec = field(repr=False, eq=False)

    def snapshot(self, *, history: bool = False) -> Snapshot:
        """
        The run right after this entry, judged at the entry's own instant.

        The request to start, which comes with the start itself, gives the run as it started.

        Args:
            history: Also inputs, outputs and errors of every attempt.
        """
        state = fold(self._before, self._entries)
        return snapshot_of(state, self._spec, self.at, history=history)


class Stream:
    """
    How far one run was told.

    Args:
        run_id: The run.
        after: Entries up to this revision are not told.

    Raises:
        ConfigError: `after` is not a revision.
    """

    def __init__(self, run_id: RunId, after: int) -> None:
        self._after = checks.integer("after", after, least=0)
        self._state = RunState(run_id=run_id)
        self._look = FIRST_LOOK

    @property
    def over(self) -> bool:
        """Whether the run has ended, so that nothing more will come."""
        return self._state.terminal is not None

    def rest(self) -> float:
        """Seconds to wait for a move before looking again; longer each time that nothing came."""
        look = self._look
        self._look = min(look * 2, LONGEST_LOOK)
        return look

    def read(self, door: Door) -> tuple[Watched, ...]:
        """
        What was committed since the last time.

        Raises:
            RunNotFound: There is no such run (any more).
            Refused: It was pruned since the last time.
            StorageError: Its journal is unreadable; what was told before stays right.
        """
        run_id, seen = self._state.run_id, self._state.revision
        known = door.memory.get(run_id)
        if known is None or known.state.revision <= seen:
            known = door.fresh(run_id)
        if known.state.pruned is not None and seen > BEGINNING:
            raise refusal(gone(known.state))
        if known.state.revision <= seen:
            return ()
        self._look = FIRST_LOOK
        told: list[Watched] = []
        for record in door.journal.load(run_id, seen, whole=seen == BEGINNING).records:
            told += self._taken(entries_of(record), known.spec)
        return tuple(told)

    def _taken(self, entries: tuple[Entry, ...], spec: Spec) -> Iterator[Watched]:
        before = self._state
        self._state = fold(before, entries)
        # Nothing is a run before it has started.
        least = 0 if before.revision > BEGINNING else _begun(entries)
        for number, entry in enumerate(entries, start=1):
            if entry.revision <= self._after:
                continue
            data = as_data(entry, before.run_id)
            yield Watched(
                revision=data.revision,
                type=data.type,
                at=data.at,
                data=data.data,
                before=before,
                entries=entries[: max(number, least)],
                spec=spec,
            )


def _begun(entries: tuple[Entry, ...]) -> int:
    """How many entries it takes until the run has started; 0: it was pruned."""
    numbered = enumerate(entries, start=1)
    return next((number for number, one in numbered if isinstance(one, RunStarted)), 0)


def watch(door: Door, run_id: RunId, *, after: int = 0) -> Iterator[Watched]:
    """
    The entries of a run as they are committed, until it is over.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: `after` is not a revision.
        StorageError: Its journal is unreadable; while iterating, too.
    """
    stream = Stream(run_id, after)
    # Read at once: whoever names no run hears it from the call, not from the first step.
    return _told(door, run_id, stream, stream.read(door))


def _told(
    door: Door, run_id: RunId, stream: Stream, news: tuple[Watched, ...]
) -> Iterator[Watched]:
    with door.watchers.watching(run_id, threading.Event()) as moved:
        while True:
            yield from news
            if stream.over:
                return
            moved.wait(stream.rest())
            moved.clear()
            news = stream.read(door)
