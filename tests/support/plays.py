"""
Random plays: whole runs in which workers work, stall and fail, people answer,
messages come, and time passes.

A move is data, so that a play shrinks well; one that makes no sense where it
comes is skipped or refused, as it would be in real life.
"""

from datetime import timedelta
from typing import Literal

from attrs import frozen
from hypothesis import strategies as st

from squidmesh_core.protocol.commands import Claim, Complete, Defer, Fail, Heartbeat, Held
from support.scenario import (
    BOOM,
    LEASE,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
    milliseconds,
)
from support.workflows import workflows

Verb = Literal[
    "claim",
    "complete",
    "fail",
    "defer",
    "heartbeat",
    "pause",
    "cancel",
    "hold",
    "resume",
    "approve",
    "reject",
    "send",
    "strike",
]
#: Half of all plays' moves carry work on; a cancel ends most plays, so it is rare.
VERBS: tuple[Verb, ...] = (
    *("claim",) * 4,
    *("complete",) * 4,
    *("fail", "defer", "heartbeat", "pause", "pause"),
    *("resume", "resume", "approve", "approve", "reject", "send", "send", "strike", "hold"),
)


@frozen(kw_only=True)
class Move:
    """One thing that happens in a play."""

    verb: Verb
    #: Which of those there are: an attempt or a claim, counted round.
    which: int
    #: The output, and whether the worker asks for the next piece of work.
    output: Literal[0, 1]
    stays: bool
    pause: timedelta


moves: st.SearchStrategy[Move] = st.builds(
    Move,
    verb=st.sampled_from(VERBS) | st.sampled_from([*VERBS, "cancel"]),
    which=st.integers(0, 5),
    output=st.sampled_from([0, 1]),
    stays=st.booleans(),
    pause=st.sampled_from([SECOND, LEASE - SECOND, LEASE]),
)


@st.composite
def plays(draw: st.DrawFn) -> Scenario:
    """A started run after some moves."""
    run = Scenario(draw(workflows()))
    held: list[Held] = []
    offer = run.offer() if draw(st.booleans()) else None
    run.start({"amount": 5}, offer=offer)
    if offer is not None and run.claimed_for(offer):
        held.append(run.held(offer))
    for move in draw(st.lists(moves, min_size=12, max_size=40)):
        _make(move, run, held)
    return run


def _make(move: Move, run: Scenario, held: list[Held]) -> None:
    if move.verb == "pause":
        run.time_passes(move.pause)
    elif move.verb == "cancel":
        run.ask(a_cancel(compensate=move.output == 1, abandon=move.which == 5))
    elif move.verb in {"claim", "strike"}:
        _claim(move, run, held)
    elif move.verb in {"hold", "resume", "approve", "reject", "send"}:
        _answer(move, run)
    elif held:
        _settle(move, run, held)


def _claim(move: Move, run: Scenario, held: list[Held]) -> None:
    keys = list(run.state.live if move.verb == "claim" else run.state.timers)
    if keys:
        offer = run.offer()
        run.ask(Claim(attempt_key=keys[move.which % len(keys)], offer=offer))
        if run.claimed_for(offer):
            held.append(run.held(offer))


def _answer(move: Move, run: Scenario) -> None:
    """A person or an outside system speaks up; now and then of what is not asked, or too often."""
    key = f"key-{move.which}" if move.stays else None
    gates = [str(gate.step) for gate in run.state.gates.open.values()]
    node = gates[move.which % len(gates)] if gates and move.output else None
    form = {"sure": True} if move.which % 2 else None
    if move.verb == "hold":
        run.ask(a_hold(key=key))
    elif move.verb == "resume":
        run.ask(a_resume(node, key=key))
    elif move.verb == "send":
        receivers = [*run.spec.receivers, *run.spec.steps]
        run.ask(a_message(receivers[move.which % len(receivers)].name, {"n": move.which}, key=key))
    elif move.verb == "approve":
        run.ask(a_review("approved", node, form=form, key=key))
    else:
        run.ask(a_review("rejected", node, form=form, key=key))


def _settle(move: Move, run: Scenario, held: list[Held]) -> None:
    mine = held[-1 - move.which % len(held)]
    offer = run.offer() if move.stays else None
    if move.verb == "complete":
        run.ask(Complete(held=mine, output=move.output, offer=offer))
    elif move.verb == "fail":
        run.ask(Fail(held=mine, error=BOOM, jitter=0.5 * move.output, offer=offer))
    elif move.verb == "defer":
        run.ask(Defer(held=mine, reason="later", delay_ms=30_000 * move.output, offer=offer))
    else:
        run.ask(Heartbeat(held=mine, lease_ms=milliseconds(move.pause)))
    if offer is not None and run.claimed_for(offer):
        held.append(run.held(offer))
