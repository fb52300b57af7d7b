"""Files that are made and never edited: writing them, or telling which are out of date."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SPECS: Final = Path(__file__).parent


def write_or_check(files: Mapping[Path, str], arguments: list[str], *, otherwise: str) -> int:
    """
    Write what differs; with `--check` only say so.  The exit code.

    Whatever else lies in the folders of these files, but for those of specs/ itself,
    should no longer be there.

    Args:
        files: Every file with the text that it should hold.
        arguments: The command line.
        otherwise: What a file is that differs.
    """
    out_of_date = sorted({*_stray(files), *_changed(files)})
    if arguments == ["--check"]:
        for path in out_of_date:
            print(f"{path.relative_to(SPECS)} {otherwise}", file=sys.stderr)
        return 1 if out_of_date else 0
    for path in out_of_date:
        if path in files:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


def _stray(files: Mapping[Path, str]) -> list[Path]:
    folders = {path.parent for path in files} - {SPECS}
    return [path for folder in folders for path in folder.glob("*") if path not in files]


def _changed(files: Mapping[Path, str]) -> list[Path]:
    return [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
