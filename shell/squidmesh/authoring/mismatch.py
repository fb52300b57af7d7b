"""What does not fit a contract, as data."""

from collections.abc import Iterable, Mapping
from typing import Literal

from attrs import evolve, frozen

from squidmesh_core.errors import PayloadError, enumerated

Path = tuple[str | int, ...]


@frozen(kw_only=True)
class Misfit:
    """One value that does not fit; the value itself is never shown."""

    path: Path
    #: What would fit: `int`, `a known field`.
    expected: str
    kind: Literal["missing", "unknown", "type"] = "type"

    def under(self, *start: str | int) -> "Misfit":
        """The same misfit, seen from further out."""
        return evolve(self, path=(*start, *self.path))

    def __str__(self) -> str:
        place = text_of(self.path)
        match self.kind:
            case "missing":
                return f"{place} is missing ({self.expected})"
            case "unknown":
                return f"{place} is not known ({self.expected})"
            case "type":
                return f"{place} is not {self.expected}"


class ContractMismatch(ValueError):  # named after what it reports
    """A value does not fit its declared type; every misfit is listed."""

    def __init__(self, problems: Iterable[Misfit]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return enumerated(map(str, self.problems), "; ")

    @property
    def details(self) -> Mapping[str, object]:
        """The same, JSON-safe and sorted as `PayloadError` shows it."""
        by_kind: dict[str, dict[str, str]] = {"missing": {}, "unknown": {}, "type": {}}
        for problem in self.problems:
            by_kind[problem.kind][text_of(problem.path)] = problem.expected
        return {
            "missing_fields": list(by_kind["missing"]),
            "unknown_fields": list(by_kind["unknown"]),
            "invalid_types": by_kind["type"],
            "problems": [{"path": list(p.path), "expected": p.expected} for p in self.problems],
        }


def misfit_error(
    what: str, mismatch: ContractMismatch, where: Mapping[str, object]
) -> PayloadError:
    """The refusal to read what was stored in a type that it does not fit."""
    message = f"{what} does not fit: {mismatch}; nothing was changed"
    return PayloadError(message, "invalid_payload", {**where, **mismatch.details})


def text_of(path: Path) -> str:
    """A path as people write it: `items[1].qty`; the empty one is `the value`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the value"
