"""Comparing runs, wherever they are kept: with each other, and with what they were."""

import pytest

from squidmesh import ConfigError, Run, RunNotFound
from support.stage import Stage, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b"))
ACTIONS = does(a=lambda: 1, b=lambda: 2)


def come_to_a(stage: Stage, result: int) -> Run:
    """A run whose first step has given a result."""
    mesh = stage.mesh()
    # In a queue of its own: what another run has to do next is not claimed for this one.
    queue = f"of-{result}"
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, queue=queue)
    claim = mesh.claim(owner="ana", queue=queue)
    assert claim is not None
    mesh.complete(claim, result)
    return run


def test_two_runs_differ_in_what_their_steps_gave(stage: Stage) -> None:
    """Told by a process that has never seen them; the same run differs in nothing."""
    one, other = come_to_a(stage, 1), come_to_a(stage, 2)
    mesh = stage.mesh()
    found = mesh.diff(one, other)

    assert [(("a",), "changed", 1, 2)] == [
        (value.path, value.change, value.before, value.after) for value in found.context
    ]
    assert ("a",) == found.path.common
    assert not mesh.diff(one, one)


def test_a_run_differs_from_what_it_was(stage: Stage) -> None:
    """The earlier of the two is folded only so far."""
    run = come_to_a(stage, 1)
    found = stage.mesh().diff((run, 3), run)

    assert (3, ("a",)) == (found.before.revision, found.path.after)
    assert [(("a",), "added", 1)] == [
        (value.path, value.change, value.after) for value in found.context
    ]


def test_what_is_not_there_cannot_be_compared(stage: Stage) -> None:
    """A run that nobody started, and a revision that it has not come to."""
    run = come_to_a(stage, 1)
    mesh = stage.mesh()

    with pytest.raises(RunNotFound):
        mesh.diff(run, "0190f0e0-0000-7000-8000-000000000001")
    with pytest.raises(ConfigError, match="has come to revision"):
        mesh.diff(run, (run, 99))
