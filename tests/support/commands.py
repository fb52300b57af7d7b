"""What a command of the command line said."""

import json
from collections.abc import Callable

from attrs import frozen


@frozen(kw_only=True)
class Said:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The JSON document on standard output."""
        return _object(self.out)

    @property
    def error(self) -> dict[str, object]:
        """The error document on standard error."""
        return _object(self.err)

    @property
    def lines(self) -> list[dict[str, object]]:
        """The JSON documents on standard output, one on each line."""
        return [_object(line) for line in self.out.splitlines()]

    @property
    def records(self) -> list[list[str]]:
        """The tab-separated records on standard output."""
        return [line.split("\t") for line in self.out.splitlines()]


#: Type a command, word by word.
Typed = Callable[..., Said]


def _object(text: str) -> dict[str, object]:
    value = json.loads(text)
    assert isinstance(value, dict)
    return value
