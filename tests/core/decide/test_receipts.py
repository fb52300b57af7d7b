"""Receipts: who wanted what, before its effect, in the same append, and once."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from squidmesh_core.decide import Already, decide
from squidmesh_core.definition.spec import Default, Field
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Operating, Receipted
from squidmesh_core.protocol.entries import Entry, RunSignalReceived
from support.scenario import (
    EPOCH,
    LEASE,
    RUN,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
)
from support.workflows import approval, pause, receive, step, workflow

SPEC = workflow(
    pause("look"),
    approval("ask", form=(Field(name="limit", type="integer"),)),
    receive("parcel", message=(Field(name="n", type="integer"),)),
    step("ship", after=("look", "ask", "parcel")),
)
#: Verb → a command that a fresh run follows.
COMMANDS: dict[str, Operating] = {
    "cancel": a_cancel(),
    "pause": a_hold(),
    "resume": a_resume("look"),
    "approve": a_review("approved", "ask", form={"limit": 5}),
    "reject": a_review("rejected", "ask", form={"limit": 5}),
    "send": a_message("parcel", {"n": 5}),
}
each = pytest.mark.parametrize("verb", COMMANDS)


def started() -> Scenario:
    run = Scenario(SPEC)
    run.start()
    return run


def receipt_of(entries: tuple[Entry, ...]) -> RunSignalReceived:
    """The receipt, which must come first."""
    assert isinstance(entries[0], RunSignalReceived)
    return entries[0]


@each
def test_receipt_says_who_why_and_when(verb: str) -> None:
    """Everything that was said along with the command, and the journal's own instant."""
    run = started()
    run.time_passes(SECOND)
    said = Receipted(
        actor={"id": "ida"},
        comment="as agreed",
        metadata={"ip": "[redacted]"},
        key="k",
        occurred_at=EPOCH - LEASE,
    )
    receipt = receipt_of(run.decides(evolve(COMMANDS[verb], said=said)).entries)

    assert receipt == RunSignalReceived(
        at=EPOCH + SECOND,
        revision=receipt.revision,
        command=verb,
        payload=receipt.payload,
        actor={"id": "ida"},
        comment="as agreed",
        metadata={"ip": "[redacted]"},
        idempotency_key="k",
        digest=COMMANDS[verb].digest,
        occurred_at=EPOCH - LEASE,
    )


@each
def test_receipt_repeats_no_value(verb: str) -> None:
    """Forms and messages stand in the entry that they lead to, and nowhere else."""
    receipt = receipt_of(started().decides(COMMANDS[verb]).entries)
    named = {"resume": "look", "approve": "ask", "reject": "ask", "send": "parcel"}

    assert ({"node": named[verb]} if verb in named else {}) == receipt.payload


def test_cancel_keeps_what_was_asked_for() -> None:
    """Options that are on, and no others."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = Scenario(workflow(charge, pause("look", after=("charge",))))
    run.start()
    run.perform("charge")
    compensate = receipt_of(run.decides(evolve(a_cancel(), compensate=True)).entries)
    abandon = receipt_of(run.decides(evolve(a_cancel(), abandon=True)).entries)

    assert ({"compensate": True}, {"abandon": True}) == (compensate.payload, abandon.payload)


@each
def test_same_key_at_another_command_is_another_key(verb: str) -> None:
    """A key belongs to a run and a command."""
    run = started()
    for other, command in COMMANDS.items():
        if other not in {verb, "cancel", "approve", "reject"}:
            run.ask(evolve(command, said=Receipted(key="k")))
    run.ask(a_resume())
    run.decides(evolve(COMMANDS[verb], said=Receipted(actor="ida", key="k")))


@each
def test_other_request_under_the_key_names_it(verb: str) -> None:
    """The refusal tells the key and the command, and not what was asked."""
    run = started()
    given = evolve(COMMANDS[verb], said=Receipted(key="k"))
    run.decides(given)
    refusal = run.expects_refusal(evolve(given, digest="other"))

    assert "idempotency_conflict" == refusal.code
    assert {"run_id": RUN, "command": verb, "key": "k"} == refusal.details


@each
def test_without_a_key_nothing_is_a_repetition(verb: str) -> None:
    """The same words again are a new command."""
    run = started()
    run.decides(COMMANDS[verb])
    again = run.expects_refusal(COMMANDS[verb])

    assert again.code in {"invalid_transition", "already_received"}


#: What each sender's code says with the number 5 alone, and what of it it takes for granted.
SENDERS: dict[str, tuple[Mapping[str, object], frozenset[str]]] = {
    "json": ({"n": 5}, frozenset()),
    "the run's code": ({"n": 5, "unit": "kg"}, frozenset({"unit"})),
    "newer code": ({"n": 5, "unit": "kg", "fragile": False}, frozenset({"unit", "fragile"})),
}
WITH_UNIT = (
    Field(name="n", type="integer"),
    Field(name="unit", type="string", required=False, default=Default(value="kg")),
)
WEIGHED = workflow(approval("ask", form=WITH_UNIT), receive("parcel", message=WITH_UNIT))


def says(
    verb: str, given: Mapping[str, object], assumed: frozenset[str] = frozenset()
) -> Operating:
    """The command that a sender makes of what it says."""
    who = Receipted(actor="ida", key="k")
    if verb == "send":
        return requests.send(RUN, who, node="parcel", payload=given, assumed=assumed).command
    node = "ask" if verb == "approve" else None
    return requests.review(RUN, who, "approved", node=node, form=given, assumed=assumed).command


@pytest.mark.parametrize("again", SENDERS)
@pytest.mark.parametrize("first", SENDERS)
@pytest.mark.parametrize("verb", ["approve", "approve the only one", "send"])
def test_what_goes_without_saying_makes_no_other_command(verb: str, first: str, again: str) -> None:
    """Whoever repeats a form or a message need not have the code of who handed it in."""
    run = Scenario(WEIGHED)
    run.start()

    run.decides(says(verb, *SENDERS[first]))
    run.expects_already(says(verb, *SENDERS[again]))
    for other in ({"n": 6}, {"n": 5, "unit": "lb"}, {"n": 5, "fragile": True}):
        assert "idempotency_conflict" == run.expects_refusal(says(verb, other)).code


@pytest.mark.parametrize("verb", ["approve", "send"])
def test_receipt_of_an_earlier_release_is_known_again(verb: str) -> None:
    """It holds the digest of all that was handed in, defaults too."""
    run = Scenario(WEIGHED)
    run.start()
    asked = says(verb, *SENDERS["the run's code"])
    entries = run.decides(asked).entries
    before = evolve(receipt_of(entries), digest=asked.digest)
    state = evolve(run.state, receipts=(*run.state.receipts[:-1], before))

    assert receipt_of(entries).digest != asked.digest
    assert isinstance(decide(state, WEIGHED, asked, run.now), Already)


def test_first_receipt_under_a_key_is_the_answer() -> None:
    """Also when a damaged journal holds two."""
    run = started()
    first = receipt_of(run.send("parcel", {"n": 5}, key="k").entries)
    again = evolve(first, revision=run.state.revision)
    state = evolve(run.state, receipts=(*run.state.receipts, again))

    assert first == state.receipt("send", "k")
