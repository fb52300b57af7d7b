"""
Whatever a verb of `AsyncMesh` may be told besides what it is about: it is heard, as by `Mesh`.

Each word is said to both, and left unsaid, in three worlds that are alike: the same comes of
it in the first two, and something else in the third.
"""

import inspect
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final, Literal

import pytest
from attrs import evolve, frozen

from squidmesh import ActionRegistry, AsyncMesh, Mesh, Run
from squidmesh.people import CommandOptions
from squidmesh.queues.limits import QueueCommand, QueueLimits
from squidmesh.starting import StartOptions
from squidmesh.steering.bulk import BulkOptions
from squidmesh.views.filtering import BoardFilters, RunFilters
from squidmesh.views.stream import Watched
from squidmesh_core.errors import SquidmeshError
from support.aio import async_mesh
from support.worlds import OTHERS, RUN_ID, Gates, Order, Placed, Settlement, Wish, World, at, ports

Kind = Literal["sync", "async"]


# -- what is said


@frozen(kw_only=True)
class Case:
    """A word that is said to a verb."""

    verb: str
    word: str
    value: Any
    #: What the verb is about.
    about: Callable[[World], tuple[Any, ...]]
    #: What is said in any case.
    said: Mapping[str, Any]


def cases(
    verb: str,
    about: Callable[[World], tuple[Any, ...]] = lambda world: (),
    said: Mapping[str, Any] | None = None,
    /,
    **words: Any,
) -> Iterator[Case]:
    """One for each word; what can be called makes the value of a world."""
    for word, value in words.items():
        yield Case(verb=verb, word=word, value=value, about=about, said=said or {})


#: What may be said along with every command.
ALONG: Final = {"by": "bo", "note": "because", "metadata": {"ticket": 7}}
COMMAND: Final = {**ALONG, "key": "k-1", "now": at(90)}
BULK: Final = {**ALONG, "now": at(90)}
START: Final = {
    **COMMAND,
    "run_id": RUN_ID.format(77),
    "at": at(500),
    "tags": ["gift"],
    "queue": "slow",
    "priority": 3,
    "partition_key": "p-1",
}
FILTER: Final = {"workflow": "none", "version": "none", "queue": "none", "tag": "x", "text": "none"}
BY_ANA: Final = {"by": "ana"}
ANYWAY: Final = {"allow_irreversible": True}


def _all(of: Callable[[World], Run]) -> Callable[[World], tuple[Mapping[str, str]]]:
    """Two runs, as the bulk verbs are told of them."""

    def make(world: World) -> tuple[Mapping[str, str]]:
        of(world), of(world)
        return ({"workflow": "aio.keywords.Order"},)

    return make


def _next(world: World) -> str | None:
    """Where a page of one ends, of them as of all others."""
    return world.mesh.runs(limit=1).next


def _alone(of: Callable[[World], object]) -> Callable[[World], tuple[object]]:
    return lambda world: (of(world),)


def _twice(of: Callable[[World], object]) -> Callable[[World], tuple[()]]:
    """Two of them are there, and nobody is told which."""

    def make(world: World) -> tuple[()]:
        of(world), of(world)
        return ()

    return make


def _registry() -> ActionRegistry:
    actions = ActionRegistry()
    actions.add_workflow(Order)
    return actions


def _of_spec(world: World) -> tuple[object, ...]:
    return evolve(Order.spec, version="0"), "placed", {"sku": "mug"}


def _later(world: World) -> tuple[()]:
    """Two that have ended long ago."""
    world.completed(), world.completed()
    world.stage.clock.advance(7200)
    return ()


