"""
One run, told so that its journal is what the runtime itself would have written.

`Scenario` makes digests and ids up, which is enough for a decider.  A golden
journal outlives the code that made it, so here everything in it is genuine:
the definition is a valid one and has its fingerprint, digests are those of the
verbs, and claims have ids of their own in every run.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Final

from attrs import evolve

from squidmesh_core import canonical
from squidmesh_core.checker import export
from squidmesh_core.decide import Answer
from squidmesh_core.decide.prune import Removal, prune
from squidmesh_core.definition.fingerprint import spec_to_text
from squidmesh_core.definition.spec import Field, ManualTrigger, Node, Spec, Transition
from squidmesh_core.ids import ClaimId, derived_run_id, token_hash
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.commands import (
    Cancel,
    Command,
    Offer,
    Pause,
    Resume,
    Review,
    Send,
    Start,
)
from support.journals.writing import bind
from support.replays import a_replay, asked, next_run_id, retry_start
from support.scenario import LEASE, Scenario, a_start
from support.workflows import chain, workflow

#: What every told run is started with.
PLACED: Final = ManualTrigger(
    name="placed",
    payload=(Field(name="order_id", type="string"), Field(name="total", type="integer")),
)
ORDER: Final = {"order_id": "A-1", "total": 4990}


def order(*nodes: Node, routes: tuple[Transition, ...] = (), timeout_ms: int | None = None) -> Spec:
    """A workflow of these nodes that is started with an order."""
    return evolve(workflow(*nodes, routes=routes, timeout_ms=timeout_ms), triggers=(PLACED,))


def row(*nodes: Node) -> Spec:
    """One node after the other, by routes, started with an order."""
    return evolve(chain(*nodes), triggers=(PLACED,))


class Told(Scenario):
    """A scenario in which nothing is made up."""

    def ask(self, command: Command) -> Answer:
        """Put a command to the run as its verb would have made it."""
        return super().ask(self._genuine(command))

    def offer(
        self,
        by: str = "ana",
        *,
        lease: timedelta = LEASE,
        actions: frozenset[str] | None = None,
        queues: frozenset[str] = frozenset({"default"}),
    ) -> Offer:
        """A free slot, with a claim id and a token that no other run has."""
        offer = super().offer(by, lease=lease, actions=actions, queues=queues)
        name = f"{self.state.run_id}/{offer.claim_id}"
        return evolve(offer, claim_id=ClaimId(name), claim_token_hash=token_hash(name))

    def _genuine(self, command: Command) -> Command:
        run_id = self.state.run_id
        match command:
            case Start(verb="start"):
                return evolve(
                    command, definition=self.spec.fingerprint, digest=_start_digest(command)
                )
            case Cancel(said=said, compensate=compensate, abandon=abandon):
                asked_for = requests.cancel(run_id, said, compensate=compensate, abandon=abandon)
            case Pause(said=said):
                asked_for = requests.pause(run_id, said)
            case Resume(said=said, node=node):
                asked_for = requests.resume(run_id, said, node=node)
            case Review(said=said, decision=decision, node=node, form=form):
                asked_for = requests.review(run_id, said, decision, node=node, form=form)
            case Send(said=said, node=to, payload=payload):
                asked_for = requests.send(run_id, said, node=to, payload=payload)
            case _:
                return command
        return asked_for.command


def told(spec: Spec) -> Told:
    """A run of this workflow that was just started."""
    run = Told(spec)
    run.start(ORDER)
    return run


def keyed(spec: Spec, key: str) -> Told:
    """A run that was started under an idempotency key."""
    run = Told(spec, run_id=derived_run_id(spec.workflow, PLACED.name, key))
    run.decides(a_start(ORDER, run_id=run.state.run_id, key=key))
    return run


def again(run: Scenario, *, from_step: str | None = None, allow_irreversible: bool = False) -> Told:
    """The replay or fork of a finished run, just started."""
    ask = a_replay(run, from_step=from_step, allow_irreversible=allow_irreversible)
    start = asked(run, ask)
    assert isinstance(start, Start), start
    return _made_of(run, start)


def taken_up(run: Scenario) -> Told:
    """The run that undoes what this one has left, just started."""
    return _made_of(run, retry_start(run))


def left_of(run: Scenario) -> Told:
    """What is left of a finished run that somebody can name again."""
    removal = prune(run.state, run.now)
    assert isinstance(removal, Removal), removal
    assert removal.tombstone is not None
    left = Told(run.spec, now=run.now, run_id=run.state.run_id)
    left.finds(removal.tombstone)
    return left


def lines(runs: Sequence[Scenario]) -> Iterator[str]:
    """The export of some runs and of their definitions, line by line."""
    definitions = dict.fromkeys(spec_to_text(run.spec) for run in runs)
    return export.write((record for run in runs for record in _records(run)), definitions)


def _made_of(run: Scenario, start: Start) -> Told:
    new = Told(run.spec, now=run.now, run_id=next_run_id(run))
    new.decides(start)
    return new


def _records(run: Scenario) -> tuple[AppendRecord, ...]:
    ends = [state.revision for state in run.states]
    pages = [run.journal[begin:end] for begin, end in pairwise(ends)]
    return bind(pages, run.state.run_id)


def _start_digest(command: Start) -> str:
    given = {
        "workflow": command.workflow,
        "trigger": command.trigger,
        "payload": dict(command.input),
        "parent": None,
    }
    return sha256(canonical.encode(given).encode()).hexdigest()
