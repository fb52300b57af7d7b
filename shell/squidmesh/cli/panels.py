"""One run drawn for people: its sentence, its steps, what went wrong, what it knows."""

from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from squidmesh.cli import clock
from squidmesh.cli.documents import mask_of, taken_in
from squidmesh.cli.screen import STYLES, Screen, json_text
from squidmesh.cli.text import counted, one_line
from squidmesh.cli.waits import Waits
from squidmesh.files.masking import Mask
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.ids import is_timeout
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.views.history import AuditView
from squidmesh_core.views.inspection import AttemptView
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.reason import Reason
from squidmesh_core.views.steps import SIGNS, StepView
from squidmesh_core.views.words import actor_name, printable, span

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

_REASONS: Final[Mapping[Reason, str]] = {
    "terminal": "it is over",
    "compensating": "what was done is being undone",
    "manual_intervention_required": "a person is waited for",
    "expired_claim": "a worker's lease ran out; another worker will take over",
    "attempt_visible": "work is ready; a worker is waited for",
    "waiting_for_join": "one dependency is done, another is not",
    "deferred_continuation": "a step asked to be continued later",
    "attempt_claimed": "a worker is at it",
    "attempt_scheduled_for_later": "the next attempt comes later",
    "waiting_for_message": "a message is waited for",
    "idle": "nothing is scheduled",
    "run_started": "nothing is scheduled yet",
}
_BAR: Final = 16
#: Characters of one text of a context; of all of it, and lines.
_LONGEST_TEXT: Final = 500
_MOST_CHARACTERS: Final = 10_000
_MOST_LINES: Final = 200


def run_panel(snapshot: Snapshot, screen: Screen, *, commands: bool) -> "Group":
    """
    A run as `show` and the live tree draw it.

    Args:
        snapshot: The run.
        screen: How instants are shown.
        commands: Whether to say what to type at its gates.
    """
    from rich.console import Group

    mask = mask_of(snapshot)
    parts: list[RenderableType] = [_heading(snapshot)]
    if facts := _facts(snapshot, screen):
        parts.append(facts)
    parts.append(_steps(snapshot, mask))
    if snapshot.error is not None:
        parts.append(_error(snapshot.error, snapshot.failed_step, mask))
    waits = Waits(snapshot, screen, mask, commands=commands)
    return Group(*parts, *waits.lines())


