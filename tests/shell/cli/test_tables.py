"""Tables on terminals of any width: nothing is cut, and no line is wider than the terminal."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from squidmesh.cli.tables import Grid, laid_out

HEADINGS = ("run", "node", "due", "question")
words = st.text("abcdefgh漢字", min_size=1, max_size=30)
cells = st.lists(words, max_size=8).map(" ".join)
grids = st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=4)


def printed(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """The lines that a terminal of this width shows."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    grid = Grid(headings=HEADINGS, rows=[[Text(cell) for cell in row] for row in rows])
    for part in laid_out(grid, width):
        console.print(part)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@given(grids, st.integers(40, 200))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    """But for a first column that has no room at all."""
    widest = max(len(HEADINGS[0]), *(cell_len(row[0]) for row in rows))

    assert max(map(cell_len, printed(rows, width))) <= max(width, widest)


@given(grids, st.integers(40, 200))
def test_nothing_is_cut(rows: list[tuple[str, ...]], width: int) -> None:
    """Every character of every cell is there, as often as it was handed in."""
    shown = "".join(printed(rows, width))
    given_ = "".join("".join(row) for row in rows)
    said = "".join(HEADINGS) * (len(rows) + 1)

    for character in set(given_) - {" "}:
        assert given_.count(character) <= shown.count(character)
        assert shown.count(character) <= given_.count(character) + said.count(character)


ORDER = ("01a1f863-5b8c", "count", "overdue, 59 min ago", "Fragile: count the box by hand, please")


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            90,
            [
                "run            node   due                  question",
                "01a1f863-5b8c  count  overdue, 59 min ago  Fragile: count the box by hand, please",
            ],
        ),
        (
            66,
            [
                "run            node   due                  question",
                "01a1f863-5b8c  count  overdue, 59 min ago  Fragile: count the box",
                "                                           by hand, please",
            ],
        ),
        (
            60,
            [
                "run            node   due",
                "01a1f863-5b8c  count  overdue, 59 min ago",
                "    question: Fragile: count the box by hand, please",
            ],
        ),
        (
            36,
            [
                "run            node",
                "01a1f863-5b8c  count",
                "    due: overdue, 59 min ago ·",
                "    question: Fragile: count the box",
                "    by hand, please",
            ],
        ),
    ],
)
def test_a_table_takes_the_form_that_fits(width: int, lines: list[str]) -> None:
    """Whole, wrapped, stacked."""
    assert lines == printed([ORDER], width)


def test_a_word_is_not_broken() -> None:
    """An id that has no room beside the others stands below them."""
    run_id = "97e0ac90-0faf-5472-aba4-f3408fec4243"
    shown = printed([("01a1f846-30c0", "Order", "cancelled", run_id)], 60)

    assert re.search(rf"^    question: {run_id}$", "\n".join(shown), re.MULTILINE)


def test_what_is_empty_is_not_said() -> None:
    """Below a row stands only what there is."""
    shown = printed([ORDER, ("01a1f863-5b8d", "hold", "", "")], 60)

    assert ["01a1f863-5b8d  hold"] == shown[-1:]
