"""
Everything that anybody could ask of a run, as the commands that the verbs would make.

What only the caller knows (who, why, what a form says) is filled in with samples, so
that a decider can be asked; the texts leave a place for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.decide.gates import told_apart
from squidmesh_core.definition.spec import ApprovalNode, Field, FieldType
from squidmesh_core.ids import RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Operating, Receipted
from squidmesh_core.protocol.entries import ManualStepPaused
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.records import ActionName
from squidmesh_core.views.words import typed

#: Who asks, where a decider wants to know and does not care.
SOMEBODY: Final = Receipted(actor="somebody")
_SAMPLES: Final[Mapping[FieldType, object]] = {
    "string": "…",
    "integer": 0,
    "float": 0.0,
    "boolean": False,
    "map": {},
    "list": [],
    "any": "…",
}


@frozen(kw_only=True)
class Candidate:
    """A command, and how to give it."""

    name: ActionName
    label: str
    #: The node or visit that it names.
    node: str | None = None
    command: Operating
    #: Arguments of the verb in Python, after the run, and options of the command, after the run.
    call: str
    options: str
    #: Whether where it leads hangs on what the caller says.
    uncertain: bool = False


def candidates(case: Case) -> Iterator[Candidate]:
    """All of them: those that answer what is waited for first, those that end the run last."""
    yield from _answers(case)
    yield from _resumes(case)
    yield from _messages(case)
    yield from _ends(case.state.run_id)
    yield _plain(case.state.run_id, "pause", "hold the whole run")


def sample(fields: Sequence[Field]) -> dict[str, object]:
    """A filled-in form that fits its contract."""
    return {field.name: _value(field) for field in _needed(fields)}


def _answers(case: Case) -> Iterator[Candidate]:
    gates = [gate for gate in case.state.gates.open.values() if gate.kind == "approval"]
    for gate, name in zip(gates, told_apart(gates), strict=True):
        yield from _reviews(case, gate, name, named=len(gates) > 1)
    if not gates and any(isinstance(node, ApprovalNode) for node in case.spec.steps):
        yield _review(case, "approved", "say yes")
        yield _review(case, "rejected", "say no")


def _reviews(case: Case, gate: ManualStepPaused, name: str, *, named: bool) -> Iterator[Candidate]:
    """Yes and no at one approval."""
    node = case.spec.nodes.get(gate.step) if gate.step else None
    form = node.form if isinstance(node, ApprovalNode) else None
    at = repr(str(gate.step))
    yield _review(case, "approved", f"say yes at {at}", name, form=form, named=named)
    yield _review(case, "rejected", f"say no at {at}", name, named=named)


def _review(
    case: Case,
    decision: Literal["approved", "rejected"],
    label: str,
    node: str | None = None,
    *,
    form: Sequence[Field] | None = None,
    named: bool = False,
) -> Candidate:
    filled = None if form is None else sample(form)
    asked = requests.review(case.state.run_id, SOMEBODY, decision, node=node, form=filled)
    fields, place = form or (), node if named else None
    return Candidate(
        name="approve" if decision == "approved" else "reject",
        label=label,
        node=node,
        command=asked.command,
        call=_arguments('by="NAME"', node=place, form=_places(fields)),
        options=_options("--by NAME", node=place, sets=fields),
    )


def _resumes(case: Case) -> Iterator[Candidate]:
    gates = [gate for gate in case.state.gates.open.values() if gate.kind == "pause"]
    held, run_id = case.state.gates.hold is not None, case.state.run_id
    if held or not gates:
        yield _plain(run_id, "resume", "lift the hold")
    for gate, name in zip(gates, told_apart(gates), strict=True):
        named = name if held or len(gates) > 1 else None
        yield Candidate(
            name="resume",
            label=f"go on at {str(gate.step)!r}",
            node=name,
            command=requests.resume(run_id, SOMEBODY, node=name).command,
            call=_arguments("", node=named),
            options=_options("", node=named),
        )


def _messages(case: Case) -> Iterator[Candidate]:
    waiting = {entry.step for entry in case.state.mail.awaited.values()}
    for node in sorted(case.spec.receivers, key=lambda node: node.name not in waiting):
        routes = case.spec.routes.get((node.name, "ok"), ())
        message = requests.send(
            case.state.run_id, SOMEBODY, node=node.name, payload=sample(node.message)
        )
        places = _places(node.message) or "{}"
        yield Candidate(
            name="send",
            label=f"hand {str(node.name)!r} its message",
            node=node.name,
            command=message.command,
            call=f'"{node.name}", {places}',
            options=f"{node.name}{_sets(node.message)}",
            uncertain=any(route.condition is not None for route in routes),
        )


def _ends(run_id: RunId) -> Iterator[Candidate]:
    for name, label, compensate, abandon in _ENDS:
        option = "compensate" if compensate else "abandon" if abandon else ""
        yield Candidate(
            name=name,
            label=label,
            command=requests.cancel(
                run_id, SOMEBODY, compensate=compensate, abandon=abandon
            ).command,
            call=f"{option}=True" if option else "",
            options=f"--{option}" if option else "",
        )


_ENDS: Final[tuple[tuple[ActionName, str, bool, bool], ...]] = (
    ("cancel", "end it here", False, False),
    ("cancel_and_undo", "end it, and undo what was done", True, False),
    ("abandon", "stop undoing, and end it", False, True),
)


def _plain(run_id: RunId, name: ActionName, label: str) -> Candidate:
    make = requests.pause if name == "pause" else requests.resume
    return Candidate(
        name=name, label=label, command=make(run_id, SOMEBODY).command, call="", options=""
    )


# --- what a form or message needs


def _needed(fields: Sequence[Field]) -> list[Field]:
    return [field for field in fields if field.required and field.default is None]


def _value(field: Field) -> object:
    return field.choices[0] if field.choices else _SAMPLES[field.type]


def _places(fields: Sequence[Field]) -> str:
    """The form in Python, with a place for each value that it needs; empty: it needs none."""
    members = ", ".join(f'"{field.name}": ...' for field in _needed(fields))
    return f"{{{members}}}" if members else ""


def _sets(fields: Sequence[Field]) -> str:
    return "".join(f" --set {typed(f'{field.name}=…')}" for field in _needed(fields))


def _arguments(first: str, *, node: str | None = None, form: str = "") -> str:
    parts = [first, f'node="{node}"' if node else "", f"form={form}" if form else ""]
    return ", ".join(part for part in parts if part)


def _options(first: str, *, node: str | None = None, sets: Sequence[Field] = ()) -> str:
    parts = [f"--node {node}" if node else "", first, _sets(sets).strip()]
    return " ".join(part for part in parts if part)
