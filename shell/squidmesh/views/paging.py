"""Pages of lists, and the cursor that the next one begins at."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, Generic, TypeVar

from attrs import evolve, frozen

from squidmesh import checks
from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import RunId, is_run_id
from squidmesh_storage.api import RunFilter

T = TypeVar("T")
W = TypeVar("W", bound=str)

#: Runs on one page at most.
LONGEST_PAGE: Final = 500


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    #: Hand it back as `cursor` for the next page; null: this was the last.
    next: str | None


def page_limit(limit: object) -> int:
    """
    How many runs a page may show.

    Raises:
        ConfigError: It is not a number from 1 to `LONGEST_PAGE`.
    """
    if type(limit) is int and 1 <= limit <= LONGEST_PAGE:
        return limit
    raise checks.wrong("limit", f"expected a whole number from 1 to {LONGEST_PAGE}")


def cursor_of(where: RunFilter, at: datetime, run_id: RunId, *more: object) -> str:
    """
    The cursor after a run in a list.

    Args:
        where: The filter of the list.
        at: The instant that the run is listed by.
        run_id: The run.
        more: What else tells this list from others with the same filter.
    """
    return packed(at.isoformat(), run_id, mark_of(where, *more))


def read_cursor(where: RunFilter, cursor: str, *more: object) -> tuple[datetime, RunId]:
    """
    Where a page begins.

    Raises:
        ConfigError: `invalid_cursor`: it is not one, or one of another list.
    """
    at, run_id, mark = unpacked(cursor, 3)
    place = instant_in(at), run_in(run_id)
    check_mark(mark, mark_of(where, *more))
    return place


def packed(*parts: str) -> str:
    """Texts without spaces as one cursor."""
    return urlsafe_b64encode(" ".join(parts).encode()).decode().rstrip("=")


def unpacked(cursor: object, count: int) -> list[str]:
    """
    The texts that a cursor was made of.

    Raises:
        ConfigError: `invalid_cursor`: it was not made of so many.
    """
    try:
        packed = checks.text("cursor", cursor)
        parts = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode().split(" ")
    except (ValueError, ConfigError):
        raise _unreadable() from None
    if len(parts) != count:
        raise _unreadable()
    return parts


def instant_in(text: str) -> datetime:
    """
    An instant that stands in a cursor.

    Raises:
        ConfigError: `invalid_cursor`: it is not one.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable() from None
    if at.tzinfo is None:
        raise _unreadable()
    return at


def run_in(text: str) -> RunId:
    """
    The id of a run that stands in a cursor.

    Raises:
        ConfigError: `invalid_cursor`: it is not one.
    """
    if not is_run_id(text):
        raise _unreadable()
    return RunId(text)


def one_in(text: str, known: Sequence[W]) -> W:
    """
    A word that stands in a cursor.

    Raises:
        ConfigError: `invalid_cursor`: it is none of those that are known.
    """
    for one in known:
        if one == text:
            return one
    raise _unreadable()


def mark_of(where: RunFilter, *more: object) -> str:
    """What tells lists apart; ages such as `90m` move on from page to page, so not by times."""
    lasting = evolve(where, since=None, until=None, deadline=None, deadline_at=None)
    parts = (lasting, where.deadline, *(one for one in more if one is not None))
    return sha256(repr(parts).encode()).hexdigest()[:12]


def check_mark(mark: str, expected: str) -> None:
    """
    See that a cursor is one of this list.

    Raises:
        ConfigError: `invalid_cursor`: it is one of another.
    """
    if mark != expected:
        raise _invalid("belongs to a list with other filters", "other_filter")


def _unreadable() -> ConfigError:
    return _invalid("is not one that a list gave out", "unreadable")


def _invalid(what: str, reason: str) -> ConfigError:
    details = {"option": "cursor", "reason": reason}
    return ConfigError(f"the cursor {what}", "invalid_cursor", details)
