"""
The state diagrams in specs/states/, drawn from the tables that the core runs on.

`render` gives the pages; `generate.py` writes or compares them.
"""

from typing import Final, get_args

from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunPruned,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.state.attempt import LIVE, MISFITS, MOVES, AttemptStatus, Reason

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
    "compensating": "going backwards: what was done is undone, one callback at a time",
    "paused": "a person is waited for: a gate is open, or an operator holds the run",
    "running": "an attempt is live: to be claimed now or later, or held",
    "idle": "nothing is live; a message from outside is awaited",
    "started": "nothing is applied, nothing is live; only in histories cut short",
}

#: (from, to, why); null is a run that is not there yet.
RUN_MOVES: Final[tuple[tuple[RunStatus | None, RunStatus, str], ...]] = (
    (None, "running", "start"),
    (None, "paused", "start, of a run that begins with a gate"),
    (None, "idle", "start, of a run that begins with a message"),
    (None, "compensating", "retry_compensation"),
    (None, "completed", "start, of a run that needs nobody"),
    (None, "failed", "start, of a run whose first nodes lead nowhere"),
    ("running", "paused", "a gate is reached, or pause"),
    ("running", "idle", "a message is all that is awaited"),
    ("idle", "running", "a message came, or its time is up"),
    ("idle", "paused", "a message led to a gate, or pause"),
    ("paused", "running", "an answer, the end of a hold, or its time is up"),
    ("paused", "idle", "an answer, or the end of a hold, with a message awaited"),
    ("running", "completed", "the last result is applied"),
    ("idle", "completed", "the last message came, or its time is up"),
    ("paused", "completed", "the last answer, or the last result under a hold"),
    ("running", "failed", "a failure for good"),
    ("idle", "failed", "a time-out, or a message that leads nowhere"),
    ("paused", "failed", "a rejection, a time-out, or a failure beside a gate"),
    ("running", "cancelled", "cancel"),
    ("idle", "cancelled", "cancel"),
    ("paused", "cancelled", "cancel"),
    ("running", "compensating", "a failure for good, or cancel, with steps to undo"),
    ("idle", "compensating", "the same"),
    ("paused", "compensating", "the same"),
    ("compensating", "failed", "all that can be is undone, after a failure"),
    ("compensating", "cancelled", "all that can be is undone, after cancel; or it is abandoned"),
)

#: (what waits, entry, where it leads), the regular part; each is one row of the page.
WAITING: Final[tuple[tuple[str, type[Entry], str], ...]] = (
    ("gate", ManualStepPaused, "opens, with its targets"),
    ("gate", ManualStepResolved, "is answered; its consequence follows in the same append"),
    ("gate", StepApplied, "with `error`: its time was up"),
    ("hold", ManualStepPaused, "begins: nothing is claimed"),
    ("hold", ManualStepResolved, "ends"),
    ("await", MessageAwaited, "opens"),
    (
        "await",
        StepApplied,
        "with `source`: takes the oldest message; with `error`: its time was up",
    ),
    ("message", MessageReceived, "is kept until a visit takes it"),
    ("message", StepApplied, "with it as `source`: is taken"),
)
#: (entry, circumstance) → why it does not fit.
WAITING_MISFITS: Final[tuple[tuple[type[Entry], str, Reason], ...]] = (
    (ManualStepPaused, "the visit has an open gate, or the run a hold", "active_manual_step"),
    (ManualStepPaused, "the visit is applied", "terminal_attempt"),
    (ManualStepPaused, "a gate without visit or step", "malformed_entry"),
    (ManualStepResolved, "no such gate is open, or no hold", "stale_manual_resolution"),
    (MessageAwaited, "the visit waits already", "active_await"),
    (MessageAwaited, "the visit is applied", "terminal_attempt"),
    (AttemptClaimed, "the run is held", "held_run"),
    (ManualStepPaused, "the run undoes its steps", "compensating"),
    (MessageAwaited, "the run undoes its steps", "compensating"),
    (MessageReceived, "the run undoes its steps", "compensating"),
)

