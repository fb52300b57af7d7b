"""One measurement, in the process that was started for it: figures as JSON on stdout."""

import json
import sys
from pathlib import Path


def main() -> None:
    """Measure what the arguments name: a database, a probe, and what the probe asks for."""
    url, *words = sys.argv[1:]
    print(json.dumps(_figures(url, words)))


def _figures(url: str, words: list[str]) -> dict[str, float]:
    # Each loads only what it needs: the others would show in its memory.
    match words:
        case ["steps" | "costs" as name, engine, mode, concurrency, runs]:
            from benchmarks.postgres import steps

            measure = steps.steps if name == "steps" else steps.costs
            return measure(url, engine, mode, int(concurrency), int(runs))
        case ["limit", concurrency, folder]:
            from benchmarks.postgres.limit import limit

            return limit(url, Path(folder), int(concurrency))
        case ["queue", engine, processes, runs]:
            from benchmarks.postgres.queueing import queue

            return queue(url, engine, int(processes), int(runs))
        case ["latency", engine, runs]:
            from benchmarks.postgres.latency import latency

            return latency(url, engine, int(runs))
        case ["depth", deep]:
            from benchmarks.postgres.depth import depth

            return depth(url, int(deep))
        case ["idle", seconds]:
            from benchmarks.postgres.idle import idle

            return idle(url, int(seconds))
        case ["fan", mode]:
            from benchmarks.postgres.fan import fan

            return fan(url, mode)
        case ["memory", steps_]:
            from benchmarks.postgres.memory import memory

            return memory(url, int(steps_))
        case _:
            raise SystemExit(f"no such probe: {words}")


if __name__ == "__main__":
    main()
