"""
Write golden journals that are not there yet, or tell whether those there would come out the same.

    python specs/write_journals.py            writes what is missing; exit 1 if one differs
    python specs/write_journals.py --check    writes nothing; exit 1 if one is missing or differs

A journal that is there is never written over: somewhere a run may lie in those
very bytes.  When a release writes other bytes on purpose, its journals get
names of their own and the old ones stay, without a play that writes them.
"""

import json
import sys
from pathlib import Path
from typing import Final

SPECS: Final = Path(__file__).parent
JOURNALS: Final = SPECS / "journals"
# The plays are told with the helpers of the tests.
sys.path.insert(0, str(SPECS.parent / "tests"))

_CONTENTS: Final = """\
# Golden journals

<!-- Drawn by specs/write_journals.py; do not edit. -->

Whole runs, one feature each, as the release that built the feature wrote them.
Every later release must read them, fold them to the sums beside them, and find nothing wrong in them; `tests/upgrades/test_journals.py` holds that.

- `<feature>.jsonl` is an export: definitions first, then the appends of its runs (`squidmesh_core.checker.export`).
- `<feature>.json` is what each of its runs adds up to, and the course that it took, append by append.

A file that is there is never written over.

| journal | what happens in it |
|---|---|
{rows}
"""


def told() -> dict[Path, str]:
    """Every golden file with the text that the plays of today write."""
    from support.features import FEATURES
    from support.features.adding_up import adding_up
    from support.features.told import lines

    files: dict[Path, str] = {}
    for name, play in FEATURES.items():
        runs = play()
        sums = {run.state.run_id: adding_up(run.states[1:]) for run in runs}
        files[JOURNALS / f"{name}.jsonl"] = "".join(f"{line}\n" for line in lines(runs))
        files[JOURNALS / f"{name}.json"] = json.dumps(sums, indent=2, ensure_ascii=False) + "\n"
    return files


def contents() -> str:
    """The page that says what each golden journal holds, written over like any drawn page."""
    from support.features import FEATURES

    told_in = [
        f"| [{name}](./{name}.jsonl) | {(play.__doc__ or '').strip()} |"
        for name, play in FEATURES.items()
    ]
    return _CONTENTS.format(rows="\n".join(told_in))


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    files, page = told(), JOURNALS / "README.md"
    stale = not page.exists() or page.read_text(encoding="utf-8") != contents()
    differing = [
        path
        for path, text in files.items()
        if path.exists() and path.read_text(encoding="utf-8") != text
    ]
    missing = [path for path in files if not path.exists()]
    for path in differing:
        print(f"{path.relative_to(SPECS)} would come out otherwise", file=sys.stderr)
    if arguments == ["--check"]:
        for path in missing:
            print(f"{path.relative_to(SPECS)} is missing", file=sys.stderr)
        if stale:
            print(f"{page.relative_to(SPECS)} is not what the plays say", file=sys.stderr)
        return 1 if differing or missing or stale else 0
    for path in missing:
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    if stale:
        page.write_text(contents(), encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
