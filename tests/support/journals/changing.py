"""
Harm done to a journal: one small change that breaks one rule.

A change works on the pages; `renumbered` then gives entries their new places, so
that everything else in the journal still fits.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.entries import Entry, StepApplied
from support.journals.writing import Writing

E = TypeVar("E", bound=Entry)
Change = Callable[[Writing], None]

#: Where a source points whose entry is gone.
NOWHERE = Revision(999)


def cut(pages: int) -> Change:
    """Only the first pages."""

    def change(run: Writing) -> None:
        del run.pages[pages:]

    return change


def edit(kind: type[E], how: Callable[[E], Entry], nth: int = 0) -> Change:
    """The n-th entry of a type is another."""

    def change(run: Writing) -> None:
        page, index, entry = _find(run, kind, nth)
        run.pages[page] = [*run.pages[page][:index], how(entry), *run.pages[page][index + 1 :]]

    return change


def drop(kind: type[E], nth: int = 0) -> Change:
    """The n-th entry of a type is missing."""

    def change(run: Writing) -> None:
        page, index, _ = _find(run, kind, nth)
        run.pages[page] = [*run.pages[page][:index], *run.pages[page][index + 1 :]]

    return change


def follow(*entries: Callable[[Writing], Entry]) -> Change:
    """One page more."""

    def change(run: Writing) -> None:
        run.pages.append([make(run) for make in entries])

    return change


def extend(*entries: Callable[[Writing], Entry], before_last: int = 0) -> Change:
    """The last page has more entries, at its end or before its last ones."""

    def change(run: Writing) -> None:
        page = list(run.pages[-1])
        at = len(page) - before_last
        run.pages[-1] = [*page[:at], *(make(run) for make in entries), *page[at:]]

    return change


def earlier(by: timedelta) -> Change:
    """The last page is of an earlier instant."""

    def change(run: Writing) -> None:
        run.pages[-1] = [evolve(entry, at=entry.at - by) for entry in run.pages[-1]]

    return change


def renumbered(run: Writing) -> None:
    """Give all entries of a page one instant, and all entries and sources their new places."""
    entries = [entry for page in run.pages for entry in page]
    places = {entry.revision: Revision(i) for i, entry in enumerate(entries, 1) if entry.revision}
    place = 0
    for index, page in enumerate(run.pages):
        moved: list[Entry] = []
        for entry in page:
            place += 1
            if isinstance(entry, StepApplied) and entry.source is not None:
                source = entry.source
                new = place + source if source < 0 else places.get(source, NOWHERE)
                entry = evolve(entry, source=Revision(new))  # noqa: PLW2901  # the entry, with its source moved
            moved.append(evolve(entry, at=page[0].at, revision=Revision(place)))
        run.pages[index] = moved


def _find(run: Writing, kind: type[E], nth: int) -> tuple[int, int, E]:
    found = [
        (page, index, entry)
        for page, entries in enumerate(run.pages)
        for index, entry in enumerate(entries)
        if isinstance(entry, kind)
    ]
    return found[nth]
