"""
Every rule of definitions: one valid spec, one thing changed.

Each row names the spec, the member that is changed, its new value, and the one
problem this must give; its place is the changed member unless the row says so.
"""

import json
from pathlib import Path
from typing import Final

import pytest

from squidmesh_core.definition.form import read_spec
from squidmesh_core.definition.problem import Place, Problem

CASES = Path(__file__).parents[2] / "typing" / "cases"
SPECS: Final = {
    "orders": (CASES / "orders.spec.json").read_text("utf-8"),
    **{
        name: json.dumps(spec)
        for name, spec in json.loads((CASES / "good.specs.json").read_text("utf-8")).items()
    },
}
#: Takes the member away.
GONE: Final = object()

PAYLOAD: Final = ("triggers", 0, "payload")
RETRY: Final = ("steps", 1, "retry")
BACKOFF: Final = ("steps", 3, "retry", "backoff")
LATE: Final = ("steps", 3, "deadline")
RISKY: Final = ("transitions", 1, "condition")


def changed(name: str, place: Place, value: object) -> tuple[Problem, ...]:
    """All problems of a spec with one member changed."""
    document = json.loads(SPECS[name])
    *way, last = place
    holder = document
    for key in way:
        holder = holder[key]
    if value is GONE:
        del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(value)
    else:
        holder[last] = value
    spec, problems = read_spec(document)
    assert (spec is None) == any(problem.severity == "error" for problem in problems)
    written = json.dumps(value, default=str)
    for problem in problems:
        # Each says in a sentence what it found, and null only where somebody wrote null.
        assert problem.message
        assert "None" not in str(problem)
        assert "null" in written or "null" not in problem.message
    return problems


