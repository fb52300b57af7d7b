"""Files that hosts name: read line by line, or written whole."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, TypeAlias

from squidmesh import checks

#: Where a file is.
FilePath: TypeAlias = str | os.PathLike[str]


def write_file(path: FilePath, lines: Iterable[str]) -> None:
    """
    Write lines into a file of the owner's; what was there stays until the new one is whole.

    Raises:
        ConfigError: It cannot be written.
    """
    target = Path(path)
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise checks.wrong("path", error.strerror or "it cannot be written") from error


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """
    A file to read lines from; nothing but a line feed ends one.

    Raises:
        ConfigError: It cannot be opened.
    """
    try:
        file = path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise checks.wrong("path", error.strerror or "it cannot be read") from error
    with file:
        yield file
