"""
Break what PostgreSQL rests on, for as long as you like.

    .venv/bin/python tests/chaos/postgres.py [ROUNDS] [FAULT ...]

Each fault strikes so many times (20) while eight workers work; all faults, unless some
are named.  It ends with 1 if anything was lost, done twice, or never done.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.postgres_faults import FAULTS, play
from support.postgres import start_server


def main(words: Sequence[str]) -> int:
    """Play the faults one after the other."""
    rounds = int(words[0]) if words else 20
    names = words[1:] or tuple(FAULTS)
    bad = 0
    with start_server(durable=True) as server:
        for name in names:
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                wrong = play(FAULTS[name], server, Path(folder), rounds)
            seconds = time.monotonic() - began
            print(f"{name}: {rounds} rounds in {seconds:.0f} s, {len(wrong)} wrong", flush=True)
            for what in wrong:
                print(f"  {what}", flush=True)
            bad += bool(wrong)
    print(f"{len(names)} faults, {bad} of them with violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
