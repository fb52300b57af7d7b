"""Bodies are packed on PostgreSQL: read as they were written, for ever, and damage is told of."""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Revision
from squidmesh_storage.conformance.kit import commit, first, records_of, run_id, then
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres.packing import MOST, pack, unpack
from support.postgres import execute, rewrite_rows

#: What the first dictionary made of the body below: databases hold such bytes.
PACKED = bytes.fromhex(
    "01434a2338d445613a3f3923b1283d15dd07c986d8fd609a6a9a8a941880456f621148fda3a63558ca388c24150b00"
)
BODY = (
    '[{"at":"2026-01-01T00:00:00.000000Z","attempt_key":":charge:1","claim_id":"c1",'
    '"claim_token_hash":"5e5e","output":{"card":"\u20ac"},"type":"attempt_completed","v":1}]'
)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

INSTANTS = st.builds(
    lambda passed, zone: (NEW_YEAR + timedelta(microseconds=passed)).astimezone(zone),
    st.integers(-(10**15), 10**15),
    st.sampled_from([UTC, timezone(-timedelta(hours=9))]),
)


@pytest.fixture
def journal(postgres_dsn: str) -> Iterator[PostgresJournal]:
    journal = PostgresJournal(postgres_dsn)
    yield journal
    journal.close()


@given(st.text(st.characters(exclude_categories=["Cs"])), INSTANTS)
@example(BODY, NEW_YEAR)
@example('"2026-01-01T00:00:00.123456Z"' * 9, NEW_YEAR)
@example("".join(map(str, range(2000))), NEW_YEAR)
@example("a" * MOST, NEW_YEAR)
def test_what_is_packed_is_unpacked(body: str, at: datetime) -> None:
    """Whatever the text, and in whatever zone somebody reads the instant."""
    packed = pack(body, at)

    assert body == (unpack(packed, at.astimezone(UTC)) if packed else body)
    assert len(packed) <= len(body.encode())


def test_a_body_is_packed_to_less_than_half() -> None:
    """The words of the wire cost next to nothing."""
    assert 0 < len(pack(BODY, NEW_YEAR)) < len(BODY) / 2


def test_a_body_that_is_large_is_left_to_the_server() -> None:
    """It compresses what does not fit a page, and nobody unpacks more than this."""
    assert pack("a" * (MOST + 1), NEW_YEAR) == b""


def test_what_was_packed_once_can_be_read_for_ever() -> None:
    """The form and the dictionary may gain numbers, and never change."""
    words = files("squidmesh_storage.postgres").joinpath("bodies.1.txt").read_bytes()

    assert BODY == unpack(PACKED, NEW_YEAR)
    assert (
        "e409b7759e0ab31090b728d6e58f390f910fdb0c202df15fa9df3fb398f3efb9"
        == sha256(words).hexdigest()
    )


@given(st.binary(min_size=1, max_size=200), INSTANTS)
def test_unpacking_never_fails(packed: bytes, at: datetime) -> None:
    """What nothing was packed to comes out as a text that no hash fits."""
    assert isinstance(unpack(packed, at), str)


def test_a_body_that_would_unpack_without_end_is_not_unpacked() -> None:
    """A few kilobytes may claim to be any number of megabytes."""
    deflate = zlib.compressobj(wbits=-15)
    bomb = b"\x01" + deflate.compress(b"0" * (MOST + 1)) + deflate.flush()

    assert bomb.hex() == unpack(bomb, NEW_YEAR)


def test_rows_from_before_are_read_beside_packed_ones(
    journal: PostgresJournal, postgres_dsn: str
) -> None:
    """A migration leaves them as they are."""
    old, new = first(run_id(1), body=BODY), first(run_id(2), body=BODY)
    commit(journal, old, new)
    rewrite_rows(postgres_dsn, run_id(1), [old.record])
    more = then(old, body=BODY)
    commit(journal, more)

    sizes = execute(
        postgres_dsn,
        "select body = '', packed = '' from squidmesh.journal order by run_id, first",
    )
    assert [(False, True), (True, False), (True, False)] == sizes
    assert records_of(old, more) == journal.load(run_id(1)).records
    assert records_of(new) == journal.stored(run_id(2), Revision(0), 9)


def test_a_damaged_packed_body_is_told_of_its_run_alone(
    journal: PostgresJournal, postgres_dsn: str
) -> None:
    """As in any other row, at the revision where it stands."""
    torn = first(run_id(1), body=BODY)
    more = then(torn, body=BODY)
    whole = first(run_id(2), body=BODY)
    for batch in (torn, more, whole):
        commit(journal, batch)
    execute(
        postgres_dsn,
        "update squidmesh.journal set packed = set_byte(packed, 20, 255 - get_byte(packed, 20))"
        " where first = 2",
    )

    with pytest.raises(StorageError) as caught:
        journal.load(run_id(1))

    assert ("run_quarantined", Revision(2)) == (
        caught.value.code,
        caught.value.details["revision"],
    )
    assert {run_id(2)} == set(journal.load_many({run_id(1): Revision(0), run_id(2): Revision(0)}))
    assert torn.record == journal.stored(run_id(1), Revision(0), 1)[0]
