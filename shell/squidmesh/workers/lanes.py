"""
The queues that somebody has set up, as this process last saw them.

A claim transaction reads the settings it goes by; claims on the way (a start, a
settlement) go by what is known here, so a change reaches them within `FRESH`.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from squidmesh_core.errors import StorageError
from squidmesh_core.plan.admission import (
    Lane,
    QueueSettings,
    settings_from_text,
    state_from_text,
)
from squidmesh_storage import api

#: Seconds for which what was read is believed.
FRESH: Final = 1.0


class Lanes:
    """
    What is known of the queues with settings.

    Args:
        read: Reads the records of all of them; null: nobody sets any up here.
        monotonic: Seconds on a clock that never steps back.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[api.Record]] | None = None,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._settings: Mapping[str, QueueSettings] = {}
        #: The instant up to which they are believed.
        self._until: float | None = None

    @property
    def settings(self) -> Mapping[str, QueueSettings]:
        """By queue; replaced as a whole, never changed."""
        return self._settings

    @property
    def paused(self) -> frozenset[str]:
        """The queues that somebody has stopped."""
        return frozenset(name for name, one in self._settings.items() if one.paused is not None)

    @property
    def due(self) -> bool:
        """Whether it is time to read them again."""
        if self._read is None:
            return False
        return self._until is None or self._monotonic() >= self._until

    def look(self) -> None:
        """Read them again if it is time; what is known stays if that fails."""
        if self.due:
            self.reread()

    def reread(self) -> None:
        """Read them again; what is known stays if that fails."""
        try:
            records = self._read() if self._read is not None else ()
        except StorageError:
            return  # whoever wanted to know goes to the storage next, and hears of it there
        self.keep(records)

    def keep(self, records: Iterable[api.Record]) -> None:
        """These are all there are."""
        settings = {record.key: settings_from_text(record.body) for record in records}
        with self._lock:
            self._settings, self._until = settings, self._monotonic() + FRESH

    def saw(self, queues: Iterable[str], lanes: Iterable[Lane]) -> None:
        """Of these queues a claim transaction has found these lanes."""
        found = {lane.queue: lane.settings for lane in lanes}
        with self._lock:
            if not self._settings and not found:
                return
            asked = frozenset(queues)
            others = {name: one for name, one in self._settings.items() if name not in asked}
            self._settings = {**others, **found}


def lane_of(stored: api.Lane) -> Lane:
    """A lane as the storage found it, read."""
    return Lane(
        queue=stored.queue,
        settings=settings_from_text(stored.settings.body),
        state=state_from_text(None if stored.state is None else stored.state.body),
        held=stored.held,
    )
