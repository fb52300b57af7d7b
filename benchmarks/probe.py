"""One measurement, in the process that was started for it: figures as JSON on stdout."""

import json
import sys
from pathlib import Path


def main() -> None:
    """Measure what the arguments name: a folder, a probe, and what the probe asks for."""
    folder, *words = sys.argv[1:]
    print(json.dumps(_figures(Path(folder), words)))


def _figures(folder: Path, words: list[str]) -> dict[str, float]:
    # Each loads only what it needs: the others would show in its memory.
    match words:
        case ["squidmesh", concurrency, runs]:
            from benchmarks.throughput import squidmesh

            return squidmesh(folder, int(concurrency), int(runs))
        case ["journal", concurrency, runs]:
            from benchmarks.journal_alone import by_threads

            return by_threads(f"sqlite:///{folder / 'journal.db'}", int(concurrency), int(runs))
        case ["least", concurrency, runs]:
            from benchmarks import least_engine

            url = f"sqlite:///{folder / 'least.db'}"
            return least_engine.by_threads(url, int(concurrency), int(runs))
        case ["dbos", concurrency, runs]:
            from benchmarks.throughput_dbos import dbos

            return dbos(folder, int(concurrency), int(runs))
        case ["costs", runs]:
            from benchmarks.costs import costs

            return costs(folder, int(runs))
        case ["start_up", *_]:
            from benchmarks.start_up import start_up

            return start_up(folder)
        case ["rebuild" | "queue" as name, *_]:
            from benchmarks import depth

            return depth.rebuild() if name == "rebuild" else depth.queue(folder)
        case ["checker", runs]:
            from benchmarks.checker import checker

            return checker(int(runs))
        case ["drawing", *_]:
            from benchmarks.drawing import drawing

            return drawing()
        case ["answers", how, answer, runs]:
            from benchmarks.answers import PROBES as HOWS

            return HOWS[how](folder, answer, int(runs))
        case ["rollback", concurrency, runs]:
            from benchmarks.rollback import rollback

            return rollback(folder, int(concurrency), int(runs))
        case ["way_back", how, runs]:
            from benchmarks.rollback import PROBES as WAYS

            return WAYS[how](folder, int(runs))
        case ["waiting", step, kind, runs]:
            from benchmarks.waiting import PROBES as STEPS

            return STEPS[step](folder, kind, int(runs))
        case _:
            raise SystemExit(f"no such probe: {words}")


if __name__ == "__main__":
    main()
