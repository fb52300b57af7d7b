"""Checkpoints: a state comes back from its text as it was, and as the definition reads it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core import canonical
from squidmesh_core.protocol.converter import from_json, to_json
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.checkpoint import freeze, thaw
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.state.run import RunState
from support.entries import OTHER_RUN, histories
from support.plays import plays
from support.scenario import RUN, Scenario


@given(plays())
def test_a_state_comes_back_as_it_was(run: Scenario) -> None:
    """With all its indexes in their order, whatever the run went through."""
    state = run.state
    again = thaw(freeze(state), state.run_id)

    assert state == again
    assert [*state.settled] == [*again.settled]
    assert [*state.applied] == [*again.applied]
    assert freeze(state) == freeze(again)


@given(histories())
def test_impossible_states_come_back_too(history: tuple[Entry, ...]) -> None:
    """Any journal folds, so any fold may be kept."""
    state = fold_run(RUN, history)

    assert state == thaw(freeze(state), RUN)


@given(histories())
def test_what_is_read_is_what_the_definition_reads(history: tuple[Entry, ...]) -> None:
    """Record by record (`converter`) or by column, it is the same state."""
    state = fold_run(RUN, history)
    defined: Any = canonical.decode(canonical.encode(to_json(state, RunState, RUN)))

    assert from_json(defined, RunState, RUN) == thaw(freeze(state), RUN)


@given(plays(), st.data())
def test_a_run_goes_on_from_a_checkpoint(run: Scenario, data: st.DataObject) -> None:
    """What came after is folded onto it, to the same state."""
    cut = data.draw(st.integers(0, len(run.journal)))
    first = fold_run(run.state.run_id, run.journal[:cut])

    assert run.state == fold(thaw(freeze(first), first.run_id), run.journal[cut:])


@given(plays())
def test_the_keys_of_a_run_are_written_without_its_id(run: Scenario) -> None:
    """Read for another run they are that one's; only the state's own id names the first."""
    other = thaw(freeze(run.state), OTHER_RUN)

    assert all(key.startswith(f"{OTHER_RUN}:") for key in other.attempts)
    assert run.state.run_id == other.run_id


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[1]", '{"run_id":[]}', '{"moon":[1]}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    """One kind of error says so, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        thaw(text, RUN)
