"""Whether a path can hold a journal: asked before SQLite touches anything."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from squidmesh_core.errors import StorageError

#: Locks on these are advisory at best, and WAL needs memory shared by all users.
NETWORK: Final = frozenset(
    {
        "9p", "afs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.davfs2", "fuse.glusterfs",
        "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
    }
)  # fmt: skip

_MAGIC: Final = b"SQLite format 3\x00"
_MOUNTS: Final = Path("/proc/self/mountinfo")

#: Absolute path → the kind of file system it lies on, or null if nobody can say.
FileSystemOf = Callable[[Path], str | None]


def check_file(path: Path, file_system_of: FileSystemOf) -> None:
    """
    Whether a database may be opened, or begun, at a path.

    Raises:
        StorageError: It may not; the text says what to do.
    """
    kind = file_system_of(path)
    if kind in NETWORK:
        raise _refused(
            path,
            f"it lies on a network file system ({kind}), where SQLite cannot keep its promises; "
            "use a local disk, or PostgreSQL for several hosts",
        )
    try:
        _check_place(path)
    except PermissionError:
        why = "this user may not look into its directory; change its owner or mode"
        raise _refused(path, why) from None


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise _refused(path, "it is a directory; name a file in it")
    if not path.parent.is_dir():
        raise _refused(path, "its directory does not exist; create it first")
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            raise _refused(path, "its directory may not be written to by this user")
        if Path(f"{path}-wal").exists():
            # SQLite would take a new file for an empty one, and throw its log away.
            raise _refused(
                path,
                "the file is gone, but its -wal lies there, which may hold what was written last; "
                "nothing was changed: stop every process that uses it, then put the file back, "
                "or take the -wal and -shm away as well",
            )
        return
    if not path.is_file():
        raise _refused(path, "it is a device or a pipe; name an ordinary file")
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        raise _refused(
            path,
            "this user may not write to the file and its directory (SQLite keeps a log beside it); "
            "change their owner or mode",
        )
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start not in {b"", _MAGIC}:
        raise _refused(path, "it is no SQLite database; nothing was changed in it")


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of file system a path lies on, by the longest mount point above it."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None  # no Linux: nobody to ask
    found, longest = None, -1
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(_unescaped(before.split(" ")[4]))
        # Later lines lie over earlier ones with the same mount point.
        if path.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = after.split(" ")[0], len(point.parts)
    return found


def _unescaped(point: str) -> str:
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(octal, character)
    return point


def _refused(path: Path, why: str) -> StorageError:
    return StorageError(
        f"{path} cannot hold a journal: {why}", "storage_error", {"path": str(path)}
    )
