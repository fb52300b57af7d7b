"""
squidmesh: an embedded durable workflow runtime.

Everything a host needs is here; it is loaded when it is first used, so that
importing squidmesh stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from squidmesh.actions import ActionRegistry
    from squidmesh.aio.mesh import AsyncMesh
    from squidmesh.aio.worker import AsyncWorker
    from squidmesh.authoring.answers import Children, ChildRun, Decision
    from squidmesh.authoring.builder import WorkflowBuilder
    from squidmesh.authoring.gates import (
        Approval,
        Pause,
        Receive,
        approval,
        children,
        log,
        pause,
        receive,
        wait,
    )
    from squidmesh.authoring.markers import Now, Sensitive, Today
    from squidmesh.authoring.nodes import Node, complete
    from squidmesh.authoring.paths import is_in, is_missing, maybe, not_
    from squidmesh.authoring.policies import Deadline, Retries
    from squidmesh.authoring.steps import Step, step
    from squidmesh.authoring.triggers import CronTrigger, Trigger, cron, manual
    from squidmesh.authoring.workflow import Workflow
    from squidmesh.context import ChildHandle, Context, TxContext, UndoContext, Work
    from squidmesh.mesh import Mesh
    from squidmesh.people import Actor
    from squidmesh.queues.queue import Queue
    from squidmesh.results import Defer, Fail, Retry
    from squidmesh.upkeep.pruned import Pruned
    from squidmesh.upkeep.verifying import Report, Verified
    from squidmesh.views.health import Health
    from squidmesh.views.inbox import OpenGate
    from squidmesh.views.paging import Page
    from squidmesh.views.reading import JournalEntry
    from squidmesh.views.snapshot import Snapshot
    from squidmesh.views.stream import Watched
    from squidmesh.workers.claim import Claim
    from squidmesh.workers.registry import WorkerInfo
    from squidmesh.workers.worker import Worker
    from squidmesh_core.decide.replay import ReplayPlan
    from squidmesh_core.definition.problem import Problem
    from squidmesh_core.definition.spec import Spec
    from squidmesh_core.errors import (
        ConfigError,
        DefinitionError,
        IdempotencyConflict,
        OutcomeUnknown,
        PayloadError,
        Refused,
        RevisionConflict,
        RunNotFound,
        SquidmeshError,
        StorageError,
        StorageUnavailable,
        UnsafeReplay,
        WaitTimeout,
    )
    from squidmesh_core.protocol.entries import Failure
    from squidmesh_core.protocol.notices import Notice
    from squidmesh_core.protocol.rows import RunStatus
    from squidmesh_core.views.board import Board, RunDeadline
    from squidmesh_core.views.bulk import Bulk, Steered
    from squidmesh_core.views.counts import Counts, WorkflowCounts
    from squidmesh_core.views.deadlines import DeadlineView
    from squidmesh_core.views.diff import RunDiff
    from squidmesh_core.views.explanation import Action, Explanation, RefusedAction
    from squidmesh_core.views.graph.records import GraphEdge, GraphNode, RunGraph
    from squidmesh_core.views.hooks import Hook
    from squidmesh_core.views.inspection import AttemptView, Run
    from squidmesh_core.views.steps import StepView
    from squidmesh_core.views.waiting import GateView

_HOMES: Final = {
    "squidmesh.actions": "ActionRegistry",
    "squidmesh.aio.mesh": "AsyncMesh",
    "squidmesh.aio.worker": "AsyncWorker",
    "squidmesh.authoring.builder": "WorkflowBuilder",
    "squidmesh.authoring.answers": "ChildRun Children Decision",
    "squidmesh.authoring.gates": "Approval Pause Receive approval children log pause receive wait",
    "squidmesh.authoring.markers": "Now Sensitive Today",
    "squidmesh.authoring.nodes": "Node complete",
    "squidmesh.authoring.paths": "is_in is_missing maybe not_",
    "squidmesh.authoring.policies": "Deadline Retries",
    "squidmesh.authoring.steps": "Step step",
    "squidmesh.authoring.triggers": "CronTrigger Trigger cron manual",
    "squidmesh.authoring.workflow": "Workflow",
    "squidmesh.context": "ChildHandle Context TxContext UndoContext Work",
    "squidmesh.workers.claim": "Claim",
    "squidmesh.mesh": "Mesh",
    "squidmesh.views.health": "Health",
    "squidmesh.views.inbox": "OpenGate",
    "squidmesh.views.paging": "Page",
    "squidmesh.people": "Actor",
    "squidmesh.upkeep.pruned": "Pruned",
    "squidmesh.queues.queue": "Queue",
    "squidmesh.views.reading": "JournalEntry",
    "squidmesh.workers.registry": "WorkerInfo",
    "squidmesh.results": "Defer Fail Retry",
    "squidmesh.views.snapshot": "Snapshot",
    "squidmesh.views.stream": "Watched",
    "squidmesh.upkeep.verifying": "Report Verified",
    "squidmesh.workers.worker": "Worker",
    "squidmesh_core.decide.replay": "ReplayPlan",
    "squidmesh_core.definition.problem": "Problem",
    "squidmesh_core.definition.spec": "Spec",
    "squidmesh_core.errors": (
        "ConfigError DefinitionError IdempotencyConflict OutcomeUnknown PayloadError Refused "
        "RevisionConflict RunNotFound SquidmeshError StorageError StorageUnavailable UnsafeReplay WaitTimeout"
    ),
    "squidmesh_core.views.board": "Board RunDeadline",
    "squidmesh_core.protocol.entries": "Failure",
    "squidmesh_core.protocol.notices": "Notice",
    "squidmesh_core.protocol.rows": "RunStatus",
    "squidmesh_core.views.bulk": "Bulk Steered",
    "squidmesh_core.views.counts": "Counts WorkflowCounts",
    "squidmesh_core.views.deadlines": "DeadlineView",
    "squidmesh_core.views.diff": "RunDiff",
    "squidmesh_core.views.explanation": "Action Explanation RefusedAction",
    "squidmesh_core.views.graph.records": "GraphEdge GraphNode RunGraph",
    "squidmesh_core.views.hooks": "Hook",
    "squidmesh_core.views.inspection": "AttemptView Run",
    "squidmesh_core.views.steps": "StepView",
    "squidmesh_core.views.waiting": "GateView",
}
_HOME: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Action",
    "ActionRegistry",
    "Actor",
    "Approval",
    "AsyncMesh",
    "AsyncWorker",
    "AttemptView",
    "Board",
    "Bulk",
    "ChildHandle",
    "ChildRun",
    "Children",
    "Claim",
    "ConfigError",
    "Context",
    "Counts",
    "CronTrigger",
    "Deadline",
    "DeadlineView",
    "Decision",
    "Defer",
    "DefinitionError",
    "Explanation",
    "Fail",
    "Failure",
    "GateView",
    "GraphEdge",
    "GraphNode",
    "Health",
    "Hook",
    "IdempotencyConflict",
    "JournalEntry",
    "Mesh",
    "Node",
    "Notice",
    "Now",
    "OpenGate",
    "OutcomeUnknown",
    "Page",
    "Pause",
    "PayloadError",
    "Problem",
    "Pruned",
    "Queue",
    "Receive",
    "Refused",
    "RefusedAction",
    "ReplayPlan",
    "Report",
    "Retries",
    "Retry",
    "RevisionConflict",
    "Run",
    "RunDeadline",
    "RunDiff",
    "RunGraph",
    "RunNotFound",
    "RunStatus",
    "Sensitive",
    "Snapshot",
    "Spec",
    "SquidmeshError",
    "Steered",
    "Step",
    "StepView",
    "StorageError",
    "StorageUnavailable",
    "Today",
    "Trigger",
    "TxContext",
    "UndoContext",
    "UnsafeReplay",
    "Verified",
    "WaitTimeout",
    "Watched",
    "Work",
    "Worker",
    "WorkerInfo",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowCounts",
    "approval",
    "children",
    "complete",
    "cron",
    "is_in",
    "is_missing",
    "log",
    "manual",
    "maybe",
    "not_",
    "pause",
    "receive",
    "step",
    "wait",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'squidmesh' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value  # the next time nobody asks here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
