"""
What a verb is made of: a script that asks for statements and gets their rows.

    script    yields a round of calls, gets the rows of each, returns an answer
    driver    carries the rounds out: on a thread or on an event loop (driving.py)

So every statement and every decision is written once.  A round is one trip to the
server.  One call by itself is a transaction by itself; a round of several stands
between BEGIN and COMMIT.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from psycopg.rows import TupleRow

T = TypeVar("T")

Rows = Sequence[TupleRow]


class Call(NamedTuple):
    """One statement with its values."""

    text: str
    values: Mapping[str, object] | None = None
    #: Whether it changes something that lasts: if the connection is lost meanwhile,
    #: nobody knows whether it did.
    writes: bool = False
    #: Whether the server may keep a plan for it whatever the values.
    keeps: bool = False
    #: Whether it does by itself what it has to without our settings.
    bare: bool = False


Round = Sequence[Call]
Script = Generator[Round, Sequence[Rows], T]

# The level is spelt out, because a database may have another default.  `read write` is not:
# where only reading is allowed, a claim must not be made that nothing can settle.
BEGIN: Final = Call("begin isolation level read committed")
COMMIT: Final = Call("commit", writes=True)
ROLLBACK: Final = Call("rollback")


def ask(call: Call) -> Script[Rows]:
    """The rows of one call."""
    (rows,) = yield (call,)
    return rows


def ask_one(call: Call) -> Script[TupleRow | None]:
    """The first row of one call, or null."""
    rows = yield from ask(call)
    return rows[0] if rows else None


def all_of(*calls: Call) -> Script[Sequence[Rows]]:
    """The rows of several calls in a transaction of their own, committed."""
    _, *answers, _ = yield (BEGIN, *calls, COMMIT)
    return answers
