"""`squidmesh explain`: why a run is where it is, and what may be done about it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Final

import click
from attrs import evolve

from squidmesh.cli.documents import plain_mapping
from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import STYLES, Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.files.masking import Mask
from squidmesh.mesh import Mesh
from squidmesh.views.explaining import explain
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.views.explanation import Explanation
from squidmesh_core.views.words import printable

#: Where an id may end, so that its beginning is still easy to compare: its milliseconds first.
_LENGTHS: Final = (13, 18, 23, 28)


@click.command("explain")
@click.argument("run", type=RUN)
@common
@seen_as
def command(session: Session, /, *, run: str) -> int:
    """
    Say why RUN is where it is, and what may be done about it now.

    Every action comes with what would follow and the command that does it; (!) marks
    those that end the run, give something up, or repeat what cannot be undone.
    """
    screen, config = session.screen, session.config
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        zone = _local() if config.time == "local" else UTC
        found = shown(session, explain(mesh.door, run_id, zone=zone))
        hide = None if session.role == "auditor" else _mask(mesh, run_id)
        short = _shortest(mesh, run_id)
    found = _with_application(found, config.app)
    match screen.form:
        case "json":
            document = found.to_dict() if hide is None else hide.value(found.to_dict())
            screen.document("explanation/1", **plain_mapping(document))
        case "plain":
            _print_plain(_told(found, hide.text if hide else str), screen)
        case "human":
            _print(_told(found, _for_people(hide, run_id, short)), screen)
    return DONE


def _print(found: Explanation, screen: Screen) -> None:
    heading, *lines = found.to_text(screen.console.width).splitlines()
    screen.line(heading, STYLES.get(found.status, "") or "bold")
    for line in lines:
        # Those to type are printed whole; a terminal that is too narrow wraps them itself.
        screen.line(line, "cyan" if line.lstrip().startswith("squidmesh ") else "")


def _print_plain(found: Explanation, screen: Screen) -> None:
    facts = {
        "id": found.run.id,
        "workflow": found.run.workflow,
        "status": found.status,
        "reason": found.reason,
        "node": found.node or "",
        "since": screen.when(found.since).plain,
        "summary": found.summary,
    }
    for name, value in facts.items():
        screen.fields(name, value)
    for line in found.why:
        screen.fields("why", line)
    for action in found.next_actions:
        safe = "safe" if action.safe else "unsafe"
        screen.fields("may", action.name, action.node or "", safe, action.effect, action.command)
    for refused in found.refused_actions:
        screen.fields("may_not", refused.name, refused.node or "", refused.code, refused.message)


def _with_application(found: Explanation, app: str | None) -> Explanation:
    """The same, with the application in the place that commands leave for it."""
    if app is None:
        return found
    actions = (
        evolve(one, command=one.command.replace("--app MODULE", f"--app {app}"))
        for one in found.next_actions
    )
    return evolve(found, next_actions=tuple(actions))


def _told(found: Explanation, say: Callable[[str], str]) -> Explanation:
    """The same, with every text as it is to be told."""
    return evolve(
        found,
        run=evolve(found.run, id=RunId(say(found.run.id))),
        summary=say(found.summary),
        why=tuple(map(say, found.why)),
        next_actions=tuple(
            evolve(
                one,
                node=one.node and say(one.node),
                effect=say(one.effect),
                command=say(one.command),
            )
            for one in found.next_actions
        ),
        refused_actions=tuple(
            evolve(one, node=one.node and say(one.node), message=say(one.message))
            for one in found.refused_actions
        ),
    )


def _for_people(hide: Mask | None, run_id: RunId, short: str) -> Callable[[str], str]:
    """Nothing sensitive, nothing that a terminal obeys, and the run by the beginning of its id."""

    def say(text: str) -> str:
        return printable(hide.text(text) if hide else text).replace(run_id, short)

    return say


def _mask(mesh: Mesh, run_id: RunId) -> Mask | None:
    """What is sensitive in the run; null: it cannot be read, so nothing of it is shown."""
    with suppress(StorageError):
        known = mesh.door.fresh(run_id)
        return Mask(known.spec, known.state.context)
    return None


def _shortest(mesh: Mesh, run_id: RunId) -> str:
    """A beginning of the id that no other id has."""
    for length in _LENGTHS:
        prefix = RunId(run_id[:length])
        after = mesh.door.journal.run_ids(prefix, 2)
        if sum(one.startswith(prefix) for one in after) == 1:
            return prefix
    return run_id


def _local() -> tzinfo:
    return datetime.now().astimezone().tzinfo or UTC
