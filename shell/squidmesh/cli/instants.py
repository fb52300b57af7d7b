"""Instants as they are typed: ISO 8601, an age, or a time from now; and revisions."""

from datetime import UTC, datetime, timedelta
from typing import Final

import click

from squidmesh.cli import clock
from squidmesh.duration import parse_duration

_EXPECTED: Final = "an instant like 2026-11-20T08:00:00Z or an age like 90m"
_TO_COME: Final = "an instant like 2026-11-20T08:00:00Z or a time from now like 90m"
#: Digits of the greatest revision that there can be.
_DIGITS: Final = 16


def moment(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """
    An instant: ISO 8601, by the local clock if it has no offset, or an age such as `90m`.

    Raises:
        click.BadParameter: It is neither, or no calendar has it.
    """
    if text is None:
        return None
    try:
        return _moment(text)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"expected {_EXPECTED}", ctx, param) from None


def to_come(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """
    An instant as for `moment`, but a time such as `90m` counts from now on.

    Raises:
        click.BadParameter: It is neither, or no calendar has it.
    """
    if text is None:
        return None
    try:
        return _moment(text, ahead=True)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"expected {_TO_COME}", ctx, param) from None


def point(ctx: click.Context, param: click.Parameter, text: str | None) -> int | datetime | None:
    """
    A point of a run's life: the number of a revision, or an instant as for `moment`.

    Raises:
        click.BadParameter: It is neither.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit() and 0 < len(text) <= _DIGITS and int(text) > 0:
        return int(text)
    try:
        return _moment(text)
    except (ValueError, OverflowError):
        expected = f"expected a revision from 1 on, {_EXPECTED}"
        raise click.BadParameter(expected, ctx, param) from None


def _moment(text: str, *, ahead: bool = False) -> datetime:
    try:
        distance = timedelta(milliseconds=parse_duration(text))
    except ValueError:
        return datetime.fromisoformat(text).astimezone(UTC)
    return clock.now() + (distance if ahead else -distance)
