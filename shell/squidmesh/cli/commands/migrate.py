"""`squidmesh migrate`: bring a journal's tables up to date."""

import click

from squidmesh.cli.application import require_url
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell
from squidmesh.cli.session import Session
from squidmesh.opening import migrate, shown


@click.command("migrate")
@click.argument("journal", metavar="[URL]", required=False)
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@common
def command(session: Session, /, *, journal: str | None, plan: bool) -> int:
    """Bring the tables of a journal (URL, or the configured one) up to date."""
    screen = session.screen
    url = journal or require_url(session.config)
    steps = migrate(url, plan=plan)
    if screen.form == "json":
        screen.document("migration/1", url=shown(url), planned=plan, steps=list(steps))
        return DONE
    if steps:
        screen.table(("to do" if plan else "done",), [(Cell.of(step),) for step in steps])
    if screen.form == "human":
        verdict = (
            "is up to date" if not steps else "would change" if plan else "was brought up to date"
        )
        screen.line(f"{shown(url)} {verdict}")
    return DONE
