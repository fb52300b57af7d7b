"""Entries of one run: those that are there, and those that come while one looks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from squidmesh.cli.documents import Document, mask_of
from squidmesh.cli.lines import masked, node_of, summary
from squidmesh.cli.roles import inspected, shown
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session
from squidmesh.cli.text import one_line
from squidmesh.files.masking import Mask
from squidmesh.mesh import Mesh
from squidmesh.views.reading import JournalEntry
from squidmesh_core.ids import RunId
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.words import printable

#: Columns of a line that comes alone, so that lines stand below each other all the same.
_WIDTHS: Final = (5, 12, 21, 14)
#: Characters of what an entry says.
_LONGEST: Final = 200


def tail(session: Session, mesh: Mesh, run_id: RunId, *, after: int = 0) -> None:
    """
    Print the entries of a run as they are committed, until it is over.

    Raises:
        StorageError: Its journal is unreadable.
    """
    screen, masks = session.screen, _Masks(session, mesh, run_id)
    begin: datetime | None = None
    for told in mesh.watch(run_id, after=after):
        entry, mask = shown(session, told), masks.of(told)
        begin = begin or entry.at
        if screen.form == "json":
            screen.event("entry/1", run=run_id, **entry_document(entry, mask, run_id))
        else:
            _print(entry_row(entry, mask, run_id, begin, session), screen)


def entry_document(entry: JournalEntry, mask: Mask, run_id: RunId) -> Document:
    """An entry as programs get it."""
    return {
        "revision": entry.revision,
        "type": entry.type,
        "at": entry.at,
        "data": masked(entry, mask, run_id),
    }


def entry_row(
    entry: JournalEntry, mask: Mask, run_id: RunId, begin: datetime, session: Session
) -> tuple[Cell, ...]:
    """An entry as people read it; unless told otherwise, times count from the first."""
    heart = summary(entry, mask, run_id)
    return (
        Cell.of(str(entry.revision), "dim"),
        _when(entry.at, begin, session),
        Cell.of(entry.type),
        Cell.of(node_of(entry.data, run_id), "bold"),
        Cell(human=one_line(heart, _LONGEST), plain=heart),
    )


def _when(at: datetime, begin: datetime, session: Session) -> Cell:
    when = session.screen.when(at)
    if session.config.time is not None or at == HIDDEN_AT:
        return when
    return Cell(human=f"+{(at - begin).total_seconds():.3f} s", plain=when.plain)


def _print(row: Sequence[Cell], screen: Screen) -> None:
    if screen.form == "plain":
        screen.fields(*(cell.plain for cell in row))
        return
    *columns, heart = (printable(cell.human) for cell in row)
    padded = [text.ljust(width) for text, width in zip(columns, _WIDTHS, strict=True)]
    screen.line("  ".join([*padded, heart]).rstrip())


class _Masks:
    """What is sensitive in a run that goes on: asked again only when an entry is newer."""

    def __init__(self, session: Session, mesh: Mesh, run_id: RunId) -> None:
        self._session = session
        self._mesh = mesh
        self._run_id = run_id
        self._revision = 0
        self._mask: Mask | None = None

    def of(self, entry: JournalEntry) -> Mask:
        """A mask that knows all that the entry can hold."""
        if self._mask is None or entry.revision > self._revision:
            snapshot = inspected(self._session, self._mesh, self._run_id)
            self._mask, self._revision = mask_of(snapshot), snapshot.at_revision
        return self._mask
