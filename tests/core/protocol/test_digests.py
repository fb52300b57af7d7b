"""Digests of commands: the same was asked, or it was not."""

from datetime import UTC, datetime
from hashlib import sha256

from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.digests import command_digest, start_digest
from squidmesh_core.protocol.requests import Operation, ReplayRequest, RetryRequest

RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
OTHER = RunId("0193e2a0-7b3c-7d10-8f00-cba987654321")
ANA = Receipted(actor="ana", comment="why not")


def test_the_digest_is_of_the_canonical_text() -> None:
    """SHA-256 of sorted, unspaced JSON, so that others can compute it."""
    text = (
        '{"actor":{"id":"ana"},"command":"approve","comment":null,'
        f'"payload":{{"node":"Prüfung"}},"run_id":"{RUN}"}}'
    )

    assert sha256(text.encode()).hexdigest() == command_digest(
        "approve", RUN, {"node": "Prüfung"}, {"id": "ana"}
    )


def test_the_digest_of_a_start_is_of_the_canonical_text() -> None:
    """Neither who starts it takes part, nor why, nor where it waits."""
    text = '{"parent":null,"payload":{"sku":"Prüfung"},"trigger":"placed","workflow":"shop"}'

    assert sha256(text.encode()).hexdigest() == start_digest("shop", "placed", {"sku": "Prüfung"})


def test_options_at_their_default_take_no_part() -> None:
    """An option that a later release adds changes no digest that a journal holds."""
    plain = command_digest("cancel", RUN, {}, "ana", "why not")

    assert plain == _digest(requests.cancel(RUN, ANA, compensate=False, abandon=False))
    assert command_digest("replay", RUN, {}, "ana", "why not") == _digest(
        ReplayRequest(run_id=RUN, said=ANA, allow_irreversible=False, definition="source")
    )


def test_neither_key_nor_metadata_nor_time_takes_part() -> None:
    """Sent again under another key, a day later, it is the same command."""
    later = Receipted(
        actor="ana",
        comment="why not",
        metadata={"try": 2},
        key="k2",
        occurred_at=datetime(2026, 11, 21, tzinfo=UTC),
    )

    assert _digest(requests.cancel(RUN, ANA)) == _digest(requests.cancel(RUN, later))
    assert RetryRequest(run_id=RUN, said=ANA).digest == RetryRequest(run_id=RUN, said=later).digest


def asked() -> list[Operation | ReplayRequest | RetryRequest]:
    """Commands of which no two ask the same."""
    return [
        requests.cancel(RUN, ANA),
        requests.cancel(OTHER, ANA),
        requests.cancel(RUN, Receipted(actor="bob", comment="why not")),
        requests.cancel(RUN, Receipted(actor="ana")),
        requests.cancel(RUN, ANA, compensate=True),
        requests.cancel(RUN, ANA, abandon=True),
        requests.pause(RUN, ANA),
        requests.resume(RUN, ANA),
        requests.resume(RUN, ANA, node="hold"),
        requests.review(RUN, ANA, "approved"),
        requests.review(RUN, ANA, "rejected"),
        requests.review(RUN, ANA, "approved", node="review"),
        requests.review(RUN, ANA, "approved", form={}),
        requests.review(RUN, ANA, "approved", form={"limit": 0}),
        requests.send(RUN, ANA, node="paid", payload=None),
        requests.send(RUN, ANA, node="paid", payload=False),
        requests.send(RUN, ANA, node="paid", payload={}),
        requests.send(RUN, ANA, node="refused", payload=None),
        ReplayRequest(run_id=RUN, said=ANA),
        ReplayRequest(run_id=RUN, said=ANA, from_step=NodeName("pay")),
        ReplayRequest(run_id=RUN, said=ANA, allow_irreversible=True),
        ReplayRequest(run_id=RUN, said=ANA, definition="current"),
        RetryRequest(run_id=RUN, said=ANA),
    ]


def test_whatever_is_asked_differently_has_another_digest() -> None:
    """Another run, person, reason, option, decision, form or message: another command."""
    digests = list(map(_digest, asked()))

    assert len(digests) == len(set(digests))


def test_the_same_again_has_the_same_digest() -> None:
    """Digests depend on nothing but what was asked."""
    assert list(map(_digest, asked())) == list(map(_digest, asked()))


def _digest(given: Operation | ReplayRequest | RetryRequest) -> str:
    return given.command.digest if isinstance(given, Operation) else given.digest
