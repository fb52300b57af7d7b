"""
The kill-point walk: die at every system call that reaches the disk, then recover.

    .venv/bin/python tests/chaos/kill_points.py

counts the points of `start` (on a new file and on an old one) and of
`execute_next`, kills the process at each with `strace`, recovers, and says how
many there were.  It ends with 1 if anything was lost or done twice.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from attrs import frozen

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.operation import KEY, SPEC, STEPS, actions_with
from squidmesh import Mesh
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import AttemptCompleted, RunTerminal
from squidmesh_storage.sqlite import SqliteJournal
from support import naive
from support.stage import entries

Scene = Literal["start, new file", "start, old file", "execute_next"]
SCENES: Final[tuple[Scene, ...]] = ("start, new file", "start, old file", "execute_next")
_SCRIPT: Final = Path(__file__).with_name("operation.py")
#: What changes a file, or makes it durable.
_CALLS: Final = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename")
#: How a line of the trace names its call, after the process.
_CALL: Final = re.compile(rf"^\d+\s+({'|'.join(_CALLS)})\(", re.MULTILINE)
_KILLED: Final = -9


@frozen(kw_only=True)
class Prepared:
    """A scene to be played again and again, each time on a copy of the folder."""

    scene: Scene
    folder: Path

    @property
    def operation(self) -> str:
        """The operation under test."""
        return self.scene.partition(",")[0]


@frozen
class Point:
    """The n-th time that the process calls this."""

    call: str
    number: int


def available() -> bool:
    """Whether this machine can trace and kill."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    tried = subprocess.run([strace, "-e", "trace=none", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def prepare(scene: Scene, folder: Path) -> Prepared:
    """What is there before the operation."""
    folder.mkdir(parents=True)
    if scene == "execute_next":
        _operate("prepare", folder)
    elif scene == "start, old file":
        SqliteJournal(folder / "journal.db").close()
    return Prepared(scene=scene, folder=folder)


def points_of(prepared: Prepared) -> list[Point]:
    """Where the operation can be killed."""
    with _Copy(prepared) as folder:
        trace = folder / "trace"
        _operate(prepared.operation, folder, "-f", "-o", trace, "-e", f"trace={','.join(_CALLS)}")
        counts = Counter(_CALL.findall(trace.read_text()))
    return [Point(call, number) for call in counts for number in range(1, counts[call] + 1)]


def check(prepared: Prepared, point: Point) -> list[str]:
    """Kill at one point and recover; what was wrong."""
    call, when = point.call, point.number
    with _Copy(prepared) as folder:
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}")
        died = _operate(prepared.operation, folder, "-f", "-o", "/dev/null", *inject)
        if died.returncode not in {_KILLED, 137}:
            return [f"it did not die, but ended with {died.returncode}: {died.stderr}"]
        return _recovered(folder, died.stdout.splitlines())


def _recovered(folder: Path, acknowledged: Sequence[str]) -> list[str]:
    """Let another process, two minutes later, go on; what does not add up."""
    ledger = folder / "ledger"
    later = datetime.now(UTC) + timedelta(minutes=2)
    wrong: list[str] = []
    journal = SqliteJournal(folder / "journal.db", clock=lambda: later)
    actions = actions_with(ledger)
    with Mesh(journal, workflows=[SPEC], actions=actions) as mesh:
        found = {run.id: run.revision for run in mesh.runs().items}
        for line in acknowledged:
            what, _, which = line.partition(" ")
            if what == "started" and which not in found:
                wrong.append(f"acknowledged, and gone: {line}")
            if what == "revision" and int(which) > max(found.values()):
                wrong.append(f"acknowledged, and gone: {line}")
        durable = _completed(journal, found)
        performed_before = Counter(ledger.read_text().split() if ledger.exists() else ())
        run = mesh.start_spec(SPEC, "placed", {}, actions=actions, key=KEY)
        mesh.drain()
        wrong += _judged(journal, run.id)
    effects = Counter(ledger.read_text().split())
    if {f"{run.id}:{step}:1" for step in STEPS} != set(effects):
        wrong.append(f"the ledger has {effects}")
    wrong += [
        f"{key} was done again after its result was durable"
        for key in durable
        if effects[key] != performed_before[key]
    ]
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        (integrity,) = connection.execute("pragma integrity_check").fetchone()
    return wrong if integrity == "ok" else [*wrong, str(integrity)]


def _completed(journal: SqliteJournal, runs: Iterable[RunId]) -> set[str]:
    """Keys of the attempts whose result is durable."""
    return {
        str(entry.attempt_key)
        for run in runs
        for entry in entries(journal, run)
        if isinstance(entry, AttemptCompleted)
    }


def _judged(journal: SqliteJournal, run_id: RunId) -> list[str]:
    """The history as somebody sees it who knows nothing of the code."""
    history = entries(journal, run_id)
    try:
        naive.each_attempt_settles_once(history)
        naive.each_visit_is_applied_once(history)
        naive.leases_are_exclusive(history)
    except AssertionError as error:
        return [str(error)]
    ended = [one for one in history if isinstance(one, RunTerminal)]
    return [] if [one.status for one in ended] == ["completed"] else [f"the run ended as {ended}"]


def _operate(what: str, folder: Path, *strace: object) -> "subprocess.CompletedProcess[str]":
    tracer = ["strace", *map(str, strace)] if strace else []
    script = [sys.executable, str(_SCRIPT), what, str(folder / "journal.db")]
    return subprocess.run(
        [*tracer, *script, str(folder / "ledger")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class _Copy:
    """A copy of the prepared folder, gone afterwards."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._kept = tempfile.TemporaryDirectory(dir=prepared.folder.parent)

    def __enter__(self) -> Path:
        folder = Path(self._kept.name) / "copy"
        shutil.copytree(self._prepared.folder, folder)
        return folder

    def __exit__(self, *_: object) -> None:
        self._kept.cleanup()


def _walk(folder: Path) -> Iterator[tuple[Scene, Point, list[str]]]:
    for number, scene in enumerate(SCENES):
        prepared = prepare(scene, folder / str(number))
        points = points_of(prepared)
        print(f"{scene}: {len(points)} points", flush=True)
        for point in points:
            yield scene, point, check(prepared, point)


def main() -> int:
    """Walk all points of all scenes."""
    if not available():
        print("strace is not there or may not trace: nothing was walked", file=sys.stderr)
        return 2
    walked, bad = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for scene, point, wrong in _walk(Path(folder)):
            walked += 1
            bad += bool(wrong)
            for what in wrong:
                print(f"{scene}, {point.call} {point.number}: {what}", flush=True)
    print(f"{walked} points walked, {bad} of them with violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