def problems_after(name: str, place: Place, value: object) -> list[tuple[str, Place]]:
    """Code and path of all problems of a spec with one member changed."""
    return [(problem.code, problem.path) for problem in changed(name, place, value)]


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (("workflow",), GONE, "invalid_workflow"),
        (("workflow",), "two\nlines", "invalid_workflow"),
        (("workflow",), "Cafe\u0301", "invalid_workflow"),
        (("workflow",), "x" * 256, "invalid_workflow"),
        (("version",), 3, "invalid_definition_version"),
        (("queue",), "not a queue", "invalid_workflow_option"),
        (("priority",), "high", "invalid_workflow_option"),
        (("priority",), 2**31, "invalid_workflow_option"),
        (("timeout_ms",), 0, "invalid_workflow_option"),
        (("run_id",), "r-1", "runtime_owned_field"),
        (("audit_history",), None, "runtime_owned_field"),
        (("speed",), "fast", "unknown_key"),
        (("triggers",), {}, "invalid_collection"),
        (("steps",), "reserve", "invalid_collection"),
        (("transitions",), None, "invalid_collection"),
        (("triggers", 0), "placed", "invalid_trigger"),
        (("triggers", 0, "name"), "two words", "invalid_trigger_name"),
        (("triggers", 0, "type"), "webhook", "invalid_trigger_type"),
        (PAYLOAD, {}, "invalid_collection"),
        ((*PAYLOAD, 0), "order_id", "invalid_payload_field"),
        ((*PAYLOAD, 4, "name"), "", "invalid_payload_field_name"),
        ((*PAYLOAD, 4, "name"), "$int", "invalid_payload_field_name"),
        ((*PAYLOAD, 4, "type"), "text", "invalid_payload_field_type"),
        ((*PAYLOAD, 4, "required"), "yes", "invalid_payload_field_opts"),
        ((*PAYLOAD, 4, "nullable"), 1, "invalid_payload_field_opts"),
        ((*PAYLOAD, 5, "default"), 7, "invalid_payload_default"),
        ((*PAYLOAD, 5, "default"), "fax", "invalid_payload_default"),
        ((*PAYLOAD, 5, "default"), None, "invalid_payload_default"),
        ((*PAYLOAD, 2, "default"), {"now": "iso8601"}, "invalid_payload_default"),
        ((*PAYLOAD, 2, "default"), True, "invalid_payload_default"),
        ((*PAYLOAD, 0, "default"), {"now": "unix"}, "invalid_payload_default"),
        ((*PAYLOAD, 4, "choices"), [], "invalid_payload_field_opts"),
        ((*PAYLOAD, 4, "choices"), ["low", 3], "invalid_payload_field_opts"),
        ((*PAYLOAD, 4, "name"), "two\nlines", "invalid_payload_field_name"),
        ((*PAYLOAD, 4, "name"), "x" * 129, "invalid_payload_field_name"),
        ((*PAYLOAD, 0, "secret"), True, "unknown_key"),
        (("steps", 0), None, "invalid_step"),
        (("steps", 0, "name"), "re:serve", "invalid_step_name"),
        (("steps", 0, "name"), GONE, "invalid_step_name"),
        (("steps", 0, "kind"), "loop", "invalid_step_kind"),
        (("steps", 0, "after"), "risk", "invalid_step_dependencies"),
        (("steps", 0, "action"), GONE, "invalid_action_key"),
        (("steps", 0, "action"), "release stock", "invalid_action_key"),
        (("steps", 0, "input"), ["sku"], "invalid_step_input_mapping"),
        (("steps", 0, "input", "sku"), "sku", "invalid_step_input_mapping"),
        (("steps", 0, "input", "sku"), ["a", 1], "invalid_step_input_mapping"),
        (("steps", 0, "input", "sku"), {"path": ["sku"]}, "invalid_step_input_mapping"),
        (("steps", 0, "input", "sku"), {"value": 1, "path": []}, "invalid_step_input_mapping"),
        (("steps", 9, "output"), "", "invalid_step_output_mapping"),
        (("steps", 0, "queue"), "a b", "invalid_step_option"),
        (("steps", 0, "priority"), 0.5, "invalid_step_option"),
        (("steps", 0, "max_visits"), 0, "invalid_step_option"),
        (("steps", 0, "max_deliveries"), 51, "invalid_step_option"),
        (("steps", 0, "timeout_ms"), True, "invalid_step_option"),
        (("steps", 2, "timeout_ms"), 0, "invalid_step_option"),
        (("steps", 2, "max_visits"), 0, "invalid_step_option"),
        (("steps", 4, "timeout_ms"), 0, "invalid_step_option"),
        (("steps", 4, "max_visits"), 0, "invalid_step_option"),
        (("steps", 6, "timeout_ms"), 0, "invalid_step_option"),
        (("steps", 6, "max_visits"), 0, "invalid_step_option"),
        (("steps", 0, "compensate"), 5, "invalid_step_compensate_callback"),
        (("steps", 0, "compensate_retry"), 3, "invalid_step_retry_opts"),
        (("steps", 0, "irreversible"), "no", "invalid_step_recovery_marker"),
        (("steps", 0, "compensatable"), None, "invalid_step_recovery_marker"),
        (("steps", 0, "transaction"), "repo", "invalid_step_transaction_boundary"),
        (("steps", 0, "colour"), "red", "unknown_key"),
        (RETRY, 3, "invalid_step_retry_opts"),
        ((*RETRY, "max_attempts"), 0, "invalid_step_retry_max_attempts"),
        ((*RETRY, "max_attempts"), GONE, "invalid_step_retry_max_attempts"),
        ((*RETRY, "jitter"), 1, "invalid_step_retry_opts"),
        ((*RETRY, "retry_on"), "OSError", "invalid_step_retry_opts"),
        ((*RETRY, "times"), 3, "unknown_key"),
        (BACKOFF, "exponential", "invalid_step_retry_backoff"),
        ((*BACKOFF, "type"), "linear", "invalid_step_retry_backoff"),
        ((*BACKOFF, "type"), GONE, "invalid_step_retry_backoff"),
        ((*BACKOFF, "min_ms"), 0, "invalid_step_retry_backoff"),
        ((*BACKOFF, "min_ms"), GONE, "invalid_step_retry_backoff"),
        ((*BACKOFF, "min_ms"), 30_001, "invalid_step_retry_backoff"),
        ((*BACKOFF, "max_ms"), GONE, "invalid_step_retry_backoff"),
        ((*BACKOFF, "max_ms"), 367 * 86_400_000, "invalid_step_retry_backoff"),
        (LATE, "5m", "invalid_step_deadline"),
        ((*LATE, "within_ms"), 0, "invalid_step_deadline"),
        ((*LATE, "due_soon_ms"), 300_000, "invalid_step_deadline"),
        (LATE, {"within_ms": 1, "due_soon_ms": 1}, "invalid_step_deadline"),
        ((*LATE, "due_soon_ms"), -1, "invalid_step_deadline"),
        ((*LATE, "escalate_after_ms"), 1.5, "invalid_step_deadline"),
        ((*LATE, "escalation"), ["pager"], "invalid_step_deadline"),
        ((*LATE, "target"), 7, "invalid_step_deadline"),
        (("steps", 5, "duration_ms"), 0, "invalid_wait_duration"),
        (("steps", 5, "duration_ms"), GONE, "invalid_wait_duration"),
        (("steps", 5, "duration_ms"), 367 * 86_400_000, "invalid_wait_duration"),
        (("steps", 5, "output"), "cool_off", "unknown_key"),
        (("steps", 5, "transaction"), True, "unknown_key"),
        (("steps", 6, "question"), "", "invalid_step_option"),
        (("steps", 4, "correlation"), "order_id", "invalid_step_option"),
        (("transitions", 0), [], "invalid_transition"),
        (("transitions", 0, "from"), "nobody", "unknown_transition_source"),
        (("transitions", 13, "to"), "nowhere", "unknown_transition_target"),
        (("transitions", 13, "to"), GONE, "unknown_transition_target"),
        (("transitions", 13, "to"), 7, "unknown_transition_target"),
        (("transitions", 0, "on"), "done", "invalid_transition_outcome"),
        (("transitions", 13, "recovery"), "compensation", "invalid_transition_recovery"),
        (("transitions", 6, "recovery"), "refund", "invalid_transition_recovery"),
        (("transitions", 3, "condition"), {"path": ["sku"], "equals": 1}, "manual_step_transition_condition"),
        (RISKY, [], "invalid_transition_condition"),
        (RISKY, {"path": ["sku"]}, "invalid_transition_condition"),
        (RISKY, {"path": ["sku"], "equals": 1, "at_least": 2}, "invalid_transition_condition"),
        (RISKY, {"path": ["sku"], "matches": "(a+)+$"}, "invalid_transition_condition"),
        (("entry_steps",), ["risk"], "invalid_entry_steps"),
        (("entry_steps",), [], "invalid_entry_steps"),
        (("entry_steps",), "reserve", "invalid_entry_steps"),
        (("sensitive",), ["card_token"], "invalid_sensitive_path"),
    ],
)  # fmt: skip
def test_a_changed_member_is_the_problem(place: Place, value: object, code: str) -> None:
    """The order workflow with one member changed has one problem, at that member."""
    found = problems_after("orders", place, value)

    assert code in [problem for problem, _ in found]
    assert place == next(path for problem, path in found if problem == code)[: len(place)]


