"""
The engine: every state that can be reached, breadth first, and what is wrong there.

It knows nothing of workflows.  A world says which moves a state has; the engine
remembers each state once, and afterwards asks three things of what it found:

    was a rule broken?          a world raises `Broken` at the move that did it
    is there a dead end?        from each state, fair moves alone must reach rest
    was everything exercised?   each label that the world promises was met

States are kept whole, not as hashes, so no two are ever taken for one.
"""

import time
from array import array
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from attrs import frozen

S = TypeVar("S", bound=Hashable)

#: (what happens, whether it needs no fault, the state after it)
Move = tuple[str, bool, S]


class Broken(Exception):
    """A rule was broken by the move that is being made."""


class World(Protocol[S]):
    """What is searched."""

    #: Everything notable that happened so far, by label.
    reached: set[str]

    def begin(self) -> S:
        """The state that all others come from."""
        ...

    def moves(self, state: S) -> Iterable[Move[S]]:
        """
        What can happen in a state.

        Raises:
            Broken: A move leads to what must never be.
        """
        ...

    def rests(self, state: S) -> bool:
        """Whether nothing need happen any more."""
        ...

    def tell(self, state: S) -> str:
        """A state in words, for the end of a trace."""
        ...

    def audit(self) -> Sequence[str]:
        """What is wrong with all that was found, looked at once at the end."""
        ...


@frozen(kw_only=True)
class Found:
    """What a search came back with."""

    states: int
    transitions: int
    seconds: float
    #: What is wrong, each with the moves that lead there.
    problems: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def explore(world: World[S], *, most: int, reaches: Collection[str] = ()) -> Found:
    """
    Visit every state of a world.

    Args:
        world: What is searched.
        most: States after which the search gives up, which is a problem like any other.
        reaches: Labels that must be met; a search that never did something proves nothing of it.
    """
    began = time.perf_counter()
    search = _Search(world)
    problems = search.run(most)
    if not problems:
        problems = [*search.dead_ends(), *world.audit()]
        missed = sorted(set(reaches) - world.reached - search.labels.keys())
        if missed:
            problems.append(f"never reached: {', '.join(missed)}")
    return Found(
        states=len(search.states),
        transitions=search.transitions,
        seconds=time.perf_counter() - began,
        problems=tuple(problems),
    )


class _Search(Generic[S]):
    """The graph as far as it is known."""

    def __init__(self, world: World[S]) -> None:
        self.world = world
        first = world.begin()
        self.states: list[S] = [first]
        self.index: dict[S, int] = {first: 0}
        self.transitions = 0
        #: Label → its number.
        self.labels: dict[str, int] = {}
        # How each state was first reached.
        self.came_from = array("l", [-1])
        self.came_by = array("H", [0])
        # The moves that need no fault, as pairs.
        self.fair_from = array("l")
        self.fair_to = array("l")

    def run(self, most: int) -> list[str]:
        """Visit everything; the first rule that is broken, if one is."""
        here = 0
        while here < len(self.states):
            try:
                self._visit(here)
            except Broken as broken:
                return [f"{broken}\n{self.trace(here)}"]
            if len(self.states) > most:
                return [f"cut off at {len(self.states)} states: nothing is proved"]
            here += 1
        return []

    def dead_ends(self) -> list[str]:
        """The first state from which no fair moves lead to rest, if there is one."""
        alive = self._leading_to_rest()
        stuck = alive.find(0)
        if stuck < 0:
            return []
        return [f"{alive.count(0)} states from which rest cannot be reached\n{self.trace(stuck)}"]

    def trace(self, at: int) -> str:
        """The shortest way to a state, and what is there."""
        names, moves, here = list(self.labels), list[str](), at
        while self.came_from[here] >= 0:
            moves.append(names[self.came_by[here]])
            here = self.came_from[here]
        steps = [f"  {number}. {move}" for number, move in enumerate(reversed(moves), 1)]
        return "\n".join([*steps, self.world.tell(self.states[at])])

    def _visit(self, here: int) -> None:
        states, index, labels = self.states, self.index, self.labels
        for label, fair, state in self.world.moves(states[here]):
            self.transitions += 1
            name = labels.setdefault(label, len(labels))
            there = index.get(state)
            if there is None:
                there = index[state] = len(states)
                states.append(state)
                self.came_from.append(here)
                self.came_by.append(name)
            if fair and there != here:
                self.fair_from.append(here)
                self.fair_to.append(there)

    def _leading_to_rest(self) -> bytearray:
        """Per state: 1 if fair moves alone can end at rest; walked backwards from there."""
        first, before = self._reversed()
        alive = bytearray(len(self.states))
        line = [at for at, state in enumerate(self.states) if self.world.rests(state)]
        for at in line:
            alive[at] = 1
        while line:
            there = line.pop()
            for here in before[first[there] : first[there + 1]]:
                if not alive[here]:
                    alive[here] = 1
                    line.append(here)
        return alive

    def _reversed(self) -> tuple["array[int]", "array[int]"]:
        """The fair moves by where they lead: those to `n` are `before[first[n]:first[n + 1]]`."""
        first = array("l", bytes((len(self.states) + 1) * array("l").itemsize))
        for there in self.fair_to:
            first[there + 1] += 1
        for at in range(len(self.states)):
            first[at + 1] += first[at]
        free, before = first[:], array("l", self.fair_to)
        for here, there in zip(self.fair_from, self.fair_to, strict=True):
            before[free[there]] = here
            free[there] += 1
        return first, before
