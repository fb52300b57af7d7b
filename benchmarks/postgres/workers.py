"""Worker processes: those of squidmesh as they are deployed, those of peers by a script here."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager


@contextmanager
def squidmesh_work(url: str, *options: object) -> Iterator["subprocess.Popen[bytes]"]:
    """`squidmesh work` with these options, until the block ends."""
    app = ("--app", "benchmarks.postgres.jobs", "--url", url)
    with _running(("squidmesh", "work", *app, *map(str, options))) as process:
        yield process


@contextmanager
def peers(module: str, url: str, count: int) -> Iterator[None]:
    """So many processes of a module's own worker, until the block ends."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(_running((module, url, str(count))))
        yield


@contextmanager
def _running(words: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
