"""
Write what in specs/ is drawn from the code, or tell whether it is up to date.

    python specs/generate.py            writes the files
    python specs/generate.py --check    writes nothing; exit 1 if one has drifted
"""

import json
import sys
from pathlib import Path

from diagrams import render
from keeping import SPECS, write_or_check

from squidmesh_core.protocol.schemas import schemas
from squidmesh_core.protocol.signals.schema import signal_schemas
from squidmesh_core.views.graph.schema import graph_schemas
from squidmesh_core.views.schemas import view_schemas


def generated() -> dict[Path, str]:
    """Every generated file with the text it should hold."""
    folders = {
        "entries": schemas(),
        "signals": signal_schemas(),
        "views": view_schemas() | graph_schemas(),
    }
    drawn = {
        SPECS / folder / name: json.dumps(schema, indent=2) + "\n"
        for folder, files in folders.items()
        for name, schema in files.items()
    }
    return drawn | {SPECS / page: text for page, text in render().items()}


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    return write_or_check(generated(), arguments, otherwise="is not what the code says")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
