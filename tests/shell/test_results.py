"""What a step may answer besides its output."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from squidmesh import ConfigError, Defer, Fail, Retry

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
RESULTS = [
    Retry(),
    Retry("busy", after="30s", code="gateway", status=503),
    Defer("no van", for_="15m", van=None),
    Defer("tomorrow", until=UNTIL),
    Fail("declined", code="card", reply={"status": 402}),
]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_travels_between_processes(result: Exception) -> None:
    """Pickled and read back it is the same answer."""
    assert result == pickle.loads(pickle.dumps(result))


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_result_can_be_raised(result: Exception) -> None:
    """From deep inside, with the same meaning as returned."""
    with pytest.raises(type(result)) as caught:
        raise result

    assert result is caught.value


def test_results_say_how_long() -> None:
    """Durations are whole milliseconds from here on."""
    retry, defer = Retry(after=timedelta(seconds=2)), Defer("x", for_="1h30m")

    assert (2_000, 5_400_000, None) == (retry.after_ms, defer.for_ms, defer.until)
    assert Defer("x", until=UNTIL).until == UNTIL


def test_results_with_different_details_differ() -> None:
    """Unit tests of steps compare answers."""
    assert Fail("x", a=1) == Fail("x", a=1)
    assert Fail("x", a=1) != Fail("x", a=2)
    assert cast("object", Fail("x")) != Retry("x")
    assert hash(Fail("x", a=1)) == hash(Fail("x", a=1))


@pytest.mark.parametrize("wrong", [{}, {"for_": "1h", "until": UNTIL}], ids=["neither", "both"])
def test_defer_needs_one_instant(wrong: dict[str, Any]) -> None:
    """For how long, or until when."""
    with pytest.raises(TypeError, match="exactly one"):
        Defer("x", **wrong)


@pytest.mark.parametrize("wrong", [datetime(2026, 1, 1), "2026-01-01"], ids=repr)  # noqa: DTZ001  # the mistake
def test_an_instant_has_a_time_zone(wrong: Any) -> None:
    """A naive instant means different things on different hosts."""
    with pytest.raises(ConfigError) as caught:
        Defer("x", until=wrong)

    assert "until" == caught.value.details["option"]
