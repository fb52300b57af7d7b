"""Payloads from the command line: `--set k=v`, `--data JSON`, `--data @file`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from squidmesh_core.canonical import decode_strict
from squidmesh_core.definition.spec import Field
from squidmesh_core.errors import ConfigError, PayloadError

C = TypeVar("C", bound=Callable[..., object])


def payload_options(command: C) -> C:
    """Give a command the options that say a payload."""
    pairs = click.option(
        "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="One field; may be repeated."
    )
    data = click.option("--data", metavar="JSON|@FILE", help="The whole payload as JSON.")
    return data(pairs(command))


def read_payload(
    data: str | None, pairs: Sequence[str], fields: Sequence[Field]
) -> dict[str, object]:
    """
    The payload that the options say, as JSON values.

    A value of `--set` is JSON, unless the field is a text: then it is taken as it
    stands.  Pairs win over `--data`.

    Raises:
        ConfigError: A pair has no `=`.
        PayloadError: The data is no JSON object.
    """
    payload = {} if data is None else _object(data)
    texts = {field.name for field in fields if field.type == "string"}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            details = {"option": "set", "reason": "expected NAME=VALUE"}
            raise ConfigError("--set: expected NAME=VALUE", "invalid_option", details)
        payload[name] = value if name in texts else _json_or_text(value)
    return payload


def _object(data: str) -> dict[str, object]:
    text = data
    if data.startswith("@"):
        try:
            text = Path(data[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise _no_payload(f"the file {data[1:]} cannot be read: {exc}") from None
    try:
        value = decode_strict(text)
    except ValueError as exc:
        raise _no_payload(f"--data is no JSON: {exc}") from None
    if isinstance(value, dict):
        return value
    raise _no_payload(f"--data: expected a JSON object, not {type(value).__name__}")


def _json_or_text(value: str) -> object:
    try:
        return decode_strict(value)
    except ValueError:
        return value


def _no_payload(message: str) -> PayloadError:
    return PayloadError(f"{message}; no run was started", "invalid_payload", {})