def history_table(snapshot: Snapshot) -> "Table":
    """Every attempt with what it took in and gave out."""
    from rich.table import Table
    from rich.text import Text

    mask = mask_of(snapshot)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False, expand=True)
    for heading in ("attempt", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("took in", "gave out"):
        # What they say may be long: they share what the others leave.
        table.add_column(heading, overflow="ellipsis", no_wrap=True, ratio=1)
    for attempt in snapshot.attempts:
        if attempt.error is not None:
            gave = _failure_line(attempt.error, mask)
        else:
            gave = json_text(mask.output(attempt.node, attempt.output))
        took = json_text(taken_in(attempt, mask))
        table.add_row(
            Text(_attempt_name(attempt)),
            Text(attempt.status, style=STYLES.get(attempt.status, "")),
            Text(printable(took)),
            Text(printable(gave), style="red" if attempt.error else ""),
        )
    return table


def audit_line(done: AuditView, screen: Screen, mask: Mask) -> str:
    """What somebody decided, or a route did for them, and where that led."""
    what = done.event.replace("_", " ")
    where = f" at {done.node}" if done.node else ""
    by = "" if done.actor is None else f" by {mask.text(actor_name(done.actor))}"
    led = f" → {done.target}" if done.target else ""
    note = f": {one_line(mask.text(done.comment), 60)}" if done.comment else ""
    return f"{what}{where}{by} {screen.at(done.at)}{led}{note}"


def context_text(snapshot: Snapshot) -> "Text":
    """The payload and the outputs so far, as far as anybody reads."""
    from rich.text import Text

    value = mask_of(snapshot).context(snapshot.context)
    lines = json_text(_clipped(value), indent=2).splitlines()
    read = sum(used <= _MOST_CHARACTERS for used in accumulate(map(len, lines)))
    most = min(read, _MOST_LINES)
    if left := len(lines) - most:
        lines[most:] = [f"… and {counted(left, 'line')} more; --json prints all"]
    return Text("\n".join(lines))


def _clipped(value: object) -> object:
    """The same with texts that nobody reads to their end cut, and their length told."""
    match value:
        case str() if len(value) > _LONGEST_TEXT:
            return f"{value[:_LONGEST_TEXT]}… ({len(value)} characters)"
        case Mapping():
            return {name: _clipped(member) for name, member in value.items()}
        case list():
            return [_clipped(member) for member in value]
        case _:
            return value


def _heading(snapshot: Snapshot) -> "Text":
    from rich.text import Text

    run = snapshot.run
    version = f" {run.version}" if run.version else ""
    return Text.assemble(
        ("run ", "dim"),
        (run.id, "bold"),
        f"  {printable(run.workflow)}{printable(version)}  ",
        (run.status, STYLES.get(run.status, "")),
    )


def _facts(snapshot: Snapshot, screen: Screen) -> "Text":
    from rich.text import Text

    run = snapshot.run
    facts: list[str] = []
    if run.created_at != HIDDEN_AT:
        end = run.ended_at or clock.now()
        lasted = span((end - run.created_at).total_seconds())
        facts.append(f"started {screen.when(run.created_at).human}")
        facts.append(f"took {lasted}" if run.ended_at else f"for {lasted}")
    if snapshot.reason in _REASONS:  # it may be hidden
        facts.append(_REASONS[snapshot.reason])
    if run.key is not None:
        facts.insert(0, f"key {printable(run.key)}")
    if run.pruned_at is not None:
        facts.append(f"pruned {screen.when(run.pruned_at).human}; only this is left of it")
    if snapshot.next_visible_at is not None and not snapshot.terminal:
        facts.append(f"next {screen.when(snapshot.next_visible_at).human}")
    return Text(" · ".join(facts), style="dim")


def _steps(snapshot: Snapshot, mask: Mask) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    newest = {a.node: a for a in snapshot.attempts if a.kind != "compensation"}
    for step in snapshot.steps:
        status = _shown_status(step, snapshot)
        style = STYLES.get(status, "")
        note = _note(step, newest.get(step.name), mask)
        table.add_row(
            Text(f"  {SIGNS.get(step.status, '·')}", style=style),
            Text(step.name, style="dim" if step.status == "waiting" else ""),
            Text(status, style=style or "dim"),
            Text(note, style="dim"),
        )
    return table


def _shown_status(step: StepView, snapshot: Snapshot) -> str:
    """A step that nothing leads to any more is not waiting; pictures call it so too."""
    if step.status != "waiting" or (not snapshot.terminal and snapshot.compensation is None):
        return step.status
    return "withdrawn" if step.visits else "not reached"


def _note(step: StepView, attempt: AttemptView | None, mask: Mask) -> str:
    notes: list[str] = []
    if step.visits > 1:
        notes.append(f"visit {step.visits}")
    if attempt is not None and attempt.number > 1:
        notes.append(f"attempt {attempt.number}")
    if attempt is not None and attempt.deliveries > 1:
        notes.append(f"taken over, delivery {attempt.deliveries}")
    if attempt is not None and attempt.progress is not None and step.status == "running":
        notes.append(_progress(attempt.progress, mask))
    return ", ".join(notes)


def _progress(progress: Mapping[str, object], mask: Mask) -> str:
    done, of, note = (progress.get(name) for name in ("done", "of", "note"))
    bar = ""
    if isinstance(done, int | float) and isinstance(of, int | float) and of > 0:
        filled = round(_BAR * min(1.0, max(0.0, done / of)))
        bar = f"{'━' * filled}{'╌' * (_BAR - filled)} {done:g}/{of:g}"
    elif isinstance(done, int | float):
        bar = f"{done:g}"
    return f"{bar} {one_line(mask.text(note), 60) if isinstance(note, str) else ''}".strip()


def _error(error: Failure, node: str | None, mask: Mask) -> "Text":
    from rich.text import Text

    where = f" in {node}" if node else ""
    return Text(f"error{where}: {printable(_failure_line(error, mask))}", style="red")


def _failure_line(error: Failure, mask: Mask) -> str:
    code = f" ({mask.text(error.code)})" if error.code else ""
    return f"{error.kind}: {mask.text(error.message)}{code}"


def _attempt_name(attempt: AttemptView) -> str:
    visit = f"@{attempt.visit}" if attempt.visit > 1 else ""
    if is_timeout(attempt.key):
        return f"{attempt.node or 'run'}{visit} time-out"
    undo = "undo " if attempt.kind == "compensation" else ""
    return f"{undo}{attempt.node}{visit} #{attempt.number}"
