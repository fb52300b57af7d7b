"""
What may be done: (state, spec, command, now) → entries or a refusal.

One module per command family; `decide` is the only way in for commands, and
`claim_row` the one shortcut: an unclaimed attempt's index row is exact, so a
fresh claim needs no state.  Deciders change nothing.  What they return is
already folded, and folds without an anomaly from every reachable state.
"""

from datetime import datetime
from typing import assert_never

from squidmesh_core.decide.answer import Already, Answer, Decision, Refusal
from squidmesh_core.decide.cancel import cancel
from squidmesh_core.decide.claim import claim, claim_row, heartbeat
from squidmesh_core.decide.gates import pause, resume, review
from squidmesh_core.decide.messages import send
from squidmesh_core.decide.prune import gone
from squidmesh_core.decide.settle import complete, defer, fail
from squidmesh_core.decide.start import start
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.commands import (
    Cancel,
    Claim,
    Command,
    Complete,
    Defer,
    Fail,
    Heartbeat,
    Pause,
    Resume,
    Review,
    Send,
    Start,
)
from squidmesh_core.state.run import RunState

__all__ = ["Already", "Answer", "Decision", "Refusal", "claim_row", "decide"]


def decide(state: RunState, spec: Spec, command: Command, now: datetime) -> Answer:
    """
    Answer a command.

    Args:
        state: The fold of the run's journal; of a new run, an empty state.
        spec: The definition that the run started with.
        command: What is asked for, with ids and drawn numbers in it.
        now: The storage clock's reading; judged as `max(now, state.at)`, so
            that time never runs backwards inside a run.
    """
    if state.at is not None and now < state.at:
        now = state.at
    if state.pruned is not None and not isinstance(command, Start):
        return gone(state)
    match command:
        case Complete():
            return complete(state, spec, command, now)
        case Fail():
            return fail(state, spec, command, now)
        case Start():
            return start(state, spec, command, now)
        case Claim():
            return claim(state, spec, command, now)
        case Heartbeat():
            return heartbeat(state, spec, command, now)
        case Defer():
            return defer(state, spec, command, now)
        case Cancel():
            return cancel(state, spec, command, now)
        case Pause():
            return pause(state, spec, command, now)
        case Resume():
            return resume(state, spec, command, now)
        case Review():
            return review(state, spec, command, now)
        case Send():
            return send(state, spec, command, now)
    assert_never(command)
