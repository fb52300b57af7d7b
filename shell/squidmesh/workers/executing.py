"""The worker protocol for executors of one's own: what its verbs ask for, and answer."""

from collections.abc import Mapping

from attrs import evolve

from squidmesh import checks
from squidmesh.door.handle import Handled
from squidmesh.door.outcomes import answered
from squidmesh.duration import Duration, duration_ms
from squidmesh.ports import Ports
from squidmesh.workers.claim import Claim
from squidmesh.workers.perform import Outcome
from squidmesh.workers.settling import command_for
from squidmesh_core.protocol.commands import Complete, Defer, Fail, Heartbeat


def heartbeat(claim: Claim, progress: Mapping[str, object] | None) -> Heartbeat:
    """
    What moves the lease of a claim to a full length from now.

    Raises:
        ConfigError: It is no claim, or the progress cannot be stored.
    """
    _check(claim)
    said = None if progress is None else checks.json_object("progress", progress)
    return Heartbeat(held=claim.held, lease_ms=claim.lease_ms, progress=said)


def renewed(claim: Claim, handled: Handled) -> Claim:
    """
    The claim with the lease that a heartbeat has left it.

    Raises:
        Refused: The heartbeat was.
    """
    answered(handled)
    attempt = handled.state.attempt(claim.attempt_key)
    if attempt is None or attempt.lease_until is None:
        return claim
    return evolve(claim, lease_until=attempt.lease_until)


def settlement(claim: Claim, outcome: Outcome, ports: Ports) -> Complete | Fail | Defer:
    """
    What ends a claim with an outcome, and claims nothing more.

    Raises:
        ConfigError: It is no claim.
    """
    _check(claim)
    return command_for(claim, outcome, ports.draw, None)


def delay_ms(retry_after: Duration | None) -> int | None:
    """
    The least delay before a retry, in milliseconds; null: the policy's.

    Raises:
        ConfigError: It is no duration.
    """
    return None if retry_after is None else duration_ms(retry_after, option="retry_after")


def _check(claim: object) -> None:
    if not isinstance(claim, Claim):
        raise checks.wrong("claim", "expected what `claim` has returned, unless that is null")
