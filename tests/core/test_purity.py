"""The core stands alone: a fresh interpreter, `core/`, its three libraries, nothing else."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

CORE = Path(__file__).parents[2] / "core"
SOURCES = sorted((CORE / "squidmesh_core").rglob("*.py"))

#: Loaded by none of attrs, cattrs and croniter, so their presence is the core's own doing.
OUTSIDE_WORLD = ["asyncio", "psycopg", "socket", "sqlite3", "squidmesh", "squidmesh_storage"]

LIBRARIES = {"attrs", "cattrs", "croniter"}

#: The parts of the standard library that compute and do nothing else.
#: zoneinfo, which reads the tables of time zones, is the admitted exception.
PURE = {
    "abc", "base64", "bisect", "collections", "contextlib", "contextvars", "copy", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "functools", "graphlib", "hashlib", "heapq", "hmac", "inspect",
    "itertools", "json", "keyword", "math", "numbers", "operator", "re", "string", "textwrap",
    "types", "typing", "unicodedata", "zoneinfo",
}  # fmt: skip

PROBE = """
import importlib, importlib.util, json, pkgutil, sys
import squidmesh_core
names = [m.name for m in pkgutil.walk_packages(squidmesh_core.__path__, "squidmesh_core.")]
for name in names:
    importlib.import_module(name)
print(json.dumps({
    "imported": ["squidmesh_core", *names],
    "loaded": sorted(sys.modules),
    "importable": [n for n in ("squidmesh", "squidmesh_storage") if importlib.util.find_spec(n)],
}))
"""


def probe() -> dict[str, list[str]]:
    """Import the whole core where only `core/` and the libraries can be found."""
    libraries = Path(attrs.__file__).parents[1]
    # Coverage, when it measures child processes, loads sqlite3 and socket into them.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    env["PYTHONPATH"] = os.pathsep.join([str(CORE), str(libraries)])
    # -S skips the .pth file through which an editable install shows the other layers.
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE],
        capture_output=True, check=False, cwd=CORE, env=env, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def module_name(source: Path) -> str:
    parts = source.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_packages(source: Path) -> set[str]:
    """The top-level packages this file imports, wherever in it the statement stands."""
    packages: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                packages |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module)):
                packages.add(module.partition(".")[0])
            case _:
                pass
    return packages


def test_core_imports_alone() -> None:
    """Every module of the core imports where neither storage nor shell exists."""
    answer = probe()

    assert [] == answer["importable"]
    assert sorted(map(module_name, SOURCES)) == sorted(answer["imported"])


def test_core_loads_nothing_of_the_outside_world() -> None:
    """Importing all of the core loads no driver, no socket, no event loop and no other layer."""
    loaded = probe()["loaded"]

    assert [] == [name for name in OUTSIDE_WORLD if name in loaded]


@pytest.mark.parametrize("source", SOURCES, ids=module_name)
def test_core_module_uses_only_admitted_packages(source: Path) -> None:
    """A module of the core uses three libraries, the pure standard library and the core."""
    admitted = LIBRARIES | PURE | {"squidmesh_core"}

    assert set() == imported_packages(source) - admitted
