"""The stage of the stories: each is told on every adapter, and its journals are judged."""

from collections.abc import Iterator

import pytest

from support.stage import Stage, stage_on


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A journal and a clock; whatever a story wrote must pass the offline checker."""
    made = stage_on(request)
    yield made
    report = made.mesh().verify(checker=True)
    made.close()
    assert report.clean, report.results
