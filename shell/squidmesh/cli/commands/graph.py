"""`squidmesh graph`: one run as a picture, in the terminal or in a file."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, assert_never

import click
from attrs import evolve

from squidmesh.cli.documents import plain_mapping, taken_in
from squidmesh.cli.exits import DONE
from squidmesh.cli.instants import point
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import STYLES, Screen, json_text
from squidmesh.cli.session import Session, find_run
from squidmesh.files.masking import Mask
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.views.graph import GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.inspection import AttemptView
from squidmesh_core.views.steps import SIGNS

Format = Literal["ascii", "svg", "mermaid", "dot", "json"]
#: End of a file's name → what it is taken to want.
_SUFFIXES: Final[Mapping[str, Format]] = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".json": "json",
}
_STATUSES: Final = {sign: status for status, sign in SIGNS.items()}


@click.command("graph")
@click.argument("run", type=RUN)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ascii", "svg", "mermaid", "dot", "json"]),
    help="What to draw; else what the file's name says, and ascii without a file.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write it there; what is there is written over.",
)
@click.option("--history", is_flag=True, help="In JSON, also what each node took in and gave out.")
@click.option(
    "--at", callback=point, metavar="N|INSTANT|AGE", help="As it was at revision N, or then."
)
@common
@seen_as
def command(
    session: Session,
    /,
    *,
    run: str,
    form: Format | None,
    output: Path | None,
    history: bool,
    at: int | datetime | None,
) -> int:
    """
    Draw one run: its nodes, the routes that it took, and those that it did not.

    An SVG needs nothing but itself: it follows the reader's light or dark, and holds
    no script.
    """
    screen = session.screen
    wanted = _wanted(form, output, screen)
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        found = shown(session, mesh.graph(run_id, history=history, at=at))
        known = mesh.door.fresh(run_id)
    if session.role != "auditor":
        found = _masked(found, Mask(known.spec, known.state.context))
    if output is not None:
        _write(output, _text(found, wanted, screen))
        screen.line(f"wrote {output}")
    elif wanted == "json":
        screen.document("graph/1", **found.to_dict())
    elif wanted == "ascii":
        for line in _text(found, wanted, screen).splitlines():
            screen.line(line, _style(line))
    else:
        # One text, as a file would have it; nothing in it is for a terminal to obey.
        click.echo(_text(found, wanted, screen), nl=False)
    return DONE


def _wanted(form: Format | None, output: Path | None, screen: Screen) -> Format:
    if screen.form == "json":
        if form not in {None, "json"}:
            raise click.UsageError(f"--json prints JSON, and --format asks for {form}")
        return "json"
    return form or (_SUFFIXES.get(output.suffix.lower(), "ascii") if output else "ascii")


def _text(graph: RunGraph, form: Format, screen: Screen) -> str:
    match form:
        case "ascii":
            return graph.to_ascii(screen.console.width)
        case "svg":
            return graph.to_svg()
        case "mermaid":
            return graph.to_mermaid()
        case "dot":
            return graph.to_dot()
        case "json":
            return json_text({"schema": "squidmesh.graph/1", **graph.to_dict()}, indent=2) + "\n"
    assert_never(form)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise click.FileError(str(output), exc.strerror) from exc


def _masked(graph: RunGraph, mask: Mask) -> RunGraph:
    """The same without what the definition calls sensitive."""
    anomalies = (
        evolve(one, keys={name: mask.text(key) for name, key in one.keys.items()})
        for one in graph.anomalies
    )
    return evolve(
        graph,
        nodes=tuple(_masked_node(node, mask) for node in graph.nodes),
        edges=tuple(_masked_edge(edge, mask) for edge in graph.edges),
        anomalies=tuple(anomalies),
    )


def _masked_node(node: GraphNode, mask: Mask) -> GraphNode:
    attempts = tuple(_masked_attempt(one, mask) for one in node.attempts)
    newest = attempts[-1] if attempts else None
    return evolve(
        node,
        input=newest.input if newest else None,
        output=newest.output if newest else mask.output(NodeName(node.id), node.output),
        error=_masked_failure(node.error, mask),
        attempts=attempts,
    )


def _masked_attempt(attempt: AttemptView, mask: Mask) -> AttemptView:
    return evolve(
        attempt,
        input=None if attempt.input is None else plain_mapping(taken_in(attempt, mask)),
        output=mask.output(attempt.node, attempt.output),
        error=_masked_failure(attempt.error, mask),
        progress=None if attempt.progress is None else plain_mapping(mask.value(attempt.progress)),
    )


def _masked_failure(error: Failure | None, mask: Mask) -> Failure | None:
    if error is None:
        return None
    details = plain_mapping(mask.value(error.details))
    return evolve(error, message=mask.text(error.message), details=details)


def _masked_edge(edge: GraphEdge, mask: Mask) -> GraphEdge:
    if edge.condition is None and edge.values is None:
        return edge
    values = None if edge.values is None else plain_mapping(mask.decisive(edge.values))
    condition = edge.condition and plain_mapping(mask.condition(edge.condition))
    return evolve(edge, condition=condition, values=values)


def _style(line: str) -> str:
    """The colour of a line of the drawing: its status's, or pale for ways not taken."""
    status = _STATUSES.get(line[:1])
    if status is not None:
        return STYLES[status]
    return "dim" if line[1:2] == "╌" or line[:1] == "╎" else ""
