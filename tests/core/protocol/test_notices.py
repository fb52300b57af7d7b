"""Notices and subscriptions as text: what one release writes, the next one reads."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.canonical import decode, encode
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.notices import (
    EVENTS,
    Delivery,
    Notice,
    Subscription,
    begun,
    delivery_from_text,
    delivery_to_text,
    row_of,
    subscription_from_text,
    subscription_to_text,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = Notice(
    id="r:4:run_failed", event="run_failed", run_id=RunId("r"), workflow="orders", at=NOW
)
#: As the first release wrote it.
WRITTEN = (
    '{"attempts":2,"notice":{"at":"2026-01-01T00:00:00.000000Z","code":"E1","error":"Boom",'
    '"event":"run_failed","id":"r:4:run_failed","node":"charge","run_id":"r","target":null,'
    '"workflow":"orders"},"problem":"ValueError: no","until":"2026-01-01T00:00:01.000000Z"}'
)

instants = st.datetimes(timezones=st.just(UTC))
texts = st.none() | st.text()
deliveries = st.builds(
    lambda notice, attempts, until, problem: Delivery(
        notice=evolve(notice, attempt=attempts), attempts=attempts, until=until, problem=problem
    ),
    st.builds(
        Notice,
        id=st.text(),
        event=st.sampled_from(EVENTS),
        run_id=st.text().map(RunId),
        workflow=st.text(),
        at=instants,
        node=st.none() | st.text().map(NodeName),
        error=texts,
        code=texts,
        target=texts,
    ),
    st.integers(0, 99),
    st.none() | instants,
    texts,
)


@given(deliveries)
def test_a_delivery_is_read_as_it_was_written(delivery: Delivery) -> None:
    """Whatever is in it."""
    assert delivery == delivery_from_text(delivery_to_text(delivery))


@given(deliveries)
def test_the_text_of_a_delivery_is_canonical(delivery: Delivery) -> None:
    """It is put together by hand, and no other than the encoder would have written."""
    text = delivery_to_text(delivery)

    assert encode(decode(text)) == text


@given(instants, instants)
def test_a_subscription_is_read_as_it_was_written(since: datetime, seen_at: datetime) -> None:
    """To the microsecond."""
    subscription = Subscription(since=since, seen_at=seen_at)

    assert subscription == subscription_from_text(subscription_to_text(subscription))


def test_what_is_stored_stays_what_it_was() -> None:
    """Releases share these records: names and forms do not change."""
    notice = evolve(PLAIN, node=NodeName("charge"), error="Boom", code="E1", attempt=2)
    delivery = Delivery(
        notice=notice, attempts=2, until=NOW + timedelta(seconds=1), problem="ValueError: no"
    )

    assert WRITTEN == delivery_to_text(delivery)
    assert delivery == delivery_from_text(WRITTEN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"notice":{}}',
        '{"notice":{"event":"run_failed"},"attempts":0}',
        WRITTEN.replace("run_failed", "run_exploded"),
        WRITTEN.replace('"attempts":2', '"attempts":null'),
        WRITTEN.replace("2026-01-01T00:00:01", "soon"),
    ],
)
def test_what_cannot_be_read_is_nothing(text: str) -> None:
    """A newer release, or somebody's hand, wrote it: that is no reason to stop."""
    assert delivery_from_text(text) is None
    assert subscription_from_text(text) is None


def test_a_new_notice_was_told_to_nobody() -> None:
    """The row carries the event, the id and no attempt."""
    row = row_of(PLAIN)

    assert ("run_failed", "r:4:run_failed") == (row.event, row.notice_id)
    assert Delivery(notice=evolve(PLAIN, attempt=0)) == delivery_from_text(row.body)


def test_each_call_counts_one() -> None:
    """And is somebody's until an instant; the id stays, and what went wrong before."""
    first = begun(Delivery(notice=PLAIN, problem="no"), NOW)
    second = begun(first, NOW + timedelta(seconds=1))

    assert (1, 2) == (first.notice.attempt, second.notice.attempt)
    assert (1, 2) == (first.attempts, second.attempts)
    assert (PLAIN.id, "no") == (second.notice.id, second.problem)
    assert NOW + timedelta(seconds=1) == second.until
