"""Fresh identities: everything of a run that must be drawn, in one place."""

from binascii import b2a_base64
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from squidmesh.ports import Ports
from squidmesh_core.ids import AppendId, ClaimId, RunId, token_hash, uuid7
from squidmesh_core.plan.admission import Inline
from squidmesh_core.protocol.commands import Offer

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Mint:
    """Draws ids and tokens from the ports' randomness."""

    def __init__(self, ports: Ports) -> None:
        self._bytes = ports.random_bytes

    def run_id(self, now: datetime) -> RunId:
        """A time-ordered run id."""
        return uuid7(int(now.timestamp() * 1000), self._bytes(10))

    def append_id(self) -> AppendId:
        """The identity of one append: 128 random bits."""
        return AppendId(_text(self._bytes(16)))

    def offer(
        self,
        *,
        owner: str,
        lease_ms: int,
        actions: frozenset[str],
        where: Inline,
        waiting: Mapping[str, int],
    ) -> tuple[Offer, str]:
        """
        A worker's free slot, and the token that proves whose it is.

        The token is 256 random bits; only its hash leaves this process.
        """
        token = _text(self._bytes(32))
        offer = Offer(
            owner=owner,
            claim_id=ClaimId(_text(self._bytes(16))),
            claim_token_hash=token_hash(token),
            lease_ms=lease_ms,
            actions=actions,
            queues=where.queues,
            limited=where.limited,
            waiting=waiting,
        )
        return offer, token


def _text(value: bytes) -> str:
    """As `urlsafe_b64encode` writes it, without the padding."""
    return b2a_base64(value, newline=False).translate(_URL_SAFE).decode().rstrip("=")
