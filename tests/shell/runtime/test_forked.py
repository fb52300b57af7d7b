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

#: A host that makes a worker, or has one at work, and then forks.
WORKERS: Final = """
import os, sys, time
from squidmesh import Mesh, Workflow, manual, step

class Packing(Workflow, name="tests.Forked"):
    placed = manual()
    packed = step(lambda: "packed", action="pack")

with Mesh.open(sys.argv[1], workflows=[Packing]) as mesh:
    made, begun = mesh.worker(), mesh.worker().start()
    owner = made.owner
    mesh.wait_for(mesh.start(Packing.placed), timeout="20s")
    time.sleep(0.3)  # it rests for a second now: what a fork finds locked stays locked
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    begun.stop()
    made.start()
    print("parent" if child else "child", made.owner == owner)
    sys.stdout.flush()
    made.stop()
    if child == 0:
        mesh.close()
        os._exit(0)
"""
#: A host that forks while a thread reads a long run.
READER: Final = """
import gc, os, sys, threading
from squidmesh.door.collector import LONG, resting

inside, leave = threading.Event(), threading.Event()

def read():
    with resting(LONG):
        inside.set()
        leave.wait()

reader = threading.Thread(target=read)
reader.start()
inside.wait()
child = os.fork()
if child:
    os.waitpid(child, 0)
print("parent" if child else "child", gc.isenabled())
sys.stdout.flush()
if child == 0:
    os._exit(0)
leave.set()
reader.join()
"""


def told_by(folder: Path, source: str, *arguments: str) -> list[str]:
    """What a program says, line by line, sorted."""
    program = folder / "host.py"
    program.write_text(source, encoding="utf-8")
    told = subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return sorted(told.stdout.splitlines()) or told.stderr.splitlines()


def test_a_worker_made_before_a_fork_has_a_name_of_its_own_in_the_child(tmp_path: Path) -> None:
    """And one that works in the parent is nobody to wait for there."""
    told = told_by(tmp_path, WORKERS, f"sqlite:///{tmp_path}/j")

    assert ["child False", "parent True"] == told


def test_the_collector_goes_on_in_a_child_that_does_not_read(tmp_path: Path) -> None:
    """The thread that it rested for has stayed behind."""
    assert ["child True", "parent False"] == told_by(tmp_path, READER)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_forked_process_works_with_threads_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """Those of the parent stay there; steps that waited for them would wait for ever."""
    on_postgres = kind == "postgres"
    url = str(request.getfixturevalue("postgres_dsn")) if on_postgres else f"sqlite:///{tmp_path}/j"
    expected = ["child completed completed", "parent completed completed"]
    assert expected == told_by(tmp_path, HOST, url)
