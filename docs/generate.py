"""
Write the reference pages that are derived from code.

    python docs/generate.py           write them
    python docs/generate.py --check   fail if one differs from what would be written
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from inspect import cleandoc
from itertools import takewhile
from pathlib import Path
from typing import Final

import click

import squidmesh
from squidmesh.authoring.gates import GateOptions
from squidmesh.authoring.steps import CommonOptions
from squidmesh.cli.meanings import MEANINGS, UNNUMBERED
from squidmesh.cli.root import COMMANDS, root
from squidmesh.people import CommandOptions
from squidmesh.queues.limits import QueueCommand, QueueLimits
from squidmesh.starting import StartOptions
from squidmesh.steering.bulk import BulkOptions
from squidmesh.views.filtering import BoardFilters, RunFilters
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


VERBS: Final = """\
# Mesh, verb by verb

<!-- Written by docs/generate.py from the docstrings; do not edit. -->

What `help(Mesh)` says, with the options that it points to.
`AsyncMesh` has the same verbs, awaited; its iterators are async, and `open`, `from_engine`, `redact`, `on`, `using` and `worker` are called without `await`.

- A **run** is given as its id, or as the `Run` or `Snapshot` that a verb returned.
- A **duration** is a `timedelta` or a text of `d h m s ms` parts, largest first: `"90s"`, `"1h30m"`, `"250ms"`.
- An **instant** is a `datetime` with a time zone; what comes back is in UTC. `now=` is for tests: without it the clock of the storage decides.
- **`by`** says who: a name, a map of facts, or an `Actor`. `note` and `metadata` are kept with it.
- **`key`** makes a command repeatable: the same key with the same words is a success that writes nothing.
- Every error is a `SquidmeshError`; [its codes](errors.md). Besides those listed, any verb raises `StorageUnavailable` while the storage does not answer, and `RevisionConflict` where others write to the run again and again.
"""

OPTIONS: Final = """\
## Options and records

