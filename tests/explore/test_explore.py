"""Every reachable state of small worlds keeps every rule, and can come to rest."""

from functools import cache

import pytest

from explore.catalogue import CI, CI_STATES
from explore.family import Family
from explore.search import Found
from explore.searching import searched

#: A family that grows beyond this was changed: it is cut off, and fails.
MOST = 1_000_000

pytestmark = pytest.mark.timeout(300)


@cache
def found(name: str) -> Found:
    """What the search of a family came back with; each is searched once."""
    (family,) = [family for family in CI if family.name == name]
    return searched(family, most=MOST)


@pytest.mark.parametrize("family", CI, ids=lambda family: family.name)
def test_every_state_keeps_the_rules_and_can_come_to_rest(family: Family) -> None:
    """No rule is broken, nothing is a dead end, and all that is promised was reached."""
    assert () == found(family.name).problems


def test_the_search_is_large_enough() -> None:
    """The families have at least a quarter of a million states, all of them visited."""
    assert CI_STATES <= sum(found(family.name).states for family in CI)
