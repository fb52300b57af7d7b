"""Exported journals: what is written can be read, and nothing else passes for it."""

import pytest
from hypothesis import given

from squidmesh_core.canonical import decode, encode
from squidmesh_core.checker.export import Export, read, write
from squidmesh_core.definition.fingerprint import spec_to_text
from squidmesh_core.protocol.entries import Entry
from support.entries import RUN, histories
from support.journals.plain import chained
from support.journals.writing import bind


@given(histories())
def test_what_was_written_is_read(history: tuple[Entry, ...]) -> None:
    """Appends come back as they were, definitions under their fingerprint."""
    records, spec = bind([[entry] for entry in history]), chained().spec
    text = spec_to_text(spec)
    lines = list(write(records, [text]))

    expected = Export(runs={RUN: records} if records else {}, definitions={spec.fingerprint: text})
    assert expected == read(["", *lines[:1], "\n", *lines[1:], ""])
    assert not any("\n" in line for line in lines)


LINE = next(write(bind(chained().pages[:1])))


def without(member: str) -> str:
    """An append's line with one member missing."""
    data = decode(LINE)
    assert isinstance(data, dict)
    del data[member]
    return encode(data)


@pytest.mark.parametrize(
    "line",
    [
        "[",
        "[]",
        "{}",
        without("hash"),
        LINE.replace('"first":1', '"first":"1"'),
        LINE.replace('"first":1', '"first":true'),
        LINE.replace('"last"', '"first":1,"last"'),
        LINE.replace("Z", ""),
        encode({"definition": "{}", "fingerprint": "0" * 64}),
        encode({"definition": {}, "fingerprint": "0" * 64}),
    ],
    ids=[
        "no JSON",
        "no object",
        "neither",
        "a member missing",
        "a text for a number",
        "a boolean for a number",
        "a member twice",
        "no instant",
        "another fingerprint",
        "no text",
    ],
)
def test_a_line_that_is_neither_is_refused_by_number(line: str) -> None:
    """The message names the line."""
    with pytest.raises(ValueError, match=r"line 2: (?!None)"):
        read([LINE, line])
