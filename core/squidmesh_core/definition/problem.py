"""What is wrong with a definition: where, what, and what to type instead."""

from collections.abc import Iterable
from typing import Literal

from attrs import field, frozen
from attrs.validators import in_

from squidmesh_core.errors import NUMBERS, DefinitionError

#: Where in the JSON form of a spec: `("steps", 3, "input", "amount_cents")`.
Place = tuple[str | int, ...]


@frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a definition; a warning refuses nothing."""

    path: Place
    #: A stable word; each has a number.
    code: str = field(validator=in_(NUMBERS))
    #: Expected and actual, in a sentence.
    message: str
    #: What to type instead; empty where the message says it.
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    #: Where the host wrote it; only classes know.
    file: str | None = None
    line: int | None = None

    @property
    def sm(self) -> int:
        """The number of this code, as `squidmesh help SM201` knows it."""
        return NUMBERS[self.code]

    def __str__(self) -> str:
        place = f" at {'.'.join(map(str, self.path))}" if self.path else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"SM{self.sm} {self.code}{place}: {self.message}{hint}"

    def to_dict(self) -> dict[str, object]:
        """The JSON form of a problem, for editors and `--json`."""
        return {
            "path": list(self.path),
            "code": self.code,
            "sm": self.sm,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
        }


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that refuse a definition, without the warnings."""
    return tuple(problem for problem in problems if problem.severity == "error")


def definition_error(workflow: str, problems: Iterable[Problem]) -> DefinitionError:
    """The exception that lists all problems, errors first; its code is the first one's."""
    listed = tuple(sorted(problems, key=lambda problem: problem.severity == "warning"))
    lines = "".join(f"\n  - {problem}" for problem in listed)
    return DefinitionError(
        f"{workflow} cannot be registered, {len(listed)} problem(s):{lines}",
        listed[0].code,
        {"problems": [problem.to_dict() for problem in listed]},
        listed,
    )
