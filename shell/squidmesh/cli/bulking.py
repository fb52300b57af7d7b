"""
What `cancel` and `replay` of many runs have in common: foresee each, ask once, do, tell.

What is done is done to the runs that were shown, whatever fits the filter by then.
Each is decided about again, so that one that has moved on gets what it now allows.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import click
from attrs import evolve, frozen

from squidmesh.cli.commanding import Manner
from squidmesh.cli.confirming import confirm
from squidmesh.cli.documents import mask_of
from squidmesh.cli.exits import DONE, REFUSED, hint_of
from squidmesh.cli.screen import Cell, Screen, status_cell
from squidmesh.cli.session import Session
from squidmesh.cli.text import counted, one_line, short_ids
from squidmesh.cli.words import DONE_WORDS
from squidmesh.mesh import Mesh
from squidmesh.steering.bulk import Which
from squidmesh.views.filtering import RunFilters
from squidmesh_core.decide.bulk import BulkVerb
from squidmesh_core.errors import NUMBERS, SquidmeshError
from squidmesh_core.ids import RunId
from squidmesh_core.views.bulk import Bulk, Outcome, Steered

C = TypeVar("C", bound=Callable[..., object])

#: Runs that are carried out together, and looked at together.
BATCH: Final = 100


class Many(Manner, RunFilters):
    """How a command on many runs is to be carried out, and on which."""

    limit: int | None


@frozen(kw_only=True)
class Page:
    """What a command on many runs is asked for at once."""

    which: Which
    plan: bool
    cursor: str | None = None
    limit: int = BATCH


#: From a page to what became, or would become, of its runs.
Steer = Callable[[Page], Bulk]


@frozen(kw_only=True)
class Foreseen:
    """What would become of the runs that a filter lets through."""

    items: tuple[Steered, ...]
    #: Whether there are more than were asked for.
    more: bool

    @property
    def to_do(self) -> tuple[RunId, ...]:
        """The runs that something would become of."""
        return tuple(item.id for item in self.items if item.outcome == "done")


def limit_option(command: C) -> C:
    """Give a command `--limit`."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 10_000),
        help=f"Of many runs, so many at most, the newest first; {BATCH} if it is not said.",
    )(command)


def steer_many(
    session: Session,
    mesh: Mesh,
    verb: BulkVerb,
    steer: Steer,
    *,
    filters: RunFilters,
    many: Many,
    before: str = "",
) -> int:
    """
    One command on many runs, from its options to its exit code.

    Args:
        session: Who asks.
        mesh: Where the runs are.
        verb: What is asked.
        steer: Asks it of a page of runs.
        filters: Which runs.
        many: How.
        before: What to tell before anything is done, on standard error.

    Raises:
        SquidmeshError: What the verb of `Mesh` raises.
        click.UsageError: Nobody can be asked.
        click.Abort: The answer is no.
    """
    screen = session.screen
    asks = not (many["yes"] or many["dry_run"])
    if asks and (screen.form != "human" or not sys.stdin.isatty()):
        raise click.UsageError(f"nobody can be asked here; say --yes to {verb} many runs")
    found = _foreseen(steer, filters, many["limit"] or BATCH)
    told = _Told(mesh, verb, screen, more=found.more, key=many["key"])
    if many["dry_run"] or not found.to_do:
        told.show(found.items, planned=many["dry_run"])
        return DONE if many["dry_run"] else _exit(found.items)
    if asks:
        told.show(found.items, planned=True)
        confirm(f"{verb.capitalize()} {counted(len(found.to_do), 'run')}?")
    if before:
        click.echo(before, err=True)
    done = {item.id: item for item in _carried_out(steer, found.to_do)}
    items = tuple(done.get(item.id, item) for item in found.items)
    told.show(items, planned=False)
    return _exit(items)


def _foreseen(steer: Steer, filters: RunFilters, limit: int) -> Foreseen:
    """So many runs; those that the same key has steered already come on top."""
    items: list[Steered] = []
    left, cursor = limit, None
    while True:
        page = steer(Page(which=filters, plan=True, cursor=cursor, limit=BATCH))
        for item in page.items:
            if not left:
                return Foreseen(items=tuple(items), more=True)
            items.append(item)
            left -= item.outcome != "already"
        cursor = page.next
        if cursor is None:
            return Foreseen(items=tuple(items), more=False)


