"""Pages of lists, and the cursor that the next one begins at."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final, Generic, TypeVar

from attrs import frozen

from squidmesh import checks
from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import RunId, is_run_id

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


def cursor_of(created_at: datetime, run_id: RunId) -> str:
    """The cursor after a run."""
    return urlsafe_b64encode(f"{created_at.isoformat()} {run_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, RunId]:
    """
    Where a page begins.

    Raises:
        ConfigError: `invalid_cursor`: it is none.
    """
    try:
        cursor = checks.text("cursor", cursor)
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        instant, _, run_id = text.partition(" ")
        created_at = datetime.fromisoformat(instant)
    except (ValueError, ConfigError):
        created_at, run_id = datetime.min, ""  # noqa: DTZ901  # refused two lines below
    if created_at.tzinfo is None or not is_run_id(run_id):
        raise ConfigError(
            "the cursor is not one that a list gave out",
            "invalid_cursor",
            {"option": "cursor", "reason": "unreadable"},
        )
    return created_at, RunId(run_id)
