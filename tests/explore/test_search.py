"""The engine finds what is wrong with a world, by the shortest way."""

from collections.abc import Iterator

import pytest

from explore.search import Broken, Found, Move, explore


class Counter:
    """Counts up to ten by ones or twos; a trap leads out of the way."""

    def __init__(self, *, broken: int | None = None, trap: int | None = None) -> None:
        self.reached: set[str] = set()
        self.broken = broken
        self.trap = trap

    def begin(self) -> int:
        return 0

    def moves(self, state: int) -> Iterator[Move[int]]:
        if state == self.trap:
            yield "helped out", False, state + 1
            return
        for more in (1, 2):
            if state + more == self.broken:
                raise Broken(f"it is {self.broken}")
            if state + more <= 10:
                yield f"adds {more}", True, state + more

    def rests(self, state: int) -> bool:
        return state == 10

    def tell(self, state: int) -> str:
        return f"it stands at {state}"

    def audit(self) -> list[str]:
        return []


def searched(world: Counter, *, most: int = 100, reaches: tuple[str, ...] = ()) -> Found:
    return explore(world, most=most, reaches=reaches)


def test_each_state_is_visited_once() -> None:
    """Ways that meet again are one state."""
    found = searched(Counter(), reaches=("adds 1", "adds 2"))

    assert (11, 19, ()) == (found.states, found.transitions, found.problems)


def test_broken_rule_is_told_by_the_shortest_way() -> None:
    """The trace has the fewest moves there are, and the state before the last one."""
    (problem,) = searched(Counter(broken=6)).problems

    assert "it is 6\n  1. adds 2\n  2. adds 2\nit stands at 4" == problem


def test_dead_end_is_found() -> None:
    """A state that only a fault leads out of is none from which rest is reached."""
    (problem,) = searched(Counter(trap=9)).problems

    assert problem.startswith("1 states from which rest cannot be reached\n  1. adds 1")
    assert problem.endswith("it stands at 9")


@pytest.mark.parametrize("most", [0, 5, 9])
def test_truncated_search_fails(most: int) -> None:
    """A search that gave up proves nothing."""
    (problem,) = searched(Counter(), most=most).problems

    assert problem.startswith("cut off")


def test_label_that_was_never_reached_fails() -> None:
    """A search that never did something proves nothing of it."""
    assert ("never reached: adds 3",) == searched(Counter(), reaches=("adds 1", "adds 3")).problems
