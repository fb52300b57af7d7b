"""
The offline checker as the last word of a test: is what was written clean?

    assert_run_clean(run)                      a `Scenario`
    assert_clean(entries, spec, ends=ends)     any entries of one run
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from attrs import evolve

from squidmesh_core.checker import Rule, check_run
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import Entry, RunStarted
from support.journals.writing import bind
from support.scenario import RUN, Scenario

#: What a `Scenario` makes up: run ids that no key is part of.
MADE_UP: Final[frozenset[Rule]] = frozenset({"I1", "I3"})


def assert_run_clean(run: Scenario) -> None:
    """The checker finds nothing in the journal of a scenario."""
    ends = [state.revision for state in run.states[1:]]
    assert_clean(run.journal, run.spec, run_id=run.state.run_id, ends=ends)


def assert_clean(
    entries: Sequence[Entry],
    spec: Spec | None,
    *,
    run_id: RunId = RUN,
    ends: Iterable[int] | None = None,
    but: frozenset[Rule] = MADE_UP,
) -> None:
    """
    The checker finds nothing in a journal.

    Args:
        entries: All of a run, in order.
        spec: Its definition, whose fingerprint the run is given: tests make theirs up.
        run_id: The run.
        ends: Revision of the last entry of each append; left out, entries of one
            instant are taken for one append.
        but: Rules that the test breaks on purpose.
    """
    pages = [_named(page, spec) for page in _pages(entries, ends)]
    report = check_run(bind(pages, run_id), spec)
    broken = [
        f"{one.rule} at {one.revision}: {one.message}"
        for one in report.violations
        if one.rule not in but
    ]
    assert not broken, "\n".join(broken)


def _pages(entries: Sequence[Entry], ends: Iterable[int] | None) -> Iterator[Sequence[Entry]]:
    if ends is None:
        yield from (tuple(page) for _, page in groupby(entries, key=lambda entry: entry.at))
        return
    begin = 0
    for end in ends:
        yield entries[begin:end]
        begin = end


def _named(page: Sequence[Entry], spec: Spec | None) -> list[Entry]:
    if spec is None:
        return list(page)
    return [
        evolve(entry, definition=spec.fingerprint) if isinstance(entry, RunStarted) else entry
        for entry in page
    ]
