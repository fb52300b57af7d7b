"""
Forged journals: one member of one entry says something else, and all hashes fit.

    forged = draw(forgeries(run))       the journal up to the end of some append
    again = read_again(run, forged)     the run as whoever reads it has it; null: refused
    for use in uses(again): use()       all that can be done with it
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from hypothesis import strategies as st

from squidmesh_core.canonical import MAX_INTEGER
from squidmesh_core.decide import Decision, decide
from squidmesh_core.decide.prune import prune
from squidmesh_core.decide.replay import retry_compensation
from squidmesh_core.errors import StorageError
from squidmesh_core.plan.retention import can_come_again, kept, leaves_effects
from squidmesh_core.protocol.codec import encode, entry_from_json, entry_to_json
from squidmesh_core.protocol.commands import Claim, Command, Complete, Defer, Fail, Heartbeat, Held
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.checkpoint import freeze, thaw
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.diff import diff
from squidmesh_core.views.graph import graph
from squidmesh_core.views.graph.ascii import to_ascii
from squidmesh_core.views.index import changes, rows_of
from squidmesh_core.views.inspection import snapshot
from squidmesh_core.views.notices import deadline_notices, notices
from squidmesh_core.views.plain import plain
from support.explaining import everybody, explained
from support.replays import a_replay, a_retry, asked, next_run_id, source_of
from support.scenario import (
    BOOM,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
    a_start,
)

#: Where a member stands in the object of an entry.
Place = tuple[str | int, ...]

_NUMBERS: Final = (-1, 0, 1, 2, 99, MAX_INTEGER)
_TEXTS: Final = ("", ":", "a:b", ":a@2", ":a:1:deferredx", "complete", "nobody")
_INSTANTS: Final = ("0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z")


@st.composite
def forgeries(draw: st.DrawFn, run: Scenario) -> list[Entry]:
    """The journal of a run with one member changed to another value of its type."""
    objects = [entry_to_json(entry, run.state.run_id) for entry in run.journal]
    known: dict[str, list[object]] = defaultdict(list)
    for kind, usual in (("int", _NUMBERS), ("str", _TEXTS), ("instant", _INSTANTS)):
        known[kind] += [*usual]
    known["str"] += [str(name) for name in run.spec.nodes]
    known["bool"] = [True, False]
    places = [(index, place) for index, one in enumerate(objects) for place in _places(one)]
    for index, place in places:
        value = _at(objects[index], place)
        if value not in known[_kind(value)]:
            known[_kind(value)].append(value)
    index, place = draw(st.sampled_from(places))
    old = _at(objects[index], place)
    new = draw(st.sampled_from([value for value in known[_kind(old)] if value != old] or [old]))
    entry = run.journal[index]
    forged = entry_from_json(
        _with(objects[index], place, new), run_id=run.state.run_id, revision=entry.revision
    )
    ends = [state.revision for state in run.states if state.revision >= entry.revision]
    journal = [*run.journal[:index], forged, *run.journal[index + 1 :]]
    return journal[: draw(st.sampled_from(ends))]


def read_again(run: Scenario, journal: Sequence[Entry]) -> Scenario | None:
    """The run as whoever reads this journal has it; null: he is refused."""
    named = Named(run.state.run_id)
    try:
        for entry in journal:
            named.take(entry)
        state = fold_run(run.state.run_id, journal)
        if state.started is None or state.started.definition != _definition(run):
            return None  # there is no such definition
        named.check(run.spec)
    except StorageError:
        return None
    again = Scenario(run.spec, now=max(run.now, state.at or run.now), run_id=run.state.run_id)
    again.journal, again.state = list(journal), state
    return again


def uses(run: Scenario) -> Iterator[Callable[[], object]]:
    """All that can be done with a run that was read: the views of it, and what can be asked."""
    state, spec, now = run.state, run.spec, run.now
    yield lambda: explained(run).to_text(80)
    yield lambda: explained(run, everybody(run)).to_dict()
    yield lambda: plain(snapshot(state, spec, now, history=True))
    yield lambda: diff(snapshot(state, spec, now), snapshot(state, spec, now))
    yield lambda: to_ascii(graph(state, spec, now, history=True), 80)
    yield lambda: rows_of(state, spec)
    yield lambda: (notices(run.journal, state), deadline_notices(state, now))
    yield lambda: thaw(freeze(state), state.run_id)
    yield lambda: (kept(state, now, taken_up=False), leaves_effects(state))
    yield lambda: (can_come_again(state, now), prune(state, now))
    yield lambda: retry_compensation(source_of(run), a_retry(run), run_id=next_run_id(run))
    for name in (None, *spec.nodes):
        ask = a_replay(run, from_step=name, allow_irreversible=True)
        yield lambda ask=ask: asked(run, ask)  # type: ignore[misc]  # lambdas cannot be annotated
    for command in _commands(run):
        yield lambda command=command: _decided(run, command)  # type: ignore[misc]  # as above


def _decided(run: Scenario, command: Command) -> None:
    answer = decide(run.state, run.spec, command, run.now)
    if isinstance(answer, Decision):
        changes(run.state, answer.state, run.spec)
        notices(answer.entries, answer.state)
        encode(answer.entries, run.state.run_id)


def _commands(run: Scenario) -> Iterator[Command]:
    """What anybody may ask of a run, and what those say who hold its attempts."""
    yield a_start(run_id=run.state.run_id)
    yield from (a_cancel(), a_cancel(compensate=True), a_cancel(abandon=True))
    yield a_hold()
    for visit in (None, *run.state.gates.open):
        yield from (a_resume(visit), a_review("rejected", visit))
        yield from (a_review("approved", visit), a_review("approved", visit, form={"sure": True}))
    yield from (a_message(name) for name in run.spec.nodes)
    for attempt in (*run.state.live.values(), *run.state.timers.values()):
        yield Claim(attempt_key=attempt.key, offer=run.offer())
        if attempt.claim is not None:
            held = Held(
                attempt_key=attempt.key,
                claim_id=attempt.claim.claim_id,
                claim_token_hash=attempt.claim.claim_token_hash,
            )
            yield from (Complete(held=held, output=1), Complete(held=held, offer=run.offer()))
            yield from (Fail(held=held, error=BOOM), Fail(held=held, error=BOOM, retryable=False))
            yield Defer(held=held, reason="later", delay_ms=1)
            yield Heartbeat(held=held, lease_ms=1_000)


def _definition(run: Scenario) -> str | None:
    started = run.state.started
    return None if started is None else started.definition


def _places(value: object, place: Place = ()) -> Iterator[Place]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in {"type", "v"}:
                yield from _places(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*place, index))
    else:
        yield place


def _at(value: object, place: Place) -> object:
    for step in place:
        assert isinstance(value, dict | list)
        value = value[step]  # type: ignore[index]  # a name of an object, or a place in a list
    return value


def _with(value: object, place: Place, new: object) -> object:
    if not place:
        return new
    first, *rest = place
    if isinstance(value, dict):
        return {**value, first: _with(value[first], tuple(rest), new)}
    assert isinstance(value, list)
    assert isinstance(first, int)
    return [*value[:first], _with(value[first], tuple(rest), new), *value[first + 1 :]]


def _kind(value: object) -> str:
    if isinstance(value, str) and len(value) == len(_INSTANTS[0]) and value.endswith("Z"):
        return "instant"
    return type(value).__name__
