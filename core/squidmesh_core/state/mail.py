"""
Messages from outside: which visits wait for one, and which came early.

The oldest message goes to the oldest visit, one each.  Whichever comes first
waits here for the other, so that neither order loses anything.
"""

from collections.abc import Mapping

from attrs import Factory, evolve, frozen

from squidmesh_core.ids import NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import MessageAwaited, MessageReceived
from squidmesh_core.state.attempt import Reason


@frozen(kw_only=True)
class Mail:
    """What is awaited and what is kept."""

    #: Visits that wait for a message, the oldest first.
    awaited: Mapping[VisitKey, MessageAwaited] = Factory(dict)
    #: Messages that nobody has taken, the oldest first: revision → node.
    kept: Mapping[Revision, NodeName] = Factory(dict)
    #: What each visit that ever waited was to be found by, if by anything.
    found_by: Mapping[VisitKey, str] = Factory(dict)

    def expecting(self, entry: MessageAwaited) -> "Mail | Reason":
        """The mail once one more visit waits."""
        if entry.visit_key in self.awaited:
            return "active_await"
        found_by = self.found_by
        if entry.correlation is not None:
            found_by = {**found_by, entry.visit_key: entry.correlation}
        return evolve(self, awaited={**self.awaited, entry.visit_key: entry}, found_by=found_by)

    def received(self, entry: MessageReceived) -> "Mail":
        """The mail once a message came."""
        return evolve(self, kept={**self.kept, entry.revision: entry.step})

    def taken(self, visit: VisitKey, source: Revision | None) -> "Mail":
        """The mail once a visit waits no more, with the message it took, if it took one."""
        if visit not in self.awaited and source not in self.kept:
            return self
        return evolve(
            self,
            awaited={key: entry for key, entry in self.awaited.items() if key != visit},
            kept={revision: step for revision, step in self.kept.items() if revision != source},
        )

    def nobody_waits(self) -> "Mail":
        """No visit waits any more; what was kept stays kept."""
        return evolve(self, awaited={}) if self.awaited else self

    def oldest_visit(self, step: NodeName) -> VisitKey | None:
        """The visit of a node that has waited longest."""
        return next((key for key, entry in self.awaited.items() if entry.step == step), None)

    def oldest_message(self, step: NodeName) -> Revision | None:
        """The message for a node that has lain here longest."""
        return next((revision for revision, node in self.kept.items() if node == step), None)
