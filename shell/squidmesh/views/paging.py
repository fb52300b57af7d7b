"""Pages of lists, and the cursor that the next one begins at."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final, Generic, TypeVar

from attrs import evolve, frozen

from squidmesh import checks
from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import RunId, is_run_id
from squidmesh_storage.api import RunFilter

T = TypeVar("T")

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
        ConfigError: It is no number from 1 to `LONGEST_PAGE`.
    """
    if type(limit) is int and 1 <= limit <= LONGEST_PAGE:
        return limit
    raise checks.wrong("limit", f"expected a whole number from 1 to {LONGEST_PAGE}")


def cursor_of(where: RunFilter, created_at: datetime, run_id: RunId) -> str:
    """The cursor after a run in the list of those that a filter lets through."""
    text = f"{created_at.isoformat()} {run_id} {_mark(where)}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(where: RunFilter, cursor: str) -> tuple[datetime, RunId]:
    """
    Where a page begins.

    Raises:
        ConfigError: `invalid_cursor`: it is none, or one of another filter.
    """
    try:
        cursor = checks.text("cursor", cursor)
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        instant, run_id, mark = text.split(" ")
        created_at = datetime.fromisoformat(instant)
    except (ValueError, ConfigError):
        raise _invalid("is not one that a list gave out", "unreadable") from None
    if created_at.tzinfo is None or not is_run_id(run_id):
        raise _invalid("is not one that a list gave out", "unreadable")
    if mark != _mark(where):
        raise _invalid("belongs to a list with other filters", "other_filter")
    return created_at, RunId(run_id)


def _mark(where: RunFilter) -> str:
    """What tells filters apart; ages such as `90m` move on from page to page, so not by times."""
    return sha256(repr(evolve(where, since=None, until=None)).encode()).hexdigest()[:12]


def _invalid(what: str, reason: str) -> ConfigError:
    details = {"option": "cursor", "reason": reason}
    return ConfigError(f"the cursor {what}", "invalid_cursor", details)
