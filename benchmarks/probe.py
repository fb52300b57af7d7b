"""One measurement, in the process that was started for it: figures as JSON on stdout."""

import json
import sys
from pathlib import Path


def main() -> None:
    """Measure what the arguments name: a folder, a probe, and the probe's own numbers."""
    folder, name, numbers = Path(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3:]]
    print(json.dumps(_figures(folder, name, numbers)))


def _figures(folder: Path, name: str, numbers: list[int]) -> dict[str, float]:
    # Each loads only what it needs: the others would show in its memory.
    match name, numbers:
        case "squidmesh", [concurrency, runs]:
            from benchmarks.throughput import squidmesh

            return squidmesh(folder, concurrency, runs)
        case "dbos", [concurrency, runs]:
            from benchmarks.throughput_dbos import dbos

            return dbos(folder, concurrency, runs)
        case "costs", [runs]:
            from benchmarks.costs import costs

            return costs(folder, runs)
        case "start_up", _:
            from benchmarks.start_up import start_up

            return start_up(folder)
        case "rebuild", _:
            from benchmarks.depth import rebuild

            return rebuild()
        case "queue", _:
            from benchmarks.depth import queue

            return queue(folder)
        case "checker", [runs]:
            from benchmarks.checker import checker

            return checker(runs)
        case _:
            raise SystemExit(f"no such probe: {name} {numbers}")


if __name__ == "__main__":
    main()
