"""A stored journal that contradicts itself, or its definition, is damaged."""

from collections.abc import Callable
from typing import Final

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import AttemptKey, Fingerprint, NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    AttemptKind,
    AttemptScheduled,
    CompensationStarted,
    Decided,
    Entry,
    GateKind,
    InputFrom,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    RunStarted,
    RunTerminal,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.state.contradiction import Named
from squidmesh_core.values.deadline import LAST
from support.entries import OTHER_RUN
from support.plays import plays
from support.scenario import BOOM, EPOCH, RUN, SECOND, Scenario
from support.workflows import approval, pause, receive, route, step, wait, workflow

SPEC: Final = workflow(
    step("a", compensate=True),
    step("b"),
    step("timeout"),
    step("compensate", compensate=True),
    wait("w", 5),
    pause("p", timeout_ms=60_000),
    approval("r"),
    receive("m"),
    routes=(route("a", "b"),),
)


def visit(tail: str) -> VisitKey:
    """A visit of the run."""
    return VisitKey(f"{RUN}:{tail}")


def key(tail: str) -> AttemptKey:
    """An attempt of the run."""
    return AttemptKey(f"{RUN}:{tail}")


def scheduled(
    attempt: str, at: str, node: str, number: int = 1, *, kind: AttemptKind = "step"
) -> AttemptScheduled:
    """An attempt at a visit of a node."""
    return AttemptScheduled(
        at=EPOCH,
        attempt_key=key(attempt),
        visit_key=visit(at),
        step=NodeName(node),
        number=number,
        kind=kind,
        input=InputFrom(),
        visible_at=EPOCH,
        idempotency_key=attempt,
    )


def of_the_run(node: str) -> Entry:
    """The time-out of the whole run."""
    timer = scheduled("timeout", "", node, kind="timer")
    return evolve(timer, visit_key=VisitKey(RUN))


def failed(attempt: str, retry: str, number: int) -> Entry:
    """A failure and the retry that is born in it."""
    following = NextAttempt(attempt_key=key(retry), number=number, visible_at=EPOCH)
    return AttemptFailed(at=EPOCH, attempt_key=key(attempt), error=BOOM, retry=following)


def applied(at: str, node: str, *way: str) -> Entry:
    """A result that is taken in, and perhaps the route from a node to another."""
    taken = Decided(source=NodeName(way[0]), on="ok", target=NodeName(way[1])) if way else None
    return StepApplied(at=EPOCH, visit_key=visit(at), step=NodeName(node), transition=taken)


def paused(kind: GateKind, at: str | None, node: str | None, **targets: str) -> Entry:
    """A person is waited for."""
    return ManualStepPaused(
        at=EPOCH,
        kind=kind,
        visit_key=None if at is None else visit(at),
        step=None if node is None else NodeName(node),
        targets=targets,
    )


def resolved(at: str | None, node: str | None) -> Entry:
    """A person has answered."""
    return ManualStepResolved(
        at=EPOCH,
        action="resumed",
        visit_key=None if at is None else visit(at),
        step=None if node is None else NodeName(node),
    )


def awaited(at: str, node: str) -> Entry:
    """A message is waited for."""
    return MessageAwaited(at=EPOCH, visit_key=visit(at), step=NodeName(node))


def ended(node: str | None, *left: tuple[str, str]) -> Entry:
    """The end, and what was not undone."""
    recovery = tuple(
        Unrecovered(visit_key=visit(at), step=NodeName(name), reason="abandoned")
        for at, name in left
    )
    failed_step = None if node is None else NodeName(node)
    return RunTerminal(at=EPOCH, status="failed", step=failed_step, recovery=recovery)


def started(forked_at: str | None) -> Entry:
    """The beginning."""
    begins = None if forked_at is None else NodeName(forked_at)
    return RunStarted(
        at=EPOCH,
        workflow="orders",
        definition=Fingerprint("f" * 64),
        trigger="placed",
        forked_at=begins,
    )


def undoing(node: str | None) -> Entry:
    """The turn."""
    return CompensationStarted(
        at=EPOCH, cause="failure", step=None if node is None else NodeName(node)
    )


def read(*entries: Entry, spec: Spec = SPEC) -> None:
    """Hold entries, numbered from 7, against themselves and against the definition."""
    named = Named(RUN)
    for place, entry in enumerate(entries, start=7):
        named.take(evolve(entry, revision=Revision(place)))
    named.check(spec)


RIGHT: Final = (
    started(None),
    started("b"),
    scheduled("a:1", "a", "a"),
    scheduled("a@2:3", "a@2", "a", 3),
    scheduled("a@10:1:deferred", "a@10", "a"),
    scheduled("a:1:deferred12", "a", "a"),
    scheduled("compensate:a@2:1", "compensate:a@2", "a", kind="compensation"),
    scheduled("timeout:1", "timeout", "timeout"),
    scheduled("compensate:1", "compensate", "compensate"),
    scheduled(
        "compensate:compensate:1", "compensate:compensate", "compensate", kind="compensation"
    ),
    applied("compensate", "compensate"),
    applied("compensate:compensate", "compensate"),
    scheduled("w:1", "w", "w", kind="timer"),
    scheduled("p:timeout", "p", "p", kind="timer"),
    of_the_run(""),
    failed("a:1", "a:2", 2),
    failed("a:1:deferred2", "a:2", 2),
    failed("deferred:1", "deferred:2", 2),
    AttemptFailed(at=EPOCH, attempt_key=key("a:1"), error=BOOM),
    applied("a", "a", "a", "b"),
    applied("a@2", "a", "a", "complete"),
    applied("compensate:a", "a"),
    paused("hold", None, None),
    paused("pause", "p", "p", ok="a", error="complete"),
    paused("approval", "r@2", "r"),
    resolved(None, None),
    resolved("r", "r"),
    awaited("m", "m"),
    MessageReceived(at=EPOCH, step=NodeName("m")),
    undoing(None),
    undoing("a"),
    ended(None),
    ended("a", ("a@2", "a")),
)

