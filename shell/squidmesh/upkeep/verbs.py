"""
`Upkeeping`: the verbs that keep journals in order; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from squidmesh import checks

if TYPE_CHECKING:
    from squidmesh.duration import Duration
    from squidmesh.engine import Engine
    from squidmesh.upkeep.pruned import Pruned
    from squidmesh.upkeep.verifying import Report
    from squidmesh.views.snapshot import RunRef


class Upkeeping:
    """The verbs that rebuild, verify and prune what is stored."""

    engine: Engine

    def reindex(self, run: RunRef | None = None) -> int:
        """
        Rebuild the index rows of one run, or of all; how many runs there were.

        Raises:
            RunNotFound: There is no such run.
            StorageError: That run is unreadable, or the storage failed.
        """
        from squidmesh.door.reindex import reindex
        from squidmesh.views.reading import run_id_of

        return reindex(self.engine.door, None if run is None else run_id_of(run))

    def verify(self, run: RunRef | None = None, *, checker: bool = False) -> Report:
        """
        Read every stored append of one run, or of all, again; see `Report`.

        A damaged run is quarantined, the mark of one that can be read is lifted.

        Args:
            run: The run; null: all.
            checker: Also hold each journal against the rules of specs/invariants.md.

        Raises:
            RunNotFound: There is no such run.
            ConfigError: `checker` is neither true nor false.
            StorageError: The storage failed; damage is a finding and no error.
        """
        from squidmesh.upkeep.verifying import verify
        from squidmesh.views.reading import run_id_of

        return verify(self.engine.door, None if run is None else run_id_of(run), checker=checker)

    def prune(
        self,
        older_than: Duration | None = None,
        *,
        run: RunRef | None = None,
        plan: bool = False,
    ) -> Pruned:
        """
        Remove finished runs for good; active ones are never touched.

        What somebody may still ask for by its key or id leaves a tombstone: the same
        start finds the pruned run, another one is refused.

        Args:
            older_than: Those that ended so long ago, but for those whose end lists
                something that was not undone.
            run: This one, whatever its age and its end.
            plan: Only say what would be removed.

        Raises:
            RunNotFound: There is no such run.
            Refused: That run is not over (`invalid_transition`), or was pruned
                before (`terminal_run`).
            ConfigError: Not exactly one of the two is given, or it is wrong.
            StorageError: The storage failed, or that run is unreadable; every other
                run is whole or gone.
        """
        from squidmesh.upkeep import pruning
        from squidmesh.views.reading import run_id_of

        checks.flag("plan", plan)
        what = pruning.asked(older_than, None if run is None else run_id_of(run))
        return pruning.pruned(self.engine.door, what, plan=plan)
