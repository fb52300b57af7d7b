"""The price of the import, in CPU time of a fresh interpreter with compiled modules."""

import os
import subprocess
import sys
from pathlib import Path
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


def start_up(folder: Path) -> dict[str, float]:
    """Milliseconds of CPU of each import; the compiled modules are kept in the folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return {name: median(_samples(one, environment)) for name, one in STATEMENTS.items()}


def _samples(statement: str, environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", _TIMED.format(statement=statement)]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        for _ in range(TRIES + 1)
    ]
    return [float(output) for output in outputs[1:]]  # the first one compiled the modules
