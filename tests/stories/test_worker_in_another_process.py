"""A story of two processes on one file: one starts and waits, the other works."""

import signal
import subprocess
import sys
from pathlib import Path

from chaos import operation
from squidmesh import Mesh


def test_one_process_starts_and_waits_while_another_works(tmp_path: Path) -> None:
    """They share a SQLite file and nothing else; the worker drains when it is asked to."""
    file, ledger = tmp_path / "journal.db", tmp_path / "ledger"
    script = [sys.executable, operation.__file__, "work", str(file), str(ledger)]
    actions = operation.actions_with(ledger)

    with Mesh.open(f"sqlite:///{file}") as mesh, subprocess.Popen(script) as worker:
        runs = [
            mesh.start_spec(operation.SPEC, "placed", {}, actions=actions, key=f"order:{i}")
            for i in range(10)
        ]
        ended = [mesh.wait_for(run, timeout="60s").status for run in runs]
        worker.send_signal(signal.SIGTERM)

    assert ["completed"] * 10 == ended
    assert 0 == worker.returncode
    keys = {f"{run.id}:{step}:1" for run in runs for step in operation.STEPS}
    assert sorted(keys) == sorted(ledger.read_text().split())
