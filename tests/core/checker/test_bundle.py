"""Bundles: one run in a file of its own, and nothing else passes for one."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core import canonical
from squidmesh_core.checker.bundle import Bundle, followed_by, read, write
from squidmesh_core.checker.export import write as export
from squidmesh_core.definition.form import spec_to_text
from squidmesh_core.errors import StorageError
from squidmesh_core.protocol.chain import link, origin
from squidmesh_core.protocol.codec import CODEC_VERSION
from support.journals.plain import chained
from support.journals.writing import bind
from support.scenario import RUN

STORY = chained()
RECORDS = bind(STORY.pages)
TEXT = spec_to_text(STORY.spec)
LINES = tuple(write(RECORDS, TEXT, source="of"))


def headed(**members: object) -> list[str]:
    """The bundle with another first line."""
    data = canonical.decode(LINES[0])
    assert isinstance(data, dict)
    return [canonical.encode({**data, **members}), *LINES[1:]]


def test_what_was_written_is_read() -> None:
    """With line ends and without."""
    expected = Bundle(run_id=RUN, records=RECORDS, definition=TEXT, source="of")

    assert expected == read(LINES) == read([f"{line}\n" for line in LINES])


@given(st.data())
def test_every_altered_character_is_noticed(data: st.DataObject) -> None:
    """Wherever it is below the first line."""
    number = data.draw(st.integers(1, len(LINES) - 1))
    line = LINES[number]
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda one: one != line[at]))
    altered = [*LINES[:number], f"{line[:at]}{other}{line[at + 1 :]}", *LINES[number + 1 :]]

    with pytest.raises(ValueError, match="the digest differs"):
        read(altered)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["what is this"],
        ["[]"],
        list(LINES[1:]),
        [LINES[0]],
        list(LINES[:-1]),
        [*LINES, LINES[-1]],
        headed(digest="0" * 64),
        headed(run_id="0193e2a0-7b3c-7d10-8f00-000000000002"),
        headed(revision=1),
        headed(codec="1"),
        headed(more=1),
    ],
)
def test_what_is_no_bundle_is_refused(lines: list[str]) -> None:
    """Foreign files, exports, files that were cut or grew, and first lines that lie."""
    with pytest.raises(ValueError, match=r"bundle|digest|another run|than it says"):
        read(lines)


def resealed(*lines: str) -> list[str]:
    """A bundle of these lines whose digest is right."""
    below = "".join(f"{line}\n" for line in lines)
    return [headed(digest=sha256(below.encode()).hexdigest())[0], *lines]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (lambda: [*export([*RECORDS[:1], *RECORDS[2:]], [TEXT])], "does not hold together"),
        (lambda: [*export(RECORDS)], "one run and its definition"),
        (lambda: [*export([], [TEXT])], "one run and its definition"),
        (lambda: [*export(RECORDS, ["{}"])], "another definition"),
        (
            lambda: [*export([*RECORDS[:-1], evolve(RECORDS[-1], at=RECORDS[0].at)], [TEXT])],
            "another instant",
        ),
    ],
    ids=["an append missing", "no definition", "no run", "another definition", "another instant"],
)
def test_what_is_sealed_is_judged_all_the_same(lines: Callable[[], list[str]], reason: str) -> None:
    """A right digest over a wrong journal helps nobody."""
    with pytest.raises(ValueError, match=reason):
        read(resealed(*lines()))


def test_a_journal_that_never_begins_names_no_definition() -> None:
    """However well it holds together."""
    with pytest.raises(ValueError, match="never began"):
        followed_by(RUN, bind(STORY.pages[1:]))


def test_entries_of_a_newer_squidmesh_are_left_to_it() -> None:
    """They are not called damaged."""
    first = RECORDS[0]
    body = first.body.replace('"v":1', f'"v":{CODEC_VERSION + 98}')
    newer = evolve(first, body=body, hash=link(origin(RUN), body))

    with pytest.raises(StorageError) as caught:
        followed_by(RUN, [newer])

    assert "newer_entries" == caught.value.code


@pytest.mark.parametrize(
    "members", [{"schema": "squidmesh.bundle/2"}, {"codec": CODEC_VERSION + 1}]
)
def test_a_newer_bundle_is_left_to_a_newer_squidmesh(members: dict[str, object]) -> None:
    """It is not called damaged."""
    with pytest.raises(StorageError) as caught:
        read(headed(**members))

    assert "newer_entries" == caught.value.code
