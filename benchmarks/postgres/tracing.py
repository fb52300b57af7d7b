"""Statements of this process, counted where they are handed to the driver."""

from collections import Counter
from typing import Any, Literal

import psycopg

Traced = Counter[Literal["statements"]]


def trace(traced: Traced) -> None:
    """Count what every connection, of threads or of event loops, executes from now on."""
    for kind in (psycopg.Cursor, psycopg.AsyncCursor):
        execute = kind.execute

        def execute_traced(
            self: Any, *words: Any, _execute: Any = execute, **options: Any
        ) -> object:
            traced["statements"] += 1
            return _execute(self, *words, **options)  # of a loop: what it is then awaited for

        setattr(kind, "execute", execute_traced)  # noqa: B010 - mypy takes no other function for it
