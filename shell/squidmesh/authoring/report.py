"""What a definition error looks like: one block per problem, with the host's line."""

from collections.abc import Sequence
from pathlib import Path

from squidmesh_core.definition.problem import Problem
from squidmesh_core.errors import DefinitionError
from squidmesh_core.ids import is_node_name


def definition_error(
    workflow: str, problems: Sequence[Problem], labels: Sequence[str]
) -> DefinitionError:
    """
    The exception that lists all problems of a class.

    Args:
        workflow: The name of the class.
        problems: At least one.
        labels: The trigger or node that each problem belongs to; empty for the class itself.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    places = [_place(problem) for problem in problems]
    # An invalid name is in its problem's message, written so that it can be shown.
    labels = [label if is_node_name(label) else "" for label in labels]
    numbers = [f"SM{problem.sm}" if problem.sm else problem.code for problem in problems]
    widths = [max(map(len, column)) for column in (places, labels, numbers)]
    lines = [f"{workflow} has {count}; nothing was registered", ""]
    for problem, *cells in zip(problems, places, labels, numbers, strict=True):
        columns = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {columns}  {problem.message}")
        if problem.hint:
            lines.append(" " * (widths[0] + 4) + problem.hint)
    return DefinitionError(
        "\n".join(lines),
        problems[0].code,
        {"problems": [problem.to_dict() for problem in problems]},
        tuple(problems),
    )


def _place(problem: Problem) -> str:
    """The file, as short as it can be opened from here, and the line."""
    if problem.file is None:
        return ""
    file = Path(problem.file)
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    elif not file.exists():  # a notebook's cell
        file = Path(file.name)
    return f"{file}:{problem.line}"
