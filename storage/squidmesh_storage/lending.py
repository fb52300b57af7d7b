"""Connections of ours that are lent: to whom, and who is to be told of the commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from attrs import Factory, frozen

from squidmesh_storage.hosts import Host

#: Who has borrowed the transaction that this code is called in, on whatever thread.
_BORROWER: Final[ContextVar[Host | None]] = ContextVar("squidmesh_borrower", default=None)


def has_borrowed() -> bool:
    """Whether whoever asks is called by one who has, or had, borrowed any transaction of ours."""
    return _BORROWER.get() is not None


@frozen(kw_only=True)
class Borrower:
    """The host inside one of our transactions; how it has the connection is each adapter's."""

    #: Who is to be told of the commit.
    _waiting: list[Callable[[], None]] = Factory(list)

    def afterwards(self, tell: Callable[[], None]) -> bool:
        """See `Host.afterwards`."""
        self._waiting.append(tell)
        return True

    def tell(self) -> None:
        """The transaction is committed."""
        for tell in self._waiting:
            tell()


class Lending:
    """
    Which connections of ours are lent to somebody right now, each with who is to be told.

    A step that joins the transaction it was lent (`mesh.using(tx.connection)`) does so
    through another object, which learns here when that transaction is committed.
    """

    def __init__(self) -> None:
        self._hosts: dict[int, Host] = {}

    def host_of(self, connection: object) -> Host | None:
        """Who has a connection that is lent; null: it is none of ours."""
        return self._hosts.get(id(connection))

    def is_inside(self) -> bool:
        """Whether whoever asks is called by one who has borrowed: a step, mostly."""
        borrower = _BORROWER.get()
        return borrower is not None and borrower in self._hosts.values()

    @contextmanager
    def of(self, connection: object, host: Host) -> Iterator[None]:
        """A connection is lent for as long as this lasts."""
        self._hosts[id(connection)] = host
        token = _BORROWER.set(host)
        try:
            yield
        finally:
            _BORROWER.reset(token)
            del self._hosts[id(connection)]
