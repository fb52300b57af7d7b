"""Runs made of finished runs: read the source, ask the core, go through the door."""

from collections.abc import Mapping
from datetime import datetime

from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.outcomes import refusal
from squidmesh_core.decide import Refusal, decide, replay
from squidmesh_core.decide.receipts import again
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.decide.source import Source
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import Refused, RunNotFound
from squidmesh_core.ids import BEGINNING, RunId, replay_run_id, retry_run_id
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.commands import Start
from squidmesh_core.protocol.requests import ReplayRequest, RetryRequest


def replayed(
    door: Door, ask: ReplayRequest, registered: Mapping[str, Spec], now: datetime | None
) -> Handled:
    """
    Start the replay; with a key that is known, find the run that is there.

    Raises:
        RunNotFound: There is no such run.
        Refused: It is not over, or cannot be replayed so.
        UnsafeReplay: It would repeat what cannot be undone.
        IdempotencyConflict: The key belongs to another replay.
        StorageError: Its journal is unreadable.
    """
    if (there := begun(door, ask)) is not None:
        return there
    source = _source(door, ask.run_id)
    spec = _definition(source, ask, registered)
    instant = now or door.journal.now()
    run_id = _keyed(ask) or door.mint.run_id(instant)
    start = replay.replay(source, ask, run_id=run_id, spec=spec, instant=instant)
    if ask.definition == "current":
        # The source's own is stored, and to replay by it is not to have its code.
        door.define(spec)
    return _begin(door, start, spec, now)


def planned(door: Door, ask: ReplayRequest, registered: Mapping[str, Spec]) -> ReplayPlan:
    """
    What that replay would run and repeat; nothing is written, and nothing is refused as unsafe.

    Raises:
        RunNotFound: There is no such run.
        Refused: It is not over, or cannot be replayed so.
        StorageError: Its journal is unreadable.
    """
    source = _source(door, ask.run_id)
    plan = replay.plan_replay(source, ask, _definition(source, ask, registered))
    if isinstance(plan, Refusal):
        raise refusal(plan)
    return plan


def foreseen(
    door: Door, ask: ReplayRequest, registered: Mapping[str, Spec], now: datetime | None
) -> Handled | ReplayPlan:
    """
    What `replayed` would answer: the run that is there, or the plan of one that it would begin.

    Raises:
        SquidmeshError: As for `replayed`.
    """
    if (there := begun(door, ask)) is not None:
        return there
    source = _source(door, ask.run_id)
    spec = _definition(source, ask, registered)
    instant = now or door.journal.now()
    run_id = _keyed(ask) or ask.run_id
    start = replay.replay(source, ask, run_id=run_id, spec=spec, instant=instant)
    plan = start if isinstance(start, Refusal) else replay.plan_replay(source, ask, spec)
    if isinstance(plan, Refusal):
        raise refusal(plan)
    return plan


def recompensated(door: Door, ask: RetryRequest, now: datetime | None) -> Handled:
    """
    Undo in a new run what an ended one has left; asked again, find that run.

    Raises:
        RunNotFound: There is no such run.
        Refused: It is not over, or has left nothing that can be undone.
        StorageError: Its journal is unreadable.
    """
    source = _source(door, ask.run_id)
    start = replay.retry_compensation(source, ask, run_id=retry_run_id(ask.run_id))
    return _begin(door, start, source.spec, now)


def taken_up(door: Door, ask: RetryRequest, now: datetime | None) -> Handled:
    """
    What `recompensated` would answer: the run that is there, or the one that it would begin.

    Raises:
        SquidmeshError: As for `recompensated`.
    """
    source = _source(door, ask.run_id)
    start = replay.retry_compensation(source, ask, run_id=retry_run_id(ask.run_id))
    if isinstance(start, Refusal):
        raise refusal(start)
    try:
        known = door.fresh(start.run_id)
    except RunNotFound:
        known = door.beginning(start.run_id, source.spec)
    answer = decide(known.state, known.spec, start, now or door.journal.now())
    state = known.state if isinstance(answer, Refusal) else answer.state
    return Handled(answer=answer, state=state)


def begun(door: Door, ask: ReplayRequest) -> Handled | None:
    """
    The run that this key began, whatever has become of its source and definition since.

    Null: there is none, or no key.

    Raises:
        StorageError: Its journal is unreadable.
    """
    run_id = _keyed(ask)
    if run_id is None:
        return None
    try:
        state = door.fresh(run_id).state
    except RunNotFound:
        return None
    return Handled(answer=again(state, "replay", ask.digest, ask.said.key), state=state)


def _keyed(ask: ReplayRequest) -> RunId | None:
    key = ask.said.key
    return None if key is None else replay_run_id(ask.run_id, key)


def _begin(door: Door, start: Start | Refusal, spec: Spec, now: datetime | None) -> Handled:
    if isinstance(start, Refusal):
        raise refusal(start)
    return door.handle(start.run_id, start, begin=door.beginning(start.run_id, spec), now=now)


def _source(door: Door, run_id: RunId) -> Source:
    known = door.fresh(run_id)
    records = door.journal.load(run_id, BEGINNING, whole=True).records
    journal = [
        entry
        for record in records
        for entry in decode(record.body, run_id=run_id, first=record.first)
    ]
    return Source(state=known.state, journal=journal, spec=known.spec)


def _definition(source: Source, ask: ReplayRequest, registered: Mapping[str, Spec]) -> Spec:
    if ask.definition == "source":
        return source.spec
    spec = registered.get(source.begun.workflow)
    if spec is None:
        raise Refused(
            f"{source.begun.workflow} is not registered with this mesh, so it has no present "
            "definition here; nothing was written",
            "invalid_replay_source",
            {"run_id": ask.run_id, "reason": "workflow"},
        )
    return spec
