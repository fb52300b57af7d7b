"""Redaction by name: which names are sensitive, and what is left of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.values.redaction import (
    REDACTED,
    SENSITIVE_NAMES,
    is_sensitive,
    redact,
    redact_map,
)
from support.signals import maps, values


@pytest.mark.parametrize(
    "name",
    [
        "apiKey", "api_key", "API-KEY", "apikey", "APIKey", "APIkey", "api.key", "api key 2",
        "db-password", "dbPassword", "DBPassword", "DBpassword", "password1", "passwords", "PASSWORD",
        "Authorization", "Authorization-Header", "x-auth-token", "Set-Cookie", "clientSecret",
        "accessToken", "access_token", "oauth2Token", "refresh_token", "claim_token", "private_key",
        "privateKeyPem", "credential", "credentials", "card_number", "cardNumber", "session_id",
        "CVV", "AWS_SECRET_ACCESS_KEY", "connection-string", "user.pin", "größe_token",
    ],
)  # fmt: skip
def test_a_sensitive_name_is_known_in_any_spelling(name: str) -> None:
    """Humps, underscores, hyphens, dots, digits and plurals hide nothing."""
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "key", "keyboard", "tokenizer", "secretary", "author", "authority", "passenger", "pinned",
        "Spin", "opinion", "spinning", "card", "number", "account", "cookiecutter", "monkey",
        "api", "apikeyring", "session", "public_key", "idempotency_key", "§§", "_", "12",
    ],
)  # fmt: skip
def test_an_innocent_name_stays_innocent(name: str) -> None:
    """Words are compared whole; a part of a word is not enough."""
    assert not is_sensitive(name)


@given(
    name=st.sampled_from(sorted(SENSITIVE_NAMES)),
    before=st.sampled_from(["", "my_", "x-", "the.", "v2"]),
    after=st.sampled_from(["", "_2", "-old", ".value", "s", "Value"]),
    shape=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_every_sensitive_name_is_found_among_other_words(
    name: str, before: str, after: str, shape: object
) -> None:
    """Whatever stands before and after it."""
    assert callable(shape)
    assert is_sensitive(f"{before}{shape(name)}{after}")


def test_values_under_sensitive_names_are_replaced_at_any_depth() -> None:
    """In maps, in lists and tuples, in lists of lists; the names stay."""
    assert {
        "note": "hello",
        "token": REDACTED,
        "rows": [{"apiKey": REDACTED, "n": 1}, [({"password": REDACTED},)], None],
        "secret": REDACTED,
    } == redact(
        {
            "note": "hello",
            "token": "t-1",
            "rows": [{"apiKey": "k", "n": 1}, [({"password": 4711},)], None],
            "secret": {"whole": ["tree"]},
        }
    )


def test_hosts_may_have_further_names() -> None:
    """In any spelling, beside the usual ones."""
    given = {"patient-name": "Ana", "patient": {"birthDate": "1970"}, "token": "t"}

    assert {"patient-name": REDACTED, "patient": {"birthDate": REDACTED}, "token": REDACTED} == (
        redact_map(given, also=["patientName", "birth_date"])
    )
    assert is_sensitive("patient_name", also=["patientName"])
    assert not is_sensitive("patient_name")


@given(value=values)
def test_redacting_twice_is_redacting_once(value: object) -> None:
    """What is redacted stays as it is."""
    once = redact(value)

    assert once == redact(once)


@given(value=maps)
def test_only_what_is_sensitive_changes(value: dict[str, object]) -> None:
    """The names stay, and so does every value that no sensitive name stands above."""
    redacted = redact_map(value)

    assert list(value) == list(redacted)
    assert {name: REDACTED if is_sensitive(name) else redact(value[name]) for name in value} == (
        redacted
    )


def test_the_original_is_left_alone() -> None:
    """A copy is redacted; the caller may still need its token."""
    given = {"rows": [{"token": "t"}]}
    redact(given)

    assert {"rows": [{"token": "t"}]} == given