@pytest.mark.parametrize(
    ("name", "place", "value", "code", "path"),
    [
        ("orders", ("triggers",), GONE, "missing_triggers", ("triggers",)),
        ("orders", ("steps",), [], "missing_steps", ("steps",)),
        ("orders", ("steps", 1, "name"), "reserve", "duplicate_step_name", ("steps", 1, "name")),
        ("orders", (*PAYLOAD, 4, "choices"), ["low", 3], "invalid_payload_field_opts", (*PAYLOAD, 4, "choices", 1)),
        ("orders", ("steps", 2, "form", 1), {"name": "waive_fee", "type": "boolean"}, "duplicate_payload_field", ("steps", 2, "form", 1, "name")),
        ("orders", ("steps", 4, "message", 1, "name"), "payment_id", "duplicate_payload_field", ("steps", 4, "message", 1, "name")),
        ("good.Local", ("steps", 0, "name"), "complete", "reserved_name", ("steps", 0, "name")),
        ("orders", ("steps", 0, "output"), "sku", "duplicate_output_key", ("steps", 0, "output")),
        ("orders", ("steps", 9, "output"), "ship", "duplicate_output_key", ("steps", 9, "output")),
        ("orders", (*PAYLOAD, 5, "name"), "sku", "duplicate_payload_field", (*PAYLOAD, 5, "name")),
        ("orders", ("steps", 8, "compensatable"), True, "conflicting_step_recovery_markers", ("steps", 8)),
        ("orders", ("steps", 0, "compensatable"), False, "conflicting_step_compensation", ("steps", 0, "compensate")),
        ("orders", ("steps", 1, "compensate_retry"), {"max_attempts": 2}, "conflicting_step_compensation", ("steps", 1, "compensate_retry")),
        ("orders", ("transitions", 4), {"from": "review", "on": "ok", "to": "apology"}, "missing_approval_transitions", ("steps", 2)),
        ("orders", ("transitions", 14), {"from": "apology", "on": "ok", "to": "ship"}, "duplicate_transition", ("transitions", 14)),
        ("orders", ("transitions", 14), {"from": "ship", "on": "error", "to": "charge"}, "transition_cycle", ("transitions",)),
        ("orders", ("transitions", 14), {"from": "ship", "on": "error", "to": "ship"}, "transition_cycle", ("transitions",)),
        ("orders", ("transitions", 14), {"from": "cool_off", "on": "error", "to": "ship"}, "invalid_transition_outcome", ("transitions", 14, "on")),
        ("orders", ("transitions", 14), {"from": "count", "on": "timeout", "to": "ship"}, "invalid_transition_outcome", ("transitions", 14, "on")),
        ("orders", ("transitions", 14), {"from": "ship", "on": "timeout", "to": "apology"}, "invalid_transition_outcome", ("transitions", 14, "on")),
        ("orders", ("transitions", 9), GONE, "missing_fallback", ("steps", 5)),
        ("orders", ("transitions", 0, "to"), "review", "unreachable_step", ("steps", 1)),
        ("orders", ("entry_steps", 0), "nobody", "unknown_entry_step", ("entry_steps", 0)),
        ("orders", (*RISKY, "all", 0, "less_than"), "30", "invalid_operand", (*RISKY, "all", 0, "less_than")),
        ("orders", (*RISKY, "all", 0, "less_than"), True, "invalid_operand", (*RISKY, "all", 0, "less_than")),
        ("orders", (*RISKY, "all", 1), {"path": ["sku"], "is_in": []}, "invalid_operand", (*RISKY, "all", 1, "is_in")),
        ("orders", (*RISKY, "all", 1), {"path": ["sku"], "is_missing": None}, "invalid_operand", (*RISKY, "all", 1, "is_missing")),
        ("orders", (*RISKY, "all"), [], "invalid_transition_condition", (*RISKY, "all")),
        ("orders", (*RISKY, "all", 0), {"path": ["sku"], "at_most": "9"}, "invalid_operand", (*RISKY, "all", 0, "at_most")),
        ("orders", (*RISKY, "all", 0), {"any": [1]}, "invalid_transition_condition", (*RISKY, "all", 0, "any", 0)),
        ("orders", (*RISKY, "all", 0), {"not": 1}, "invalid_transition_condition", (*RISKY, "all", 0, "not")),
        ("orders", (*RISKY, "all", 0, "path"), [], "invalid_transition_condition", (*RISKY, "all", 0, "path")),
        ("orders", (*RISKY, "all", 0, "path"), ["rsk"], "unknown_field", RISKY),
        ("orders", ("sensitive", 1), ["card_tokn"], "unknown_field", ("sensitive", 1)),
        ("orders", ("sensitive",), [["card_token"], []], "invalid_sensitive_path", ("sensitive", 1)),
        ("orders", ("steps", 0, "input", "sku"), ["skew"], "unknown_field", ("steps", 0, "input", "sku")),
        ("orders", ("steps", 0, "input", "sku"), ["sku", "no"], "unknown_field", ("steps", 0, "input", "sku")),
        ("orders", ("steps", 0, "input", "sku"), {"path": ["nope"], "default": 1}, "unknown_field", ("steps", 0, "input", "sku")),
        ("orders", ("steps", 0, "input", "sku"), {"object": {"x": ["nope"]}}, "unknown_field", ("steps", 0, "input", "sku", "object", "x")),
        ("orders", ("steps", 9, "input", "order_id"), {"object": {"x": ["charge", "id"]}}, "output_not_certain", ("steps", 9, "input", "order_id", "object", "x")),
        ("orders", ("steps", 9, "input", "order_id"), ["charge", "payment_id"], "output_not_certain", ("steps", 9, "input", "order_id")),
        ("orders", ("steps", 7, "input", "warehouse"), ["review", "form"], "output_not_certain", ("steps", 7, "input", "warehouse")),
        ("orders", ("steps", 0, "input", "sku"), ["reserve", "id"], "output_not_certain", ("steps", 0, "input", "sku")),
        ("orders", ("steps", 4, "correlation"), ["ship", "no"], "output_not_certain", ("steps", 4, "correlation")),
        ("good.FanOut", ("steps", 0, "over"), ["sorry"], "output_not_certain", ("steps", 0, "over")),
        ("good.FanOut", ("steps", 0, "join"), "most", "invalid_step_option", ("steps", 0, "join")),
        ("good.FanOut", ("steps", 0, "workflow"), GONE, "invalid_step_option", ("steps", 0, "workflow")),
        ("good.FanOut", ("steps", 0, "trigger"), GONE, "invalid_step_option", ("steps", 0, "trigger")),
        ("good.FanOut", ("steps", 0, "over"), GONE, "invalid_step_option", ("steps", 0, "over")),
        ("good.FanOut", ("steps", 0, "key"), GONE, "invalid_step_option", ("steps", 0, "key")),
        ("good.FanOut", ("steps", 0, "max_visits"), 0, "invalid_step_option", ("steps", 0, "max_visits")),
        ("good.FanOut", ("steps", 0, "timeout_ms"), 5, "unknown_key", ("steps", 0, "timeout_ms")),
        ("good.TwoDoors", ("steps", 1, "input", "note"), ["asked_by"], "payload_not_supplied", ("steps", 1, "input", "note")),
        ("good.TwoDoors", ("triggers", 2, "payload", 0, "default"), GONE, "payload_not_supplied", ("steps", 0, "input", "name")),
        ("good.TwoDoors", ("triggers", 2, "payload", 0), {"name": "name", "type": "any"}, "conflicting_payload_field", ("triggers", 2, "payload", 0, "type")),
        ("good.TwoDoors", ("triggers", 1, "name"), "by_hand", "duplicate_trigger_name", ("triggers", 1, "name")),
        ("good.TwoDoors", ("triggers", 1, "timezone"), "Europe/Lisboa", "invalid_cron_timezone", ("triggers", 1, "timezone")),
        ("good.TwoDoors", ("triggers", 1, "timezone"), "../../etc/passwd", "invalid_cron_timezone", ("triggers", 1, "timezone")),
        ("good.TwoDoors", ("triggers", 1, "timezone"), "Europe", "invalid_cron_timezone", ("triggers", 1, "timezone")),
        ("good.TwoDoors", ("triggers", 1, "idempotency"), "new_run", "invalid_cron_idempotency", ("triggers", 1, "idempotency")),
        ("good.TwoDoors", ("triggers", 0, "expression"), "@daily", "unknown_key", ("triggers", 0, "expression")),
        ("shop.Claims", ("steps", 2, "level"), "fatal", "invalid_log_level", ("steps", 2, "level")),
        ("shop.Claims", ("steps", 2, "message"), "", "invalid_log_message", ("steps", 2, "message")),
        ("more.Chase", ("transitions",), [{"from": "account", "on": "ok", "to": "complete"}], "dependency_transitions", ("transitions",)),
        ("more.Chase", ("steps", 2, "after"), ["account", "nobody"], "unknown_step_dependency", ("steps", 2, "after", 1)),
        ("more.Chase", ("steps", 2, "after"), ["account", "a b"], "invalid_step_dependencies", ("steps", 2, "after", 1)),
        ("more.Chase", ("steps", 2, "after"), ["account", "account"], "invalid_step_dependencies", ("steps", 2, "after", 1)),
        ("more.Chase", ("steps", 2, "after", 0), "letter", "self_step_dependency", ("steps", 2, "after", 0)),
        ("more.Chase", ("steps", 0, "after"), ["letter"], "dependency_cycle", ("steps",)),
        ("more.Chase", ("steps", 2, "after"), ["account"], "output_not_certain", ("steps", 2, "input", "invoice")),
        ("more.Chase", ("entry_steps",), ["invoice", "account"], "invalid_entry_steps", ("entry_steps",)),
    ],
)  # fmt: skip
def test_a_changed_member_is_a_problem_elsewhere(
    name: str, place: Place, value: object, code: str, path: Place
) -> None:
    """What a change breaks is reported where it shows."""
    assert (code, path) in problems_after(name, place, value)


