"""The words that every view uses: how much room they take, and how they are read back."""

import shlex
from textwrap import wrap

from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.views.words import columns, filled, typed

texts = st.lists(st.text("ab-漢字ñ🏪", min_size=1, max_size=12), max_size=12).map(" ".join)


def test_combining_marks_take_no_column() -> None:
    """They stand on the character before."""
    assert 1 == columns("e\u0301")
    assert 4 == columns("漢字")


@given(text=texts, width=st.integers(2, 30))
def test_a_line_is_no_wider_than_there_is_room(text: str, width: int) -> None:
    """But for a word that nothing wide begins, to be copied whole; and nothing is lost."""
    lines = list(filled(text, width))

    assert text.replace(" ", "") == "".join(lines).replace(" ", "")
    for line in lines:
        begins_narrow = all(columns(char) == 1 and char != " " for char in line[:width])
        assert columns(line) <= width or begins_narrow


@given(text=st.lists(st.text("abc-", min_size=1, max_size=9), max_size=9).map(" ".join))
def test_lines_are_filled_as_they_are_everywhere(text: str) -> None:
    """Where no character is wide."""
    assert wrap(text, 20, break_long_words=False, break_on_hyphens=False) == list(filled(text, 20))


def test_a_sentence_without_blanks_is_broken_between_its_characters() -> None:
    """In a script that has none; an id stays whole, and may stand beside it."""
    assert ["銀行は閉", "まってい", "る"] == list(filled("銀行は閉まっている", 8))
    assert ["a", "0123456789", "b"] == list(filled("a 0123456789 b", 8))
    assert ["0123456789", "銀行"] == list(filled("0123456789銀行", 10))
    assert ["0123456789銀行"] == list(filled("0123456789銀行", 9))


@given(text=st.text(min_size=1))
def test_what_is_typed_is_one_word_to_a_shell(text: str) -> None:
    """Whatever is in it."""
    assert [text] == shlex.split(typed(text))


def test_what_needs_no_quotes_has_none() -> None:
    """So that commands stay readable."""
    assert "--set reason=…" == f"--set {typed('reason=…')}"
    assert "'cause of it=…'" == typed("cause of it=…")
