"""
The statement that appends: of the parts that its batches need, with their values.

By itself it locks what it changes.  Most batches are slots that go on to another
attempt, or let one go: their rows are locked by being moved or deleted, in the order of
runs, those of each sort by themselves and all others in an order of their own.  So two
processes could wait for each other that settle the same two runs at the same moment, one
of them by a step and the other by an end; the server breaks that circle, and one of them
is sent again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, assert_never

from attrs import frozen

from squidmesh_storage.api import Batch
from squidmesh_storage.postgres.changes import Changes
from squidmesh_storage.postgres.rows import Row, arrays, plain, record_columns, texts
from squidmesh_storage.postgres.scripts import Call
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.postgres.usual import Sort, usual
from squidmesh_storage.records import HOOK, NOTICE

#: Whether all rows of attempts are there that the appends were decided on.
_ALL_LOCKED: Final = (
    "(select count(*) from locked_waiting where needed)"
    " + (select count(*) from locked_held where needed) >= %(needed_rows)s::bigint"
)
_LOCKED_BEFORE: Final = "true"
#: Inside a transaction an append that was overtaken must not fail.  To be ready for it
#: costs a record in the log for each row, so that a statement by itself is not.
_READY: Final = "on conflict (run_id, first) do nothing"


@frozen(kw_only=True)
class _Piece:
    """Parts of a statement that write some of its batches."""

    parts: tuple[str, ...]
    #: The part that returns which of them were written.
    written: str
    values: Mapping[str, object]
    #: Where unclaimed attempts come to lie.
    queues: Collection[str] = ()


def write_call(sql: Statements, batches: Sequence[Batch], listener: str) -> Call:
    """The statement that appends and changes the index, by itself; it fails if it is overtaken."""
    rows: dict[Sort, list[Row]] = {"beginning": [], "slot": [], "ending": []}
    others: list[Batch] = []
    for batch in _in_order(batches):
        found = usual(batch)
        if found is None:
            others.append(batch)
        else:
            sort, row = found
            rows[sort].append(row)
    alone = len(batches) == 1
    pieces = [_usual_piece(sort, some, alone=alone) for sort, some in rows.items() if some]
    locks = _LOCKED_BEFORE
    if others:
        changes = Changes.of(others)
        pieces.insert(0, _piece(others, changes))
        locks = _ALL_LOCKED if changes.needed else locks
    return _call(sql, pieces, listener, locks, "")


def write_locked_call(
    sql: Statements, batches: Sequence[Batch], changes: Changes, listener: str
) -> Call:
    """The same inside a transaction that has locked what these batches change."""
    return _call(sql, [_piece(_in_order(batches), changes)], listener, _LOCKED_BEFORE, _READY)


def write_claims_call(sql: Statements, claims: Sequence[Row]) -> Call:
    """The same of claims alone, of attempts whose waiting rows that transaction has locked."""
    ordered = sorted(claims, key=lambda row: str(row["run_id"]))
    piece = _usual_piece("claim", ordered, alone=len(ordered) == 1)
    return _call(sql, [piece], "", _LOCKED_BEFORE, _READY)


def _call(sql: Statements, pieces: Sequence[_Piece], listener: str, locks: str, clash: str) -> Call:
    parts = tuple(part for piece in pieces for part in piece.parts)
    outcomes = tuple(
        ("outcome_idle" if piece.queues else "outcome", piece.written) for piece in pieces
    )
    values: dict[str, object] = {}
    for piece in pieces:
        values |= piece.values
    queues = sorted({queue for piece in pieces for queue in piece.queues})
    if queues:
        values |= {"queues": texts(queues), "listener": listener}
    return Call(sql.composed(parts, outcomes, locks, clash), values, writes=True, keeps=True)


def _usual_piece(sort: Sort, rows: Sequence[Row], *, alone: bool) -> _Piece:
    """One append with its values, or some with arrays of them."""
    source, values = f"one_{sort}", rows[0]
    if not alone:
        source, values = f"many_{sort}", arrays(sort, rows)
    match sort:
        case "slot":
            return _Piece(parts=(source, "part_steps"), written="stepped", values=values)
        case "claim":
            return _Piece(parts=(source, "part_claimed"), written="claimed", values=values)
        case "ending":
            values = {**values, "hook": HOOK, "notice": NOTICE}
            return _Piece(parts=(source, "part_ended"), written="ended", values=values)
        case "beginning":
            queues = {str(row["attempt_queue"]) for row in rows if row["held_until"] is None}
            some = (
                (source, True),
                ("part_started", True),
                ("part_started_held", any(row["held_until"] is not None for row in rows)),
                ("part_started_waiting", bool(queues)),
            )
            parts = tuple(part for part, used in some if used)
            return _Piece(parts=parts, written="started", values=values, queues=queues)
        case _:
            assert_never(sort)


def _piece(batches: Sequence[Batch], changes: Changes) -> _Piece:
    """All that some appends may change is looked at."""
    values = {
        **arrays("batch", [record_columns(batch) for batch in batches]),
        "guarded": plain(one.record.run_id in changes.guarded for one in batches),
        "needed_rows": str(changes.needed),
        **changes.values(),
    }
    return _Piece(parts=changes.parts, written="written", values=values, queues=changes.queues)


def _in_order(batches: Sequence[Batch]) -> Sequence[Batch]:
    return sorted(batches, key=lambda batch: batch.record.run_id)
