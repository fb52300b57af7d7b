"""`squidmesh help`: what an error code means, and what to do about it."""

from difflib import get_close_matches

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.meanings import MEANINGS
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell
from squidmesh.cli.session import Session
from squidmesh_core.errors import NUMBERS


@click.command("help")
@click.argument("code", required=False)
@common
def command(session: Session, /, *, code: str | None) -> int:
    """
    Say what CODE means, and what to do about it; without one, list all.

    CODE is a number such as SM410, or a word such as invalid_transition.
    """
    screen = session.screen
    codes = [*NUMBERS] if code is None else [_word(code)]
    if screen.form == "json":
        found = [{"sm": NUMBERS[one], "code": one, "means": MEANINGS[one]} for one in codes]
        screen.document("codes/1", codes=found)
    elif code is not None and screen.form == "human":
        screen.line(f"SM{NUMBERS[codes[0]]}  {codes[0]}", "bold")
        screen.line(MEANINGS[codes[0]])
    else:
        rows = [
            (Cell.of(f"SM{NUMBERS[one]}", "dim"), Cell.of(one, "bold"), Cell.of(MEANINGS[one]))
            for one in codes
        ]
        screen.table(("number", "code", "what it means, and what to do"), rows)
    return DONE


def _word(text: str) -> str:
    """
    The code that somebody typed, by number or by word.

    Raises:
        click.UsageError: There is no such code.
    """
    word = text.strip().lower().replace("-", "_")
    by_number = {str(number): code for code, number in NUMBERS.items()}
    found = by_number.get(word.removeprefix("sm"), word)
    if found in NUMBERS:
        return found
    near = get_close_matches(word, NUMBERS, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise click.UsageError(f"there is no error code {text!r}{hint}")
