"""What a short command imports: counted, for its time is mostly that, and times are noisy."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from squidmesh import Mesh
from squidmesh.cli import collecting

#: Lists runs, then tells on standard error what was imported.
_TELL: Final = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from squidmesh.cli import main
main()
"""
#: Of the standard library and of others: each takes longer than reading a page of runs.
_STRANGERS: Final = {
    "asyncio", "cattrs", "croniter", "importlib.metadata", "importlib.resources", "psycopg",
    "rich", "socket", "ssl", "subprocess", "tempfile",
}  # fmt: skip
#: What a page of runs needs nothing of; the families of verbs stand in these rooms as well.
_ROOMS: Final = (
    "squidmesh.aio",
    "squidmesh.authoring",
    "squidmesh.files",
    "squidmesh.queues",
    "squidmesh.starting",
    "squidmesh.steering",
    "squidmesh.upkeep",
    "squidmesh.workers.crew",
    "squidmesh.workers.loop",
    "squidmesh.workers.worker",
    "squidmesh_core.checker",
    "squidmesh_core.decide.replay",
    "squidmesh_core.protocol.converter",
    "squidmesh_core.protocol.signals",
    "squidmesh_core.views.diff",
    "squidmesh_core.views.explanation",
    "squidmesh_core.views.graph",
    "squidmesh_core.views.visibility",
)
_VERBS: Final = ("verbs", "many")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What `squidmesh runs` has imported when it ends, on SQLite."""
    folder: Path = tmp_path_factory.mktemp("imports")
    url = f"sqlite:///{folder / 'squidmesh.db'}"
    with Mesh.open(url):
        pass
    said = subprocess.run(
        [sys.executable, "-c", _TELL, "runs", "--limit", "100", "--url", url],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return set(said.stderr.split())


def test_a_list_of_runs_imports_no_strangers(imported: set[str]) -> None:
    """Neither an event loop nor a schedule, a screen, a driver or the host's name."""
    assert set() == imported & _STRANGERS


@pytest.mark.parametrize("room", _ROOMS)
def test_a_list_of_runs_imports_nothing_that_works_or_steers(imported: set[str], room: str) -> None:
    """Of the rooms behind other verbs, the verbs alone."""
    inside = {name for name in imported if name.startswith(f"{room}.")}
    working = {name for name in inside if name.rpartition(".")[2] not in _VERBS}

    assert set() == working
    assert room not in imported or inside  # a package, which its verbs stand in


def test_a_list_of_runs_imports_so_many_modules_of_ours(imported: set[str]) -> None:
    """A few more are no harm; a room that is drawn in is, and this says so."""
    ours = {name for name in imported if name.partition(".")[0].startswith("squidmesh")}

    assert len(ours) <= 190, sorted(ours)


def test_the_collector_rests_only_in_a_process_of_the_command_lines_own() -> None:
    """A worker of it looks seldom, and not at what was imported; a host's collector is its own."""
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    collecting.settle()
    left_alone = gc.get_threshold() == before and gc.get_freeze_count() == frozen
    try:
        collecting.begin()
        beginning = gc.get_threshold()[0]
        collecting.settle()
        working = gc.get_threshold()[0]
        settled = gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)

    assert left_alone
    assert settled
    assert before[0] < working < beginning
