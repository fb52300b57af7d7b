"""Starting `writer_process.py`."""

import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).with_name("writer_process.py")


def start(what: str, file: Path, number: int = 1) -> "subprocess.Popen[str]":
    """A process that does something to a file; its output is text."""
    return subprocess.Popen(
        [sys.executable, str(_SCRIPT), what, str(file), str(number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    """What a process printed; it must have ended well."""
    output, errors = process.communicate(timeout=60)

    assert (0, "") == (process.returncode, errors)
    return output
