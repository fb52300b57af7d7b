"""Commands as data do what the named verbs do, and one key serves both."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from squidmesh import (
    Actor,
    Mesh,
    PayloadError,
    Refused,
    Run,
    Workflow,
    approval,
    complete,
    manual,
    pause,
    receive,
    signals,
    step,
)
from squidmesh.signals import Signal
from support.stage import Stage, does
from support.workflows import chain
from support.workflows import step as node


@dataclass(frozen=True)
class Order:
    id: str


@dataclass(frozen=True)
class Form:
    waive: bool = False


@dataclass(frozen=True)
class Paid:
    cents: int


def pick(id: str) -> str:
    return id


def put_back(done: str) -> None: ...


class Shop(Workflow):
    placed = manual(Order)
    pick = step(pick).takes(placed.payload.id).undo(put_back)
    sure = approval("Sure?", form=Form)
    paid = receive(Paid)
    counted = pause("Count it")
    pick.then(sure).then(paid).then(counted)
    sure.on_reject(complete)


def travelled(signal: Signal) -> Any:
    """The signal after a journey as a CloudEvent, and as plain JSON."""
    event = signals.from_cloudevent(json.loads(json.dumps(signals.to_cloudevent(signal))))
    assert signal == event
    return json.loads(json.dumps(signals.signal_to_json(event)))


def at_the_gate(mesh: Mesh) -> Run:
    run = mesh.start(Shop.placed, Order("A-1"))
    mesh.drain()
    return run


def test_a_whole_run_goes_by_signals(stage: Stage) -> None:
    """From its start to its end, each command having come over the wire."""
    mesh = stage.mesh(Shop)

    run = mesh.apply_signal(
        travelled(signals.start(Shop.placed, Order("A-1"), idempotency_key="k"))
    )
    mesh.drain()
    who = Actor("ana", roles=("ops",))
    mesh.apply_signal(travelled(signals.pause(run.id, by=who, note="stop")))
    mesh.apply_signal(travelled(signals.resume(run.id, by=who)))
    approve = signals.approve(run.id, by=who, node=Shop.sure, form=Form(waive=True))
    mesh.apply_signal(travelled(approve))
    mesh.apply_signal(travelled(signals.send(run.id, Shop.paid, Paid(300), by="bank")))
    ended = mesh.apply_signal(travelled(signals.resume(run.id, node=Shop.counted, by=who)))

    snapshot = mesh.inspect(run)
    assert "completed" == ended.status
    decision = snapshot.out(Shop.sure)
    assert ("approved", Form(waive=True)) == (decision.decision, decision.form)
    assert {"id": "ana", "roles": ["ops"]} == decision.actor
    assert Paid(300) == snapshot.out(Shop.paid)
    assert [one.command for one in snapshot.command_history] == [
        "start",
        "pause",
        "resume",
        "approve",
        "send",
        "resume",
    ]
    replayed = mesh.apply_signal(travelled(signals.replay(run.id, from_step="counted")))
    assert ("paused", run.id) == (replayed.status, replayed.replayed_from)


@pytest.mark.parametrize(
    ("verb", "signal"),
    [
        (
            lambda mesh, run: mesh.approve(run, by="ana", form=Form(), key="k"),
            lambda run: signals.approve(run.id, by="ana", form=Form(), idempotency_key="k"),
        ),
        (
            lambda mesh, run: mesh.reject(run, by="ana", note="no", key="k"),
            lambda run: signals.reject(run.id, by="ana", note="no", idempotency_key="k"),
        ),
        (
            lambda mesh, run: mesh.pause(run, key="k"),
            lambda run: signals.pause(run.id, idempotency_key="k"),
        ),
        (
            lambda mesh, run: mesh.send(run, Shop.paid, Paid(1), key="k"),
            lambda run: signals.send(run.id, Shop.paid, Paid(1), idempotency_key="k"),
        ),
        (
            lambda mesh, run: mesh.cancel(run, compensate=True, key="k"),
            lambda run: signals.cancel(run.id, compensate=True, idempotency_key="k"),
        ),
    ],
    ids=["approve", "reject", "pause", "send", "cancel"],
)
@pytest.mark.parametrize("first", ["verb", "signal"])
def test_one_key_serves_the_verb_and_its_signal(
    stage: Stage,
    first: str,
    verb: Callable[[Mesh, Run], Run],
    signal: Callable[[Run], Signal],
) -> None:
    """Whichever comes second finds that it was done, and writes nothing."""
    mesh = stage.mesh(Shop)
    run = at_the_gate(mesh)
    both: list[Callable[[], Run]] = [
        lambda: verb(mesh, run),
        lambda: mesh.apply_signal(signal(run)),
    ]
    if first == "signal":
        both.reverse()

    done, again = [each() for each in both]

    assert (False, True) == (done.duplicate, again.duplicate)
    assert done.revision == again.revision


def test_a_repeated_replay_finds_its_run_whatever_became_of_the_definition(stage: Stage) -> None:
    """The key is looked at before the source and the present definition are."""
    mesh = stage.mesh(Shop)
    run = at_the_gate(mesh)
    mesh.cancel(run)
    first = mesh.replay(run, definition="current", key="k")

    again = stage.mesh().replay(run, definition="current", key="k")

    assert (first.id, True) == (again.id, again.duplicate)


def test_a_replay_by_the_present_definition_can_be_read_by_whoever_does_not_have_it(
    stage: Stage,
) -> None:
    """It is kept beside the journal: the run names one that nobody has started with."""
    old, new = chain(node("a")), chain(node("a"), node("b"))
    mesh = stage.mesh()
    run = mesh.start_spec(old, "placed", {}, actions=does(a=lambda: 1))
    mesh.drain()

    deployed = stage.mesh(new, actions=does(a=lambda: 1, b=lambda: 2))
    replayed = deployed.replay(run, definition="current", allow_irreversible=True)

    shown = stage.mesh().inspect(replayed)
    assert run.fingerprint != shown.run.fingerprint == replayed.fingerprint


def test_metadata_is_redacted_and_the_time_is_kept(stage: Stage) -> None:
    """What looks like a secret does not reach the journal, by verb or by signal."""
    mesh = stage.mesh(Shop)
    run = at_the_gate(mesh)
    secret = {"apiKey": "s3cr3t", "request": {"Authorization-Header": "s3cr3t", "id": 7}}
    signal = signals.pause(run.id, by="ana", metadata=secret)
    mesh.apply_signal(signal)
    mesh.resume(run, by="ana", metadata=secret)

    texts = [repr(entry.data) for entry in mesh.journal(run)]
    assert not [text for text in texts if "s3cr3t" in text]
    said = [one.metadata for one in mesh.inspect(run).command_history[1:]]
    assert [
        {"apiKey": "[redacted]", "request": {"Authorization-Header": "[redacted]", "id": 7}}
    ] * 2 == said


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (7, "invalid_signal"),
        ({}, "invalid_signal"),
        ({"type": "explode"}, "unsupported_signal"),
    ],
    ids=["no signal", "empty", "unknown verb"],
)
def test_what_is_no_signal_is_refused(stage: Stage, given: Any, code: str) -> None:
    """Nothing is written for it."""
    mesh = stage.mesh(Shop)

    with pytest.raises(PayloadError) as caught:
        mesh.apply_signal(given)

    assert code == caught.value.code
    assert () == mesh.runs().items


def test_a_start_of_several_triggers_must_name_one(stage: Stage) -> None:
    """With one trigger it may be left out."""

    class Two(Workflow):
        web = manual(Order)
        shop = manual(Order)
        pick = step(pick).takes(web.payload.id)

    mesh = stage.mesh(Two, Shop)
    given = signals.signal_to_json(signals.start(Two.web, Order("A-1")))
    payload = dict(given["payload"])  # type: ignore[call-overload]  # JSON
    del payload["trigger"]

    with pytest.raises(PayloadError) as caught:
        mesh.apply_signal({**given, "payload": payload})
    assert "required" == caught.value.details["reason"]
    one = signals.signal_to_json(signals.start(Shop.placed, Order("A-1")))
    members = {k: v for k, v in one["payload"].items() if k != "trigger"}  # type: ignore[attr-defined]  # JSON
    assert "placed" == mesh.apply_signal({**one, "payload": members}).trigger


def test_a_node_of_another_kind_is_refused_as_by_the_verb(stage: Stage) -> None:
    """The signal is fine, and what it asks for is not."""
    mesh = stage.mesh(Shop)
    run = at_the_gate(mesh)

    with pytest.raises(Refused) as caught:
        mesh.apply_signal(signals.resume(run.id, node="sure"))

    assert "unsupported_manual_step" == caught.value.code