CASES: Final = [
    # whoever performs steps without a worker
    *cases("claim", _twice(World.placed), {"owner": "ana"}, owner="bo", queue="slow"),
    *cases("claim", _twice(World.placed), {"owner": "ana"}, lease="5s", now=at(90)),
    *cases("heartbeat", _alone(World.claimed), progress={"done": 1}, now=at(9)),
    *cases("complete", _alone(World.claimed), output={"box": 1}, now=at(9)),
    *cases(
        "fail",
        lambda world: (world.claimed(), "torn"),
        retryable=False,
        retry_after="4m",
        now=at(9),
    ),
    *cases("defer", lambda world: (world.claimed(), "no"), {"for_": "1s"}, for_="2s", now=at(9)),
    *cases("defer", lambda world: (world.claimed(), "no"), {"until": at(500)}, until=at(600)),
    *cases("execute_next", _twice(World.placed), queue="slow", owner="bo", lease="5s"),
    *cases("execute_next", _twice(World.placed), heartbeat=False, now=at(9)),
    *cases("drain", _twice(World.placed), queues=["slow"], limit=1),
    # starts
    *cases("start", lambda world: (Order.placed, Placed("mug")), **START),
    *cases("start_spec", _of_spec, {"actions": _registry()}, actions=ActionRegistry(), **START),
    # gates and holds
    *cases("approve", _alone(World.asked), BY_ANA, form=Wish("red"), **COMMAND),
    *cases("approve", _alone(World.gates), BY_ANA, node=Gates.second),
    *cases("reject", _alone(World.asked), BY_ANA, form=Wish("red"), **COMMAND),
    *cases("reject", _alone(World.gates), BY_ANA, node=Gates.second),
    *cases("pause", _alone(World.asked), **COMMAND),
    *cases("resume", _alone(World.held), **COMMAND),
    *cases("resume", _alone(World.gates), BY_ANA, node=Gates.fourth),
    # ends
    *cases("cancel", _alone(World.asked), compensate=True, **COMMAND),
    *cases("cancel", _alone(World.undoing), abandon=True),
    *cases("cancel_all", _all(World.asked), compensate=True, plan=True, key="k", limit=1, **BULK),
    *cases("cancel_all", _all(World.asked), cursor=_next),
    *cases("cancel_all", _all(World.undoing), abandon=True),
    # messages
    *cases("send", lambda world: (world.waiting(), Order.settled, Settlement(5)), **COMMAND),
    *cases(
        "deliver",
        lambda world: (world.waiting(), Order.settled, "mug", Settlement(5))[1:],
        **COMMAND,
    ),
    # runs made of finished runs
    *cases("replay", _alone(World.completed), ANYWAY, from_step="packed", **COMMAND),
    *cases("replay", _alone(World.completed), allow_irreversible=True, simulate=True),
    *cases("replay", _alone(World.outdated), ANYWAY, definition="current"),
    *cases(
        "replay_all",
        _all(World.completed),
        {**ANYWAY, "key": "k"},
        **{**BULK, "key": "other", "from_step": "packed", "plan": True, "limit": 1},
        cursor=_next,
    ),
    *cases("replay_all", _all(World.completed), {"key": "k"}, allow_irreversible=True),
    *cases("replay_all", _all(World.outdated), {**ANYWAY, "key": "k"}, definition="current"),
    *cases("retry_compensation", _alone(World.abandoned), **COMMAND),
    # queues
    *cases("set_queue", lambda world: ("slow",), concurrency=1, per_key=3, rate="5/s"),
    *cases("set_queue", lambda world: ("slow",), {"rate": "5/s"}, burst=9, **ALONG),
    *cases("pause_queue", lambda world: ("slow",), **ALONG),
    *cases("resume_queue", lambda world: (world.mesh.pause_queue("slow").name,), **ALONG),
    # what is there
    *cases("inspect", _alone(World.asked), history=True, at=2, now=at(120), scope="external"),
    *cases("explain", _alone(World.asked), now=at(120)),
    *cases("graph", _alone(World.asked), history=True, at=2, now=at(120)),
    *cases("journal", _alone(World.asked), after=2),
    *cases("watch", _alone(World.completed), after=2),
    *cases("wait_for", _alone(World.asked), {"timeout": "0s"}, status="paused", timeout="1ms"),
    *cases(
        "runs",
        _twice(World.asked),
        **{**FILTER, "status": "failed", "reason": "terminal", "deadline": "overdue"},
        parent=RUN_ID.format(77),
        since=at(1),
        until=at(-1),
        limit=1,
        cursor=_next,
    ),
    *cases(
        "deadlines",
        _twice(World.asked),
        **{**FILTER, "status": "overdue", "limit": 1, "now": at(120)},
        cursor=lambda world: world.mesh.deadlines(limit=1).next,
    ),
    *cases("counts", _twice(World.asked), now=at(120)),
    *cases(
        "approvals",
        _twice(World.asked),
        limit=1,
        now=at(120),
        cursor=lambda world: world.mesh.approvals(limit=1).next,
    ),
    # upkeep
    *cases("reindex", _twice(World.asked), run=RUN_ID.format(1)),
    *cases("verify", _twice(World.asked), run=RUN_ID.format(1)),
    *cases("verify", _twice(World.forged), checker=True),
    *cases("prune", _later, {"older_than": "3h"}, older_than="1h"),
    *cases("prune", _later, {"run": RUN_ID.format(1)}, run=RUN_ID.format(2), plan=True),
]


