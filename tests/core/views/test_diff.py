"""Differences between runs: what counts is told, and equal runs differ in nothing."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.diff import FactDiff, PathDiff, RunDiff, StepDiff, ValueDiff, diff
from squidmesh_core.views.inspection import Snapshot, snapshot
from support.journals.plain import chained
from support.journals.writing import bind
from support.scenario import EPOCH

OTHER = RunId("0193e2a0-7b3c-7d10-8f00-000000000002")
STORY = chained()
ENTRIES = [entry for record in bind(STORY.pages) for entry in entries_of(record)]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=6,
)
contexts = st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values)


def at(revision: int) -> Snapshot:
    """The run of the story as it was at a revision."""
    state = fold_run(STORY.run_id, ENTRIES[:revision])
    return snapshot(state, STORY.spec, EPOCH)


def knowing(context: dict[str, object]) -> Snapshot:
    """The run at its end, with another context."""
    return evolve(at(len(ENTRIES)), context=context)


def test_two_revisions_of_one_run() -> None:
    """What the run came to between them: facts, the way, steps, values."""
    found = diff(at(3), at(len(ENTRIES)))

    assert (3, len(ENTRIES)) == (found.before.revision, found.after.revision)
    assert {"status", "reason", "waiting_on"} == {one.name for one in found.facts}
    assert FactDiff(name="status", before="running", after="completed") in found.facts
    assert PathDiff(common=(), before=(), after=(NodeName("a"), NodeName("b"))) == found.path
    assert [("a", "pending", "completed"), ("b", "waiting", "completed")] == [
        (one.node, one.before, one.after) for one in found.steps
    ]
    assert {("a",), ("b",)} >= {one.path for one in found.context}


def test_another_run_that_went_alike_does_not_differ() -> None:
    """Ids, keys of attempts and instants say nothing."""
    end = at(len(ENTRIES))
    other = evolve(end, run=evolve(end.run, id=OTHER, created_at=EPOCH.replace(year=2030)))

    found = diff(end, other)

    assert not found
    assert (STORY.run_id, OTHER) == (found.before.run_id, found.after.run_id)
    assert ("a", "b") == found.path.common


def test_ways_part_where_the_first_node_differs() -> None:
    """What comes after that is each one's own, even if it is the same again."""
    one = evolve(at(len(ENTRIES)), applied=tuple(map(NodeName, "abde")))
    other = evolve(at(len(ENTRIES)), applied=tuple(map(NodeName, "abce")))

    assert (
        PathDiff(
            common=tuple(map(NodeName, "ab")),
            before=tuple(map(NodeName, "de")),
            after=tuple(map(NodeName, "ce")),
        )
        == diff(one, other).path
    )


def test_a_step_that_only_one_definition_has() -> None:
    """It is told as one that was not there."""
    end = at(len(ENTRIES))
    found = diff(evolve(end, steps=end.steps[:1]), end)

    assert (
        StepDiff(node=NodeName("b"), before=None, after="completed", visits_after=1),
    ) == found.steps


def test_values_are_told_by_path() -> None:
    """Objects member by member, anything else as a whole; true is not 1."""
    before = knowing({"a": {"x": [{"z": 0}], "y": [1]}, "b": "gone", "c": True})
    after = knowing({"a": {"x": [{"z": 0}], "y": [1.5]}, "c": 1, "d": None})

    assert (
        ValueDiff(path=("a", "y"), change="changed", before=[1], after=[1.5]),
        ValueDiff(path=("b",), change="removed", before="gone"),
        ValueDiff(path=("c",), change="changed", before=True, after=1),
        ValueDiff(path=("d",), change="added", after=None),
    ) == diff(before, after).context


@given(contexts, contexts)
def test_a_difference_read_backwards_is_the_difference_of_the_opposite(
    one: dict[str, object], other: dict[str, object]
) -> None:
    """Whatever is added one way is removed the other way, and nothing else."""

    def turned(found: RunDiff) -> set[tuple[object, ...]]:
        opposite = {"added": "removed", "removed": "added", "changed": "changed"}
        return {
            (value.path, opposite[value.change], repr(value.after), repr(value.before))
            for value in found.context
        }

    forth, back = diff(knowing(one), knowing(other)), diff(knowing(other), knowing(one))

    assert turned(forth) == {
        (value.path, value.change, repr(value.before), repr(value.after)) for value in back.context
    }
    assert bool(forth) == bool(back)
    assert not diff(knowing(one), knowing(one))
