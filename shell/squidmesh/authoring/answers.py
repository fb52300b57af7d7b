"""What gates and children put out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, Literal, TypeVar

from attrs import frozen

F = TypeVar("F")


@frozen(kw_only=True)
class Decision(Generic[F]):
    """What a person decided at a gate."""

    decision: Literal["approved", "rejected", "resumed"]
    #: A name, or facts about somebody; an `Actor` comes back as its facts.
    actor: str | Mapping[str, object] | None
    decided_at: datetime
    comment: str | None
    #: Null when a rejection brings none.
    form: F


@frozen(kw_only=True)
class ChildRun:
    """One child run of a `children` node."""

    run_id: str
    key: str
    status: str


@frozen(kw_only=True)
class Children:
    """How the child runs of a node ended."""

    total: int
    completed: int
    failed: int
    cancelled: int
    runs: tuple[ChildRun, ...]
