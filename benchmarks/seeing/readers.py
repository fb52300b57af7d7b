"""
People who look while others work: each asks for something five times a second.

That is a board that refreshes itself every 200 ms: a page of 20 runs, the newest of them, why
it is where it is, and from the beginning.  `watched` starts them, and ends them with their
stdin.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.five_steps import FiveSteps
from squidmesh import Mesh

#: Seconds from one question of a reader to its next.
PAUSE: Final = 0.2


def main() -> None:
    """Look with so many threads while stdin says `look`, and tell at its end how often."""
    url, readers = sys.argv[1:]
    looking, ended, reads = threading.Event(), threading.Event(), list[int]()
    with Mesh.open(url, workflows=[FiveSteps], policy="operator") as mesh:
        threads = [
            threading.Thread(target=lambda: reads.append(_look(mesh, looking, ended)))
            for _ in range(int(readers))
        ]
        for thread in threads:
            thread.start()
        print("resting", flush=True)
        began = time.process_time()
        for line in sys.stdin:
            (looking.set if line == "look\n" else looking.clear)()
        ended.set()
        for thread in threads:
            thread.join()
    spent = 1e3 * (time.process_time() - began)
    print(json.dumps({"reads": sum(reads), "reader_cpu_ms": spent / max(sum(reads), 1)}))


def _look(mesh: Mesh, looking: threading.Event, ended: threading.Event) -> int:
    """How often one reader looked."""
    reads, views = 0, _views(mesh)
    while not ended.wait(PAUSE):
        if looking.is_set():
            mesh.redact(next(views))
            reads += 1
    return reads


def _views(mesh: Mesh) -> Iterator[object]:
    """A page of runs, then each of two views of its newest, again and again."""
    while True:
        page = mesh.runs(limit=20)
        yield page
        for run in page.items[:1]:
            yield mesh.inspect(run)
            yield mesh.explain(run)


if __name__ == "__main__":
    main()
