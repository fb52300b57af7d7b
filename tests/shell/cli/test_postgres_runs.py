"""Runs that are kept in PostgreSQL are named at a terminal as those in a file are."""

import pytest

from support.commands import Typed

#: The second begins as the first does, for eight digits.
IDS = [f"0190f0e0-0000-7000-8000-00000000000{number}" for number in range(2)]
OTHER = "feedf00d-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _there(squidmesh: Typed, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs in a database of its own."""
    monkeypatch.setenv("SQUIDMESH_URL", postgres_dsn)
    for run_id in (*IDS, OTHER):
        arguments = ("--set", "name=Ana", "--run-id", run_id)
        assert 0 == squidmesh("start", "greetings:Greeting", *arguments).code


def test_a_run_is_named_by_the_beginning_of_its_id(squidmesh: Typed) -> None:
    """However little of it, as long as no other run begins so; upper case as well."""
    for length in range(1, 37):
        assert OTHER in squidmesh("show", OTHER[:length].upper()).out
    ambiguous = squidmesh("show", IDS[1][:35])
    unknown = squidmesh("show", "0191")

    assert (3, [f"  {run_id}" for run_id in IDS]) == (
        ambiguous.code,
        ambiguous.err.splitlines()[1:3],
    )
    assert (3, True) == (unknown.code, "SM401 not_found" in unknown.err)


@pytest.mark.parametrize("typed", ["feed-f00d", "feedf00d-0-0-0", "-", OTHER + "-", OTHER + "0"])
def test_what_begins_no_id_is_not_found(squidmesh: Typed, typed: str) -> None:
    """Digits alone make no beginning: the hyphens have their places."""
    said = squidmesh("show", "--", typed)

    assert (3, True) == (said.code, "SM401 not_found" in said.err), said.err


def test_an_explanation_shortens_the_id_as_far_as_it_names_the_run(
    on_terminal: Typed,
) -> None:
    """In the commands that it proposes."""
    one, other = on_terminal("explain", OTHER), on_terminal("explain", IDS[0])

    assert (0, 0) == (one.code, other.code), one.err + other.err
    assert "squidmesh cancel feedf00d-0000\n" in one.out
    assert f"squidmesh cancel {IDS[0]}\n" in other.out
