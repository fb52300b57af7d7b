"""Markers that a contract's fields may wear; checkers see the plain type."""

from typing import Annotated, Final, Literal, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen
class Secret:
    """Redacted everywhere below auditor scope."""


@frozen
class ClockDefault:
    """Left out when at its Python default; the start then puts its own instant there."""

    clock: Literal["now", "today"]


SECRET: Final = Secret()

#: A field that only auditors may see: `card_token: Sensitive[str]`.
Sensitive = Annotated[T, SECRET]

#: A field that defaults to the instant of the start: `asked_at: Now[datetime | None] = None`.
Now = Annotated[T, ClockDefault("now")]

#: A field that defaults to the day of the start, in UTC: `day: Today[str] = ""`.
Today = Annotated[T, ClockDefault("today")]
