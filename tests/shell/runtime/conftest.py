"""The stage of the runtime tests: each test plays on every adapter that matters to it."""

from collections.abc import Iterator
from typing import Final

import pytest

from support.stage import Stage, stage_on

#: Tests that ask more of the storage than appends and loads, which are promised alike
#: by all: these are played on PostgreSQL as well.
_ON_A_SERVER: Final = frozenset(
    {
        "test_board",
        "test_bulk",
        "test_cancelling",
        "test_checkpoints",
        "test_deploys",
        "test_delivering",
        "test_diffing",
        "test_filing",
        "test_explaining",
        "test_graph",
        "test_hooks",
        "test_hostile_files",
        "test_interrupts",
        "test_pruning",
        "test_queues",
        "test_reading",
        "test_recall",
        "test_registry",
        "test_reindex",
        "test_slots",
        "test_step_control",
        "test_undoing",
        "test_urgency",
        "test_visibility",
        "test_watch",
        "test_worker",
        "test_worker_protocol",
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name the adapters of a test that wants a stage."""
    if "stage" in metafunc.fixturenames:
        adapters: list[object] = ["memory", "sqlite"]
        if metafunc.module.__name__.rpartition(".")[2] in _ON_A_SERVER:
            adapters.append(pytest.param("postgres", marks=pytest.mark.postgres))
        metafunc.parametrize("stage", adapters, indirect=True)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A journal, a clock, and meshes that are closed afterwards."""
    made = stage_on(request)
    yield made
    made.close()
