"""The whole spec, of untrusted data: limits first, then every member."""

from collections.abc import Mapping
from typing import Final, get_args

from squidmesh_core.canonical import restore, storable
from squidmesh_core.definition.graph import derived_entry_steps
from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.reading import members, policies
from squidmesh_core.definition.reading.fields import trigger
from squidmesh_core.definition.reading.nodes import node
from squidmesh_core.definition.reading.source import Report, Source, UnreadableError, a_list
from squidmesh_core.definition.spec import Outcome, RecoveryMarker, Spec, Transition
from squidmesh_core.errors import StorageError

#: Limits of one definition.
MOST_STEPS: Final = 2_000
MOST_EDGES: Final = 10_000
MOST_TRIGGERS: Final = 100
MOST_BYTES: Final = 4 * 1024 * 1024

#: What only the runtime may say about a workflow.
RUNTIME_OWNED: Final = (
    "run_id",
    "status",
    "terminal_status",
    "current_node_id",
    "current_node_ids",
    "definition_fingerprint",
    "fingerprint",
    "spec_fingerprint",
    "journal",
    "audit_history",
    "attempts",
    "dispatches",
    "history",
)
_OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
_MARKERS: Final[tuple[RecoveryMarker, ...]] = get_args(RecoveryMarker)
_OPTION: Final = "invalid_workflow_option"


def read_members(data: object) -> tuple[Spec | None, tuple[Problem, ...]]:
    """
    The spec that the data describes, and what is wrong with its members.

    The spec is there even when a member was wrong (a stand-in is in its
    place), so that the graph can be judged as well; it is not there when too
    much is missing for that.
    """
    try:
        document = restore(storable(data, where="the spec", limit_bytes=MOST_BYTES))
    except StorageError as refused:
        return None, (_unstorable(refused),)
    if not isinstance(document, Mapping):
        return None, (Problem(path=(), code="invalid_spec", message="a spec is an object"),)
    report = Report()
    source = Source(members=document, path=(), report=report)
    if _too_large(source):
        return None, tuple(report.problems)
    spec = _spec(source)
    return (None if report.broken else spec), tuple(report.problems)


def _spec(source: Source) -> Spec:
    for name in RUNTIME_OWNED:
        if source.has(name):
            source.problem("runtime_owned_field", f"only the runtime says {name}", place=(name,))
    workflow = source.required("workflow", members.title, instead="_", code="invalid_workflow")
    triggers = tuple(map(trigger, source.objects("triggers", code="invalid_trigger")))
    steps = tuple(map(node, source.objects("steps", code="invalid_step")))
    transitions = tuple(map(_transition, source.objects("transitions", code="invalid_transition")))
    for name, found in (("triggers", triggers), ("steps", steps)):
        if not found and not source.report.broken:
            source.problem(f"missing_{name}", f"a workflow has {name}", place=(name,))
    derived = derived_entry_steps(steps, transitions)
    spec = Spec(
        workflow=workflow,
        version=source.nullable("version", members.title, code="invalid_definition_version"),
        queue=source.nullable("queue", members.queue_name, code=_OPTION),
        priority=source.nullable("priority", members.whole(-members.LARGEST_COLUMN), code=_OPTION),
        timeout_ms=source.nullable(
            "timeout_ms", members.milliseconds(1, members.LONGEST_LIMIT_MS), code=_OPTION
        ),
        triggers=triggers,
        steps=steps,
        transitions=transitions,
        entry_steps=source.optional(
            "entry_steps", members.node_names, default=derived, code="invalid_entry_steps"
        ),
        sensitive=source.optional("sensitive", _paths, default=(), code="invalid_sensitive_path"),
    )
    source.close()
    return spec


def _transition(source: Source) -> Transition:
    name = members.node_name
    read = Transition(
        source=source.essential(
            "from", name, instead=members.NOBODY, code="unknown_transition_source"
        ),
        on=source.essential(
            "on", members.one_of(_OUTCOMES), instead="ok", code="invalid_transition_outcome"
        ),
        target=source.essential(
            "to", name, instead=members.NOBODY, code="unknown_transition_target"
        ),
        condition=source.nullable(
            "condition", policies.condition, code="invalid_transition_condition"
        ),
        recovery=source.nullable(
            "recovery", members.one_of(_MARKERS), code="invalid_transition_recovery"
        ),
    )
    source.close()
    return read


def _paths(value: object) -> tuple[tuple[str, ...], ...]:
    paths: list[tuple[str, ...]] = []
    for i, item in enumerate(a_list(value)):
        try:
            paths.append(members.path(item))
        except UnreadableError as problem:
            raise UnreadableError(problem.message, path=(i,)) from None
    return tuple(paths)


def _too_large(source: Source) -> bool:
    """Whether there is more than anybody may ask us to look at; counted before it is read."""
    steps = _listed(source, "steps")
    after = [step["after"] for step in steps if isinstance(step, Mapping) and "after" in step]
    edges = len(_listed(source, "transitions")) + sum(
        len(names) for names in after if isinstance(names, list)
    )
    counts = (
        ("triggers", len(_listed(source, "triggers")), MOST_TRIGGERS),
        ("steps", len(steps), MOST_STEPS),
        ("transitions", edges, MOST_EDGES),
    )
    for name, count, most in counts:
        if count > most:
            source.problem("too_large", f"{count} {name}, more than {most}", place=(name,))
    return any(count > most for _, count, most in counts)


def _listed(source: Source, name: str) -> list[object]:
    found = source.members.get(name)
    return found if isinstance(found, list) else []


def _unstorable(refused: StorageError) -> Problem:
    path = refused.details["path"]
    place = tuple(path) if isinstance(path, list) else ()
    return Problem(path=place, code="invalid_spec", message=f"no JSON: {refused.details['reason']}")
