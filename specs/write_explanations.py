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

SPECS: Final = Path(__file__).parent
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
    files = told()
    stray = [path for path in FOLDER.glob("*.txt") if path not in files]
    changed = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in sorted(stray + changed):
            print(f"{path.relative_to(SPECS)} is not what `explain` says", file=sys.stderr)
        return 1 if stray or changed else 0
    FOLDER.mkdir(exist_ok=True)
    for path in changed:
        path.write_text(files[path], encoding="utf-8")
    for path in stray:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
