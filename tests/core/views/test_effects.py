"""What a replay would do, said in a line each."""

import pytest

from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.ids import Fingerprint, NodeName, derived_run_id
from squidmesh_core.views.effects import replay_effects


@pytest.mark.parametrize(
    ("from_step", "reused", "again", "unsafe", "lines"),
    [
        (None, (), (), (), ["begins at the beginning"]),
        (
            "b",
            ("a",),
            ("b", "c"),
            ("c",),
            [
                "begins at 'b'",
                "taken over, not run again: 'a'",
                "run again, as far as the new run comes to it: 'b', 'c'",
                "unsafe, cannot be undone and would be repeated: 'c'",
            ],
        ),
    ],
)
def test_a_plan_tells_what_it_repeats(
    from_step: str | None,
    reused: tuple[str, ...],
    again: tuple[str, ...],
    unsafe: tuple[str, ...],
    lines: list[str],
) -> None:
    """Only what there is."""
    plan = ReplayPlan(
        source=derived_run_id("run", "1"),
        definition=Fingerprint("f"),
        reused=tuple(map(NodeName, reused)),
        again=tuple(map(NodeName, again)),
        unsafe=tuple(map(NodeName, unsafe)),
        from_step=None if from_step is None else NodeName(from_step),
    )

    assert lines == list(replay_effects(plan))
