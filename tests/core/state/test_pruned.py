"""A tombstone is the whole journal of a run that was removed."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.ids import Fingerprint, Revision, RunId
from squidmesh_core.protocol.entries import Entry, RunPruned
from squidmesh_core.state.fold import fold, fold_run
from squidmesh_core.state.run import RunState
from support import entries as some
from support.scenario import EPOCH, RUN, SECOND, Scenario
from support.workflows import chain, step

LEFT = RunPruned(
    at=EPOCH + 9 * SECOND,
    revision=Revision(1),
    workflow="orders",
    definition=Fingerprint("f" * 64),
    definition_version="3",
    trigger="placed",
    queue="shop",
    priority=-1,
    command="replay",
    digest="as ordered",
    replayed_from=RunId(some.OTHER_RUN),
    status="failed",
    started_at=EPOCH,
    ended_at=EPOCH + SECOND,
)


def test_a_tombstone_tells_how_the_run_began_and_ended() -> None:
    """Workflow, trigger, queue, source, command and digest, status and times; nothing else."""
    state = fold_run(RUN, [LEFT])
    begun, end = state.started, state.terminal

    assert begun is not None
    assert end is not None
    assert (LEFT, (), "failed", 1) == (
        state.pruned,
        state.anomalies,
        state.status,
        state.revision,
    )
    assert ("orders", "f" * 64, "3", "placed", "shop", -1, some.OTHER_RUN, EPOCH, {}) == (
        begun.workflow,
        begun.definition,
        begun.definition_version,
        begun.trigger,
        begun.queue,
        begun.priority,
        begun.replayed_from,
        begun.at,
        begun.input,
    )
    assert (EPOCH + SECOND, None, ()) == (end.at, end.error, end.recovery)
    assert [("replay", "as ordered")] == [(one.command, one.digest) for one in state.receipts]
    assert ({}, {}, {}) == (state.context, state.attempts, state.applied)
    assert LEFT.at == state.at


@given(more=some.entries())
def test_nothing_follows_a_tombstone(more: Entry) -> None:
    """Whatever comes is an anomaly: the run is over."""
    left = fold_run(RUN, [LEFT])
    after = fold(left, [more])

    assert ["terminal_run"] == [anomaly.reason for anomaly in after.anomalies]
    assert left == evolve(after, anomalies=(), revision=left.revision, at=left.at)


def test_a_tombstone_follows_nothing() -> None:
    """In a journal that has begun it is an anomaly, and the run stays as it was."""
    run = Scenario(chain(step("a")))
    run.start()
    after = fold(run.state, [LEFT])
    begun = fold_run(RUN, [*run.journal[:1], LEFT])

    assert ["malformed_entry"] == [anomaly.reason for anomaly in after.anomalies]
    assert (None, "running") == (after.pruned, after.status)
    assert ["malformed_entry"] == [anomaly.reason for anomaly in begun.anomalies]


@given(before=st.lists(some.entries(), max_size=3))
def test_only_a_tombstone_prunes(before: list[Entry]) -> None:
    """No other entry makes a run a pruned one."""
    others = [entry for entry in before if not isinstance(entry, RunPruned)]

    assert fold(RunState(run_id=RUN), others).pruned is None
