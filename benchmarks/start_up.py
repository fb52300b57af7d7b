"""The price of the import, in CPU time of a fresh interpreter with compiled modules."""

import subprocess
import sys
from statistics import median
from typing import Final

TRIES: Final = 7
#: What is imported → the statement.
STATEMENTS: Final = {
    "import_ms": "import squidmesh",
    "import_names_ms": "from squidmesh import Mesh, Workflow, manual, step",
}
_TIMED: Final = """
import time
began = time.process_time()
{statement}
print((time.process_time() - began) * 1e3)
"""


def start_up() -> dict[str, float]:
    """Milliseconds of CPU of each import."""
    return {name: median(_samples(statement)) for name, statement in STATEMENTS.items()}


def _samples(statement: str) -> list[float]:
    program = _TIMED.format(statement=statement)
    return [
        float(
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
        )
        for _ in range(TRIES + 1)
    ][1:]  # the first one may have compiled the modules
