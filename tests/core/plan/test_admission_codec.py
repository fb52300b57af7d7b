"""Settings and lane states as text: what is written is read back, whoever wrote it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.canonical import MAX_INTEGER
from squidmesh_core.plan.admission import (
    Bucket,
    LaneState,
    Paused,
    QueueSettings,
    Rate,
    Refusal,
    RefusalKind,
    Turn,
    settings_from_text,
    settings_to_text,
    state_from_text,
    state_to_text,
)
from squidmesh_core.plan.admission.records import LONGEST_PERIOD_MS, MOST_STARTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)

instants = st.integers(0, 10**9).map(lambda n: NOW + timedelta(microseconds=n))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
whole = st.integers(1, MAX_INTEGER)
keys = st.none() | texts
kinds = st.sampled_from(list[RefusalKind](("paused", "concurrency", "per_key", "rate")))
members = st.dictionaries(texts, st.none() | st.booleans() | whole | texts, max_size=3)
rates = st.builds(
    Rate,
    count=st.integers(1, MOST_STARTS),
    per_ms=st.integers(1, LONGEST_PERIOD_MS),
    burst=st.integers(1, MOST_STARTS),
)
settings = st.builds(
    QueueSettings,
    concurrency=st.none() | whole,
    per_key=st.none() | whole,
    rate=st.none() | rates,
    paused=st.none()
    | st.builds(Paused, at=instants, by=st.none() | texts | members, note=keys, metadata=members),
    unknown=st.dictionaries(st.sampled_from(["cpu", "budget"]), whole),
)
states = st.builds(
    LaneState,
    bucket=st.none()
    | st.builds(
        Bucket, level=st.integers(0, MAX_INTEGER), per_ms=st.integers(1, 1_000), at=instants
    ),
    turns=st.lists(st.builds(Turn, priority=st.integers(-9, 9), key=keys), max_size=3).map(tuple),
    refusals=st.lists(
        st.builds(
            Refusal,
            kind=kinds,
            since=instants,
            key=keys,
            limit=st.none() | whole,
            until=st.none() | instants,
        ),
        max_size=3,
    ).map(tuple),
)


@given(settings=settings)
def test_settings_are_read_back_as_they_were_written(settings: QueueSettings) -> None:
    """Also what only a newer squidmesh knows: an older one carries it along."""
    assert settings == settings_from_text(settings_to_text(settings))


@given(state=states)
def test_a_state_is_read_back_as_it_was_written(state: LaneState) -> None:
    """Whatever the keys are."""
    assert state == state_from_text(state_to_text(state))


def test_what_says_nothing_is_left_out() -> None:
    """So that later releases may add members."""
    assert "{}" == settings_to_text(QueueSettings())
    assert "{}" == state_to_text(LaneState())
    assert QueueSettings().limits_nothing
    assert not QueueSettings(unknown={"cpu": 1}).limits_nothing


def test_the_form_of_settings_is_this_one() -> None:
    """Records outlive releases; whoever changes this makes them unreadable."""
    settings = QueueSettings(
        concurrency=5,
        rate=Rate(count=10, per_ms=900_000, burst=20),
        paused=Paused(at=NOW, by="ana"),
    )

    assert (
        '{"concurrency":5,"paused":{"at":"2026-01-01T00:00:00.000000Z","by":"ana"},'
        '"rate":{"burst":20,"count":10,"per_ms":900000}}'
    ) == settings_to_text(settings)


def test_a_state_drops_what_a_newer_squidmesh_has_added() -> None:
    """The next claim writes it anew anyway."""
    assert LaneState() == state_from_text('{"watermark":7}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"concurrency":"5"}',
        '{"concurrency":true}',
        '{"rate":{"count":0,"per_ms":1,"burst":1}}',
        '{"rate":{"count":1}}',
        '{"paused":{"at":"yesterday"}}',
        '{"paused":{"at":"2026-01-01T00:00:00.000000Z","metadata":[]}}',
    ],
)
def test_settings_that_cannot_be_read_stop_their_queue(text: str) -> None:
    """Limits that nobody knows may not be overrun; people see what is wrong."""
    settings = settings_from_text(text)

    assert settings.paused is not None
    assert "cannot be read" in str(settings.paused.note)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "7",
        '{"bucket":{"level":-1,"per_ms":1,"at":"2026-01-01T00:00:00.000000Z"}}',
        '{"bucket":{"level":1,"per_ms":0,"at":"2026-01-01T00:00:00.000000Z"}}',
        '{"turns":[{"priority":"1","key":null}]}',
    ],
)
def test_a_state_that_cannot_be_read_begins_anew(text: str) -> None:
    """It holds nothing that people have said."""
    assert LaneState() == state_from_text(text)
    assert LaneState() == state_from_text(None)
