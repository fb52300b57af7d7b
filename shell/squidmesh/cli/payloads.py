"""Payloads from the command line: `--set k=v`, `--data JSON`, `--data @file`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from squidmesh_core.canonical import decode_strict
from squidmesh_core.definition.payload import What
from squidmesh_core.definition.spec import Field
from squidmesh_core.errors import ConfigError, PayloadError

C = TypeVar("C", bound=Callable[..., object])


def payload_options(command: C) -> C:
    """Give a command the options that say a payload."""
    return options_for("payload")(command)


def options_for(what: What) -> Callable[[C], C]:
    """Give a command the options that say a payload, a form or a message."""
    pairs = click.option(
        "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="One field; may be repeated."
    )
    data = click.option("--data", metavar="JSON|@FILE", help=f"The whole {what} as JSON.")

    def give(command: C) -> C:
        return data(pairs(command))

    return give


def read_payload(
    data: str | None, pairs: Sequence[str], fields: Sequence[Field], what: What = "payload"
) -> dict[str, object]:
    """
    The payload, form or message that the options say, as JSON values.

    A value of `--set` is JSON, unless the field is a text: then it is taken as it
    stands.  Pairs win over `--data`.

    Raises:
        ConfigError: A pair has no `=`.
        PayloadError: The data is no JSON object.
    """
    payload = {} if data is None else _object(data, what)
    texts = {field.name for field in fields if field.type == "string"}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            details = {"option": "set", "reason": "expected NAME=VALUE"}
            raise ConfigError("--set: expected NAME=VALUE", "invalid_option", details)
        payload[name] = value if name in texts else _json_or_text(value)
    return payload


def _object(data: str, what: What) -> dict[str, object]:
    text = data
    if data.startswith("@"):
        try:
            text = Path(data[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as exc:
            raise _unreadable(f"the file {data[1:]} cannot be read: {exc}", what) from None
    try:
        value = decode_strict(text)
    except ValueError as exc:
        raise _unreadable(f"--data is no JSON: {exc}", what) from None
    if isinstance(value, dict):
        return value
    raise _unreadable(f"--data: expected a JSON object, not {type(value).__name__}", what)


def _json_or_text(value: str) -> object:
    try:
        return decode_strict(value)
    except ValueError:
        return value


def _unreadable(message: str, what: What) -> PayloadError:
    return PayloadError(f"{message}; nothing was written", f"invalid_{what}", {})
