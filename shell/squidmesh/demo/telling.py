"""What a demonstration prints: when it needs a person, and when it is over."""

from collections.abc import Iterator, Mapping
from typing import Final

from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.text import counted
from squidmesh.config import URL_VARIABLE
from squidmesh.demo.books import Account, Ending, How, groups, money
from squidmesh.demo.driver import Told
from squidmesh.demo.folder import Folder
from squidmesh.demo.standins import Answer, Review
from squidmesh_core.views.words import actor_name, span

#: Orders that are named for one reason before the rest is counted.
_MOST_NAMED: Final = 4
_STYLES: Final[Mapping[How, str]] = {
    "shipped": "green",
    "apologised": "yellow",
    "failed": "red",
    "cancelled": "yellow",
    "unfinished": "red",
}


def tell(told: Told, screen: Screen) -> None:
    """Print what happened, for whoever reads."""
    match screen.form:
        case "json":
            screen.document("demo/1", **_document(told))
        case "plain":
            _tell_lines(told, screen)
        case "human":
            _tell_people(told, screen)


def next_commands(told: Told) -> tuple[str, ...]:
    """Three commands to go on with."""
    where = told.folder.option
    troubled = next((e for e in told.books.endings if e.how == "failed"), told.books.endings[0])
    apologised = next((e for e in told.books.endings if e.how == "apologised"), troubled)
    return (
        f"squidmesh runs{where} --status failed",
        f"squidmesh show {troubled.run_id[:13]}{where}",
        f"squidmesh journal {apologised.run_id[:13]}{where}",
    )


def ask(review: Review, told_by: Screen, folder: Folder) -> None:
    """Say which order waits for a person, and what to type."""
    order = f"{review.order_id} of {review.customer}, {money(review.total_cents)}"
    told_by.line(f"{order}, score {review.score}: {review.question}", "magenta")
    told_by.line(f"answer on another terminal, with one of{_with_url(folder)}")
    for verb, option in (("approve", " --set waive_fee=true"), ("reject", " --note 'not again'")):
        told_by.line(f"  squidmesh {verb} {review.run_id} --by you{option}{folder.option}")


def tell_answer(answer: Answer, told_by: Screen) -> None:
    """Say what was decided about an order that was waited for."""
    decision = answer.decision or "ended without an answer"
    by = f" by {actor_name(answer.actor)}" if answer.actor is not None else ""
    told_by.line(f"{answer.order_id} was {decision}{by}", "magenta")


def _tell_people(told: Told, screen: Screen) -> None:
    intake, books = told.intake, told.books
    screen.line(
        f"{intake.rows} rows: {len(intake.started)} orders taken in, {len(intake.repeated)} rows "
        f"repeated ({', '.join(map(str, intake.repeated))}), {len(intake.refused)} refused; "
        f"all over after {span(told.seconds)}"
    )
    for kill in told.kills:
        screen.line(
            f"  ✖ worker {kill.worker} {kill.effect} {kill.order_id} and got SIGKILL before it "
            "could record that",
            "red",
        )
    if told.kills:
        taken_over = sum(ending.taken_over for ending in books.endings)
        attempts = counted(taken_over, "attempt")
        screen.line(f"  ↻ other workers took over {attempts} of theirs", "yellow")
    undone = [ending.order_id for ending in books.endings if ending.undone]
    if undone:
        screen.line(f"  ↶ undone, refund and goods: {', '.join(undone)}", "yellow")
    screen.line()
    screen.table(("ended", "orders", "why"), _ended(told))
    screen.line()
    screen.table(("refused row", "order", "field", "why"), _refused(told))
    screen.line()
    screen.table(("books", "orders", "journal", "ledger"), _balance(told))
    if not told.differences:
        screen.line(
            "balanced: nothing was done twice, nobody paid for nothing, and every run ended",
            "green",
        )
    for difference in told.differences:
        screen.line(f"✖ {difference}", "red")
    screen.line()
    for name, path in _files(told):
        screen.line(f"{name:<8} {path}")
    screen.line(f"go on with{_with_url(told.folder)}", "dim")
    for command in next_commands(told):
        screen.line(f"  {command}")


