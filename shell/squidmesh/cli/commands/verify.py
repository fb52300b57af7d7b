"""`squidmesh verify`: every stored append read again, and what does not fit."""

from typing import Final

import click

from squidmesh.cli.documents import Document
from squidmesh.cli.exits import DONE, STORAGE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import counted, one_line, short_ids
from squidmesh.upkeep.verifying import Report, Verdict, Verified

#: Verdict → its words, its colour, and what to do about it.
_SAID: Final[dict[Verdict, tuple[str, str, str]]] = {
    "damaged": ("damaged", "red", "restore the run's rows from a backup, then verify it again"),
    "newer": ("left to a newer squidmesh", "yellow", "verify it with the release that wrote it"),
    "rules_broken": ("breaks a rule", "red", "keep a copy of the run, and report it"),
    "index_differs": ("index differs", "yellow", "`squidmesh reindex RUN` rebuilds the rows"),
    "ok": ("ok", "green", ""),
}


@click.command("verify")
@click.argument("run", type=RUN, required=False)
@click.option("--checker", is_flag=True, help="Also hold each journal against every rule.")
@common
def command(session: Session, /, *, run: str | None, checker: bool) -> int:
    """
    Read every stored append of RUN, or of all runs, again.

    A damaged run is quarantined: nobody works on it until a later verify finds it
    right.  Exit code 7 if anything is wrong or could not be judged.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        report = mesh.verify(None if run is None else find_run(mesh, run), checker=checker)
    if screen.form == "json":
        screen.listing(
            "verification/1",
            "results",
            [_document(verified) for verified in report.results],
            line="verified-run/1",
            clean=report.clean,
            runs=report.runs,
            entries=report.entries,
            verdicts=dict(report.verdicts),
        )
    else:
        _print(report, screen)
    return DONE if report.clean else STORAGE


def _print(report: Report, screen: Screen) -> None:
    short = short_ids(verified.run_id for verified in report.results)
    rows = [_row(verified, short[verified.run_id]) for verified in report.results]
    if rows or screen.form == "plain":
        screen.table(("run", "verdict", "revision", "what was found"), rows)
    if screen.form != "human":
        return
    for verdict, (_, _, advice) in _SAID.items():
        if advice and report.verdicts.get(verdict):
            screen.line(f"{_SAID[verdict][0]}: {advice}", "dim")
    read = f"{counted(report.runs, 'run')}, {counted(report.entries, 'entry')} read"
    wrong = report.runs - report.verdicts.get("ok", 0)
    verdict_of_all = f"{wrong} to look at" if wrong else "nothing is wrong"
    screen.line(f"{read}: {verdict_of_all}", "red" if wrong else "green")


def _row(verified: Verified, short: str) -> tuple[Cell, ...]:
    words, style, _ = _SAID[verified.verdict]
    found = "; ".join(_found(verified))
    revision = verified.revision if verified.at_revision is None else verified.at_revision
    return (
        Cell(human=short, plain=verified.run_id),
        Cell(human=words, plain=verified.verdict, style=style),
        Cell.of(str(revision)),
        Cell(human=one_line(found, 400), plain=found),
    )


def _found(verified: Verified) -> list[str]:
    found = [verified.reason] if verified.reason else []
    found += [f"{one.rule} at {one.revision}: {one.message}" for one in verified.violations]
    if verified.rows:
        found.append(f"rows that differ: {', '.join(verified.rows)}")
    if verified.checkpoint == "unusable":
        found.append("its checkpoint was unusable, and is dropped")
    if verified.lifted:
        found.append("its quarantine is lifted")
    return found


def _document(verified: Verified) -> Document:
    return {
        "run_id": verified.run_id,
        "verdict": verified.verdict,
        "revision": verified.revision,
        "at_revision": verified.at_revision,
        "reason": verified.reason,
        "rows": list(verified.rows),
        "checkpoint": verified.checkpoint,
        "violations": [
            {"rule": one.rule, "revision": one.revision, "message": one.message}
            for one in verified.violations
        ],
        "lifted": verified.lifted,
    }
