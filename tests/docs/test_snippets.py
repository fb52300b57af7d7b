"""The pages are true: what they show runs, and prints what they say."""

import sys
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

ROOT = Path(__file__).parents[2]
#: Its blocks are whole applications, each for a process of its own: `test_web.py` runs them.
WEB = ROOT / "docs" / "howto" / "web-applications.md"
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {WEB})]

#: Only what is fenced as Python is run; `list`, since an open generator warns when it is collected.
SNIPPETS: dict[Path, list[CodeExample]] = {page: list(find_examples(page)) for page in PAGES}


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if SNIPPETS[page]], ids=shown)
def test_python_blocks_run_and_print_what_the_page_says(
    page: Path, eval_example: EvalExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page, read from the top in an empty folder, do what it says; so do its tests."""
    monkeypatch.chdir(tmp_path)
    # Each block is run as __main__; the test run wants its own back.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    names: dict[str, object] = {}
    for snippet in SNIPPETS[page]:
        names |= eval_example.run_print_check(snippet, module_globals=names)
    for name, test in names.items():
        if name.startswith("test_") and callable(test):
            test()


def test_the_pages_that_teach_have_snippets() -> None:
    """README, tutorial and how-to show code, so the test above is not empty."""
    taught = [page for page in PAGES if page.parent.name in {"howto", "tutorial"}]

    assert SNIPPETS[ROOT / "README.md"]
    # What production asks for is done outside of Python.
    outside = [f"docs/howto/{name}.md" for name in ("postgres-for-dbas", "postgres", "production")]
    assert outside == [shown(page) for page in taught if not SNIPPETS[page]]