@pytest.mark.parametrize(
    "expression",
    ["61 * * * *", "* * *", "nonsense", "", "0 0 31 2 *", "R * * * *", "0 h * * *", "0 0 * * R(1-5)", "@reboot", "0 6 * * 1#6"],
)  # fmt: skip
def test_schedules_are_really_parsed(expression: str) -> None:
    """Wrong syntax, a day that never comes and slots drawn by chance are refused."""
    place: Place = ("triggers", 1, "expression")

    assert [("invalid_cron_expression", place)] == problems_after(
        "good.TwoDoors", place, expression
    )


@pytest.mark.parametrize(
    "expression", ["@hourly", "0 6 * * MON-FRI", "0 0 29 2 *", "*/5 * * mar,apr thu"]
)
def test_schedules_that_have_slots_are_fine(expression: str) -> None:
    """Names of days and months, and rare days, are no chance."""
    assert [] == problems_after("good.TwoDoors", ("triggers", 1, "expression"), expression)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("orders", ("transitions", 13), GONE),  # a strand may end without a route
        ("good.Drafting", ("steps", 1, "max_visits"), 2),  # two bounds on one loop
        ("orders", ("transitions", 14), {"from": "apology", "on": "error", "to": "complete"}),
        ("orders", ("steps", 9, "input", "order_id"), {"path": ["charge", "id"], "default": None}),
        ("orders", ("steps", 4, "correlation"), ["charge", "payment_id"]),
        ("orders", (*RISKY, "all", 0), {"path": ["sku"], "equals": 1}),
        ("orders", (*RISKY, "all", 0), {"path": ["sku"], "not_equals": None}),
        ("orders", ("steps", 7, "input", "warehouse"), {"value": {"anything": [1, None]}}),
        ("orders", ("workflow",), "x" * 255),
        ("orders", ("priority",), 2**31 - 1),
        ("orders", ("timeout_ms",), 1),
        ("orders", ("timeout_ms",), 36_600 * 86_400_000),
        ("orders", (*PAYLOAD, 6), {"name": "x" * 128, "type": "any", "required": False}),
        ("orders", ("steps", 0, "max_deliveries"), 1),
        ("orders", ("steps", 5, "duration_ms"), 366 * 86_400_000),
        ("orders", (*RETRY, "max_attempts"), 1),
        ("orders", LATE, {"within_ms": 1, "due_soon_ms": 0, "escalate_after_ms": 0}),
        ("orders", LATE, {"within_ms": 36_600 * 86_400_000, "due_soon_ms": 2**31}),
        ("orders", (*BACKOFF, "min_ms"), 1),
        ("orders", (*BACKOFF, "min_ms"), 30_000),
        ("orders", (*BACKOFF, "max_ms"), 366 * 86_400_000),
        ("orders", ("steps", 0, "input"), None),
        ("orders", ("steps", 9, "output"), None),
        ("more.Chase", ("steps", 2, "input"), {"all": []}),
        ("good.ByName", ("entry_steps",), GONE),
    ],
)
def test_what_is_allowed(name: str, place: Place, value: object) -> None:
    """Rules refuse no more than they say."""
    assert [] == problems_after(name, place, value)


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (("triggers",), {}, "invalid_collection"),
        (("steps",), "reserve", "invalid_collection"),
        (("transitions",), None, "invalid_collection"),
        (("triggers", 0), "placed", "invalid_trigger"),
        ((*PAYLOAD, 0), "order_id", "invalid_payload_field"),
        ((*PAYLOAD, 0, "name"), GONE, "invalid_payload_field_name"),
        (("steps", 0), None, "invalid_step"),
        (("steps", 0, "name"), GONE, "invalid_step_name"),
        (("steps", 0, "kind"), "loop", "invalid_step_kind"),
        (("transitions", 0), [], "invalid_transition"),
        (("transitions", 13, "to"), GONE, "unknown_transition_target"),
    ],
)
def test_without_its_parts_the_graph_is_not_judged(place: Place, value: object, code: str) -> None:
    """What follows from something missing would only hide it."""
    assert [(code, place)] == problems_after("orders", place, value)


