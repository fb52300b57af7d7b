"""Which statements the server keeps a plan for, on one connection."""

from collections import OrderedDict
from typing import Final

from attrs import Factory, define

#: Executions after which the server is asked to keep a statement's plan.
AFTER: Final = 3
#: Plans of one connection; the server has some ten to a hundred kilobytes for each.
MOST: Final = 100


@define(eq=False)
class Plans:
    """Statements by their texts, with the names under which the server knows them."""

    most: int = MOST
    _names: OrderedDict[bytes, bytes] = Factory(OrderedDict)
    #: How often others were sent.
    _sent: OrderedDict[bytes, int] = Factory(OrderedDict)
    _made: int = 0

    def known(self, text: bytes) -> bytes | None:
        """The name of a statement whose plan is kept."""
        name = self._names.get(text)
        if name is not None:
            self._names.move_to_end(text)
        return name

    def wanted(self, text: bytes) -> bytes | None:
        """A name for a statement that was sent so often that its plan is to be kept."""
        sent = self._sent.pop(text, 0)
        if sent >= AFTER:
            self._made += 1
            return f"squidmesh_{self._made}".encode()
        self._sent[text] = sent + 1
        if len(self._sent) > self.most:
            self._sent.popitem(last=False)
        return None

    def keep(self, text: bytes, name: bytes) -> None:
        """The server has it now."""
        self._names[text] = name

    def over(self) -> bytes | None:
        """The name that has not been used for longest, if there are too many; it is forgotten."""
        if len(self._names) <= self.most:
            return None
        _, name = self._names.popitem(last=False)
        return name
