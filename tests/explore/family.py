"""One configuration of the world: how many there are of what, and what must be met."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

from attrs import Factory, frozen

from explore.script import Ending
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.commands import Command

#: What may become of a request that writes: durable and unheard, gone, on its way,
#: refused without a trace, durable and the process dead; and a process may just die.
Fault = Literal["unheard", "lost", "late", "away", "dies", "crash"]
FAULTS: Final[frozenset[Fault]] = frozenset(get_args(Fault))


@frozen(kw_only=True)
class Family:
    """One configuration to be exhausted."""

    name: str
    spec: Spec
    workers: int = 2
    #: Claims that one worker may hold at once.
    slots: int = 1
    #: Per client its commands, given one after the other.
    clients: Sequence[Sequence[Command]] = ()
    #: Deliveries of an attempt whose node says nothing of them: callbacks.
    deliveries: int = 1
    #: Faults in all, and of which kinds.
    faults: int = 0
    kinds: frozenset[Fault] = FAULTS
    #: Heartbeats, deferrals and commands delivered twice, in all.
    extras: int = 0
    beats: bool = False
    #: Action → how its step may end; `ok` where nothing is said.
    endings: Mapping[str, tuple[Ending, ...]] = Factory(dict)
    #: Labels that the search must meet.
    reaches: frozenset[str] = frozenset()
