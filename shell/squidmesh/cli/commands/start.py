"""`squidmesh start`: begin a run and leave the work to workers."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click
from attrs import frozen

from squidmesh.actions import ActionRegistry
from squidmesh.cli.application import load, wrong
from squidmesh.cli.documents import run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.following import follow
from squidmesh.cli.instants import to_come
from squidmesh.cli.naming import STARTABLE
from squidmesh.cli.options import common
from squidmesh.cli.payloads import payload_options, read_payload
from squidmesh.cli.queueing import word_options
from squidmesh.cli.session import Session
from squidmesh.cli.targets import opened
from squidmesh.mesh import Mesh
from squidmesh.starting import StartOptions
from squidmesh_core.canonical import decode_strict
from squidmesh_core.definition.spec import Spec
from squidmesh_core.views.inspection import Run


@frozen(kw_only=True)
class Said:
    """The payload as the command line says it."""

    data: str | None
    pairs: Sequence[str]


@click.command("start")
@click.argument("workflow", type=STARTABLE, metavar="[[MODULE:]WORKFLOW[.TRIGGER]]", required=False)
@payload_options
@click.option("--spec", type=click.Path(path_type=Path), help="Start the definition in this file.")
@click.option("--actions", metavar="MODULE:REGISTRY", help="What --spec may perform.")
@click.option("--trigger", help="The trigger of --spec, if it has several.")
@click.option("--key", help="The same key again finds the same run.")
@click.option("--run-id", metavar="UUID", help="An id of your own, instead of a key.")
@click.option("--queue", help="The queue, instead of the workflow's own.")
@click.option("--priority", type=int, help="Smaller is sooner; else the workflow's own, or 0.")
@click.option("--tag", "tags", multiple=True, help="A tag for lists; may be repeated.")
@click.option("--partition-key", help="What limits and turns per key go by.")
@click.option(
    "--at", callback=to_come, metavar="INSTANT|TIME", help="Not before then, such as 90m."
)
@word_options
@click.option("--wait", is_flag=True, help="Follow the run to its end.")
@click.option(
    "--timeout", metavar="DURATION", help="With --wait: give up after so long, such as 90s."
)
@common
def command(
    session: Session,
    /,
    *,
    workflow: str | None,
    data: str | None,
    pairs: tuple[str, ...],
    spec: Path | None,
    actions: str | None,
    trigger: str | None,
    wait: bool,
    timeout: str | None,
    **options: object,
) -> int:
    """
    Start a run and leave the work to workers; prints its id when piped.

    Without MODULE, the name is one that the application registered.
    """
    said = Said(data=data, pairs=pairs)
    asked = _options(options)
    if timeout is not None and not wait:
        raise click.UsageError("--timeout belongs to --wait")
    if (workflow is None) is (spec is None):
        raise click.UsageError("name a workflow, or give --spec FILE with --actions")
    if spec is not None:
        if actions is None:
            raise click.UsageError("--spec needs --actions MODULE:REGISTRY")
        registry = _registry(actions)
        with session.mesh() as mesh:
            started = _start_spec(mesh, spec, registry, asked, trigger=trigger, said=said)
            return _report(session, mesh, started, wait=wait, timeout=timeout)
    if actions is not None or trigger is not None:
        raise click.UsageError("--actions and --trigger belong to --spec")
    with opened(session, str(workflow)) as (mesh, target):
        started = target.start(mesh, read_payload(data, pairs, target.fields), **asked)
        return _report(session, mesh, started, wait=wait, timeout=timeout)


def _options(options: dict[str, object]) -> StartOptions:
    # click made each of its type; what was not typed stays at the mesh's default.
    given = {name: value for name, value in options.items() if value not in {None, ()}}
    return cast("StartOptions", given)


def _start_spec(
    mesh: Mesh,
    file: Path,
    registry: ActionRegistry,
    options: StartOptions,
    *,
    trigger: str | None,
    said: Said,
) -> Run:
    spec = _read_spec(file)
    names = [one.name for one in spec.triggers]
    if trigger is None and len(names) > 1:
        reason = f"{spec.workflow} has several triggers; name one: {', '.join(names)}"
        raise wrong("trigger", reason)
    name = trigger or names[0]
    declared = spec.trigger(name)
    payload = read_payload(said.data, said.pairs, declared.payload if declared else ())
    return mesh.start_spec(spec, name, payload, actions=registry, **options)


def _read_spec(file: Path) -> Spec:
    try:
        data = decode_strict(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise wrong("spec", f"{file} cannot be read as JSON: {exc}") from None
    return Spec.from_dict(data)


def _registry(reference: str) -> ActionRegistry:
    found = load(reference, "actions")
    if isinstance(found, ActionRegistry):
        return found
    raise wrong("actions", f"{reference!r} is no ActionRegistry")


def _report(session: Session, mesh: Mesh, started: Run, *, wait: bool, timeout: str | None) -> int:
    screen = session.screen
    if wait:
        return follow(session, mesh, started.id, timeout=timeout)
    match screen.form:
        case "json":
            screen.document("started/1", run=run_document(started))
        case "plain":
            screen.fields(started.id)
        case "human":
            verb = "was already started" if started.duplicate else "started"
            screen.line(f"{started.id}  {started.workflow} {verb}, {started.status}")
    return DONE
