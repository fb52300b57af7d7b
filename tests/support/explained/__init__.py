"""
Named states with what is around them: what specs/write_explanations.py explains.

    stages      a state, an instant, and its surroundings
    work        steps, retries, leases, waits, joins
    lines       queues, limits, workers
    people      gates, holds, messages, deadlines, time-outs
    ends        undoing, ends, runs made of runs, runs that cannot be read

Every state is reached through the front door.
"""

from collections.abc import Callable
from typing import Final

from support.explained import ends, lines, people, work
from support.explained.stages import Explained

#: Name → the explanation of a state; the docstring says which.
EXPLAINED: Final[dict[str, Callable[[], Explained]]] = {
    state.__name__: state for state in (*work.STATES, *lines.STATES, *people.STATES, *ends.STATES)
}
