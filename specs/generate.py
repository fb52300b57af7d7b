"""
Write what in specs/ is drawn from the code, or tell whether it is up to date.

    python specs/generate.py            writes the files
    python specs/generate.py --check    writes nothing; exit 1 if one has drifted
"""

import json
import sys
from pathlib import Path

from diagrams import render

from squidmesh_core.protocol.schemas import schemas
from squidmesh_core.protocol.signals.schema import signal_schemas
from squidmesh_core.views.graph.schema import graph_schemas
from squidmesh_core.views.schemas import view_schemas

SPECS = Path(__file__).parent


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


def drifted(files: dict[Path, str]) -> list[Path]:
    """The files that are missing, differ, or should no longer be there."""
    folders = {path.parent for path in files}
    stray = [path for folder in folders for path in folder.glob("*") if path not in files]
    changed = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return sorted(stray + changed)


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    files = generated()
    out_of_date = drifted(files)
    if arguments == ["--check"]:
        for path in out_of_date:
            print(f"{path.relative_to(SPECS)} is not what the code says", file=sys.stderr)
        return 1 if out_of_date else 0
    for path in out_of_date:
        if path in files:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
