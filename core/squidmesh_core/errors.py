"""
The one family of exceptions.

Three ways of saying no are kept apart: *refused* (a decider's value, raised by
the verbs as `Refused` and its kin), *error* (raised where the host or the
database did something wrong) and *anomaly* (recorded in the state, never
raised).  Fields are positional so that errors pickle across processes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import Factory, define

#: code → the number that `squidmesh help` knows.
NUMBERS: Final[Mapping[str, int]] = {
    "invalid_contract": 101,
    "conflicting_payload_field": 102,
    "incompatible_wiring": 103,
    "missing_input": 104,
    "unknown_input": 105,
    "payload_not_supplied": 106,
    "output_not_certain": 107,
    "duplicate_output_key": 108,
    "reserved_name": 109,
    "workflow_not_extensible": 110,
    "unsupported_feature": 111,
    "condition_as_bool": 120,
    "unknown_field": 121,
    "constant_condition": 122,
    "path_as_value": 123,
    "path_with_path": 124,
    "condition_as_input": 125,
    "invalid_operand": 126,
    "invalid_step_option": 130,
    "transaction_without_context": 131,
    "invalid_step_deadline": 132,
    "invalid_step_retry_opts": 133,
    "conflicting_step_recovery_markers": 134,
    "conflicting_step_compensation": 135,
    "invalid_wait_duration": 136,
    "invalid_cron_expression": 137,
    "invalid_action_key": 138,
    "invalid_cron_timezone": 139,
    "invalid_cron_idempotency": 140,
    "invalid_trigger": 141,
    "invalid_trigger_name": 142,
    "invalid_trigger_type": 143,
    "duplicate_trigger_name": 144,
    "invalid_payload_field": 145,
    "invalid_payload_field_name": 146,
    "invalid_payload_field_type": 147,
    "invalid_payload_field_opts": 148,
    "invalid_payload_default": 149,
    "duplicate_payload_field": 150,
    "invalid_step": 151,
    "invalid_step_name": 152,
    "invalid_step_kind": 153,
    "duplicate_step_name": 154,
    "invalid_step_input_mapping": 155,
    "invalid_step_output_mapping": 156,
    "invalid_step_retry_max_attempts": 157,
    "invalid_step_retry_backoff": 158,
    "invalid_step_recovery_marker": 159,
    "invalid_step_compensate_callback": 160,
    "invalid_step_transaction_boundary": 161,
    "invalid_log_message": 162,
    "invalid_log_level": 163,
    "unknown_action_key": 164,
    "disabled_action_key": 165,
    "invalid_spec": 170,
    "invalid_collection": 171,
    "unknown_key": 172,
    "too_large": 173,
    "runtime_owned_field": 174,
    "invalid_workflow": 175,
    "invalid_workflow_option": 176,
    "invalid_definition_version": 177,
    "invalid_sensitive_path": 178,
    "unreachable_step": 201,
    "dependency_transitions": 202,
    "transition_cycle": 203,
    "missing_approval_transitions": 204,
    "duplicate_transition": 205,
    "dependency_cycle": 206,
    "manual_step_transition_condition": 207,
    "missing_fallback": 208,
    "missing_triggers": 209,
    "missing_steps": 210,
    "unknown_transition_source": 211,
    "unknown_transition_target": 212,
    "invalid_transition_outcome": 213,
    "invalid_transition_condition": 214,
    "invalid_transition_recovery": 215,
    "invalid_step_dependencies": 216,
    "unknown_step_dependency": 217,
    "self_step_dependency": 218,
    "invalid_entry_steps": 219,
    "unknown_entry_step": 220,
    "not_found": 401,
    "invalid_run_id": 402,
    "ambiguous_run_id": 403,
    "invalid_transition": 410,
    "unsupported_manual_step": 411,
    "invalid_replay_source": 412,
    "not_awaited": 413,
    "already_received": 414,
    "ambiguous_correlation": 415,
    "child_starting": 416,
    "terminal_run": 417,
    "invalid_review": 418,
    "invalid_dynamic_work": 419,
    "ambiguous_gate": 420,
    "unknown_attempt": 421,
    "not_claimed": 422,
    "stale_claim": 423,
    "expired_claim": 424,
    "conflicting_completion": 425,
    "compensating": 426,
    "invalid_resume": 427,
    "waits_for_itself": 428,
    "unsafe_replay": 430,
    "idempotency_conflict": 431,
    "revision_conflict": 432,
    "wait_timeout": 433,
    "invalid_payload": 501,
    "invalid_message": 502,
    "invalid_form": 503,
    "missing_input_path": 504,
    "invalid_signal": 505,
    "unsupported_signal": 506,
    "invalid_signal_adapter": 507,
    "storage_error": 600,
    "not_storable": 601,
    "schema_behind": 602,
    "run_quarantined": 603,
    "storage_unavailable": 604,
    "outcome_unknown": 605,
    "newer_entries": 606,
    "schema_ahead": 607,
    "unsupported_transaction_storage": 608,
    "invalid_option": 701,
    "unknown_url": 702,
    "missing_extra": 703,
    "duplicate_workflow": 704,
    "duplicate_action": 705,
    "unknown_workflow": 706,
    "unknown_trigger": 707,
    "invalid_cursor": 708,
    "invalid_bundle": 709,
    "invalid_visibility_policy": 710,
}

#: Names that a message has room for.
MOST_NAMED: Final = 10


def enumerated(names: Iterable[str], between: str = ", ") -> str:
    """Names in a row: `a, b`; of many the first and how many more, for the details have all."""
    found = list(names)
    left = len(found) - MOST_NAMED
    more = f" and {left} more" if left > 0 else ""
    return f"{between.join(found[:MOST_NAMED])}{more}"


# No slots: OSError, and so TimeoutError, has a layout of its own (`WaitTimeout`).
@define(slots=False)
class SquidmeshError(Exception):
    """Anything squidmesh says no with."""

    #: One or two sentences: expected, actual, and what became of the data.
    message: str
    #: A stable word; see `NUMBERS`.
    code: str
    #: JSON-safe facts about the refusal; never option values, never secrets.
    details: Mapping[str, object] = Factory(dict)

    def __str__(self) -> str:
        return self.message

    @property
    def sm(self) -> int | None:
        """The number of this code, as `squidmesh help SM412` knows it."""
        return NUMBERS.get(self.code)


@define
class DefinitionError(SquidmeshError):
    """A workflow cannot be registered; every problem is listed."""

    #: The `Problem` records, most of them with file and line.
    problems: tuple[object, ...] = ()


@define
class PayloadError(SquidmeshError):
    """A payload, message or form does not fit its contract; nothing was written."""


@define
class RunNotFound(SquidmeshError):
    """No run has this id."""


@define
class Refused(SquidmeshError):
    """The run is not in a state that allows this command; nothing was written."""


@define
class UnsafeReplay(SquidmeshError):
    """Replaying would repeat what cannot be undone."""


@define
class IdempotencyConflict(SquidmeshError):
    """This idempotency key already belongs to another request."""


@define
class RevisionConflict(SquidmeshError):
    """Somebody appended first, again and again; nothing was written."""


@define
class StorageError(SquidmeshError):
    """The storage said no, or holds something that it should not."""


@define
class StorageUnavailable(StorageError):
    """The storage cannot be reached or is too busy."""


@define
class OutcomeUnknown(StorageError):
    """The connection broke around COMMIT, and it could not be learnt who won."""


@define
class WaitTimeout(SquidmeshError, TimeoutError):
    """The run did not reach the awaited status in time."""


@define
class ConfigError(SquidmeshError):
    """An option, URL or registration is wrong."""
