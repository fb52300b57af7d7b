"""
`Filing`: the verbs that take runs out into files, and back in; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from squidmesh.engine import Engine
    from squidmesh.files.lines import FilePath
    from squidmesh.views.snapshot import RunRef
    from squidmesh_core.views.inspection import Run


class Filing:
    """The verbs for files."""

    engine: Engine

    def bundle(self, run: RunRef, path: FilePath) -> Path:
        """
        Write one run with its definition into a file, without what is sensitive.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: The file cannot be written.
            StorageError: The run's journal is unreadable.
        """
        from squidmesh.files import copying
        from squidmesh.views.reading import run_id_of

        return copying.bundle(self.engine.door, run_id_of(run), path)

    def load(self, path: FilePath) -> Run:
        """
        Store the run of a bundle; unless it is over, it is held, so that nobody performs it.

        A run that is here already stays as it is (`Run.duplicate`).

        Raises:
            ConfigError: `invalid_bundle`: the file is not a bundle, or was altered.
            IdempotencyConflict: The run is here with another journal.
            Refused: `compensating`: the run cannot be held, so it is not stored.
            StorageError: The storage failed, or a newer squidmesh wrote the file.
        """
        from squidmesh.files import copying

        return copying.load(self.engine.door, path)

    def export(self, path: FilePath) -> int:
        """
        Write all journals and definitions as JSON lines, secrets included; how many runs.

        Raises:
            ConfigError: The file cannot be written.
            StorageError: The storage failed.
        """
        from squidmesh.files import copying

        return copying.export(self.engine.door, path)

    def restore(self, path: FilePath) -> int:
        """
        Store the runs of an export, which go on as they were; how many were not here.

        Raises:
            ConfigError: `invalid_bundle`: the file is not an export, or was altered;
                nothing was stored.
            IdempotencyConflict: A run is here with another journal; nothing was stored.
            StorageError: The storage failed, or a newer squidmesh wrote the file.
        """
        from squidmesh.files import copying

        return copying.restore(self.engine.door, path)
