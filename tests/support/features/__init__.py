"""
One run per feature of the protocol: what specs/write_journals.py makes golden journals of.

    told        a run in which nothing is made up
    work        steps, order, failures, lost workers
    people      gates, holds, messages
    sagas       undoing, ends, runs made of runs
    retention   what is left of runs that were pruned
    adding_up   what a journal adds up to, as plain data
"""

from collections.abc import Callable
from typing import Final

from support.features import people, retention, sagas, work
from support.features.told import Told

#: Name of the golden journal → the runs in it, those that others are made of first.
FEATURES: Final[dict[str, Callable[[], list[Told]]]] = {
    play.__name__: play for play in (*work.PLAYS, *people.PLAYS, *sagas.PLAYS, *retention.PLAYS)
}
