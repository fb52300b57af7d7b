"""The commands that the README promises are the ones that are checked."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

FRAGMENT = re.compile(r"\d+(-[a-z]+)*\.(added|changed|deprecated|removed|fixed)\.md")


def test_ci_types_the_commands_of_the_readme() -> None:
    """`.ci/run` installs and tests with the very words of the README, and ends with its test command."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    install, test = '.venv/bin/pip install -e ".[dev]"', ".venv/bin/python -m pytest"

    assert f"$ python3 -m venv .venv && {install} && {test}\n" in readme
    assert install in script
    assert test == script.rstrip().splitlines()[-1]


def test_news_fragments_are_named_by_issue_and_kind() -> None:
    """A fragment that is misnamed would be missing from the changelog."""
    fragments = {path.name for path in (ROOT / "changelog.d").iterdir()} - {"README.md"}

    assert set() == {name for name in fragments if not FRAGMENT.fullmatch(name)}
