"""What a journal adds up to, as plain data: what a golden journal is compared by."""

from collections.abc import Iterable, Sequence

from squidmesh_core.protocol.entries import Failure
from squidmesh_core.state.run import RunState


def adding_up(states: Sequence[RunState]) -> dict[str, object]:
    """
    What became of a run, in the words of its protocol, as JSON holds it.

    Args:
        states: The state after each append, in order.
    """
    state = states[-1]
    terminal = state.terminal
    return {
        "course": [_moment(each) for each in states],
        "status": state.status,
        "revision": state.revision,
        "context": dict(state.context),
        "applied": [key.removeprefix(state.run_id) for key in state.applied],
        "attempts": {
            key.removeprefix(state.run_id): attempt.status
            for key, attempt in sorted(state.attempts.items())
        },
        "answers": [[said.step, said.action] for said in state.gates.answers],
        "gates": [gate.step for gate in state.gates.open.values()],
        "held": state.gates.hold is not None,
        "awaited": [entry.step for entry in state.mail.awaited.values()],
        "kept": list(state.mail.kept.values()),
        "undone": {
            visit.removeprefix(state.run_id): how for visit, how in state.saga.undone.items()
        },
        "error": None if terminal is None else _kind(terminal.error),
        "recovery": [
            [left.step, left.reason, _kind(left.error)]
            for left in (terminal.recovery if terminal else ())
        ],
        "commands": [receipt.command for receipt in state.receipts],
        "anomalies": [anomaly.reason for anomaly in state.anomalies],
    }


def _moment(state: RunState) -> str:
    """One append's worth of the way, in one line."""
    parts: dict[str, Iterable[str]] = {
        "live": state.live,
        "timers": state.timers,
        "gates": state.gates.open,
        "awaited": state.mail.awaited,
    }
    names = {
        what: " ".join(key.removeprefix(state.run_id) for key in keys)
        for what, keys in parts.items()
    }
    told = "".join(f"; {what} {keys}" for what, keys in names.items() if keys)
    return f"{state.revision}: {state.status}{told}"


def _kind(error: Failure | None) -> str | None:
    return None if error is None else error.kind
