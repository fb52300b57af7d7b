"""Files that hosts name: read line by line, or written whole."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from squidmesh import checks

#: Where a file is.
FilePath: TypeAlias = str | os.PathLike[str]
#: How a file of SQLite begins.
_SQLITE: Final = b"SQLite format 3\0"


def write_file(path: FilePath, lines: Iterable[str]) -> None:
    """
    Write lines into a file of the owner's; what was there stays until the new one is whole.

    A device or a pipe, such as `/dev/stdout`, is written to as it is, and a link is followed.

    Raises:
        ConfigError: It cannot be written.
    """
    target = _named(path)
    try:
        if _is_database(target):
            raise checks.wrong("path", "a database is there, and was left as it is")
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open("w", encoding="utf-8", newline="\n") as stream:
                _fill(stream, lines)
        else:
            _replace(target, lines)
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
        file = _named(path).open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise checks.wrong("path", error.strerror or "it cannot be read") from error
    with file:
        yield file


def _named(path: FilePath) -> Path:
    """Where it is, behind all links."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a NUL, or half of a character
        raise checks.wrong("path", "no file can be called that") from error


def _is_database(target: Path) -> bool:
    """Whether that is a SQLite file: most likely the one that is being read."""
    if not target.is_file():
        return False
    with target.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _replace(target: Path, lines: Iterable[str]) -> None:
    """Put a file with these lines in the place of the target, once it is on the disk."""
    number, name = tempfile.mkstemp(prefix=".squidmesh-", dir=target.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            _fill(file, lines)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _fill(file: TextIO, lines: Iterable[str]) -> None:
    file.writelines(f"{line}\n" for line in lines)
    file.flush()
