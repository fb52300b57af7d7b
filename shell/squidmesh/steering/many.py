"""
`SteeringMany`: the verbs that steer many runs at once; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from squidmesh import checks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from squidmesh.authoring.nodes import BaseNode
    from squidmesh.engine import Engine
    from squidmesh.steering.bulk import BulkOptions, Which
    from squidmesh_core.definition.spec import Spec
    from squidmesh_core.protocol.requests import DefinitionChoice
    from squidmesh_core.views.bulk import Bulk


class SteeringMany:
    """The verbs that decide about each of many runs."""

    engine: Engine

    @property
    def workflows(self) -> Mapping[str, Spec]:
        """The registered definitions, by workflow name."""
        raise NotImplementedError

    def cancel_all(
        self,
        which: Which,
        *,
        compensate: bool = False,
        abandon: bool = False,
        plan: bool = False,
        key: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        **options: Unpack[BulkOptions],
    ) -> Bulk:
        """
        End many runs, each as `cancel` would; a no to one of them stops no other.

        Args:
            which: Filters of `runs`, of which at least one is set, or up to 500 runs.
                Unless they ask for a status, runs that are over are left out.
            compensate: As for `cancel`.
            abandon: As for `cancel`.
            plan: Only say what would follow of each.
            key: Of the command to each run: the same call again does nothing twice.
            cursor: Go on where the last page ended.
            limit: Runs that are looked at, from 1 to 500; what is left out counts, too.
            options: See `BulkOptions`.

        Raises:
            RunNotFound: `invalid_run_id`: what is named is no run.
            ConfigError: An option is wrong; nothing was done.
            RevisionConflict: Others steered one of the runs again and again, or wrote to
                it during a host's transaction; what was done stays done.
            StorageError: The storage failed; what was done stays done.
        """
        from squidmesh.steering import asking, bulk

        choice = bulk.Choice(which=which, key=key, cursor=cursor, limit=limit, plan=plan)
        said = choice.options(options)
        ask = partial(asking.cancel, options=said, compensate=compensate, abandon=abandon)
        return bulk.cancel_all(self.engine.door, choice, ask)

    def replay_all(
        self,
        which: Which,
        *,
        key: str,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
        plan: bool = False,
        cursor: str | None = None,
        limit: int = 50,
        **options: Unpack[BulkOptions],
    ) -> Bulk:
        """
        Replay many finished runs, each as `replay` would; a no to one of them stops no other.

        Args:
            which: As for `cancel_all`; unless it asks for a status, only runs that are
                over are taken.  What this key has begun itself is never taken.
            key: Of the replay of each run: the same call again replays nothing twice.
            from_step: As for `replay`.
            allow_irreversible: As for `replay`.
            definition: As for `replay`.
            plan: Only say what would follow of each.
            cursor: Go on where the last page ended.
            limit: Runs that are looked at, from 1 to 500; what is left out counts, too.
            options: See `BulkOptions`.

        Raises:
            SquidmeshError: As for `cancel_all`.
        """
        from squidmesh.steering import asking, bulk

        choice = bulk.Choice(which=which, key=key, cursor=cursor, limit=limit, plan=plan)
        ask = partial(
            asking.replay,
            options=choice.options(options),
            from_step=from_step,
            allow_irreversible=allow_irreversible,
            definition=definition,
        )
        now = checks.instant("now", options.get("now"))
        return bulk.replay_all(self.engine.door, choice, ask, self.workflows, now)
