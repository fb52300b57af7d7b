"""One command on many runs: what became, or would become, of each."""

from typing import Literal

from attrs import frozen

from squidmesh_core.decide.bulk import BulkVerb
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.plain import View

#: `already`: the same command with the same key was there before.
Outcome = Literal["done", "already", "refused"]


@frozen(kw_only=True)
class Steered(View):
    """What became of one run, or would become of it."""

    id: RunId
    #: Null: the run could not be read.
    workflow: str | None
    outcome: Outcome
    #: Its status before the command and after it; null: the run could not be read.
    before: RunStatus | None
    after: RunStatus | None
    #: The run that was begun of it; null: none was, or not yet.
    begun: RunId | None = None
    #: What follows, in a line each.
    effects: tuple[str, ...] = ()
    #: Why it was refused.
    code: str | None = None
    message: str | None = None


@frozen(kw_only=True)
class Bulk(View):
    """What became of the runs of one page, or would become of them."""

    verb: BulkVerb
    #: Whether this is a plan, and nothing was written.
    planned: bool
    #: In the order in which they were chosen; the newest first, of a filter.
    items: tuple[Steered, ...]
    #: Hand it back as `cursor` for the next page; null: this was the last.
    next: str | None = None

    def those(self, outcome: Outcome) -> tuple[Steered, ...]:
        """The runs with this outcome."""
        return tuple(item for item in self.items if item.outcome == outcome)
