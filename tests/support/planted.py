"""Testing the testers: a machine that misses a planted bug is the broken thing."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

Plant = Callable[[pytest.MonkeyPatch], None]

#: Generating only, and always the same programs: a canary is to be found, not shrunk.
_CANARY = settings(
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    max_examples=1_000,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def assert_machine_catches(machine: type[RuleBasedStateMachine], plant: Plant) -> None:
    """
    Assert that the machine fails while the bug is in.

    It may be found by an assertion of the machine or by the desk, which raises
    `RuntimeError` when a decider writes what does not fit.

    Args:
        machine: The machine, green on honest code.
        plant: Puts the bug in, by patching the deciders or the fold.
    """
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, RuntimeError)):
            run_state_machine_as_test(machine, settings=_CANARY)
