"""The applications on the page of web frameworks are whole: each runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_examples import CodeExample, find_examples

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "web-applications.md"

APPLICATIONS = list(find_examples(PAGE))


def promised(application: CodeExample) -> list[str]:
    """What the page says that the application prints."""
    lines = (line.strip() for line in application.source.splitlines())
    return [line.removeprefix("#> ") for line in lines if line.startswith("#> ")]


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda one: f"line {one.start_line}")
def test_an_application_runs_and_prints_what_the_page_says(
    application: CodeExample, tmp_path: Path
) -> None:
    """As a file of its own in an empty folder."""
    (tmp_path / "shop.py").write_text(application.source, encoding="utf-8")

    command = [sys.executable, "shop.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)

    assert (0, promised(application)) == (done.returncode, done.stdout.splitlines()), done.stderr


def test_the_page_has_an_application_for_each_framework() -> None:
    """FastAPI, Django and Flask."""
    assert 3 == len(APPLICATIONS)
