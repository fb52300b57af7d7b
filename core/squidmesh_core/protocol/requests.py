"""
What the verbs ask for, each with its digest, whichever way it was asked.

A named method and a signal that ask the same come through here, so that their
digests agree and a key may be used by both.  Values are in storable form.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.commands import (
    Cancel,
    Operating,
    Pause,
    Receipted,
    Resume,
    Review,
    Send,
    Verb,
)
from squidmesh_core.protocol.digests import command_digest

#: Which definition a replay follows: the stored one of its source, or the registered one.
DefinitionChoice = Literal["source", "current"]


@frozen(kw_only=True)
class Operation:
    """A command to a run that is there."""

    run_id: RunId
    command: Operating


@frozen(kw_only=True)
class StartRequest:
    """A fresh run is wanted; which definition that means is for a registry to say."""

    workflow: str
    #: Null: the workflow has one only.
    trigger: str | None = None
    #: The payload as given, in plain form.
    input: Mapping[str, object]
    said: Receipted


@frozen(kw_only=True)
class ReplayRequest:
    """A new run is wanted that does what an ended one did, or a part of it."""

    #: The run to replay.
    run_id: RunId
    #: Fork here; null: from the beginning.
    from_step: NodeName | None = None
    allow_irreversible: bool = False
    definition: DefinitionChoice = "source"
    said: Receipted

    @property
    def digest(self) -> str:
        """What makes two replays the same."""
        options = _options(
            from_step=self.from_step,
            allow_irreversible=self.allow_irreversible,
            definition=None if self.definition == "source" else self.definition,
        )
        return _digest("replay", self.run_id, self.said, options)


@frozen(kw_only=True)
class RetryRequest:
    """A new run is wanted that undoes what an ended one could not."""

    #: The run whose recovery list is taken up.
    run_id: RunId
    said: Receipted

    @property
    def digest(self) -> str:
        """What makes two of them the same: the run alone, whoever asks, for there is one only."""
        return command_digest("retry_compensation", self.run_id, {})


Request = Operation | StartRequest | ReplayRequest | RetryRequest


def cancel(
    run_id: RunId, said: Receipted, *, compensate: bool = False, abandon: bool = False
) -> Operation:
    """End a run; see `Cancel`."""
    options = _options(compensate=compensate, abandon=abandon)
    digest = _digest("cancel", run_id, said, options)
    command = Cancel(said=said, digest=digest, compensate=compensate, abandon=abandon)
    return Operation(run_id=run_id, command=command)


def pause(run_id: RunId, said: Receipted) -> Operation:
    """Hold a whole run; see `Pause`."""
    command = Pause(said=said, digest=_digest("pause", run_id, said, {}))
    return Operation(run_id=run_id, command=command)


def resume(run_id: RunId, said: Receipted, *, node: str | None = None) -> Operation:
    """Lift the hold, or answer a pause node; see `Resume`."""
    digest = _digest("resume", run_id, said, _options(node=node))
    return Operation(run_id=run_id, command=Resume(said=said, digest=digest, node=node))


def review(
    run_id: RunId,
    said: Receipted,
    decision: Literal["approved", "rejected"],
    *,
    node: str | None = None,
    form: Mapping[str, object] | None = None,
    assumed: frozenset[str] = frozenset(),
) -> Operation:
    """Answer an approval; see `Review`."""
    verb: Verb = "approve" if decision == "approved" else "reject"
    digest = _digest(verb, run_id, said, _options(node=node, form=form))
    command = Review(
        said=said, digest=digest, decision=decision, node=node, form=form, assumed=assumed
    )
    return Operation(run_id=run_id, command=command)


def send(
    run_id: RunId,
    said: Receipted,
    *,
    node: str,
    payload: object,
    assumed: frozenset[str] = frozenset(),
) -> Operation:
    """Hand a message in; see `Send`."""
    digest = _digest("send", run_id, said, {"node": node, "message": payload})
    command = Send(said=said, digest=digest, node=node, payload=payload, assumed=assumed)
    return Operation(run_id=run_id, command=command)


def _options(**options: object) -> dict[str, object]:
    """Options without those at their default, which is null or false for all that come here."""
    return {
        name: value for name, value in options.items() if value is not None and value is not False
    }


def _digest(verb: Verb, run_id: RunId, said: Receipted, options: Mapping[str, object]) -> str:
    return command_digest(verb, run_id, options, said.actor, said.comment)
