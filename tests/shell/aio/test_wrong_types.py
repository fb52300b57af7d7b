"""Arguments of a wrong type: one clear error from either mesh, and nothing is half done."""

import inspect
from collections.abc import Callable
from typing import Any, Final

import pytest

from squidmesh import AsyncMesh, ConfigError, Mesh
from squidmesh.workers.claim import Claim
from support.aio import async_mesh
from support.stage import Stage, begin, claimed, does
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

SPEC = chain(step("a", output="a"))
ACTIONS = does(a=lambda: 1)

#: A verb with one argument that nobody can have meant, and that argument's name.
Verb = Callable[[Any, Any], object]
VERBS: Final[dict[str, Verb]] = {
    "actions": lambda mesh, _: mesh.start_spec(SPEC, "placed", {}, actions=["do.a"]),
    "heartbeat": lambda mesh, _: mesh.execute_next(heartbeat="no"),
    "claim of heartbeat": lambda mesh, _: mesh.heartbeat(None),
    "claim of complete": lambda mesh, _: mesh.complete(None, 1),
    "claim of fail": lambda mesh, _: mesh.fail(None, "no"),
    "claim of defer": lambda mesh, _: mesh.defer(None, "later", for_="1s"),
    "retryable": lambda mesh, claim: mesh.fail(claim, "no", retryable="no"),
    "history": lambda mesh, claim: mesh.inspect(claim.run_id, history="no"),
    "history of graph": lambda mesh, claim: mesh.graph(claim.run_id, history="no"),
    "plan": lambda mesh, _: mesh.prune("1h", plan=None),
    "checker": lambda mesh, _: mesh.verify(checker="no"),
    "compensate": lambda mesh, claim: mesh.cancel(claim.run_id, compensate="no"),
    "abandon": lambda mesh, claim: mesh.cancel(claim.run_id, abandon="no"),
    "simulate": lambda mesh, claim: mesh.replay(claim.run_id, simulate="no"),
    "definition": lambda mesh, claim: mesh.replay(claim.run_id, definition=["source"]),
}


async def answer_of(verb: Verb, mesh: Mesh | AsyncMesh, claim: Claim) -> object:
    """What a verb gives, or what comes of awaiting it."""
    answer = verb(mesh, claim)
    return await answer if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("awaited", [False, True])
async def test_a_wrong_type_is_named_and_changes_nothing(
    stage: Stage, verb: str, awaited: bool
) -> None:
    """Truthy is not true: `retryable="no"` would have meant yes."""
    blocking = stage.mesh()
    run = begin(blocking, SPEC, a=lambda: 1)
    claim = claimed(blocking)
    before = blocking.inspect(run, history=True)
    async with async_mesh(stage, actions=ACTIONS) as mesh:
        with pytest.raises(ConfigError) as refused:
            await answer_of(VERBS[verb], mesh if awaited else blocking, claim)

        expected = ("invalid_option", verb.partition(" ")[0])
        assert expected == (refused.value.code, refused.value.details["option"])
        assert (before, 1) == (blocking.inspect(run, history=True), len(blocking.runs().items))


@pytest.mark.parametrize("kind", [Mesh, AsyncMesh])
async def test_a_mesh_is_made_of_what_it_asks_for(kind: Any) -> None:
    """Before anything is opened."""
    for option, value in (("url", 3), ("migrate", "no"), ("actions", {"do.a": print})):
        with pytest.raises(ConfigError) as refused:
            kind.open(**{"url": "memory://", option: value})
        assert option == refused.value.details["option"]
