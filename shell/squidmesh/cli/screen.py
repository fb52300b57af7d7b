"""
The screen: one way of printing for each kind of reader.

    human    a terminal: tables, colours, times as people say them
    plain    a pipe: one record a line, members divided by tabs, no headings
    json     a program: one document; or lines, one for each member of a list and each event

Whatever comes from payloads or errors goes through `printable` first, so that
no data can recolour a terminal or move its cursor.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from squidmesh.cli import clock
from squidmesh.cli.text import instant, iso, json_safe
from squidmesh.config import TimeStyle
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.words import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Form = Literal["human", "plain", "json"]
Color = Literal["auto", "always", "never"]
Style = str

#: How statuses, and nothing else, are coloured.
STYLES: Final[Mapping[str, Style]] = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "retrying": "yellow",
    "deferred": "yellow",
    "pending": "cyan",
    "started": "cyan",
    "paused": "magenta",
    "compensating": "yellow",
    "compensated": "green",
    "effect unknown": "red",
    "waiting": "dim",
}
#: Width of a terminal that does not tell.
_WIDTH: Final = 100


@frozen(kw_only=True)
class Cell:
    """One member of a row: how people read it, and how programs do."""

    human: str
    plain: str
    style: Style = ""

    @classmethod
    def of(cls, text: str | None, style: Style = "") -> "Cell":
        """The same text for both; null is empty."""
        return cls(human=text or "", plain=text or "", style=style)


class Screen:
    """Where a command's results go."""

    def __init__(
        self, *, as_json: bool, color: Color, time: TimeStyle | None, lines: bool = False
    ) -> None:
        self._color = color
        self._time = time
        human = sys.stdout.isatty()
        self.form: Final[Form] = "json" if as_json or lines else "human" if human else "plain"
        #: Whether every JSON document is to stand on a line of its own, and lists as many.
        self.lines: Final = lines

    @cached_property
    def console(self) -> "Console":
        """rich, told what the flags and the environment say about colours."""
        from rich.console import Console

        colored = self._color == "always" or (
            self._color == "auto" and self.form == "human" and not os.environ.get("NO_COLOR")
        )
        width = None if self.form == "human" else _WIDTH
        return Console(
            no_color=not colored,
            force_terminal=True if colored else None,
            highlight=False,
            emoji=False,
            markup=False,
            width=width,
            soft_wrap=self.form != "human",
        )

    def document(self, schema: str, **members: object) -> None:
        """One JSON document; `schema` says what it is, with its version."""
        indent = None if self.lines else 2
        write(json_text({"schema": f"squidmesh.{schema}", **members}, indent=indent))

    def listing(
        self,
        schema: str,
        name: str,
        items: Sequence[Mapping[str, object]],
        *,
        line: str,
        **beside: object,
    ) -> None:
        """
        A list for programs: one document, or a line for each item.

        Args:
            schema: Of the document.
            name: The items' member in it.
            items: What is listed.
            line: The schema of an item on a line of its own.
            beside: What else the document holds; of lines the last one, a `page/1`.
        """
        if not self.lines:
            self.document(schema, **{name: items}, **beside)
            return
        for item in items:
            self.event(line, **item)
        if beside:
            self.event("page/1", **beside)

    def event(self, schema: str, **members: object) -> None:
        """One line of JSON in a stream of them."""
        write(json_text({"schema": f"squidmesh.{schema}", **members}))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Rows: with headings and aligned for people, tab-separated for pipes."""
        if self.form != "human":
            for row in rows:
                write("\t".join(printable(cell.plain) for cell in row))
            return
        from rich.text import Text

        from squidmesh.cli.tables import Grid, laid_out

        shown = [[Text(printable(cell.human), style=cell.style) for cell in row] for row in rows]
        grid = Grid(headings=headings, rows=shown)
        for part in laid_out(grid, self.console.width):
            self.console.print(part, soft_wrap=not grid.rows)

    def listed(self, headings: Sequence[str], rows: Sequence[Sequence[Cell]], nothing: str) -> None:
        """Rows for pipes; for people only the columns that have something to say."""
        if self.form != "human":
            self.table(headings, rows)
        elif not rows:
            self.line(nothing, "dim")
        else:
            used = [i for i in range(len(headings)) if any(row[i].human for row in rows)]
            self.table([headings[i] for i in used], [[row[i] for i in used] for row in rows])

    def more(self, cursor: str | None) -> None:
        """Tell people where the next page begins, if there is one."""
        if cursor is not None and self.form == "human":
            self.line(f"there are more: --cursor {cursor}", "dim")

    def line(self, text: str = "", style: Style = "") -> None:
        """One line for people and pipes."""
        if self.form == "human":
            from rich.text import Text

            # A terminal that wraps a line itself lets it be copied whole.
            self.console.print(Text(printable(text), style=style), soft_wrap=True)
        else:
            write(printable(text))

    def fields(self, *cells: str) -> None:
        """One record for pipes."""
        write("\t".join(printable(cell) for cell in cells))

    def render(self, renderable: "RenderableType") -> None:
        """Something of rich's own making, for people."""
        self.console.print(renderable, crop=False)

    def when(self, at: datetime | None, now: datetime | None = None) -> Cell:
        """An instant, in the style that was asked for or that suits the reader."""
        if at is None or at == HIDDEN_AT:
            return Cell.of("")
        style = self._time or ("relative" if self.form == "human" else "iso")
        text = instant(at, style, now or clock.now())
        return Cell(human=text, plain=text)

    def at(self, at: datetime) -> str:
        """An instant inside a sentence: `just now`, `5 min ago`, `at 2026-11-20 14:40:00`."""
        shown = self.when(at)
        text = shown.human if self.form == "human" else shown.plain
        if text == "now":
            return "just now"
        return f"at {text}" if text.endswith("Z") or text[-1].isdigit() else text


def status_cell(status: str) -> Cell:
    """A status in its colour."""
    return Cell.of(status, STYLES.get(status, ""))


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON for programs that is harmless on a terminal too."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_instant)
    return json_safe(text)


def write(text: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _instant(value: object) -> str | None:
    if isinstance(value, datetime):
        return None if value == HIDDEN_AT else iso(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
