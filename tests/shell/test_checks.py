"""Instants that hosts hand over: which are taken, and what is said of the others."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh import ConfigError, checks

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


class Nowhere(tzinfo):
    """A time zone that knows no offset; Python counts such an instant as naive."""

    def utcoffset(self, _: datetime | None, /) -> None:
        """Nothing."""

    dst = tzname = utcoffset


def reason(option: object, *, counted: bool) -> str:
    """Why an instant is refused."""
    check = checks.instant if counted else checks.bound
    with pytest.raises(ConfigError) as caught:
        check("at", option)
    return str(caught.value.details["reason"])


@pytest.mark.parametrize("counted", [True, False], ids=["counted from", "compared with"])
@pytest.mark.parametrize(
    "wrong",
    [
        *("2026-01-01T00:00:00Z", 0, float("nan")),
        datetime(2026, 1, 1),  # noqa: DTZ001  # the mistake under test
        datetime(2026, 1, 1, tzinfo=Nowhere()),
    ],
    ids=["a text", "an integer", "no number", "no zone", "a zone without an offset"],
)
def test_an_instant_has_a_time_zone(wrong: object, counted: bool) -> None:
    """Also one whose zone knows no offset would mean another instant on every host."""
    assert "expected an instant with a time zone" == reason(wrong, counted=counted)


@pytest.mark.parametrize(
    "beyond", [datetime(9999, 12, 31, 23, tzinfo=WEST), datetime(1, 1, 1, tzinfo=EAST)], ids=str
)
def test_an_instant_beyond_the_calendar_has_a_time_zone_all_the_same(beyond: datetime) -> None:
    """What is wrong is its year, which is said."""
    assert "expected an instant from 1970 to 9699 in UTC" == reason(beyond, counted=True)
    assert "expected an instant from 1 to 9999 in UTC" == reason(beyond, counted=False)


@given(st.datetimes(timezones=st.sampled_from([UTC, EAST, WEST])))
def test_an_instant_is_the_same_in_utc_or_refused(given: datetime) -> None:
    """Whatever its offset."""
    try:
        found = checks.bound("since", given)
    except ConfigError:
        assert not datetime.min.replace(tzinfo=UTC) <= given <= datetime.max.replace(tzinfo=UTC)
    else:
        assert found == given
        assert UTC is found.tzinfo
