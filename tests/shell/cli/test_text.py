"""Text for terminals and for programs."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh.cli.screen import json_text
from squidmesh.cli.text import instant, json_safe, one_line, short_ids
from squidmesh_core.views.words import printable, span

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@given(st.text())
def test_printable_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    """No control character, no bidirectional override, no half of a character is left."""
    shown = printable(text)

    assert not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 or c in "\u202e\u2066"
        for c in shown
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 漢字 👩‍🚀", "Zoë 漢字 👩‍🚀"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str, shown: str) -> None:
    """Customers may use every letter there is; only orders to the terminal are escaped."""
    assert shown == printable(text)


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_json_for_terminals_means_the_same(value: object) -> None:
    """Escaping what a terminal obeys changes no value."""
    assert value == json.loads(json_text(value, indent=2))


def test_json_for_terminals_is_harmless_there() -> None:
    """JSON's own escapes end at U+001F; terminals obey more than that."""
    assert '"\\u009b31m"' == json_safe(json.dumps("\x9b31m", ensure_ascii=False))


@given(st.sets(st.uuids().map(str), min_size=1, max_size=20))
def test_short_ids_name_one_run_each(ids: set[str]) -> None:
    """Every short id begins exactly one of the listed ids."""
    shortened = short_ids(ids)

    assert ids == set(shortened)
    for one, short in shortened.items():
        assert [one] == [other for other in ids if other.startswith(short)]


def test_short_ids_of_one_millisecond_differ() -> None:
    """Time-ordered ids of the same instant have a long beginning in common."""
    ids = ["01a1fc19-97df-7690-92e1-14828f76db41", "01a1fc19-97df-7691-92e1-14828f76db41"]

    assert ["01a1fc19-97df-7690", "01a1fc19-97df-7691"] == list(short_ids(ids).values())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.85, "850 ms"),
        (3, "3 s"),
        (59.6, "1 min"),
        (38 * 60, "38 min"),
        (3600, "1 h"),
        (82 * 60, "1 h 22 min"),
        (76 * 3600, "3 d 4 h"),
    ],
)
def test_spans_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """Two units at most, and no more precision than anybody needs."""
    assert said == span(seconds)


def test_an_instant_is_shown_in_the_style_that_was_asked_for() -> None:
    """The same instant, four ways."""
    at = NOON - timedelta(minutes=38)

    assert "38 min ago" == instant(at, "relative", NOON)
    assert "in 38 min" == instant(NOON, "relative", at)
    assert "now" == instant(NOON, "relative", NOON)
    assert "2026-11-20 11:22:00Z" == instant(at, "utc", NOON)
    assert "2026-11-20T11:22:00Z" == instant(at, "iso", NOON)
    assert at.astimezone().strftime("%H:%M:%S") in instant(at, "local", NOON)


def test_a_long_text_is_cut_to_one_line() -> None:
    """Nothing in a table may break its rows."""
    assert "one\\ntwo" == one_line("one\ntwo", 20)
    assert "0123456…" == one_line("0123456789", 8)
