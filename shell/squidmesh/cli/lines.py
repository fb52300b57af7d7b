"""Journal entries in a line each: for people who follow a run, and for `journal`."""

from collections.abc import Mapping
from typing import Final

from squidmesh.cli.screen import json_text
from squidmesh.files.masking import Mask
from squidmesh.views.reading import JournalEntry
from squidmesh_core.canonical import restore
from squidmesh_core.ids import (
    AttemptKey,
    NodeName,
    RunId,
    VisitKey,
    attempt_visit,
    is_timeout,
    run_visit,
    visit_node,
)
from squidmesh_core.views.words import actor_name

#: Entries that tell a follower nothing that another one does not.
_QUIET: Final = frozenset({"run_signal_received", "attempt_heartbeat", "attempt_claimed"})


def masked(entry: JournalEntry, mask: Mask, run_id: RunId) -> Mapping[str, object]:
    """The members of an entry, with what is sensitive masked."""
    node = node_of(entry.data, run_id)
    data: dict[str, object] = {}
    for name, value in entry.data.items():
        match entry.type, name, value:
            case "run_started", "input", _:
                data[name] = mask.context(value)
            case (
                ("attempt_completed", "output", _)
                | ("manual_step_resolved", "result", _)
                | ("message_received", "payload", _)
            ):
                data[name] = mask.output(node, value)
            case "message_awaited", "correlation", str():
                data[name] = mask.correlation(node, value)
            case "step_applied", "reused_from", Mapping() as reused:
                data[name] = _reused(reused, node, mask)
            case "step_applied", "transition", Mapping() as taken:
                data[name] = _decided(taken, mask)
            case _:
                data[name] = mask.value(value)
    return data


def node_of(data: Mapping[str, object], run_id: RunId) -> NodeName:
    """The node that an entry is about: named, or part of its keys; empty if there is none."""
    if isinstance(data.get("step"), str):
        return NodeName(str(data["step"]))
    visit = VisitKey(str(data.get("visit_key") or run_visit(run_id)))
    if key := data.get("attempt_key"):
        visit = attempt_visit(AttemptKey(str(key)))
    return NodeName("") if visit == run_visit(run_id) else visit_node(visit)


def entry_cells(entry: JournalEntry, mask: Mask, run_id: RunId) -> tuple[str, str, str] | None:
    """What happened, where, and how; null for entries that only the machinery needs."""
    if entry.type in _QUIET:
        return None
    return entry.type, node_of(entry.data, run_id), summary(entry, mask, run_id)


def summary(entry: JournalEntry, mask: Mask, run_id: RunId) -> str:
    """The heart of an entry, on one line."""
    data = masked(entry, mask, run_id)
    match entry.type:
        case "run_signal_received":
            said = (data.get("command"), data.get("comment"))
            return " ".join(str(part) for part in said if part)
        case "run_started":
            return f"{data.get('workflow')} {_value(data.get('input', {}))}"
        case "attempt_scheduled":
            return _scheduled(data)
        case "attempt_claimed":
            return f"by {data.get('owner')}, lease until {data.get('lease_until')}"
        case "attempt_heartbeat":
            return f"lease until {data.get('lease_until')}"
        case "attempt_completed":
            return "deferred" if data.get("deferred") else _value(data.get("output"))
        case "attempt_failed":
            again = "; will be retried" if data.get("retry") else ""
            return f"{_failure(data.get('error'))}{again}"
        case "step_applied":
            taken = data.get("transition")
            return f"→ {taken.get('to')}" if isinstance(taken, Mapping) else ""
        case "manual_step_paused":
            return str(data.get("kind"))
        case "manual_step_resolved":
            return _resolved(data)
        case "message_awaited":
            return f"correlation {data['correlation']}" if data.get("correlation") else ""
        case "message_received":
            return _value(data.get("payload"))
        case "compensation_started":
            failure = _failure(data.get("failure"))
            return f"{data.get('cause')}{f': {failure}' if failure else ''}"
        case "run_terminal":
            return _ended(data)
        case "run_pruned":
            return f"{data.get('workflow')} {data.get('status')}, ended {data.get('ended_at')}"
        case _:
            return json_text(data)


def _scheduled(data: Mapping[str, object]) -> str:
    what = "undo" if data.get("kind") == "compensation" else ""
    what = "time-out" if is_timeout(AttemptKey(str(data.get("attempt_key")))) else what
    when = f"visible at {data['visible_at']}" if data.get("visible_at") else ""
    return ", ".join(part for part in (what, when) if part)


def _resolved(data: Mapping[str, object]) -> str:
    by = f" by {actor_name(data['actor'])}" if data.get("actor") is not None else ""
    note = f": {data['comment']}" if data.get("comment") else ""
    return f"{data.get('action')}{by}{note}"


def _ended(data: Mapping[str, object]) -> str:
    error = _failure(data.get("error"))
    said = f"{data.get('status')}{f': {error}' if error else ''}"
    left = data.get("recovery")
    if not isinstance(left, list):
        return said
    names = [str(one["step"]) for one in left if isinstance(one, Mapping)]
    return f"{said}; left: {', '.join(names)}" if names else said


def _value(value: object) -> str:
    """A value as it was given; only a document has the form that the journal holds."""
    return json_text(restore(value))


def _decided(taken: Mapping[str, object], mask: Mask) -> Mapping[str, object]:
    """A route that was taken, the condition for it, and what was read there."""
    values = taken.get("values")
    decisive = {"values": mask.decisive(values)} if isinstance(values, Mapping) else {}
    when = {"condition": mask.condition(taken["condition"])} if "condition" in taken else {}
    return {**_members(mask.value(taken)), **when, **decisive}


def _reused(reused: Mapping[str, object], node: NodeName, mask: Mask) -> Mapping[str, object]:
    """A result that another run brought: as sensitive as one of this run."""
    shown: dict[str, object] = dict(_members(mask.value(reused)))
    shown["value"] = mask.output(node, reused.get("value"))
    given = reused.get("input")
    if isinstance(given, Mapping):
        shown["input"] = mask.input(node, given)
    return shown


def _failure(error: object) -> str:
    if not isinstance(error, Mapping):
        return ""
    message = error.get("message")
    return f"{error.get('kind')}: {message}" if message else str(error.get("kind"))


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
