"""
Redaction: values under names like `apiKey` or `db-password` do not reach a journal.

A name is read as words, whatever parts them: `clientSecret`, `client_secret`,
`client-secret`, `client.secret` and `clientsecret2` are one name.  It is
sensitive when some of its words, one after the other, are a sensitive name, so
that `x-auth-token` is and `tokenizer` is not.  A plural counts as its singular.

This guards against accidents, not against a host that hides a secret under an
innocent name; `Sensitive[...]` fields are for that.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

#: What stands in the place of a sensitive value.
REDACTED: Final = "[redacted]"

#: Names without what parts their words.
SENSITIVE_NAMES: Final = frozenset({
    "accesskey", "accountnumber", "apikey", "auth", "authorization", "bearer", "cardnumber",
    "connectionstring", "cookie", "credential", "cvc", "cvv", "dsn", "encryptionkey", "iban", "jwt",
    "masterkey", "otp", "passcode", "passphrase", "passwd", "password", "pin", "privatekey", "pwd",
    "secret", "sessionid", "sessionkey", "signingkey", "sshkey", "ssn", "token",
})  # fmt: skip

_LETTERS: Final = re.compile(r"[^\W\d_]+")
#: `DBPassword` and `DBpassword` are both written, and part in different places.
_HUMPS: Final = (
    re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"),
    re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z]{2})(?=[a-z])"),
)


def redact(value: object, *, also: Iterable[str] = ()) -> object:
    """
    A copy of a JSON-like value with `REDACTED` under every sensitive name in it.

    Args:
        also: Further sensitive names, in any spelling.
    """
    return _redacted(value, _names(also))


def redact_map(members: Mapping[str, object], *, also: Iterable[str] = ()) -> dict[str, object]:
    """As `redact`, of a map."""
    return _redacted_map(members, _names(also))


def is_sensitive(name: str, *, also: Iterable[str] = ()) -> bool:
    """Whether a value under this name is to be redacted."""
    return _is_among(_names(also), name)


def _names(also: Iterable[str]) -> frozenset[str]:
    return SENSITIVE_NAMES.union("".join(_LETTERS.findall(name)).lower() for name in also)


def _redacted(value: object, names: frozenset[str]) -> object:
    match value:
        case Mapping():
            return _redacted_map(value, names)
        case list():
            return [_redacted(item, names) for item in value]
        case tuple():
            return tuple(_redacted(item, names) for item in value)
        case _:
            return value


def _redacted_map(members: Mapping[str, object], names: frozenset[str]) -> dict[str, object]:
    return {
        name: REDACTED if _is_among(names, name) else _redacted(member, names)
        for name, member in members.items()
    }


def _is_among(names: frozenset[str], name: str) -> bool:
    return any(
        joined in names or joined.removesuffix("s") in names
        for humps in _HUMPS
        for joined in _runs([word.lower() for word in _LETTERS.findall(humps.sub(" ", name))])
    )


def _runs(words: list[str]) -> Iterable[str]:
    """Every run of words that follow each other, as one word."""
    for first in range(len(words)):
        for end in range(first + 1, len(words) + 1):
            yield "".join(words[first:end])