def _with_url(folder: Folder) -> str:
    """A URL that was given may hold a password, and is not repeated."""
    return f" ({URL_VARIABLE} set to the URL you gave)" if folder.given else ""


def _tell_lines(told: Told, screen: Screen) -> None:
    intake = told.intake
    screen.fields("rows", str(intake.rows))
    screen.fields("started", str(len(intake.started)))
    for repeated in intake.repeated:
        screen.fields("repeated", str(repeated))
    for kill in told.kills:
        screen.fields("killed", str(kill.worker), kill.effect, kill.order_id, str(kill.exit_code))
    for how, why, orders in _reasons(told):
        screen.fields("ended", how, str(len(orders)), why, ",".join(orders) if why else "")
    for ending in told.books.endings:
        if ending.undone:
            screen.fields("undone", ending.order_id, ",".join(ending.undone))
    for row in _refused(told):
        screen.fields("refused", *(cell.plain for cell in row))
    for row in _balance(told):
        screen.fields("books", *(cell.plain for cell in row))
    for difference in told.differences:
        screen.fields("difference", difference)
    for name, path in _files(told):
        screen.fields(name, path)
    for command in next_commands(told):
        screen.fields("next", command)


def _reasons(told: Told) -> Iterator[tuple[How, str, tuple[str, ...]]]:
    for how in _STYLES:
        for why, orders in groups(told.books.endings, how).items():
            yield how, why, orders


def _ended(told: Told) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for how, why, orders in _reasons(told):
        named = ", ".join(orders[:_MOST_NAMED])
        more = f" and {len(orders) - _MOST_NAMED} more" if len(orders) > _MOST_NAMED else ""
        text = f"{why}: {named}{more}" if why else ""
        rows.append((Cell.of(how, _STYLES[how]), Cell.of(str(len(orders))), Cell.of(text)))
    return rows


def _refused(told: Told) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell.of(str(refused.row)),
            Cell.of(refused.order_id or "?"),
            Cell.of(flaw.field),
            Cell.of(flaw.reason),
        )
        for refused in told.intake.refused
        for flaw in refused.flaws
    ]


def _balance(told: Told) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell.of(account.kind),
            Cell.of(str(account.lines)),
            Cell.of(account.shown(sum(account.journal.values()))),
            Cell.of(account.shown(account.total)),
        )
        for account in told.books.accounts
    ]


def _files(told: Told) -> tuple[tuple[str, str], ...]:
    folder = told.folder
    return (
        ("journal", folder.journal),
        ("ledger", str(folder.ledger)),
        ("stock", str(folder.stock)),
    )


def _document(told: Told) -> dict[str, object]:
    intake, books = told.intake, told.books
    return {
        "balanced": not told.differences,
        "rows": intake.rows,
        "started": len(intake.started),
        "repeated": list(intake.repeated),
        "refused": [
            {
                "row": refused.row,
                "order_id": refused.order_id,
                "field": flaw.field,
                "why": flaw.reason,
            }
            for refused in intake.refused
            for flaw in refused.flaws
        ],
        "endings": [_ending(ending) for ending in books.endings],
        "kills": [
            {
                "worker": kill.worker,
                "effect": kill.effect,
                "order_id": kill.order_id,
                "exit_code": kill.exit_code,
            }
            for kill in told.kills
        ],
        "differences": list(told.differences),
        "books": [_account(account) for account in books.accounts],
        "seconds": told.seconds,
        **dict(_files(told)),
        "next": list(next_commands(told)),
    }


def _ending(ending: Ending) -> dict[str, object]:
    return {
        "order_id": ending.order_id,
        "run": ending.run_id,
        "how": ending.how,
        "why": ending.why,
        "moved": dict(ending.moved),
        "undone": list(ending.undone),
        "left": list(ending.left),
        "taken_over": ending.taken_over,
    }


def _account(account: Account) -> dict[str, object]:
    return {
        "kind": account.kind,
        "lines": account.lines,
        "journal": sum(account.journal.values()),
        "ledger": account.total,
    }
