"""
Write the pictures of named runs, or tell whether they would come out the same.

    python specs/write_graphs.py            writes the files
    python specs/write_graphs.py --check    writes nothing; exit 1 if one has changed

Each picture is looked at by somebody before it is committed, in light and in dark.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from keeping import SPECS, write_or_check

from squidmesh_core.views.graph import RunGraph, graph

FOLDER: Final = SPECS / "graphs"
#: End of a file's name → the drawing in it.
DRAWINGS: Final[Mapping[str, Callable[[RunGraph], str]]] = {
    "svg": RunGraph.to_svg,
    "txt": RunGraph.to_ascii,
    "mmd": RunGraph.to_mermaid,
}
# The runs are brought where they are with the helpers of the tests.
sys.path.insert(0, str(SPECS.parent / "tests"))

_CONTENTS: Final = """\
# Pictures of runs

<!-- Drawn by specs/write_graphs.py; do not edit. -->

What `Mesh.graph` draws of runs in these states: as SVG, in lines for a terminal, and as Mermaid.

{sections}"""

_SECTION: Final = """\
## {name}

{says}
[SVG](./{name}.svg) · [lines](./{name}.txt) · [Mermaid](./{name}.mmd)

![{says}](./{name}.svg)
"""


def drawn() -> dict[Path, str]:
    """Every file with the text that it should hold."""
    from support.pictures import PICTURES

    files: dict[Path, str] = {}
    sections = []
    for name, play in PICTURES.items():
        run = play()
        seen = graph(run.state, run.spec, run.now)
        files |= {FOLDER / f"{name}.{end}": draw(seen) for end, draw in DRAWINGS.items()}
        sections.append(_SECTION.format(name=name, says=(play.__doc__ or "").strip()))
    files[FOLDER / "README.md"] = _CONTENTS.format(sections="\n".join(sections))
    return files


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    return write_or_check(drawn(), arguments, otherwise="is not what `graph` draws")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
