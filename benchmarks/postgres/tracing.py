"""Statements of this process, counted where they are handed to the driver."""

from collections import Counter
from typing import Any, Literal

import psycopg

from squidmesh_storage.postgres import trips

Traced = Counter[Literal["statements"]]

#: What hands one statement to the driver: cursors for a few, and what our trips are made of.
_HANDING = (
    (psycopg.Cursor, "execute"),
    (psycopg.AsyncCursor, "execute"),
    (trips, "_alone"),
    (trips, "_enqueue"),
)


def trace(traced: Traced) -> None:
    """Count what every connection, of threads or of event loops, executes from now on."""
    for place, name in _HANDING:
        hand = getattr(place, name)

        def counted(*words: Any, _hand: Any = hand, **options: Any) -> object:
            traced["statements"] += 1
            return _hand(*words, **options)  # of a loop: what it is then awaited for

        setattr(place, name, counted)
