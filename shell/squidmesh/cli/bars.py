"""A bar for each attempt of a run: since when it was ready, and how long somebody held it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from attrs import define

from squidmesh.cli.lines import node_of
from squidmesh.cli.screen import STYLES
from squidmesh.views.reading import JournalEntry
from squidmesh_core.ids import AttemptKey, RunId, is_timeout
from squidmesh_core.views.words import printable, span

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: Characters from the run's first entry to now.
_WIDTH: Final = 32
#: Attempts that are shown at once; the newest ones.
_MOST: Final = 12


@define
class _Bar:
    """One attempt."""

    name: str
    ready: datetime
    held: datetime | None = None
    ended: datetime | None = None
    status: str = "pending"


class Bars:
    """The attempts of one run, told by its entries."""

    def __init__(self, run_id: RunId) -> None:
        #: The last revision that was taken in.
        self.revision = 0
        self._run_id = run_id
        self._begin: datetime | None = None
        self._end: datetime | None = None
        self._bars: dict[str, _Bar] = {}

    def take(self, entries: Iterable[JournalEntry]) -> None:
        """Take in what came."""
        for entry in entries:
            self.revision = entry.revision
            self._begin = self._begin or entry.at
            key = str(entry.data.get("attempt_key"))
            match entry.type:
                case "attempt_scheduled" if not is_timeout(AttemptKey(key)):
                    undo = "undo " if entry.data.get("kind") == "compensation" else ""
                    self._begin_one(
                        f"{undo}{node_of(entry.data, self._run_id)}", key, entry.data, entry.at
                    )
                case "attempt_claimed" if key in self._bars:
                    self._bars[key].held = entry.at
                    self._bars[key].status = "running"
                case "attempt_completed" if key in self._bars:
                    deferred = bool(entry.data.get("deferred"))
                    self._end_one(key, "deferred" if deferred else "completed", entry.at)
                case "attempt_failed" if key in self._bars:
                    self._end_one(key, "failed", entry.at)
                    again = entry.data.get("retry")
                    if isinstance(again, Mapping):
                        name = self._bars[key].name.rpartition(" #")[0]
                        self._begin_one(name, str(again.get("attempt_key")), again, entry.at)
                case "run_terminal":
                    self._end = entry.at
                case _:
                    pass  # of no attempt

    def table(self, now: datetime) -> "Table":
        """The newest attempts, one a row."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        end = self._end or now
        for bar in [*self._bars.values()][-_MOST:]:
            drawn = self._drawn(bar, end)
            lasted = (bar.ended or end) - (bar.held or bar.ready)
            table.add_row(
                Text(f"  {printable(bar.name)}"),
                drawn,
                Text(bar.status, style=STYLES.get(bar.status, "dim")),
                Text(span(max(0.0, lasted.total_seconds())), style="dim"),
            )
        return table

    def _begin_one(self, name: str, key: str, data: Mapping[str, object], at: datetime) -> None:
        self._bars[key] = _Bar(f"{name} #{data.get('number', 1)}", at)

    def _end_one(self, key: str, status: str, at: datetime) -> None:
        self._bars[key].ended, self._bars[key].status = at, status

    def _drawn(self, bar: _Bar, end: datetime) -> "Text":
        from rich.text import Text

        begin = self._begin or bar.ready
        whole = max((end - begin).total_seconds(), 0.001)

        def column(at: datetime) -> int:
            part = (at - begin).total_seconds() / whole
            return round(min(1.0, max(0.0, part)) * _WIDTH)

        last = column(bar.ended or end)
        held = last if bar.held is None else min(column(bar.held), last)
        ready = min(column(bar.ready), held)
        if bar.held is not None and held == last:  # too short to be seen, and it was there
            last = max(1, last)
            held = last - 1
            ready = min(ready, held)
        text = Text(" " * ready)
        text.append("╌" * (held - ready), style="dim")
        text.append("━" * (last - held), style=STYLES.get(bar.status, ""))
        text.append(" " * (_WIDTH - last))
        return text
