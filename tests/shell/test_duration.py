"""Durations: texts of units, timedeltas, whole milliseconds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh.duration import duration_ms, format_duration, parse_duration
from squidmesh_core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("250ms", 250),
        ("5s", 5_000),
        ("90m", 5_400_000),
        ("1h30m", 5_400_000),
        ("3d", 259_200_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("0s", 0),
    ],
)
def test_units_are_read(text: str, milliseconds: int) -> None:
    """Largest unit first, each at most once."""
    assert milliseconds == parse_duration(text)


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            " ",
            "5",
            "5 s",
            "-5s",
            "1.5h",
            "1m1h",
            "1h1h",
            "soon",
            "5S",
            "٣s",
            "5s\n",
            "9" * 5_000 + "d",
        ),
        *(5, 1.5, True, None, timedelta(seconds=-1), timedelta(microseconds=1)),
    ],
    ids=lambda wrong: repr(wrong)[:40],
)
def test_anything_else_is_refused(wrong: object) -> None:
    """Numbers without a unit too: nobody knows which one was meant."""
    with pytest.raises(ValueError, match="timedelta of whole milliseconds"):
        parse_duration(wrong)


@given(st.integers(0, 10**15))
def test_a_formatted_duration_reads_back(milliseconds: int) -> None:
    """The shortest text says the same."""
    assert milliseconds == parse_duration(format_duration(milliseconds))


@given(st.integers(0, 10**12))
def test_a_timedelta_is_its_milliseconds(milliseconds: int) -> None:
    """No rounding on the way."""
    assert milliseconds == parse_duration(timedelta(milliseconds=milliseconds))


def test_an_option_names_itself_and_not_its_value() -> None:
    """What was passed may be a secret that went astray."""
    with pytest.raises(ConfigError) as caught:
        duration_ms("hunter2", option="lease")

    assert ("invalid_option", "lease") == (caught.value.code, caught.value.details["option"])
    assert "hunter2" not in f"{caught.value} {caught.value.details}"
    assert caught.value.__cause__ is None
