"""Who sees which member of the views that only the shell has."""

from typing import Final, cast

from squidmesh.queues.history import QueueChange
from squidmesh.queues.queue import Queue
from squidmesh.views.inbox import OpenGate
from squidmesh.views.paging import Page
from squidmesh.views.reading import JournalEntry
from squidmesh.views.snapshot import Snapshot
from squidmesh.views.stream import Watched
from squidmesh.workers.registry import WorkerInfo
from squidmesh_core.definition.spec import Spec
from squidmesh_core.plan.admission import Paused, Refusal
from squidmesh_core.values.scope import Scope
from squidmesh_core.views import inspection
from squidmesh_core.views.visibility import CORE, Redaction
from squidmesh_core.views.visibility.rules import Edit, Get, Partly, Tables, table


def _bare_spec(get: Get) -> object:
    """A definition is known by its steps in the snapshot; its constants are nobody's business."""
    return Spec(workflow=cast("inspection.Run", get("run")).workflow, triggers=(), steps=())


def _data(scope: Scope) -> Edit:
    redact = CORE.entry_data(scope)
    return lambda get: redact(get("type"), get("data"))


VIEWS: Final[Tables] = {
    Snapshot: {**CORE.tables[inspection.Snapshot], "spec": Partly(_bare_spec, _bare_spec)},
    Page: table(external="items next"),
    OpenGate: table(external="run gate"),
    JournalEntry: table(
        external="type",
        operator="revision at",
        data=Partly(_data("operator"), _data("external")),
    ),
    Queue: table(
        external="name",
        operator=(
            "concurrency per_key rate burst paused waiting delayed held waiting_since refusals"
            " served_by history"
        ),
    ),
    Paused: table(operator="at", auditor="by note metadata"),
    Refusal: table(operator="kind since limit until", auditor="key"),
    QueueChange: table(operator="at what limits", auditor="by note metadata"),
    WorkerInfo: table(
        operator=(
            "owner host pid queues concurrency actions version codec started_at seen_at stopping"
            " silent"
        ),
    ),
}
#: Redaction of everything that a mesh hands out.
SHELL: Final = Redaction({**CORE.tables, **VIEWS}, {Watched: JournalEntry})
