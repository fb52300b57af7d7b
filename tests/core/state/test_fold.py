"""The fold believes: it takes any history in, never raises, and changes no state."""

from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.state.run import RunState
from support.entries import entries, histories
from support.plays import plays
from support.scenario import RUN, Scenario, content


@given(histories())
def test_any_history_folds(history: tuple[Entry, ...]) -> None:
    """Whatever the journal holds, folding it raises nothing and counts every entry."""
    assert len(history) == fold_run(RUN, history).revision


@given(plays(), st.lists(entries(), max_size=8))
def test_any_entries_fold_onto_any_run(run: Scenario, more: list[Entry]) -> None:
    """Nonsense after a sensible history raises nothing either."""
    assert run.state.revision + len(more) == fold(run.state, more).revision


@given(histories(), st.data())
def test_folding_in_two_parts_equals_at_once(
    history: tuple[Entry, ...], data: st.DataObject
) -> None:
    """Checkpoints are harmless, also in impossible histories."""
    cut = data.draw(st.integers(0, len(history)))

    assert fold_run(RUN, history) == fold(fold_run(RUN, history[:cut]), history[cut:])


@given(histories())
def test_a_misfit_changes_nothing_else(history: tuple[Entry, ...]) -> None:
    """An entry that becomes an anomaly moves the revision and the instant, and nothing more."""
    state = RunState(run_id=RUN)
    for entry in history:
        after = fold(state, [entry])
        if after.anomalies != state.anomalies:
            assert content(state) == content(after)
        state = after


@given(histories())
def test_folding_leaves_its_base_alone(history: tuple[Entry, ...]) -> None:
    """A state is a value: going on from it does not change it."""
    base = fold_run(RUN, history[: len(history) // 2])
    fold(base, history[len(history) // 2 :])

    assert fold_run(RUN, history[: len(history) // 2]) == base


@given(histories())
def test_instants_of_a_state_never_decrease(history: tuple[Entry, ...]) -> None:
    """`at` is the latest instant seen, also where a history steps back."""
    backwards = fold_run(RUN, reversed(history))
    instants = [entry.at for entry in history]

    assert max(instants, default=None) == backwards.at


@given(plays(), st.data())
def test_a_torn_history_folds(run: Scenario, data: st.DataObject) -> None:
    """Entries of a real journal, lost, doubled and out of order, are taken or noted whole."""
    state = RunState(run_id=RUN)
    for entry in data.draw(st.lists(st.sampled_from(run.journal), max_size=30)):
        after = fold(state, [entry])
        if after.anomalies != state.anomalies:
            assert content(state) == content(after)
        state = after
