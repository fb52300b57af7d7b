"""
Who sees which member of a journal entry, and of what entries carry.

Everybody sees what happened and where; operators when, who held it, and where it led.
What anybody handed in, put out or said is for auditors.
"""

from typing import Final

from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Deadline,
    Decided,
    Deferred,
    Failure,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    Parent,
    Reused,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    Schedule,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import DeadlinePolicy, Exponential, RecoveryPolicy, RetryPolicy
from squidmesh_core.views.visibility.failures import FAILURE
from squidmesh_core.views.visibility.rules import Tables, table

ENTRIES: Final[Tables] = {
    # --- what entries carry
    Deadline: table(operator="policy started_at"),
    DeadlinePolicy: table(
        operator="within_ms due_soon_ms escalate_after_ms escalation target",
    ),
    Decided: table(external="source on target recovery", auditor="condition values"),
    Deferred: table(operator="from_attempt deferred_at", auditor="reason"),
    Exponential: table(operator="min_ms max_ms"),
    Failure: FAILURE,
    NextAttempt: table(operator="attempt_key number visible_at deadline"),
    Parent: table(operator="run_id step attempt_key", auditor="child_key"),
    RecoveryPolicy: table(operator="irreversible compensatable compensate compensate_retry"),
    RetryPolicy: table(operator="max_attempts backoff jitter retry_on"),
    Reused: table(operator="run_id", auditor="value input undo_key"),
    Schedule: table(operator="cron timezone window", auditor="signal_id"),
    Unrecovered: table(operator="visit_key step reason error"),
    # --- entries
    AttemptClaimed: table(
        operator="at revision attempt_key owner lease_until",
        auditor="claim_id claim_token_hash",
    ),
    AttemptCompleted: table(
        operator="at revision attempt_key deferred",
        auditor="claim_id claim_token_hash output",
    ),
    AttemptFailed: table(
        operator="at revision attempt_key error retry",
        auditor="claim_id claim_token_hash",
    ),
    AttemptHeartbeat: table(
        operator="at revision attempt_key lease_until",
        auditor="claim_id claim_token_hash progress",
    ),
    AttemptScheduled: table(
        external="step",
        operator=(
            "at revision attempt_key visit_key number kind queue action priority visible_at"
            " recovery retry deadline deferred max_deliveries"
        ),
        auditor="input idempotency_key",
    ),
    CompensationStarted: table(operator="at revision cause failure step"),
    ManualStepPaused: table(
        external="kind step", operator="at revision visit_key targets deadline", auditor="output"
    ),
    ManualStepResolved: table(
        external="action step",
        operator="at revision visit_key",
        auditor="actor comment result",
    ),
    MessageAwaited: table(
        external="step", operator="at revision visit_key deadline", auditor="correlation"
    ),
    MessageReceived: table(external="step", operator="at revision", auditor="payload"),
    RunPruned: table(
        external="workflow definition_version status",
        operator=(
            "at revision definition trigger queue priority command replayed_from"
            " started_at ended_at"
        ),
        auditor="digest",
    ),
    RunSignalReceived: table(
        operator="at revision command occurred_at",
        auditor="payload actor comment metadata idempotency_key digest",
    ),
    RunStarted: table(
        external="workflow definition_version",
        operator=(
            "at revision definition trigger queue priority schedule parent replayed_from forked_at"
        ),
        auditor="input tags partition_key",
    ),
    RunTerminal: table(external="status", operator="at revision error step recovery"),
    StepApplied: table(
        external="step transition",
        operator="at revision visit_key source error reused_from",
        auditor="output",
    ),
}
