"""The three answers of a decider: yes, it was done before, no."""

from collections.abc import Mapping

from attrs import Factory, frozen

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.making import quick
from squidmesh_core.state.run import RunState


@quick
@frozen(kw_only=True)
class Decision:
    """Yes: these entries, and the state once they are appended."""

    entries: tuple[Entry, ...]
    state: RunState


@frozen(kw_only=True)
class Already:
    """The same thing was done before; nothing is written."""

    #: Where the first time stands in the journal.
    revision: Revision
    state: RunState


@frozen(kw_only=True)
class Refusal:
    """No, and why.  The verbs raise it as the exception of `errors`."""

    code: str
    #: Expected, actual, and what became of the data.
    message: str
    details: Mapping[str, object] = Factory(dict)


Answer = Decision | Already | Refusal
