"""One measurement, in the process that was started for it: figures as JSON on stdout."""

import json
import sys


def main() -> None:
    """Measure what the arguments name: a journal, a probe, and what the probe asks for."""
    url, *words = sys.argv[1:]
    print(json.dumps(_figures(url, words)))


def _figures(url: str, words: list[str]) -> dict[str, float]:
    # Each loads only what it needs: the others would show in its time.
    match words:
        case ["looking"]:
            from benchmarks.seeing.looking import looking

            return looking(url)
        case ["listing", runs]:
            from benchmarks.seeing.listing import listing

            return listing(url, int(runs))
        case ["watched", readers, pairs]:
            from benchmarks.seeing.watched import watched

            return watched(url, int(readers), int(pairs))
        case _:
            raise SystemExit(f"no such probe: {words}")


if __name__ == "__main__":
    main()
