"""
Tables that fit a terminal, whatever its width, and cut nothing.

    whole     as wide as it is, where there is room
    wrapped   the wide columns share what the narrow ones leave
    stacked   what has no room beside the others stands below them, by its heading
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

#: Between two columns.
GAP: Final = 2
#: A column that is wider may take several lines.
NARROW: Final = 24
#: A column in several lines has at least so many characters, or stands below.
LEAST: Final = 20
#: A longer word may be broken all the same.
WORD: Final = 48
#: How far what stands below is moved to the right.
INDENT: Final = "    "


@frozen(kw_only=True)
class Grid:
    """Headings and rows, as people read them."""

    headings: Sequence[str]
    rows: Sequence[Sequence["Text"]]

    @property
    def widths(self) -> tuple[int, ...]:
        """What each column would need on one line."""
        return tuple(
            max([len(heading), *(row[i].cell_len for row in self.rows)])
            for i, heading in enumerate(self.headings)
        )


def laid_out(grid: Grid, width: int) -> "list[RenderableType]":
    """What to print on a terminal of this width."""
    widths = grid.widths
    if _total(widths) <= width:
        return [_table(grid, wrapped=set())]
    wide = {i for i, needed in enumerate(widths) if needed > NARROW} or {len(widths) - 1}
    left = width - _total([0 if i in wide else needed for i, needed in enumerate(widths)])
    if left >= len(wide) * max(LEAST, *(_longest_word(grid, i) for i in wide)):
        return [_table(grid, wrapped=wide)]
    return _stacked(grid, _beside(widths, width), width)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _beside(widths: Sequence[int], width: int) -> int:
    """How many columns have room beside each other; the first one always has."""
    return max(1, *(n for n in range(len(widths) + 1) if _total(widths[:n]) <= width))


def _longest_word(grid: Grid, column: int) -> int:
    """The longest cell that is one word, such as an id: these are not to be broken."""
    words = (row[column] for row in grid.rows if " " not in row[column].plain)
    return min(WORD, max((word.cell_len for word in words), default=0))


def _table(grid: Grid, wrapped: set[int]) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim", pad_edge=False)
    for i, heading in enumerate(grid.headings):
        table.add_column(heading, no_wrap=i not in wrapped, overflow="fold")
    for row in grid.rows:
        table.add_row(*row)
    return table


def _stacked(grid: Grid, beside: int, width: int) -> "list[RenderableType]":
    from rich.text import Text

    widths = grid.widths[:beside]
    lines = [_line([Text(heading, "dim") for heading in grid.headings[:beside]], widths)]
    for row in grid.rows:
        lines.append(_line(row[:beside], widths))
        below = [
            Text.assemble((f"{heading}: ", "dim"), cell)
            for heading, cell in zip(grid.headings[beside:], row[beside:], strict=True)
            if cell
        ]
        lines += _wrapped(Text(" · ", "dim").join(below), width)
    return [*lines]


def _line(cells: "Sequence[Text]", widths: Sequence[int]) -> "Text":
    from rich.text import Text

    padded = []
    for cell, width in zip(cells, widths, strict=True):
        one = cell.copy()
        one.pad_right(width - cell.cell_len)
        padded.append(one)
    line = Text(" " * GAP).join(padded)
    line.rstrip()
    return line


def _wrapped(text: "Text", width: int) -> "list[Text]":
    from rich.console import Console
    from rich.text import Text

    if not text:
        return []
    lines = text.wrap(Console(width=width), width - len(INDENT))
    return [Text(INDENT).append_text(line) for line in lines]
