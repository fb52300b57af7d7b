"""
Measure squidmesh, beside DBOS where there is something to compare.

    python -m benchmarks [--only steps,costs,…] [--rounds 5] [--steps 5000] [--runs 1000]
                         [--dir FOLDER] [--against TREE] [--json]
    python -m benchmarks --only pg [--dsn postgresql://…] [--deep 1000000] [--seconds 120] […]
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.groups import EMBEDDED, GROUPS
from benchmarks.postgres.groups import GROUPS as POSTGRES
from benchmarks.rounds import Options, Row


def main() -> None:
    """Run what was asked for, and print each row as soon as it is known."""
    asked = _asked()
    options = Options(
        rounds=asked.rounds,
        steps=asked.steps,
        runs=asked.runs,
        deep=asked.deep,
        seconds=asked.seconds,
        against=asked.against,
        dsn=asked.dsn,
    )
    with TemporaryDirectory(dir=asked.dir) as folder:
        for name in asked.only:
            for row in GROUPS[name](options, Path(folder)):
                print(json.dumps(row) if asked.json else _line(row), flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="one JSON line per row")
    parser.add_argument("--only", default=",".join(EMBEDDED), help="of: pg, " + ", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--steps", type=int, default=5000, help="squidmesh steps per round (5000)")
    parser.add_argument("--runs", type=int, default=1000, help="of gates, rollback, waiting (1000)")
    parser.add_argument("--dir", type=Path, help="where the files go: a folder on a real disk")
    parser.add_argument("--dsn", help="a PostgreSQL server to measure instead of one of our own")
    parser.add_argument("--deep", type=int, default=1_000_000, help="of pg_depth (1000000)")
    parser.add_argument("--seconds", type=int, default=120, help="of pg_idle (120)")
    parser.add_argument("--against", type=Path, help="another tree to compare the main job with")
    asked = parser.parse_args()
    asked.only = (",".join(POSTGRES) if asked.only == "pg" else asked.only).split(",")
    if unknown := set(asked.only) - GROUPS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if asked.rounds < 1 or asked.steps < 5 or asked.runs < 2:
        parser.error("at least one round, five steps and two runs are needed")
    if asked.only == ["against"] and asked.against is None:
        parser.error("against what? name a tree with --against")
    return asked


def _line(row: Row) -> str:
    return "  ".join(f"{name} {value}" for name, value in row.items())


if __name__ == "__main__":
    main()