def _carried_out(steer: Steer, run_ids: Sequence[RunId]) -> Iterator[Steered]:
    for begin in range(0, len(run_ids), BATCH):
        yield from steer(Page(which=run_ids[begin : begin + BATCH], plan=False)).items


def _exit(items: Sequence[Steered]) -> int:
    return REFUSED if any(item.outcome == "refused" for item in items) else DONE


class _Told:
    """How a command on many runs is told of."""

    def __init__(
        self, mesh: Mesh, verb: BulkVerb, screen: Screen, *, more: bool, key: str | None
    ) -> None:
        self._mesh = mesh
        self._verb: Final = verb
        self._screen = screen
        self._more = more
        self._key = key

    def show(self, items: Sequence[Steered], *, planned: bool) -> None:
        """Every run, and how many there are of each kind."""
        masked = [self._masked(item) for item in items]
        if self._screen.form == "json":
            self._screen.listing(
                "bulk/1",
                "runs",
                [item.to_dict() for item in masked],
                line="steered-run/1",
                command=self._verb,
                dry_run=planned,
                key=self._key,
                more=self._more,
            )
            return
        if self._screen.form == "plain":
            self._screen.table((), [_record(item, planned=planned) for item in masked])
            return
        short = short_ids(item.id for item in masked)
        rows = [self._row(item, short[item.id], planned=planned) for item in masked]
        if rows:
            self._screen.table(("run", "workflow", "status", "outcome", "what follows"), rows)
        self._screen.line(self._summary(masked, planned=planned), "bold")
        for code in sorted({item.code for item in masked if item.code}):
            if hint := hint_of(code):
                self._screen.line(f"SM{NUMBERS[code]}: {hint}", "dim")
        if self._more:
            same = "" if self._key is None else f" with --key {self._key}"
            again = f"the same command{same} goes on with these once it is done"
            self._screen.line(f"there are more: {again}, or --limit N", "dim")

    def _row(self, item: Steered, short: str, *, planned: bool) -> tuple[Cell, ...]:
        said = self._verb if planned and item.outcome == "done" else self._words[item.outcome]
        return (
            Cell.of(short),
            Cell.of(item.workflow),
            status_cell((item.before if planned else item.after) or ""),
            Cell.of(said, "red" if item.outcome == "refused" else ""),
            Cell.of(one_line(_what(item).replace(f"run {item.id}: ", ""), 300)),
        )

    def _summary(self, items: Sequence[Steered], *, planned: bool) -> str:
        counts = Counter(item.outcome for item in items)
        would = "would be " if planned else ""
        return (
            ", ".join(
                f"{counted(counts[outcome], 'run')} {'' if outcome == 'already' else would}{words}"
                for outcome, words in self._words.items()
                if counts[outcome]
            )
            or "no runs"
        )

    @property
    def _words(self) -> Mapping[Outcome, str]:
        done = DONE_WORDS[self._verb]
        return {"done": done, "already": f"already {done}", "refused": "refused"}

    def _masked(self, item: Steered) -> Steered:
        """The same without what its definition calls sensitive."""
        try:
            mask = mask_of(self._mesh.inspect(item.id))
        except SquidmeshError:  # told of, as its refusal
            return item
        message = item.message and mask.text(item.message)
        return evolve(item, effects=tuple(map(mask.text, item.effects)), message=message)


def _record(item: Steered, *, planned: bool) -> tuple[Cell, ...]:
    """A run for pipes."""
    outcome = "planned" if planned and item.outcome == "done" else item.outcome
    members = (item.id, item.workflow, outcome, item.after, item.begun, item.code)
    return (*map(Cell.of, members), Cell.of(item.message or "; ".join(item.effects)))


def _what(item: Steered) -> str:
    """What becomes of a run, or why nothing does."""
    if item.code is not None:
        return f"SM{NUMBERS[item.code]} {item.code}: {item.message}"
    return "; ".join(item.effects) if item.begun is None else item.begun
