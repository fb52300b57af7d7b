"""
Rules C: claims, leases and fences.

    the holder may act           while at < lease_until
    somebody else may claim      once lease_until <= at

C5 asks for nothing but order: a claim's fencing token is its revision.
"""

import re
from datetime import timedelta
from typing import Final

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.model import Model, Try
from squidmesh_core.checker.report import Findings, Rule
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    Entry,
    RunPruned,
    RunStarted,
)

#: Claims of an attempt whose step does not say.
DELIVERIES: Final = 5
LONGEST_LEASE: Final = timedelta(hours=1)

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Claims(Family):
    """C1 to C12."""

    def __init__(self, model: Model, spec: Spec | None, findings: Findings) -> None:
        super().__init__(model, spec, findings)
        #: Claim ids and token hashes so far; a store compares those of all runs.
        self.seen: set[str] = set()

    def judge(self, entry: Entry) -> None:
        """Whether whoever claims may, and whoever speaks holds what it speaks of."""
        match entry:
            case AttemptClaimed():
                self._claimed(entry)
            case AttemptHeartbeat():
                self._heartbeat(entry)
            case AttemptCompleted() | AttemptFailed():
                self._settled(entry)
            case RunStarted() | RunPruned():
                if self.spec is not None and entry.definition != self.spec.fingerprint:
                    self.note(
                        "C10",
                        entry.revision,
                        f"the definition is {entry.definition}, not {self.spec.fingerprint}",
                    )
            case _:
                pass

    def _claimed(self, entry: AttemptClaimed) -> None:
        attempt = self.model.tries.get(entry.attempt_key)
        self._judge_token(entry)
        if not entry.at < entry.lease_until <= entry.at + LONGEST_LEASE:
            self._note("C6", entry, f"a lease from {entry.at} until {entry.lease_until}")
        if attempt is None:
            self._note("C1", entry, "nobody scheduled it")
            return
        if entry.at < attempt.visible_at:
            self._note("C2", entry, f"claimed at {entry.at}, visible from {attempt.visible_at}")
        if attempt.end is not None:
            self._note("C8", entry, f"it ended at revision {attempt.end.revision}")
        elif attempt.lease_until is not None and entry.at < attempt.lease_until:
            self._note("C3", entry, f"claimed at {entry.at}, held until {attempt.lease_until}")
        if attempt.claim is not None and entry.revision <= attempt.claim.revision:
            self._note("C5", entry, f"the claim before it is {attempt.claim.revision}")
        most = attempt.intent.max_deliveries or DELIVERIES
        if attempt.claims >= most:
            self._note("C9", entry, f"claimed {attempt.claims} times already, {most} are allowed")
        self._judge_fences(entry, attempt)

    def _judge_token(self, entry: AttemptClaimed) -> None:
        if not _HASH.fullmatch(entry.claim_token_hash):
            self._note("C4", entry, f"{entry.claim_token_hash!r} is no SHA-256")
        if entry.claim_id in self.seen or entry.claim_token_hash in self.seen:
            self._note("C4", entry, f"claim {entry.claim_id} or its token was there before")
        self.seen.update((entry.claim_id, entry.claim_token_hash))

    def _judge_fences(self, entry: AttemptClaimed, attempt: Try) -> None:
        model = self.model
        if model.terminal is not None:
            self._note("C12", entry, "the run is over")
        elif model.compensation is not None and not attempt.undoes:
            self._note("C12", entry, "nothing goes forward any more")
        elif model.hold is not None:
            self._note("C12", entry, f"held since revision {model.hold.revision}")

    def _heartbeat(self, entry: AttemptHeartbeat) -> None:
        attempt = self._holding(entry)
        if attempt is None or attempt.lease_until is None:
            self._note("C6", entry, "whoever speaks does not hold it")
            return
        if attempt.end is not None:
            self._note("C8", entry, f"it ended at revision {attempt.end.revision}")
        if attempt.lease_until <= entry.at:
            self._note("C6", entry, f"the lease was over at {attempt.lease_until}")
        if not max(attempt.lease_until, entry.at) <= entry.lease_until:
            self._note("C6", entry, f"{attempt.lease_until} was cut to {entry.lease_until}")
        if entry.lease_until > entry.at + LONGEST_LEASE:
            self._note("C6", entry, f"a lease from {entry.at} until {entry.lease_until}")

    def _settled(self, entry: AttemptCompleted | AttemptFailed) -> None:
        known = self.model.tries.get(entry.attempt_key)
        if known is not None and known.end is not None:
            self._note("C8", entry, f"it ended at revision {known.end.revision}")
            return
        if isinstance(entry, AttemptFailed) and entry.claim_id is None:
            self._judge_loss(entry, known)
            return
        attempt = self._holding(entry)
        if attempt is None or attempt.lease_until is None:
            self._note("C7", entry, "whoever settles does not hold it")
        elif attempt.lease_until <= entry.at:
            self._note("C7", entry, f"the lease was over at {attempt.lease_until}")

    def _judge_loss(self, entry: AttemptFailed, attempt: Try | None) -> None:
        """The runtime ends what was delivered often enough, or is lost while undoing."""
        if attempt is None or attempt.lease_until is None or entry.error.kind != "worker_lost":
            self._note("C7", entry, "only a claim that is lost ends without its holder")
            return
        if entry.at < attempt.lease_until:
            self._note("C7", entry, f"it is held until {attempt.lease_until}")
        often = attempt.claims >= (attempt.intent.max_deliveries or DELIVERIES)
        undoing = self.model.compensation is not None and not attempt.undoes
        if not often and not undoing:
            self._note("C7", entry, f"it was delivered {attempt.claims} times only")

    def _holding(self, entry: AttemptHeartbeat | AttemptCompleted | AttemptFailed) -> Try | None:
        """The attempt, if the entry has the fence of its newest claim."""
        attempt = self.model.tries.get(entry.attempt_key)
        claim = None if attempt is None else attempt.claim
        if claim is None or claim.claim_id != entry.claim_id:
            return None
        return attempt if claim.claim_token_hash == entry.claim_token_hash else None

    def _note(
        self,
        rule: Rule,
        entry: AttemptClaimed | AttemptHeartbeat | AttemptCompleted | AttemptFailed,
        message: str,
    ) -> None:
        self.note(rule, entry.revision, f"{entry.attempt_key}: {message}")
