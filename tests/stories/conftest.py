"""The stage of the stories: each is told on every adapter, and its journals are judged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stage import Stage


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A journal and a clock; whatever a story wrote must pass the offline checker."""
    made = Stage(tmp_path if request.param == "sqlite" else None)
    yield made
    report = made.mesh().verify(checker=True)
    made.close()
    assert report.clean, report.results
