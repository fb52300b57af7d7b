"""Messages: what a `receive` node can still take, and what a run is found by."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from squidmesh_core.definition.graph import most_visits
from squidmesh_core.definition.spec import ReceiveNode, Spec
from squidmesh_core.ids import NodeName, visit_node
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState
from squidmesh_core.values import MissingPath, bind

_CORRELATION = "correlation"
#: UTF-8 bytes of a correlation that every database indexes, beside the names it stands with.
LONGEST_INDEXED: Final = 1024
_DIGEST: Final = "sha256:"


def room_for(state: RunState | Draft, spec: Spec, node: ReceiveNode) -> bool:
    """Whether one message more can find a visit: one that waits, or one still to come."""
    most = most_visits(spec, node)
    if most is None:
        return True
    waiting = sum(entry.step == node.name for entry in state.mail.awaited.values())
    kept = sum(step == node.name for step in state.mail.kept.values())
    return most - state.visits.get(node.name, 0) + waiting - kept > 0


def went_without(state: RunState, node: NodeName) -> bool:
    """Whether a visit of a node where none waits has had no message: it came too late, if at all."""
    took = sum(entry.step == node and entry.succeeded for entry in state.applied.values())
    return state.visits.get(node, 0) > took


def all_received(state: RunState, node: NodeName, correlation: str) -> bool:
    """Whether all came that was waited for under a correlation, or what came is kept."""
    took = [
        visit in state.applied and state.applied[visit].succeeded
        for visit, text in state.mail.found_by.items()
        if text == correlation and visit_node(visit) == node
    ]
    return all(took) and (bool(took) or node in state.mail.kept.values())


def correlation_of(node: ReceiveNode, context: Mapping[str, object]) -> str | MissingPath | None:
    """The text that finds the run; null without one, or where the value is no text or number."""
    if node.correlation is None:
        return None
    bound = bind({_CORRELATION: node.correlation}, context)
    if isinstance(bound, MissingPath):
        return bound
    return correlation_text(bound[_CORRELATION])


def correlation_text(value: object) -> str | None:
    """A text or whole number as a correlation is compared; null: it is neither."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def indexed(correlation: str) -> str:
    """
    A correlation as index rows hold it: a long one by its digest.

    So is one that looks like a digest, lest it find what is not its own.
    """
    encoded = correlation.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_INDEXED and not correlation.startswith(_DIGEST):
        return correlation
    return f"{_DIGEST}{sha256(encoded).hexdigest()}"


def correlations(state: RunState, spec: Spec) -> Mapping[tuple[NodeName, str], bool]:
    """
    What `deliver` finds this run by: (node, correlation) → whether it can take a message.

    A correlation is open from the moment it can be known until no visit can
    take a message any more, so a message may come before its node is reached.
    While a visit of the node waits, only what that is found by is open: the
    next message is its, whatever the context says by now.
    One that was waited under, or that a kept message came under, stays, closed, so that
    a repetition is known.
    """
    found = {(visit_node(visit), text): False for visit, text in state.mail.found_by.items()}
    kept = set(state.mail.kept.values())
    waiting = {entry.step for entry in state.mail.awaited.values()}
    going = state.terminal is None and state.started is not None and state.saga.started is None
    for node in spec.receivers:
        to_come = going and node.name not in waiting and room_for(state, spec, node)
        if node.correlation is not None and (to_come or node.name in kept):
            text = correlation_of(node, state.context)
            if isinstance(text, str):
                found[node.name, text] = to_come
    if going:
        for entry in state.mail.awaited.values():
            if entry.correlation is not None:
                found[entry.step, entry.correlation] = True
    return found
