"""
Write what `explain` says of named states, or tell whether it still says so.

    python specs/write_explanations.py            writes the files
    python specs/write_explanations.py --check    writes nothing; exit 1 if one has changed

Each text is read by somebody before it is committed: every sentence in it has to be
true of its state, plain and useful.
"""

import sys
from pathlib import Path
from typing import Final

from keeping import SPECS, write_or_check

FOLDER: Final = SPECS / "explanations"
#: Columns of a terminal that nobody made wider.
WIDTH: Final = 100
# The states are reached with the helpers of the tests.
sys.path.insert(0, str(SPECS.parent / "tests"))


def told() -> dict[Path, str]:
    """Every file with the text that it should hold."""
    from support.explained import EXPLAINED

    files = {}
    for name, state in EXPLAINED.items():
        says = (state.__doc__ or "").strip()
        files[FOLDER / f"{name}.txt"] = f"# {says}\n\n{state().to_text(WIDTH)}"
    return files


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    return write_or_check(told(), arguments, otherwise="is not what `explain` says")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
