"""A state as text, so that a cold process need not fold a long journal from its start."""

from squidmesh_core import canonical
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.columns import from_columns, to_columns
from squidmesh_core.state.run import RunState


def freeze(state: RunState) -> str:
    """The canonical text of a state."""
    return canonical.encode(to_columns(state, RunState, state.run_id))


def thaw(text: str, run_id: RunId) -> RunState:
    """
    The state of a text that `freeze` wrote.

    Raises:
        ValueError: It is no state of this version.
    """
    return from_columns(canonical.decode(text), RunState, run_id)
