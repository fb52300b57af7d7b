"""
Write the reference pages that are derived from code.

    python docs/generate.py           write them
    python docs/generate.py --check   fail if one differs from what would be written
"""

import sys
from pathlib import Path
from typing import Final

from squidmesh_core import errors

PAGE: Final = Path(__file__).parent / "reference" / "errors.md"

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

<!-- Written by docs/generate.py from squidmesh_core.errors; do not edit. -->

Every exception is a `SquidmeshError` with `code`, a stable word to branch on, `details`, a JSON-safe mapping, and `sm`, the number below.
The text says what was expected, what was found, and what became of the data; it may change between releases.
Values of options and secrets are never part of it.
"""


def family(number: int) -> type[errors.SquidmeshError]:
    """The exception that carries the code with this number."""
    return max((entry for entry in FAMILIES if entry[0] <= number), key=lambda entry: entry[0])[1]


def page() -> str:
    """The page of errors: one section for each exception, one row for each code."""
    codes: dict[type[errors.SquidmeshError], list[tuple[int, str]]] = {}
    for code, number in sorted(errors.NUMBERS.items(), key=lambda item: item[1]):
        codes.setdefault(family(number), []).append((number, code))
    return "\n".join([INTRODUCTION, *(section(kind, rows) for kind, rows in codes.items())])


def section(kind: type[errors.SquidmeshError], rows: list[tuple[int, str]]) -> str:
    table = "".join(f"| SM{number} | `{code}` |\n" for number, code in rows)
    return f"## {kind.__name__}\n\n{kind.__doc__}\n\n| number | code |\n|---|---|\n{table}"


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit code says whether all is well."""
    text = page()
    if arguments == ["--check"]:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/reference/errors.md differs; run: python docs/generate.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
