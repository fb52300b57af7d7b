"""
What a run waits for outside itself, and what to type: gates, holds, messages, undoing.

Each is a line that says what, a line that says since when and until when, and,
where a person can do something about it, the command.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from squidmesh.cli.screen import STYLES, Screen, Style
from squidmesh.files.masking import Mask
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.definition.spec import ApprovalNode, Field, ReceiveNode
from squidmesh_core.ids import NodeName
from squidmesh_core.plan.deadline import Due
from squidmesh_core.protocol.entries import Unrecovered
from squidmesh_core.views.waiting import AwaitedView, CompensationView, GateView
from squidmesh_core.views.words import LEFT, actor_name, printable, typed

if TYPE_CHECKING:
    from rich.text import Text

#: How far undoing a step is → the sign before its name.
_SIGNS: Final = {
    "pending": "○",
    "running": "▶",
    "retrying": "↻",
    "compensated": "↶",
    "failed": "✖",
}


class Waits:
    """
    The part of a run's panel that people outside must know of.

    Args:
        snapshot: The run.
        screen: How instants are shown.
        mask: What is sensitive in the run.
        commands: Whether to say what to type.
    """

    def __init__(self, snapshot: Snapshot, screen: Screen, mask: Mask, *, commands: bool) -> None:
        self._snapshot = snapshot
        self._screen = screen
        self._mask = mask
        self._commands = commands

    def lines(self) -> "Iterator[Text]":
        """All of it; nothing for a run that waits for nobody, nor of what is hidden."""
        return (line for line in self._lines() if line.plain.strip())

    def _lines(self) -> "Iterator[Text]":
        for gate in self._snapshot.gates:
            yield from self._hold(gate) if gate.kind == "hold" else self._gate(gate)
        for awaited in self._snapshot.awaited:
            yield from self._awaited(awaited)
        if self._snapshot.compensation is not None:
            yield from self._undoing(self._snapshot.compensation)

    # -- people

    def _gate(self, gate: GateView) -> "Iterator[Text]":
        what = "a decision on" if gate.kind == "approval" else "somebody to go on at"
        asks = f": {gate.question}" if gate.question else ""
        yield _line(f"waiting for {what} '{gate.node}'{asks}", "magenta")
        yield self._times(gate.opened_at, gate.deadline, gate.times_out_at)
        name = self._named(gate)
        if gate.kind == "pause":
            yield from self._command("go on", gate.targets.get("ok"), "resume", name)
            return
        node = self._snapshot.spec.nodes.get(gate.node) if gate.node else None
        fields = node.form or () if isinstance(node, ApprovalNode) else ()
        yield from self._command(
            "yes", gate.targets.get("ok"), "approve", f"{name} --by NAME{_sets(fields)}"
        )
        refused = gate.targets.get("error") or "the run fails"
        yield from self._command("no", refused, "reject", f"{name} --by NAME")

    def _hold(self, gate: GateView) -> "Iterator[Text]":
        held = [one for one in self._snapshot.command_history if one.command == "pause"]
        actor = held[-1].actor if held else None
        by = "" if actor is None else f" by {self._mask.text(actor_name(actor))}"
        yield _line(f"held{by}: nothing is claimed until it is resumed", "magenta")
        yield self._times(gate.opened_at, None, None)
        yield from self._command("go on", None, "resume", "")

    def _named(self, gate: GateView) -> str:
        """The option that names a gate, where a command could mean another one."""
        others = [other for other in self._snapshot.gates if other is not gate]
        if gate.kind == "approval":
            others = [other for other in others if other.kind == "approval"]
        if not others:
            return ""
        twice = any(other.node == gate.node for other in others)
        return f" --node {gate.visit_key if twice else gate.node}"

    # -- messages

    def _awaited(self, awaited: AwaitedView) -> "Iterator[Text]":
        yield _line(f"waiting for a message at '{awaited.node}'", "magenta")
        yield self._times(
            awaited.since, awaited.deadline, awaited.times_out_at, self._found_by(awaited)
        )
        node = self._snapshot.spec.nodes.get(awaited.node)
        fields = node.message if isinstance(node, ReceiveNode) else ()
        yield from self._command("send", None, "send", f" {awaited.node}{_sets(fields)}")

    def _found_by(self, awaited: AwaitedView) -> str:
        if awaited.correlation is None:
            return ""
        return f"correlation {self._mask.correlation(awaited.node, awaited.correlation)}"

    # -- undoing

    def _undoing(self, undoing: CompensationView) -> "Iterator[Text]":
        why = "it was cancelled"
        if undoing.failure is not None:
            why = f"{undoing.node or 'the run'} failed with {undoing.failure.kind}"
        over = self._snapshot.terminal
        now = "undone what could be undone" if over else "undoing what was done"
        yield _line(f"{now}, because {why}", "yellow")
        for step in undoing.steps:
            status = step.status.replace("_", " ")
            sign = _SIGNS.get(step.status, "?")
            yield _line(f"  {sign}  undo {step.node}  {status}", STYLES.get(status, ""))
        if undoing.recovery:
            yield from self._left(undoing.recovery)

    def _left(self, recovery: Sequence[Unrecovered]) -> "Iterator[Text]":
        yield _line("left for a person to look after", "red")
        for left in recovery:
            error = ""
            if left.error is not None:
                error = f" ({left.error.kind}: {self._mask.text(left.error.message)})"
            yield _line(f"  {left.step}: {LEFT[left.reason]}{error}")
        if any(left.reason != "effect_unknown" for left in recovery):
            yield from self._command("try again", None, "retry-compensation", "")

    # -- how each is written

    def _times(
        self, since: datetime, due: Due | None, times_out: datetime | None, also: str = ""
    ) -> "Text":
        began = self._screen.when(since).human
        parts = [f"since {began}"] if began else []
        if due is not None:
            late = "overdue, was due" if due.status in {"overdue", "escalated"} else "due"
            parts.append(f"{late} {self._screen.when(due.due_at).human}")
        if times_out is not None:
            parts.append(f"times out {self._screen.when(times_out).human}")
        return _line(f"  {' · '.join(part for part in [*parts, also] if part)}", "dim")

    def _command(
        self, answer: str, target: str | NodeName | None, command: str, options: str
    ) -> "Iterator[Text]":
        if self._commands:
            leads = f"{answer} → {target}" if target else answer
            line = _line(f"  {leads:<20}  squidmesh {command} {self._snapshot.id}{options}")
            # To be copied whole: the terminal wraps it, not we.
            line.no_wrap, line.overflow = True, "ignore"
            yield line


def _line(text: str, style: Style = "") -> "Text":
    from rich.text import Text

    return Text(printable(text), style=style)


def _sets(fields: Sequence[Field]) -> str:
    """The fields to fill in; those that may be left out in brackets."""
    texts = (f"--set {typed(f'{field.name}=…')}" for field in fields)
    shown = (
        text if field.required else f"[{text}]" for field, text in zip(fields, texts, strict=True)
    )
    return "".join(f" {text}" for text in shown)
