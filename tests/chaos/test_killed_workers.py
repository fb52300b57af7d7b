"""Workers that are killed again and again: the books balance all the same."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.operation import SPEC, STEPS, actions_with
from squidmesh import Mesh
from squidmesh_storage.sqlite import SqliteJournal
from support import naive
from support.stage import entries

RUNS = 60
KILLS = 5
_SCRIPT = Path(__file__).with_name("operation.py")


@pytest.mark.timeout(120)
def test_killed_workers_leave_balanced_books(tmp_path: Path) -> None:
    """Each effect at least once under one key, each result once, every run ended."""
    file, ledger = tmp_path / "journal.db", tmp_path / "ledger"
    ledger.touch()
    actions = actions_with(ledger)
    with Mesh(SqliteJournal(file), workflows=[SPEC]) as mesh:
        runs = [
            mesh.start_spec(SPEC, "placed", {}, actions=actions, key=f"order:{i}").id
            for i in range(RUNS)
        ]

    kills = 0
    for _ in range(KILLS):
        kills += killed_in_the_middle(file, ledger)

    later = datetime.now(UTC) + timedelta(minutes=2)
    journal = SqliteJournal(file, clock=lambda: later)
    with Mesh(journal, workflows=[SPEC], actions=actions) as mesh:
        mesh.drain()
        assert {"completed"} == {mesh.inspect(run).status for run in runs}
        for run in runs:
            history = entries(journal, run)
            naive.each_attempt_settles_once(history)
            naive.each_visit_is_applied_once(history)
            naive.leases_are_exclusive(history)
    effects = Counter(ledger.read_text().split())
    assert {f"{run}:{step}:1" for run in runs for step in STEPS} == set(effects)
    # A worker of two slots repeats two effects at most for each time it is killed.
    assert sum(effects.values()) <= RUNS * len(STEPS) + 2 * kills


def killed_in_the_middle(file: Path, ledger: Path) -> int:
    """Let a worker do something, and kill it; whether there was anything left to kill."""
    before = ledger.stat().st_size
    worker = subprocess.Popen([sys.executable, str(_SCRIPT), "work", str(file), str(ledger)])
    wanted = before + 400  # about ten effects
    deadline = time.monotonic() + 5
    while ledger.stat().st_size < wanted and time.monotonic() < deadline:
        os.sched_yield()
    worker.send_signal(signal.SIGKILL)
    return int(worker.wait() == -signal.SIGKILL)
