"""The hash chain: any harm to stored appends is found, and where."""

from itertools import pairwise

import attrs
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.ids import AppendId, Revision
from squidmesh_core.protocol.chain import AppendRecord, first_break, link, origin
from squidmesh_core.protocol.codec import encode
from squidmesh_core.protocol.entries import Entry
from support.entries import EPOCH, OTHER_RUN, RUN, histories

Journal = list[AppendRecord]


@st.composite
def journals(draw: st.DrawFn, min_size: int = 1) -> Journal:
    """Between one and five appends that follow each other."""
    history = draw(histories().filter(lambda entries: len(entries) >= min_size))
    inner = st.integers(1, max(1, len(history) - 1))
    cuts = draw(st.sets(inner, min_size=min_size - 1, max_size=4)) if len(history) > 1 else set()
    journal: Journal = []
    previous = origin(RUN)
    for start, end in pairwise([0, *sorted(cuts), len(history)]):
        record = _append(history[start:end], previous)
        journal.append(record)
        previous = record.hash
    return journal


@given(journal=journals(), data=st.data())
def test_any_cut_of_an_unharmed_journal_verifies(journal: Journal, data: st.DataObject) -> None:
    """What follows any append can be checked against that append alone."""
    cut = data.draw(st.integers(0, len(journal)))
    end = data.draw(st.integers(cut, len(journal)))

    assert _check(journal[cut:end], journal[:cut]) is None


@given(journal=journals(), data=st.data())
def test_an_altered_append_is_found_where_it_stands(journal: Journal, data: st.DataObject) -> None:
    """One changed character of a body or hash breaks the chain at that append."""
    index = data.draw(st.integers(0, len(journal) - 1))
    record = journal[index]
    if data.draw(st.booleans(), label="body"):
        place = data.draw(st.integers(0, len(record.body) - 1))
        harmed = attrs.evolve(record, body=_other_character(record.body, place))
    else:
        place = data.draw(st.integers(0, 63))
        digit = "0" if record.hash[place] != "0" else "1"
        harmed = attrs.evolve(record, hash=record.hash[:place] + digit + record.hash[place + 1 :])

    assert record.first == _check([*journal[:index], harmed, *journal[index + 1 :]])


@given(journal=journals(), data=st.data())
def test_a_renumbered_append_is_found(journal: Journal, data: st.DataObject) -> None:
    """Its body is whole and its hash fits, but it begins at another revision."""
    index = data.draw(st.integers(0, len(journal) - 1))
    record = journal[index]
    moved = attrs.evolve(record, first=Revision(record.first + 1), last=Revision(record.last + 1))

    assert record.first == _check([*journal[:index], moved, *journal[index + 1 :]])


@given(journal=journals(min_size=2), data=st.data())
def test_a_missing_append_is_found_at_its_revision(journal: Journal, data: st.DataObject) -> None:
    """The revisions of what follows do not close the gap."""
    index = data.draw(st.integers(0, len(journal) - 2))

    assert journal[index].first == _check(journal[:index] + journal[index + 1 :])


@given(journal=journals(), data=st.data())
def test_a_doubled_append_is_found_after_itself(journal: Journal, data: st.DataObject) -> None:
    """The second copy does not follow the first."""
    index = data.draw(st.integers(0, len(journal) - 1))
    doubled = [*journal[: index + 1], *journal[index:]]

    assert journal[index].last + 1 == _check(doubled)


@given(journal=journals(min_size=2), data=st.data())
def test_swapped_appends_are_found_at_the_first(journal: Journal, data: st.DataObject) -> None:
    """Order is part of the chain, even where revisions are made to fit."""
    index = data.draw(st.integers(0, len(journal) - 2))
    first, second = journal[index], journal[index + 1]
    size = second.last - second.first
    swapped = [
        attrs.evolve(second, first=first.first, last=Revision(first.first + size)),
        attrs.evolve(first, first=Revision(first.first + size + 1), last=second.last),
    ]

    assert first.first == _check([*journal[:index], *swapped, *journal[index + 2 :]])


@given(journal=journals())
def test_a_journal_does_not_pass_for_that_of_another_run(journal: Journal) -> None:
    """The chain begins with the run id."""
    broken = first_break(journal, previous=origin(OTHER_RUN), after=Revision(0))

    assert broken == 1


@given(journals())
def test_a_journal_stands_where_its_last_append_ends(journal: Journal) -> None:
    """What is appended next follows that revision and that hash."""
    head = journal[-1].head

    assert sum(one.last - one.first + 1 for one in journal) == head.revision
    assert (journal[-1].hash, journal[-1].at) == (head.hash, head.at)


def _append(entries: tuple[Entry, ...], previous: str) -> AppendRecord:
    body = encode(entries, RUN)
    return AppendRecord(
        run_id=RUN,
        first=entries[0].revision,
        last=entries[-1].revision,
        append_id=AppendId("a"),
        at=EPOCH,
        body=body,
        hash=link(previous, body),
    )


def _check(journal: Journal, before: Journal | None = None) -> Revision | None:
    previous = before[-1].hash if before else origin(RUN)
    after = before[-1].last if before else Revision(0)
    return first_break(journal, previous=previous, after=after)


def _other_character(text: str, place: int) -> str:
    other = "x" if text[place] != "x" else "y"
    return text[:place] + other + text[place + 1 :]