What verbs take by name, and what hosts write or are handed.
"""

#: Verbs by what one is about to do; a verb that is in none of them is an error.
ROOMS: Final[dict[str, str]] = {
    "Open and close": "__init__ open from_engine close using",
    "Start": "start start_spec apply_signal",
    "Look": "inspect explain graph journal watch diff runs counts deadlines approvals wait_for redact",
    "Steer": "approve reject pause resume send deliver cancel cancel_all replay replay_all"
    " retry_compensation",
    "Work": "worker drain execute_next claim heartbeat complete fail defer",
    "Queues, workers, hooks": "queues set_queue pause_queue resume_queue workers on hooks forget_hook",
    "Upkeep": "health verify reindex prune bundle load export restore",
}

#: What hosts write or are handed, and is made of fields.
RECORDS: Final[tuple[type, ...]] = (
    StartOptions,
    CommandOptions,
    BulkOptions,
    RunFilters,
    BoardFilters,
    QueueCommand,
    QueueLimits,
    CommonOptions,
    GateOptions,
    squidmesh.Retries,
    squidmesh.Deadline,
    squidmesh.Context,
    squidmesh.Claim,
    squidmesh.Run,
    squidmesh.Snapshot,
    squidmesh.Health,
    squidmesh.Notice,
)


def family(number: int) -> type[errors.SquidmeshError]:
    """The exception that carries the code with this number."""
    return max((entry for entry in FAMILIES if entry[0] <= number), key=lambda entry: entry[0])[1]


def cell(text: str) -> str:
    """The text as a cell of a table, in which a bar would begin the next one."""
    return text.replace("|", "\\|")


def unnumbered() -> str:
    """The words without a number."""
    rows = "".join(f"| `{word}` | {cell(says)} |\n" for word, says in UNNUMBERED.items())
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
    table = "".join(f"| SM{n} | `{code}` | {cell(MEANINGS[code])} |\n" for n, code in rows)
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
            typed, means = (cell(" ".join(text.split())) for text in record)
            yield f"| `{typed}` | {means} |\n"


def verbs_page() -> str:
    """
    The page of verbs: one section for each, and one table for each record of options.

    Raises:
        ValueError: A verb is in no room, or a room has one that there is not.
    """
    verbs = {
        name for name in dir(squidmesh.Mesh) if inspect.isroutine(getattr(squidmesh.Mesh, name))
    }
    listed = " ".join(ROOMS.values()).split()
    if different := {name for name in verbs if name[0] != "_"} ^ {*listed} - {"__init__"}:
        raise ValueError(f"in ROOMS or in Mesh alone: {', '.join(sorted(different))}")
    rooms = [
        f"## {room}\n\n" + "\n".join(map(verb, names.split())) for room, names in ROOMS.items()
    ]
    return "\n".join([VERBS, *rooms, OPTIONS, *map(fields_section, RECORDS)])


def verb(name: str) -> str:
    """One verb: how it is called, and its docstring."""
    made = name == "__init__"
    found: Callable[..., object] = squidmesh.Mesh if made else getattr(squidmesh.Mesh, name)
    parameters = inspect.signature(found).parameters.values()
    shown = ", ".join(arguments_of([one for one in parameters if one.name != "self"]))
    owner = "Mesh" if inspect.ismethod(found) else "mesh"  # a class method has its class already
    title, called = ("Mesh", "Mesh") if made else (name, f"{owner}.{name}")
    said = prose(inspect.getdoc(found) or "")
    return f"### {title}\n\n```text\n{called}({shown})\n```\n\n{said}\n"


def arguments_of(parameters: Sequence[inspect.Parameter]) -> Iterator[str]:
    """The parameters as one writes them; the star stands where keywords begin."""
    named = False
    for one in parameters:
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not named:
            named = True
            yield "*"
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            yield f"**{one.name}: {str(one.annotation).removeprefix('Unpack[').removesuffix(']')}"
        else:
            yield one.name if one.default is one.empty else f"{one.name}={one.default!r}"


def prose(docstring: str) -> str:
    """A docstring as Markdown: `Args` and `Raises` become lists."""
    lines: list[str] = []
    for line in docstring.splitlines():
        text = line.strip()
        if line in ("Args:", "Raises:"):
            lines += [f"**{line.rstrip(':')}**", ""]
        elif line.startswith("    ") and not line.startswith("     "):
            name, _, says = text.partition(": ")
            lines.append(f"- `{name}`: {says}")
        else:
            lines.append(f"  {text}" if line.startswith("     ") else text)
    return "\n".join(lines)


def fields_section(record: type) -> str:
    rows = "".join(f"| `{name}` | `{kind}` | {says} |\n" for name, kind, says in fields_of(record))
    first = (record.__doc__ or "").strip().splitlines()[0]
    return f"### {record.__name__}\n\n{first}\n\n| member | type | says |\n|---|---|---|\n{rows}"


def fields_of(cls: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and `#:` comment of every field, those of its bases first."""
    lines = inspect.getsource(cls).splitlines()
    (declared,) = ast.parse("\n".join(lines)).body
    if not isinstance(declared, ast.ClassDef):
        raise TypeError(f"{cls} is no class")
    for base in declared.bases:  # a TypedDict does not know its own
        above = named(ast.unparse(base), sys.modules[cls.__module__])
        if isinstance(above, type) and above.__module__.startswith("squidmesh"):
            yield from fields_of(above)
    for node in declared.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind, says = ast.unparse(node.annotation), comment_above(lines, node.lineno)
            yield node.target.id, cell(kind), cell(says)


def named(path: str, where: object) -> object:
    """What a name in a module stands for, such as `inspection.Snapshot`; null: no plain name."""
    for part in path.split("."):
        where = getattr(where, part, None)
    return where


def comment_above(lines: Sequence[str], number: int) -> str:
    """What the `#:` lines right above a line say; lines count from 1."""
    above = takewhile(lambda line: line.startswith("#:"), map(str.strip, lines[number - 2 :: -1]))
    said = " ".join(line.removeprefix("#:") for line in [*above][::-1])
    return " ".join(said.split())


def main(arguments: list[str]) -> int:
    """Write or check the pages; the exit code says whether all is well."""
    commands = REFERENCE / "cli.md"
    pages = {
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "mesh.md": verbs_page(),
        commands: commands_page(commands.read_text(encoding="utf-8")),
    }
    present = {page: page.read_text(encoding="utf-8") if page.exists() else "" for page in pages}
    different = [page for page in pages if present[page] != pages[page]]
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
