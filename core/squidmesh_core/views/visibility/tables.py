"""Who sees which member of a view."""

from typing import Final

from squidmesh_core.plan.deadline import Due
from squidmesh_core.state.run import Anomaly
from squidmesh_core.values.deadline import Thresholds
from squidmesh_core.views.board import Board, RunDeadline
from squidmesh_core.views.bulk import Bulk, Steered
from squidmesh_core.views.counts import Counts, WorkflowCounts
from squidmesh_core.views.deadlines import DeadlineView
from squidmesh_core.views.diff import FactDiff, PathDiff, RunDiff, Side, StepDiff, ValueDiff
from squidmesh_core.views.explanation.records import (
    Action,
    Evidence,
    Explanation,
    Pointer,
    RefusedAction,
    Repeated,
)
from squidmesh_core.views.graph.records import GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.history import AuditView, CommandView
from squidmesh_core.views.hooks import FailingNotice, Hook
from squidmesh_core.views.inspection import AttemptView, Run, Snapshot
from squidmesh_core.views.steps import StepView
from squidmesh_core.views.visibility.failures import ERROR_LINE
from squidmesh_core.views.visibility.rules import Tables, table
from squidmesh_core.views.visibility.telling import DETAILS, EFFECT, REFUSAL, SUMMARY
from squidmesh_core.views.waiting import AwaitedView, CompensationView, GateView, UndoView

VIEWS: Final[Tables] = {
    # --- a run
    Run: table(
        external="id workflow version trigger status duplicate",
        operator=(
            "fingerprint queue priority created_at updated_at ended_at revision parent"
            " replayed_from forked_at deadline quarantined newer pruned_at"
        ),
        # Keys and tags are the host's own words, and often somebody's number.
        auditor="tags key partition_key",
        error=ERROR_LINE,
    ),
    Snapshot: table(
        external="run terminal steps current gates awaited",
        operator=(
            "reason error failed_step waiting_on attempts visible scheduled expired_claims"
            " next_visible_at applied compensation audit deadlines children anomalies at_revision"
        ),
        auditor="input context command_history dynamic",
    ),
    StepView: table(external="name kind status after", operator="visits waits_for recovery undo"),
    AttemptView: table(
        external="status",
        operator=(
            "key node number visit kind visible_at idempotency_key deliveries claim_id owner"
            " lease_until deadline error"
        ),
        auditor="progress input output",
    ),
    GateView: table(
        external="kind node",
        operator="opened_at visit_key question targets form deadline times_out_at",
    ),
    AwaitedView: table(
        external="node",
        operator="visit_key since deadline times_out_at",
        auditor="correlation",
    ),
    UndoView: table(external="status", operator="node visit_key"),
    CompensationView: table(operator="cause started_at failure node steps recovery"),
    CommandView: table(
        operator="revision command at",
        auditor="actor comment idempotency_key metadata",
    ),
    AuditView: table(
        operator="event at revision node visit_key target",
        auditor="actor comment",
    ),
    Hook: table(operator="event name since seen_at pending more failing"),
    # What a function of the host's says may quote anything.
    FailingNotice: table(operator="id run_id at attempts next_at", auditor="problem"),
    DeadlineView: table(
        external="status",
        operator=(
            "node visit_key started_at due_at due_soon_at escalated_at remaining escalation target"
        ),
    ),
    Thresholds: table(operator="due_at due_soon_at escalated_at"),
    Due: table(
        external="status",
        operator="started_at due_at due_soon_at escalated_at remaining",
    ),
    Anomaly: table(operator="reason entry_type revision keys"),
    # --- many runs
    Board: table(external="items next", operator="at"),
    RunDeadline: table(external="run deadline"),
    Counts: table(operator="at runs deadlines workflows"),
    WorkflowCounts: table(operator="workflow runs deadlines"),
    Bulk: table(external="verb planned items next"),
    Steered: table(
        external="id workflow outcome before after",
        operator="begun code",
        # They quote what somebody filled in.
        auditor="effects message",
    ),
    # --- an explanation
    Explanation: table(
        external="run status at evidence zone",
        operator="reason node since next_actions refused_actions",
        auditor="why",
        summary=SUMMARY,
        details=DETAILS,
    ),
    Action: table(operator="name label node safe call command", effect=EFFECT),
    RefusedAction: table(operator="name node code", message=REFUSAL),
    Evidence: table(
        operator="at_revision pointers commands latest_command duplicates attempts anomalies"
    ),
    Pointer: table(operator="revision entry at says"),
    Repeated: table(operator="command count revisions"),
    # --- a graph
    RunGraph: table(
        external="run_id workflow version status terminal nodes edges current",
        operator="revision anomalies",
    ),
    GraphNode: table(
        external="id kind status current",
        operator="action visits attempt decision recovery deadline error gate attempts",
        auditor="input output",
    ),
    GraphEdge: table(
        external="id source target type outcome otherwise recovery status",
        operator="times",
        # What a run's values are compared with says much of them.
        auditor="condition values",
    ),
    # --- a comparison
    RunDiff: table(external="before after path", operator="facts steps context"),
    Side: table(external="run_id", operator="revision"),
    FactDiff: table(operator="name", auditor="before after"),
    StepDiff: table(operator="node before after visits_before visits_after"),
    ValueDiff: table(operator="change", auditor="path before after"),
    PathDiff: table(operator="common before after"),
}
