"""Arrays that are written as text are read by the server as what they were."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from squidmesh_storage.postgres.rows import Value, array

#: What arrays are written with, and what is written otherwise in them.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('\\",{} \n')
)


@pytest.fixture
def server(postgres_server: str) -> Iterator[psycopg.Connection]:
    """Somebody who reads arrays."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(TEXTS | st.none()))
@example(values=[])
@example(values=[""])
@example(values=["", ""])
@example(values=["null", None])
def test_an_array_of_texts_is_what_it_was(server: psycopg.Connection, values: list[Value]) -> None:
    """One by one or all at once, with nulls or without."""
    row = server.execute("select %s::text[]", [array(values)]).fetchone()

    assert row == (values,)


def test_an_array_of_bytes_is_what_it_was(server: psycopg.Connection) -> None:
    """Packed bodies, and none at all."""
    values: list[Value] = [b"", b"\x00\xff", b'"\\', None]

    assert server.execute("select %s::bytea[]", [array(values)]).fetchone() == (values,)


@pytest.mark.parametrize("values", [["a\0b"], ["a", "b\0"], ["\0"]])
def test_what_the_server_cannot_keep_becomes_no_other_text(
    server: psycopg.Connection, values: list[Value]
) -> None:
    """A text that would be cut in two is refused by the driver, as by itself."""
    with pytest.raises(psycopg.DataError, match="NUL"):
        server.execute("select %s::text[]", [array(values)])
