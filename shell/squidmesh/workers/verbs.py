"""
`Executing`: the worker protocol, for executors of one's own; `Mesh` has its verbs.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from squidmesh import checks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from squidmesh.duration import Duration
    from squidmesh.engine import Engine
    from squidmesh.workers.claim import Claim
    from squidmesh.workers.perform import Outcome
    from squidmesh_core.views.inspection import Run


class Executing:
    """The verbs of whoever performs steps without a `Worker`."""

    engine: Engine

    def claim(
        self,
        *,
        owner: str,
        queue: str = "default",
        lease: Duration = "60s",
        now: datetime | None = None,
    ) -> Claim | None:
        """
        Claim one visible attempt; null: nothing is claimable.

        Raises:
            ConfigError: An option is wrong.
            StorageError: The storage failed.
        """
        checks.text("owner", owner)
        served = (checks.queue("queue", queue),)
        crew = self.engine.crew(served, lease, owner=owner, heartbeat=False, now=now)
        return self.engine.take_one(crew)

    def heartbeat(
        self,
        claim: Claim,
        *,
        progress: Mapping[str, object] | None = None,
        now: datetime | None = None,
    ) -> Claim:
        """
        Move the lease to a full length from now; it never gets shorter.

        Raises:
            Refused: `stale_claim`, `expired_claim`, `terminal_run`: stop working.
            ConfigError: An option is wrong.
        """
        from squidmesh.workers import executing

        command = executing.heartbeat(claim, progress)
        handled = self.engine.door.handle(claim.run_id, command, now=checks.instant("now", now))
        return executing.renewed(claim, handled)

    def complete(self, claim: Claim, output: object = None, *, now: datetime | None = None) -> Run:
        """
        The step succeeded: record its output, and move the run on.

        The same again, by the same holder, is a success that writes nothing.

        Raises:
            Refused: `stale_claim`, `expired_claim`, `terminal_run`,
                `conflicting_completion`: nothing was written.
            ConfigError: `now` is no instant.
            StorageError: `not_storable`: the output cannot be stored.
        """
        from squidmesh.workers.perform import succeeded

        return self._settle(claim, succeeded(output), now)

    def fail(
        self,
        claim: Claim,
        error: BaseException | str,
        *,
        retryable: bool = True,
        retry_after: Duration | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        The step failed: the retry policy, the error route or the run's end follow.

        Raises:
            Refused: As for `complete`.
            ConfigError: The error or an option is wrong.
        """
        from squidmesh.workers import executing
        from squidmesh.workers.perform import failed

        outcome = failed(error, retryable=retryable, after_ms=executing.delay_ms(retry_after))
        return self._settle(claim, outcome, now)

    def defer(
        self,
        claim: Claim,
        reason: str,
        *,
        for_: Duration | None = None,
        until: datetime | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        Same work, later; costs no attempt.

        Raises:
            Refused: As for `complete`.
            ConfigError: The reason or an option is wrong.
            TypeError: Neither or both of `for_` and `until` are given.
        """
        from squidmesh.workers.perform import deferred

        return self._settle(claim, deferred(reason, for_=for_, until=until), now)

    def _settle(self, claim: Claim, outcome: Outcome, now: datetime | None) -> Run:
        from squidmesh.door.outcomes import answered
        from squidmesh.workers import executing

        door = self.engine.door
        command = executing.settlement(claim, outcome, door.ports)
        handled = door.handle(claim.run_id, command, now=checks.instant("now", now))
        door.leave_checkpoint(claim.run_id)
        return answered(handled)
