"""What an explanation says, as frozen records."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Literal

from attrs import Factory, field, frozen

from squidmesh_core.ids import NodeName, Revision
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views import reason
from squidmesh_core.views.history import CommandView
from squidmesh_core.views.inspection import Run
from squidmesh_core.views.plain import NOT_PLAIN, View

#: Why a run is where it is: those of its snapshot, and what only its surroundings tell.
Reason = (
    reason.Reason
    | Literal["run_quarantined", "newer_entries", "queue_paused", "queue_full", "no_capable_worker"]
)
#: What anybody could do about a run.
ActionName = Literal[
    "approve",
    "reject",
    "resume",
    "pause",
    "send",
    "cancel",
    "cancel_and_undo",
    "abandon",
    "replay",
    "replay_irreversible",
    "fork",
    "retry_compensation",
    "work",
    "resume_queue",
    "set_queue",
    "verify",
]


@frozen(kw_only=True)
class Action(View):
    """Something that may be done now, and succeeds."""

    name: ActionName
    #: In plain words.
    label: str
    #: The node or visit that it is about; null: the whole run.
    node: str | None = None
    #: Whether it ends nothing, gives nothing up, and repeats nothing that cannot be undone.
    safe: bool
    #: What would follow.
    effect: str
    #: What to write in Python, given `mesh`; `...` stands for what only the caller knows.
    call: str
    #: What to type; words in capitals and `…` stand for what only the caller knows.
    command: str


@frozen(kw_only=True)
class RefusedAction(View):
    """Something that would be refused now."""

    name: ActionName
    node: str | None = None
    code: str
    #: What the refusal would say.
    message: str


@frozen(kw_only=True)
class Pointer(View):
    """An entry of the journal that supports what is said."""

    revision: Revision
    #: Its wire type, such as `attempt_claimed`.
    entry: str
    at: datetime
    #: What it supports.
    says: str


@frozen(kw_only=True)
class Repeated(View):
    """The same command, given several times without a key that would tell."""

    command: str
    count: int
    revisions: tuple[Revision, ...]


@frozen(kw_only=True)
class Evidence(View):
    """What in the journal supports an explanation."""

    #: How far the journal was read.
    at_revision: Revision
    pointers: tuple[Pointer, ...] = ()
    #: How many commands of each kind reached the run.
    commands: Mapping[str, int] = Factory(dict)
    latest_command: CommandView | None = None
    duplicates: tuple[Repeated, ...] = ()
    #: How many attempts have each status.
    attempts: Mapping[str, int] = Factory(dict)
    #: Entries that do not fit what came before them.
    anomalies: int = 0


@frozen(kw_only=True)
class Explanation(View):
    """Why a run is where it is, what supports that, and what may be done."""

    run: Run
    status: RunStatus
    #: The first that fits.
    reason: Reason
    #: The node that it is about; null: the run as a whole.
    node: NodeName | None
    #: One plain sentence.
    summary: str
    #: Since when it has been so, as far as that can be told.
    since: datetime | None
    #: The instant that it is true of.
    at: datetime
    #: What supports the sentence, a sentence each.
    why: tuple[str, ...]
    #: The same as data.
    details: Mapping[str, object]
    next_actions: tuple[Action, ...]
    refused_actions: tuple[RefusedAction, ...]
    evidence: Evidence
    #: Where the clock hangs that its sentences name instants by.
    zone: tzinfo = field(default=UTC, metadata=NOT_PLAIN)

    def to_text(self, width: int = 100) -> str:
        """All of it as text, in lines of at most so many characters where words allow it."""
        from squidmesh_core.views.explanation.layout import laid_out  # it draws this record

        return laid_out(self, width)