# -- what comes of it


async def told(case: Case, kind: Kind, *, says: bool) -> object:
    """The answer to a verb, and all that is kept afterwards."""
    OTHERS[:] = threading.enumerate()
    world = World()
    about, said = case.about(world), dict(case.said)
    if says:
        said[case.word] = case.value(world) if callable(case.value) else case.value
    world.stage.clock.advance(30)  # else what is decided then and now would be alike
    OTHERS[:] = threading.enumerate()
    with closing(world.stage):
        if kind == "sync":
            mesh = world.stage.mesh(Order, Gates, ports=ports(2))
            return await _answer(mesh, case.verb, about, said), world.kept()
        async with async_mesh(world.stage, Order, Gates, ports=ports(2)) as awaited:
            return await _answer(awaited, case.verb, about, said), world.kept()


async def _answer(
    mesh: Mesh | AsyncMesh, verb: str, about: tuple[Any, ...], said: Mapping[str, Any]
) -> object:
    try:
        answer = getattr(mesh, verb)(*about, **said)
        if isinstance(answer, AsyncIterator):
            answer = [one async for one in answer]
        elif isinstance(answer, Iterator):
            answer = list(answer)
        elif inspect.isawaitable(answer):
            answer = await answer
    except SquidmeshError as error:
        return type(error), str(error)
    if isinstance(answer, list) and answer and isinstance(answer[0], Watched):
        return [one.revision for one in answer]
    return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.verb}-{case.word}")
async def test_what_is_said_to_a_verb_is_heard(case: Case) -> None:
    """The same comes of it as with `Mesh`, and not the same if it is left unsaid."""
    unsaid = await told(case, "async", says=False)
    said = await told(case, "async", says=True)

    assert said == await told(case, "sync", says=True)
    assert said != unsaid


# -- every word of every verb

OPTIONS: Final[Mapping[str, Any]] = {
    one.__name__: one
    for one in (
        CommandOptions,
        StartOptions,
        BulkOptions,
        RunFilters,
        BoardFilters,
        QueueCommand,
        QueueLimits,
    )
}


def words(verb: Callable[..., object]) -> Iterator[str]:
    """What it may be told by name: what it need not be told, or is told in no other way."""
    for name, parameter in inspect.signature(verb).parameters.items():
        if parameter.kind == parameter.VAR_KEYWORD:
            (options,) = re.findall(r"Unpack\[(\w+)\]", str(parameter.annotation))
            yield from OPTIONS[options].__annotations__
        elif parameter.kind == parameter.KEYWORD_ONLY or (
            parameter.kind == parameter.POSITIONAL_OR_KEYWORD
            and parameter.default is not parameter.empty
        ):
            yield name


def test_no_word_is_left_out() -> None:
    """Of no coroutine; what the two classes share, or what makes something, is none."""
    verbs = {
        name: verb
        for name, verb in inspect.getmembers(AsyncMesh, inspect.isfunction)
        if inspect.iscoroutinefunction(verb) or inspect.isasyncgenfunction(verb)
        if not name.startswith("_")
    }
    expected = {(name, word) for name, verb in verbs.items() for word in words(verb)}

    assert expected == {(case.verb, case.word) for case in CASES}
