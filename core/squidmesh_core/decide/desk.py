"""
A decision in the making.

Deciders write entries one after another, and each is folded at once, so that
what comes next is decided on the state as it will be.  Entries are numbered
from the head that the decision is made on.
"""

from datetime import datetime
from typing import Final

from squidmesh_core.decide.answer import Decision
from squidmesh_core.definition.spec import Node, Spec, StepNode
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import ClaimId, Revision, RunId, token_hash
from squidmesh_core.protocol.codec import damaged
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.fold import take
from squidmesh_core.state.run import RunState

#: Entries that one decision may write: a safety net, far above any real one.
MOST_ENTRIES: Final = 10_000


class Desk:
    """Where one decision is written."""

    def __init__(self, state: RunState, spec: Spec, now: datetime, offer: Offer | None) -> None:
        self.spec = spec
        self.now = now
        #: The worker's free slot, until something was claimed for it.
        self.offer = offer
        self.draft = Draft(state)
        self._entries: list[Entry] = []
        self._anomalies = state.anomalies
        self._minted = 0

    @property
    def run_id(self) -> RunId:
        """The run that is decided about."""
        return self.draft.run_id

    @property
    def next_revision(self) -> Revision:
        """The revision that the next entry gets."""
        return Revision(self.draft.revision + 1)

    def lane(self, node: Node | None) -> tuple[str, int]:
        """Queue and priority: a step's own, else the run's."""
        begun = self.draft.started
        queue, priority = ("default", 0) if begun is None else (begun.queue, begun.priority)
        if isinstance(node, StepNode):
            queue = queue if node.queue is None else node.queue
            priority = priority if node.priority is None else node.priority
        return queue, priority

    def write(self, entry: Entry) -> None:
        """
        Write one entry and fold it.

        Raises:
            StorageError: `run_quarantined`: the entry does not fit the state, in which
                others did not fit before.
            RuntimeError: The entry does not fit the state: a bug in a decider.
                Nothing was appended.
        """
        take(self.draft, entry)
        self._entries.append(entry)
        if self.draft.anomalies is not self._anomalies:
            raise self._misfit()
        if len(self._entries) > MOST_ENTRIES:
            raise RuntimeError(f"one decision wants over {MOST_ENTRIES} entries; none was appended")

    def mint(self, offer: Offer) -> tuple[ClaimId, str]:
        """
        A claim id and token hash for work that is claimed and completed at once.

        Derived from the offer's, so unique as they are; nobody ever presents
        this token, because the claim is over when the append is durable.
        """
        self._minted += 1
        suffix = f"{self._minted}"
        return ClaimId(f"{offer.claim_id}-{suffix}"), token_hash(offer.claim_token_hash + suffix)

    def decision(self) -> Decision:
        """What was written."""
        return Decision(entries=tuple(self._entries), state=self.draft.state())

    def _misfit(self) -> StorageError | RuntimeError:
        if self._anomalies:
            first = self._anomalies[0]
            why = f"{first.entry_type} does not fit what comes before it ({first.reason})"
            return damaged(self.run_id, first.revision, why)
        misfit = self.draft.anomalies[-1]
        return RuntimeError(
            f"a decider wrote an entry that does not fit: {misfit}; nothing was appended"
        )
