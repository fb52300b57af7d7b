"""A mesh that was opened, and worked with, before a fork: the child's threads are its own."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

#: A host whose parent process has run async steps, kept leases and limited steps; and that
#: forks while its worker runs, as a server does that loads its application first.
HOST: Final = """
import os, sys
from squidmesh import Mesh, Workflow, manual, step

async def pack() -> str:
    return "packed"

class Packing(Workflow, name="tests.Forked"):
    placed = manual()
    packed = step(pack, timeout="60s")

def worked(mesh):
    return mesh.wait_for(mesh.start(Packing.placed), timeout="20s").status

with Mesh.open(sys.argv[1], workflows=[Packing]) as mesh:
    with mesh.worker():
        said = [worked(mesh)]
        child = os.fork()
        if child == 0:
            said = [worked(mesh)]  # by the parent's worker: nobody works here yet
            with mesh.worker():
                said.append(worked(mesh))
            mesh.start(Packing.placed)
            mesh.drain()
            mesh.close()
            print("child", *said)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
        said.append(worked(mesh))
print("parent", *said)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_forked_process_works_with_threads_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Those of the parent stay there; steps that waited for them would wait for ever."""
    on_postgres = kind == "postgres"
    url = str(request.getfixturevalue("postgres_dsn")) if on_postgres else f"sqlite:///{tmp_path}/j"
    program = tmp_path / "host.py"
    program.write_text(HOST, encoding="utf-8")

    told = subprocess.run(
        [sys.executable, str(program), url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    expected = ["child completed completed", "parent completed completed"]
    assert expected == told.stdout.splitlines(), told.stderr