#: What each says of itself cannot be.
CONTRADICT_THEMSELVES: Final = {
    "an attempt at the visit of another node": scheduled("b:1", "b", "a"),
    "an attempt at no visit": scheduled("a@1:1", "a@1", "a"),
    "an attempt at a visit of no number": scheduled("a@x:1", "a@x", "a"),
    "an attempt at the visit of another run": evolve(
        scheduled("a:1", "a", "a"), visit_key=VisitKey(f"{OTHER_RUN}:a")
    ),
    "an attempt under the key of another": scheduled("b:1", "a", "a"),
    "an attempt under the key of another number": scheduled("a:2", "a", "a"),
    "an attempt before the first": scheduled("a:0", "a", "a", 0),
    "a deferral of no number": scheduled("a:1:deferredx", "a", "a"),
    "a callback for what goes forward": scheduled("a:1", "a", "a", kind="compensation"),
    "a step for what is undone": scheduled("compensate:a:1", "compensate:a", "a"),
    "a time-out of another visit": scheduled("a:timeout", "p", "p", kind="timer"),
    "a time-out of another node": scheduled("p:timeout", "p", "r", kind="timer"),
    "a time-out of the run and of a node": of_the_run("p"),
    "a retry of another visit": failed("a:1", "b:2", 2),
    "a retry of another number": failed("a:1", "a:3", 3),
    "a retry that is numbered otherwise": failed("a:1", "a:2", 3),
    "a result of another visit": applied("b", "a"),
    "a result of a later visit of another name": applied("ab", "a"),
    "a route from another node": applied("a", "a", "b", "b"),
    "a gate at the visit of another node": paused("pause", "p", "r"),
    "a gate without a visit": paused("pause", None, "p"),
    "a gate without a node": paused("approval", "r", None),
    "a hold of a visit": paused("hold", "p", "p"),
    "a hold of a node": paused("hold", None, "p"),
    "an answer at the visit of another node": resolved("p", "r"),
    "an answer of the run at a node": resolved(None, "r"),
    "a message at the visit of another node": awaited("p", "m"),
    "an effect that is left, of another visit": ended("a", ("b", "a")),
    "an instant that never comes": evolve(started(None), at=LAST + SECOND / 1_000_000),
}

#: What each names is not there, or is of another kind.
CONTRADICT_THE_DEFINITION: Final = {
    "a node to fork at": started("z"),
    "an attempt at no node": scheduled("z:1", "z", "z"),
    "an attempt at a gate": scheduled("p:1", "p", "p"),
    "a callback of a wait": scheduled("compensate:w:1", "compensate:w", "w", kind="compensation"),
    "a timer of a step": scheduled("a:1", "a", "a", kind="timer"),
    "a time-out of a step": scheduled("a:timeout", "a", "a", kind="timer"),
    "a result of no node": applied("z", "z"),
    "a route to no node": applied("a", "a", "a", "z"),
    "a pause at an approval": paused("pause", "r", "r"),
    "an approval at a pause": paused("approval", "p", "p"),
    "an answer that leads nowhere": paused("approval", "r", "r", error="z"),
    "an answer of a step": resolved("a", "a"),
    "a step that awaits": awaited("a", "a"),
    "a message for a step": MessageReceived(at=EPOCH, step=NodeName("a")),
    "a turn at no node": undoing("z"),
    "an end at no node": ended("z"),
    "an effect of a wait": ended("a", ("w", "w")),
}


def damage(reading: Callable[[], None]) -> object:
    """Where the journal is damaged."""
    with pytest.raises(StorageError) as caught:
        reading()
    assert "run_quarantined" == caught.value.code
    assert RUN == caught.value.details["run_id"]
    return caught.value.details["revision"]


def test_what_deciders_write_contradicts_nothing() -> None:
    """Whatever the nodes, visits, deferrals and answers."""
    read(*RIGHT)


@given(plays())
def test_no_play_contradicts_itself(run: Scenario) -> None:
    """Wherever a run gets to, what it left in the journal can be read again."""
    read(*run.journal, spec=run.spec)


@pytest.mark.parametrize("name", CONTRADICT_THEMSELVES)
def test_an_entry_that_contradicts_itself_is_damage(name: str) -> None:
    """At its own revision, whatever the definition says."""
    assert 8 == damage(lambda: read(started(None), CONTRADICT_THEMSELVES[name]))


@pytest.mark.parametrize("name", CONTRADICT_THE_DEFINITION)
def test_an_entry_that_contradicts_the_definition_is_damage(name: str) -> None:
    """At the first revision that does so."""
    wrong = CONTRADICT_THE_DEFINITION[name]

    assert 8 == damage(lambda: read(started(None), wrong, wrong))
