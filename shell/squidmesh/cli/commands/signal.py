"""`squidmesh signal`: carry out a command that came as data."""

import sys
from pathlib import Path
from typing import Final

import click

from squidmesh.cli.documents import run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.masks import Masks
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.cli.telling import first_time
from squidmesh.cli.words import DONE_WORDS
from squidmesh_core.canonical import decode_strict
from squidmesh_core.errors import PayloadError
from squidmesh_core.protocol.cloudevents import from_cloudevent
from squidmesh_core.protocol.signals import Signal, signal_from_json

#: What every CloudEvent has, and no signal.
_MARK: Final = "specversion"


@click.command("signal")
@click.argument("file", metavar="FILE|-")
@common
def command(session: Session, /, *, file: str) -> int:
    """
    Carry out the command in FILE, or in what is piped in; prints the run.

    It is a signal as JSON, or a CloudEvent that carries one.
    """
    screen = session.screen
    signal = _read(file)
    with session.mesh(must_exist=signal.type != "start") as mesh:
        run = mesh.apply_signal(signal)
        mask = Masks(mesh).of(run)
        done = DONE_WORDS[signal.type]
        if run.duplicate:
            done = first_time(mesh, run, signal.type, signal.idempotency_key, screen)
    match screen.form:
        case "json":
            screen.document("signal/1", command=signal.type, run=run_document(run, mask))
        case "plain":
            screen.fields(run.id, done, run.status)
        case "human":
            led = "" if run.status == done else f", {run.status}"
            screen.line(f"{run.id}  {done}{led}")
    return DONE


def _read(file: str) -> Signal:
    """
    The signal in a file, or in the standard input.

    Raises:
        PayloadError: It cannot be read, is no JSON, or no signal.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        data = decode_strict(text)
    except (OSError, ValueError) as exc:
        where = "the standard input" if file == "-" else f"the file {file}"
        details = {"field": "signal", "reason": "expected_json"}
        message = f"{where} cannot be read as JSON: {exc}; nothing was written"
        raise PayloadError(message, "invalid_signal", details) from None
    if isinstance(data, dict) and _MARK in data:
        return from_cloudevent(data)
    return signal_from_json(data)
