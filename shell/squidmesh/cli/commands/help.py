"""`squidmesh help`: what an error code means, and what to do about it."""

from difflib import get_close_matches
from typing import Final

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.meanings import MEANINGS, UNNUMBERED
from squidmesh.cli.naming import CODE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell
from squidmesh.cli.session import Session
from squidmesh_core.errors import NUMBERS

_MEANINGS: Final = {**MEANINGS, **UNNUMBERED}


@click.command("help")
@click.argument("code", type=CODE, required=False)
@common
def command(session: Session, /, *, code: str | None) -> int:
    """
    Say what CODE means, and what to do about it; without one, list all.

    CODE is a number such as SM410, or a word such as invalid_transition; or the kind
    of error that a run ended with, such as worker_lost.
    """
    screen = session.screen
    codes = [*_MEANINGS] if code is None else [_word(code)]
    if screen.form == "json":
        found = [{"sm": NUMBERS.get(one), "code": one, "means": _MEANINGS[one]} for one in codes]
        screen.listing("codes/1", "codes", found, line="code/1")
    elif code is not None and screen.form == "human":
        screen.line(f"{_number(codes[0])}  {codes[0]}".lstrip(), "bold")
        screen.line(_MEANINGS[codes[0]])
    else:
        rows = [
            (Cell.of(_number(one), "dim"), Cell.of(one, "bold"), Cell.of(_MEANINGS[one]))
            for one in codes
        ]
        screen.table(("number", "code", "what it means, and what to do"), rows)
    return DONE


def _number(code: str) -> str:
    return f"SM{NUMBERS[code]}" if code in NUMBERS else ""


def _word(text: str) -> str:
    """
    The code that somebody typed, by number or by word.

    Raises:
        click.UsageError: There is no such code.
    """
    word = text.strip().lower().replace("-", "_")
    by_number = {str(number): code for code, number in NUMBERS.items()}
    found = by_number.get(word.removeprefix("sm"), word)
    if found in _MEANINGS:
        return found
    near = get_close_matches(word, _MEANINGS, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise click.UsageError(f"there is no error code {text!r}{hint}")
