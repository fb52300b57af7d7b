"""The reference pages name what the code has, all of it and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import squidmesh

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: A link to a file and perhaps a heading in it, or to a heading alone; addresses are not looked up.
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
#: What divides cells; within a cell it is escaped, also between backticks.
BAR = re.compile(r"(?<!\\)\|")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def listed(page: str, pattern: str) -> list[str]:
    return re.findall(pattern, (REFERENCE / page).read_text(encoding="utf-8"), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked by."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_public_names_are_those_of_the_reference() -> None:
    """`squidmesh.__all__` is sorted and equals the list in docs/reference/api.md."""
    documented = listed("api.md", r"^- `(\w+)`: .+\.$")

    assert sorted(documented) == documented
    assert documented == list(squidmesh.__all__)


def test_every_public_name_exists() -> None:
    """A name in `__all__` can be imported from `squidmesh`."""
    missing = [name for name in squidmesh.__all__ if not hasattr(squidmesh, name)]

    assert missing == []


def test_page_of_errors_is_up_to_date() -> None:
    """docs/reference/errors.md is what docs/generate.py would write."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_rows_of_a_table_have_as_many_cells_as_its_heading(page: Path) -> None:
    """A bar that is not escaped would begin a cell too many, which no reader ever sees."""
    tables = TABLE.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    widths = [{len(BAR.findall(row)) for row in table.splitlines()} for table in tables]

    assert [] == [table for table, width in zip(tables, widths, strict=True) if len(width) > 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link from one page to a file of the repository finds it, and the heading in it."""
    links = {
        (page.parent / target if target else page, anchor)
        for target, anchor in LINK.findall(page.read_text(encoding="utf-8"))
    }

    assert [] == [str(target) for target, _ in links if not target.exists()]
    assert [] == [anchor for target, anchor in links if anchor and anchor not in anchors(target)]
