"""
The state diagrams in specs/states/, drawn from the tables that the core runs on.

`render` gives the pages; `generate.py` writes or compares them.
"""

from typing import Final, get_args

from squidmesh_core.protocol.entries import RunStarted, RunTerminal, StepApplied
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.state.attempt import LIVE, MISFITS, MOVES, AttemptStatus

#: Before the machine: which entry brings an attempt into being, in which status.
BIRTHS: Final[tuple[tuple[AttemptStatus, str], ...]] = (
    ("available", "attempt_scheduled"),
    ("retry_scheduled", "attempt_failed, as its retry"),
)

#: How a run looks in each status, in the order in which they are asked for.
RUN_STATUSES: Final[dict[RunStatus, str]] = {
    "completed": "`run_terminal` says so: nothing is left to do",
    "failed": "`run_terminal` says so: a failure that no retry and no route took up",
    "cancelled": "`run_terminal` says so: an operator ended it",
    "compensating": "going backwards; no command of this version leads here",
    "paused": "a gate or a hold is open; no command of this version leads here",
    "running": "an attempt is live: to be claimed now or later, or held",
    "idle": "results are applied, nothing is live; only in histories cut short",
    "started": "nothing is applied, nothing is live; only in histories cut short",
}

#: (from, to, why); null is a run that is not there yet.
RUN_MOVES: Final[tuple[tuple[RunStatus | None, RunStatus, str], ...]] = (
    (None, "running", "start"),
    (None, "completed", "start, of a run that needs nobody"),
    (None, "failed", "start, of a run whose first logs lead nowhere"),
    ("running", "completed", "the last result is applied"),
    ("running", "failed", "a failure for good"),
    ("running", "cancelled", "cancel"),
)

_ATTEMPT: Final = """\
# The attempt machine

<!-- Drawn by specs/diagrams.py from squidmesh_core.state.attempt; do not edit. -->

One try at a step, from its birth to its settlement.
An entry that does not fit becomes an anomaly with the reason named below, and changes nothing else; deciders refuse before such an entry is written.

```mermaid
stateDiagram-v2
{edges}
```

{table}

`→` names the status after the entry; a word alone is the reason why it does not fit.
`run_terminal` withdraws {withdrawn}; {kept} stays as it is, fenced off by the end.

An entry that the table lets through must also find its time and its holder right (protocol.md §3):

| entry | asks | else |
|---|---|---|
| `attempt_claimed` | of a claimed attempt: `lease_until <= at` | `active_claim` |
| `attempt_claimed` | `visible_at <= at` | `attempt_not_visible` |
| `attempt_heartbeat`, `attempt_completed`, `attempt_failed` | claim id and token hash of the newest claim | `stale_claim` |
| `attempt_heartbeat`, `attempt_completed`, `attempt_failed` | `at < lease_until` | `expired_claim` |
| `attempt_failed` without a claim, by the runtime | `lease_until <= at` | `active_claim` |
"""

_RUN: Final = """\
# The status of a run

<!-- Drawn by specs/diagrams.py from squidmesh_core.state.run; do not edit. -->

A status is not stored; it is read off the state, the first row that fits (protocol.md §2).

{table}

```mermaid
stateDiagram-v2
{edges}
```

A journal begins with `{started}`, perhaps after the receipt of the command, takes results in by `{applied}`, and ends with `{terminal}`: after it nothing fits any more (`terminal_run`).
"""


def render() -> dict[str, str]:
    """The pages, by their path below specs/."""
    return {"states/attempt.md": _attempt_page(), "states/run.md": _run_page()}


def _attempt_page() -> str:
    edges = [f"    [*] --> {status}: {entry}" for status, entry in BIRTHS]
    edges += [f"    {old} --> {new}: {WIRE_TYPES[kind]}" for (old, kind), new in MOVES.items()]
    withdrawn = [status for status in get_args(AttemptStatus) if status in LIVE - {"claimed"}]
    edges += [f"    {status} --> withdrawn: run_terminal" for status in withdrawn]
    edges += [f"    {status} --> [*]" for status in get_args(AttemptStatus) if status not in LIVE]
    return _ATTEMPT.format(
        edges="\n".join(edges),
        table=_attempt_table(),
        withdrawn=" and ".join(f"`{status}`" for status in withdrawn),
        kept="`claimed`",
    )


def _attempt_table() -> str:
    kinds = list(dict.fromkeys(kind for _, kind in (*MOVES, *MISFITS)))
    cells = {key: f"→ `{status}`" for key, status in MOVES.items()}
    cells.update((key, reason) for key, reason in MISFITS.items())
    rows = [
        [f"`{status}`", *(cells[status, kind] for kind in kinds)]
        for status in get_args(AttemptStatus)
    ]
    return _table(["status", *(f"`{WIRE_TYPES[kind]}`" for kind in kinds)], rows)


def _run_page() -> str:
    return _RUN.format(
        table=_table(
            ["status", "when"],
            [[f"`{status}`", meaning] for status, meaning in RUN_STATUSES.items()],
        ),
        edges="\n".join(f"    {old or '[*]'} --> {new}: {why}" for old, new, why in RUN_MOVES),
        started=WIRE_TYPES[RunStarted],
        applied=WIRE_TYPES[StepApplied],
        terminal=WIRE_TYPES[RunTerminal],
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
