"""The stage of the asyncio tests: each plays on every embedded adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stage import Stage


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A journal, a clock, and meshes that are closed afterwards."""
    made = Stage(tmp_path if request.param == "sqlite" else None)
    yield made
    made.close()
