"""`squidmesh migrate`: bring a journal's tables up to date."""

import click

from squidmesh.cli.application import require_url, wrong
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell, Screen, write
from squidmesh.cli.session import Session
from squidmesh.config import Config
from squidmesh.opening import migrate, migration_sql, shown


@click.command("migrate")
@click.argument("journal", metavar="[URL]", required=False)
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@click.option("--sql", is_flag=True, help="Only print the SQL that would be run.")
@common
def command(session: Session, /, *, journal: str | None, plan: bool, sql: bool) -> int:
    """
    Bring the tables of a journal (URL, or the configured one) up to date.

    A step that expands is safe while workers run; before one that contracts, stop
    every process of the older release.
    """
    if plan and sql:
        raise click.UsageError("--plan and --sql exclude each other")
    url = journal or _configured(session.config)
    if sql:
        _print_script(session.screen, url)
    else:
        _tell_steps(session.screen, url, plan=plan)
    return DONE


def _configured(config: Config) -> str:
    """
    The configured URL.

    Raises:
        ConfigError: There is none; an application is not asked, for its mesh needs the tables.
    """
    if config.url is None and config.app is not None:
        raise wrong("url", f"{config.app!r} is not loaded for this; type its journal's URL as well")
    return require_url(config)


def _print_script(screen: Screen, url: str) -> None:
    """Nothing but SQL on standard output, for whoever may not let a program do it."""
    text = migration_sql(url)
    if screen.form == "json":
        screen.document("migration/1", url=shown(url), planned=True, sql=text)
    elif text:
        write(text.rstrip("\n"))


def _tell_steps(screen: Screen, url: str, *, plan: bool) -> None:
    steps = migrate(url, plan=plan)
    if screen.form == "json":
        screen.document("migration/1", url=shown(url), planned=plan, steps=list(steps))
        return
    if steps:
        screen.table(("to do" if plan else "done",), [(Cell.of(step),) for step in steps])
    if screen.form == "human":
        verdict = (
            "is up to date" if not steps else "would change" if plan else "was brought up to date"
        )
        screen.line(f"{shown(url)} {verdict}")