LOOP: Final = {"from": "ship", "on": "error", "to": "slot"}


@pytest.mark.parametrize(
    ("name", "place", "value", "hint"),
    [
        ("orders", ("workflow",), "Cafe\u0301", "Write 'Caf\u00e9'."),
        ("orders", ("steps", 0, "action"), "a b", 'Write action="area.verb".'),
        ("orders", ("steps", 0, "input", "sku"), "sku", 'Write a path ["risk", "score"], '),
        ("orders", (*RISKY, "all", 0), {"path": ["sku"]}, "Operators are equals, "),
        ("orders", (*RISKY, "all", 0), {"not": {}}, "Operators are equals, "),
        ("orders", ("steps", 0, "speed"), 1, "Known are action, after, "),
        ("orders", ("steps", 0, "output"), "sku", 'Name one of them with output="\u2026".'),
        ("orders", ("steps", 1, "compensate_retry"), {"max_attempts": 2}, "Name the action in compensate."),
        ("orders", ("transitions", 4, "on"), "ok", "One route per outcome may be without a condition; "),
        ("orders", ("transitions", 3, "condition"), {"path": ["sku"], "equals": 1}, "Put the condition on the routes of the next node."),
        ("orders", ("transitions", 4), GONE, "Write review.on_reject(\u2026)."),
        ("orders", ("transitions", 14), LOOP, "Give one of its nodes max_visits."),
        ("orders", ("transitions", 9), GONE, "Add a route without a condition."),
        ("orders", ("transitions", 0, "to"), "review", "Write .then(risk) on the node before it."),
        ("orders", ("entry_steps",), ["risk"], "Leave entry_steps out: it is derived."),
        ("orders", ("steps", 4, "correlation"), ["ship", "no"], "Write maybe(ship.out.no), or lead every way through 'ship'."),
        ("good.Local", ("steps", 0, "name"), "complete", "Give the node another name."),
        ("good.TwoDoors", ("triggers", 1, "timezone"), "Mars", "Write a name like Europe/Lisbon."),
        ("good.TwoDoors", ("triggers", 2, "payload", 0, "type"), "any", "Triggers of one workflow share a payload; "),
        ("good.TwoDoors", ("steps", 1, "input", "note"), ["asked_by"], "Give it a default, or write maybe(by_hand.payload.asked_by)."),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_type(name: str, place: Place, value: object, hint: str) -> None:
    """Where the message alone does not say it."""
    assert any(problem.hint.startswith(hint) for problem in changed(name, place, value))


@pytest.mark.parametrize(
    ("name", "place", "value", "circle"),
    [
        ("orders", ("transitions", 14), LOOP, {"ship", "slot"}),
        ("more.Chase", ("steps", 0, "after"), ["letter"], {"account", "letter"}),
    ],
)
def test_a_circle_is_shown_in_full(
    name: str, place: Place, value: object, circle: set[str]
) -> None:
    """Every node on it once, wherever it begins, and the first one again at the end."""
    message = next(p.message for p in changed(name, place, value) if p.code.endswith("_cycle"))
    shown = message.partition(": ")[2].split(" → ")

    assert (circle, len(circle) + 1) == (set(shown), len(shown))
    assert shown[0] == shown[-1]


@pytest.mark.parametrize(("names", "wrong", "offers"), [(200, 12, 10), (201, 1, 0)])
def test_resembling_names_are_not_looked_for_without_end(
    names: int, wrong: int, offers: int
) -> None:
    """Looking is slow: among two hundred names at most, and ten times."""
    fields = [{"name": f"field_{i}", "type": "any"} for i in range(names - 1)]
    reads = {f"p{i}": [f"fjeld_{i}"] for i in range(wrong)}
    _, problems = read_spec(
        {
            "workflow": "w",
            "triggers": [{"name": "t", "type": "manual", "payload": fields}],
            "steps": [{"name": "s", "action": "a", "input": {"all": [], **reads}}],
        }
    )

    assert [f"Did you mean 'field_{i}'?" for i in range(offers)] + [""] * (wrong - offers) == [
        problem.hint for problem in problems
    ]


def test_a_bounded_loop_is_legal_and_an_endless_one_is_not() -> None:
    """One `max_visits` on the way round is enough, and needed."""
    assert [("transition_cycle", ("transitions",))] == problems_after(
        "good.Drafting", ("steps", 0, "max_visits"), None
    )


def test_problems_of_members_and_of_the_graph_come_together() -> None:
    """A wrong member does not hide what is wrong with the graph."""
    document = json.loads(SPECS["orders"])
    document["steps"][5]["duration_ms"] = 0
    document["transitions"][0]["to"] = "review"
    document["steps"][0]["input"]["sku"] = ["skew"]

    _, problems = read_spec(document)

    assert {"invalid_wait_duration", "unreachable_step", "unknown_field"} <= {
        problem.code for problem in problems
    }


def test_who_wrote_no_route_at_all_is_told_of_both_ways_to_write_one() -> None:
    """Nodes side by side without `after` look like nodes that routes have missed."""
    document = json.loads(SPECS["orders"]) | {"transitions": []}

    _, problems = read_spec(document)

    assert {
        "Write .then(charge) on the node before it, or after=[…] on the nodes that need others."
    } == {problem.hint for problem in problems if problem.message == "no route leads to 'charge'"}


def test_a_resembling_name_is_offered() -> None:
    """The hint says what was probably meant."""
    document = json.loads(SPECS["orders"])
    document["steps"][0]["input"]["sku"] = ["quantit"]

    _, (problem,) = read_spec(document)

    assert "Did you mean 'quantity'?" == problem.hint
    assert "SM121 unknown_field at steps.0.input.sku" in str(problem)