#: (what undoing begins with or comes to, entry, where it leads).
UNDOING: Final[tuple[tuple[str, type[Entry], str], ...]] = (
    ("the run", CompensationStarted, "undoes its steps; nothing goes forward any more"),
    ("a sibling", StepApplied, "counts, leads nowhere, and is undone too if it can be"),
    ("a sibling", AttemptFailed, "is final, its effect unknown"),
    ("a sibling", AttemptCompleted, "with `deferred`: is final, its effect unknown"),
    ("a visit", AttemptScheduled, "of kind `compensation`: its callback is due"),
    ("a visit", StepApplied, "of `<run_id>:compensate:…`: is compensated"),
    ("a visit", AttemptFailed, "without a retry: is failed, for a person to look at"),
    ("the run", RunTerminal, "is over; `recovery` lists what was not undone"),
)
#: (entry, circumstance) → why it does not fit.
UNDOING_MISFITS: Final[tuple[tuple[type[Entry], str, Reason], ...]] = (
    (CompensationStarted, "the run undoes its steps already", "compensating"),
    (AttemptScheduled, "a forward attempt, while the run undoes its steps", "compensating"),
    (AttemptScheduled, "a callback, before undoing began", "not_compensating"),
    (AttemptClaimed, "a forward attempt, while the run undoes its steps", "compensating"),
    (AttemptFailed, "with a retry, of a forward attempt", "compensating"),
    (StepApplied, "of an undoing visit, before undoing began", "not_compensating"),
    (StepApplied, "of a visit that was undone already", "conflicting_completion"),
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
`run_terminal` and `compensation_started` withdraw {withdrawn}; {kept} stays as it is: fenced off by the end, or to settle before anything is undone.
The timer of a time-out is an attempt like any other, and is withdrawn too by the `step_applied` of the visit that it guards.

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
That of a pruned run is `{pruned}` alone, which says how it had ended.
"""


_WAITING: Final = """\
# Gates, holds and messages

<!-- Drawn by specs/diagrams.py; do not edit. -->

What a run waits for outside itself (protocol.md §4).

```mermaid
stateDiagram-v2
    state gate {{
        [*] --> open: manual_step_paused
        open --> answered: manual_step_resolved, step_applied
        open --> over: step_applied, of a time-out
        open --> closed: compensation_started, run_terminal
    }}
    state await {{
        [*] --> waits: message_awaited
        waits --> served: step_applied, of the oldest message
        waits --> late: step_applied, of a time-out
        waits --> nobody: compensation_started, run_terminal
    }}
```

{table}

`compensation_started` and `run_terminal` close gates, hold and awaits by the fold alone.
An entry that does not fit becomes an anomaly and changes nothing else:

{misfits}
"""

_SAGA: Final = """\
# Undoing

<!-- Drawn by specs/diagrams.py; do not edit. -->

What a run goes through that undoes its steps (protocol.md §5).

```mermaid
stateDiagram-v2
    [*] --> forward
    forward --> siblings: compensation_started, with attempts still claimed
    forward --> undoing: compensation_started
    siblings --> undoing: the last of them settles or is lost
    undoing --> undoing: the next visit, in falling revision
    undoing --> [*]: run_terminal
    siblings --> [*]: run_terminal, nothing to undo or abandoned
```

{table}

No list of what is to be undone is stored: it follows from what was applied.
An entry that does not fit becomes an anomaly and changes nothing else:

{misfits}
"""


def render() -> dict[str, str]:
    """The pages, by their path below specs/."""
    return {
        "states/attempt.md": _attempt_page(),
        "states/run.md": _run_page(),
        "states/saga.md": _saga_page(),
        "states/waiting.md": _waiting_page(),
    }


def _attempt_page() -> str:
    edges = [f"    [*] --> {status}: {entry}" for status, entry in BIRTHS]
    edges += [f"    {old} --> {new}: {WIRE_TYPES[kind]}" for (old, kind), new in MOVES.items()]
    withdrawn = [status for status in get_args(AttemptStatus) if status in LIVE - {"claimed"}]
    ends = "run_terminal, compensation_started"
    edges += [f"    {status} --> withdrawn: {ends}" for status in withdrawn]
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
        pruned=WIRE_TYPES[RunPruned],
    )


def _waiting_page() -> str:
    return _WAITING.format(table=_steps(WAITING), misfits=_misfits(WAITING_MISFITS))


def _saga_page() -> str:
    return _SAGA.format(table=_steps(UNDOING), misfits=_misfits(UNDOING_MISFITS))


def _steps(steps: tuple[tuple[str, type[Entry], str], ...]) -> str:
    rows = [[what, f"`{WIRE_TYPES[kind]}`", then] for what, kind, then in steps]
    return _table(["what", "entry", "then it"], rows)


def _misfits(misfits: tuple[tuple[type[Entry], str, Reason], ...]) -> str:
    rows = [[f"`{WIRE_TYPES[kind]}`", when, f"`{why}`"] for kind, when, why in misfits]
    return _table(["entry", "when", "reason"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
