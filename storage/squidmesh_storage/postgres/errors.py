"""What the driver's errors mean to a host: translated once, here."""

from typing import Final

import psycopg

from squidmesh_core.errors import OutcomeUnknown, StorageError, StorageUnavailable

#: Serialization failure, deadlock, a lock that was not had in time: all was rolled back,
#: and the same again may well work.
CONTENDED: Final = frozenset({"40001", "40P01", "55P03"})
#: There is no connection (any more): the server went away, is starting, or has no room.
#: The first is our own word for a connection that broke without the server saying why.
LOST: Final = frozenset({"08006", "57P01", "57P02", "57P03", "57P05", "25P03", "53300"})

_BROKEN: Final = "08006"
_WHY: Final = {
    "53100": "the server's disk is full; nothing was written, free some space there and go on",
    "53200": "the server is out of memory; nothing was written",
    "25006": "the database only lets itself be read; nothing was written, connect to the primary "
    "and look at default_transaction_read_only",
    "57014": "a statement took too long and was cancelled; nothing was written, try again",
    "42P01": "a table is missing; nothing was written, restore it with all others "
    "(`squidmesh migrate` makes them only where there are none)",
    "3F000": "the schema is missing; nothing was written, run `squidmesh migrate`",
    "28P01": "the password is wrong; look at the URL, PGPASSWORD or ~/.pgpass",
    "28000": "the server does not let this user in; look at the user in the URL and at pg_hba.conf",
    "3D000": "there is no such database; create it, or correct the URL",
}


def translated(error: psycopg.Error, place: str, *, lost: bool, in_doubt: bool) -> StorageError:
    """
    What a driver's error means.

    Args:
        error: The driver's.
        place: Where the journal is, without a password.
        lost: Whether the connection is gone.
        in_doubt: Whether something was on its way that would last.
    """
    state = error.sqlstate or (_BROKEN if lost else None)
    details: dict[str, object] = {"url": place, "sqlstate": state}
    if lost and in_doubt:
        return OutcomeUnknown(
            f"{place}: the connection was lost while something was being written, "
            "and nobody knows whether it was",
            "outcome_unknown",
            details,
        )
    if lost or state in LOST:
        return StorageUnavailable(
            f"{place}: the connection was lost ({_first_line(error)}); nothing was written, try again",
            "storage_unavailable",
            details,
        )
    if state in CONTENDED:
        return StorageUnavailable(
            f"{place}: others were at the same rows for too long; nothing was written, try again",
            "storage_unavailable",
            details,
        )
    if state == "57014":
        return StorageUnavailable(f"{place}: {_WHY[state]}", "storage_unavailable", details)
    if state == "42501":
        why = f"this user lacks a right ({_first_line(error)}); nothing was written, grant it"
    else:
        why = _WHY.get(state or "", f"PostgreSQL says {_first_line(error)!r}; nothing was written")
    return StorageError(f"{place}: {why}", "storage_error", details)


def not_connected(error: psycopg.Error, place: str) -> StorageError:
    """What it means that no connection could be made."""
    text = str(error)
    state = error.sqlstate or _state_told(text)
    details: dict[str, object] = {"url": place, "sqlstate": state or _BROKEN}
    if state in _WHY:
        return StorageError(f"{place}: {_WHY[state]}", "storage_error", details)
    return StorageUnavailable(
        f"{place} cannot be reached ({_first_line(error)}); look at the URL, and whether the server "
        "is up; nothing was written",
        "storage_unavailable",
        details,
    )


def exhausted(place: str, most: int, seconds: float) -> StorageUnavailable:
    """All connections of this process were in use for too long."""
    return StorageUnavailable(
        f"{place}: the pool is exhausted: all {most} connections of this process were in use for "
        f"{seconds:g} s; nothing was written, try again",
        "storage_unavailable",
        {"url": place, "pool": most},
    )


def unfit(place: str, why: str) -> StorageError:
    """A server that cannot be used at all."""
    return StorageError(f"{place}: {why}; nothing was written", "storage_error", {"url": place})


def _state_told(text: str) -> str | None:
    """The code behind a refusal at the door, which libpq hands on as words only."""
    for words, state in (
        ("password authentication failed", "28P01"),
        ("no password supplied", "28P01"),
        ("no pg_hba.conf entry", "28000"),
        ("authentication failed", "28000"),
        ("role ", "28000"),
        ("database ", "3D000"),
    ):
        if words in text and ("does not exist" in text or not words.endswith(" ")):
            return state
    return None


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
