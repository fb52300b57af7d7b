"""
Write the reference pages that are derived from code.

    python docs/generate.py           write them
    python docs/generate.py --check   fail if one differs from what would be written
"""

import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Final

import click

from squidmesh.cli.meanings import MEANINGS, UNNUMBERED
from squidmesh.cli.root import COMMANDS, root
from squidmesh_core import errors

REFERENCE: Final = Path(__file__).parent / "reference"

#: The first number of each family, and what raises it; a family ends where the next begins.
FAMILIES: Final[tuple[tuple[int, type[errors.SquidmeshError]], ...]] = (
    (100, errors.DefinitionError),
    (400, errors.RunNotFound),
    (410, errors.Refused),
    (430, errors.UnsafeReplay),
    (431, errors.IdempotencyConflict),
    (432, errors.RevisionConflict),
    (433, errors.WaitTimeout),
    (500, errors.PayloadError),
    (600, errors.StorageError),
    (604, errors.StorageUnavailable),
    (605, errors.OutcomeUnknown),
    (606, errors.StorageError),
    (700, errors.ConfigError),
)

INTRODUCTION: Final = """\
# Errors

<!-- Written by docs/generate.py from squidmesh_core.errors and squidmesh.cli.meanings; do not edit. -->

Every exception is a `SquidmeshError` with `code`, a stable word to branch on, `details`, a JSON-safe mapping, and `sm`, the number below.
The text says what was expected, what was found, and what became of the data; it may change between releases.
Values of options and secrets are never part of it.
`squidmesh help CODE` says the same as these tables.
"""

KINDS: Final = (
    "`output` and `usage` are of the command line; the others are kinds of error that a step or a run ends with.\n"
    "There the name of an exception's class may stand as well."
)


def family(number: int) -> type[errors.SquidmeshError]:
    """The exception that carries the code with this number."""
    return max((entry for entry in FAMILIES if entry[0] <= number), key=lambda entry: entry[0])[1]


def unnumbered() -> str:
    """The words without a number."""
    rows = "".join(f"| `{word}` | {says} |\n" for word, says in UNNUMBERED.items())
    heading = "| word | what it means, and what to do |\n|---|---|\n"
    return f"## Words without a number\n\n{KINDS}\n\n{heading}{rows}"


#: What comes before it on the page of commands is written by hand.
MARK: Final = "<!-- From here on written by docs/generate.py from the commands; do not edit. -->\n"


def errors_page() -> str:
    """The page of errors: one section for each exception, one row for each code."""
    codes: dict[type[errors.SquidmeshError], list[tuple[int, str]]] = {}
    for code, number in sorted(errors.NUMBERS.items(), key=lambda item: item[1]):
        codes.setdefault(family(number), []).append((number, code))
    sections = [section(kind, rows) for kind, rows in codes.items()]
    return "\n".join([INTRODUCTION, *sections, unnumbered()])


def section(kind: type[errors.SquidmeshError], rows: list[tuple[int, str]]) -> str:
    table = "".join(f"| SM{number} | `{code}` | {MEANINGS[code]} |\n" for number, code in rows)
    heading = "| number | code | what it means, and what to do |\n|---|---|---|\n"
    return f"## {kind.__name__}\n\n{kind.__doc__}\n\n{heading}{table}"


def commands_page(present: str) -> str:
    """
    The page of commands: what was written by hand, then one section for each command.

    Raises:
        ValueError: The present page has no mark.
    """
    context = click.Context(root, info_name="squidmesh", terminal_width=200)
    found = [root.get_command(context, name) for name in root.list_commands(context)]
    known = [command for command in found if command is not None]
    names = [frozenset(str(option.name) for option in command.params) for command in known]
    everywhere = frozenset.intersection(*names)
    shared = [option for option in known[0].params if option.name in everywhere]
    rows = "".join(f"| [`{name}`](#{name}) | {says} |\n" for name, says in COMMANDS.items())
    every = f"## Options of every command\n\n{table(context, shared)}"
    every += f"\n## Commands\n\n| command | says or does |\n|---|---|\n{rows}"
    sections = [command_section(command, context, everywhere) for command in known]
    return "\n".join([f"{present[: present.index(MARK)]}{MARK}", every, *sections])


def command_section(
    command: click.Command, parent: click.Context, everywhere: frozenset[str]
) -> str:
    context = click.Context(command, parent=parent, info_name=command.name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    paragraphs = cleandoc(command.help or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    options = [option for option in command.params if option.name not in everywhere]
    parts = [f"## `{command.name}`", f"    {usage}", text, table(context, options)]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(context: click.Context, options: Sequence[click.Parameter]) -> str:
    rows = "".join(option_rows(context, options))
    return f"| option | means |\n|---|---|\n{rows}" if rows else ""


def option_rows(context: click.Context, options: Sequence[click.Parameter]) -> Iterator[str]:
    for option in options:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            typed, means = (" ".join(text.split()).replace("|", "\\|") for text in record)
            yield f"| `{typed}` | {means} |\n"


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code says whether all is well."""
    commands = REFERENCE / "cli.md"
    pages = {
        REFERENCE / "errors.md": errors_page(),
        commands: commands_page(commands.read_text(encoding="utf-8")),
    }
    different = [page for page in pages if page.read_text(encoding="utf-8") != pages[page]]
    if arguments == ["--check"]:
        for page in different:
            where = f"docs/reference/{page.name}"
            print(f"{where} differs; run: python docs/generate.py", file=sys.stderr)
        return 1 if different else 0
    for page in different:
        page.write_text(pages[page], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
