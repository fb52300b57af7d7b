"""How messages show a value that somebody wrote."""

import pytest

from squidmesh_core.definition.reading.source import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2**64 - 1, "18446744073709551615"),
        (2**64, "an integer of more than 64 bits"),
        (-(2**64), "an integer of more than 64 bits"),
        (1.5, "1.5"),
        ("a\nb", "'a\\nb'"),
        ("x" * 64, f"'{'x' * 64}'"),
        ("x" * 65, "a text of 65 characters"),
        ([1], "a list"),
        ((1,), "a list"),
        ({"a": 1}, "an object"),
        (b"raw", "bytes"),
    ],
)
def test_short_values_are_shown_and_others_named(value: object, text: str) -> None:
    """JSON's own words, and nothing that would fill a page or a log."""
    assert text == shown(value)
