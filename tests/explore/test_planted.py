"""Testing the tester: each planted bug is found, in a world that is clean without it."""

from typing import Final

import pytest
from attrs import evolve

from explore import planted
from explore.families import cancels, claims, gates, joins, messages, saga, unknown
from explore.family import Family
from explore.searching import searched
from support import bugs
from support.planted import Plant
from support.workflows import step, workflow

#: Small bounds: each is exhausted in about a second, and stops at the first problem.
ONE: Final = evolve(
    claims.CI, spec=workflow(step("a", max_deliveries=2)), reaches=frozenset({"ended completed"})
)
ASTRAY: Final = evolve(unknown.CI, faults=1, reaches=frozenset({"late", "unheard"}))
GATE: Final = evolve(gates.CI, extras=0, clients=gates.CI.clients[:2], reaches=frozenset())
HELD: Final = evolve(gates.HELD, extras=0, reaches=frozenset())
MAIL: Final = evolve(messages.CI, clients=messages.CI.clients[:1], reaches=frozenset())
SAGA: Final = evolve(saga.CI, workers=1, faults=0, reaches=frozenset())
JOIN: Final = joins.CI
CANCEL: Final = evolve(cancels.CI, clients=(cancels.CI.clients[0][:1],), reaches=frozenset())

ENDED: Final = evolve(unknown.CANCELLED, name="ended", faults=0, reaches=frozenset())

#: The bug, where it is looked for, and what is said of it.
PLANTS: Final[tuple[tuple[Plant, Family, str], ...]] = (
    (bugs.no_fence, ONE, "is held by"),
    (bugs.lease_longer_by_an_instant, ONE, "was over"),
    (bugs.dead_lease_revived, ONE, "was over"),
    (bugs.lost_attempt_delivered_for_ever, ONE, "delivered too often"),
    (planted.takeover_from_the_row, ONE, "delivered too often"),
    (bugs.applied_twice, ONE, "applied twice"),
    (bugs.end_forgotten, ONE, "nothing will ever move this run"),
    (bugs.index_keeps_what_is_settled, ONE, "the index has"),
    (bugs.end_not_checked, ENDED, "after the end"),
    (planted.unknown_taken_for_success, ASTRAY, "what is not written"),
    (planted.unknown_taken_for_failure, ASTRAY, "told that it was before"),
    (planted.resent_under_another_id, ASTRAY, "told that it was before"),
    (planted.conflict_believed_after_resending, ASTRAY, "told that it was before"),
    (planted.gate_stays_open, GATE, "is paused, and should be running"),
    (planted.timer_not_withdrawn, GATE, "an entry that does not fit"),
    (planted.hold_ignored, HELD, "under a hold"),
    (planted.key_not_looked_up, MAIL, "a command is refused, and was done"),
    (planted.key_not_looked_up, CANCEL, "a command is refused, and was done"),
    (bugs.join_planned_early, JOIN, "does not wait for"),
    (bugs.join_forgotten, JOIN, "there is still c"),
    (planted.join_released_twice, JOIN, "is entered again"),
    (planted.sibling_not_waited_for, JOIN, "neither undone nor listed"),
    (planted.doubt_forgotten, JOIN, "S5"),
    (planted.callback_called_twice, SAGA, "is scheduled twice"),
    (planted.undone_in_the_order_done, SAGA, "is not the last of"),
)

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("plant", "family", "words"),
    PLANTS,
    ids=[f"{plant.__name__} in {family.name}" for plant, family, _ in PLANTS],
)
def test_planted_bug_is_found(
    plant: Plant, family: Family, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search ends with the rule that the bug breaks, and the way there."""
    plant(monkeypatch)

    (problem, *_) = searched(family, most=100_000).problems

    assert words in problem


@pytest.mark.parametrize(
    "family",
    [ONE, ASTRAY, GATE, HELD, MAIL, SAGA, JOIN, CANCEL, ENDED],
    ids=lambda family: family.name,
)
def test_small_world_is_clean_without_a_bug(family: Family) -> None:
    """What is found above is the bug and nothing else."""
    assert () == searched(family, most=100_000).problems
