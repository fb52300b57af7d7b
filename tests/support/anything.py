"""
Hosts that do the same on several adapters: what they are answered has to be the same everywhere.

    hosts = [Host(journal, workflows, clock) for journal in journals]
    alike(hosts, 0, lambda mesh: mesh.cancel(run))     the one answer of all

What is drawn and what time it is are the same for all of them, so nothing else tells
them apart.  A copy of a host is where its explanations are put to the test.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, TypeVar

from attrs import frozen

from squidmesh import (
    ActionRegistry,
    Context,
    Defer,
    Fail,
    Mesh,
    Retry,
    SquidmeshError,
    UndoContext,
)
from squidmesh.ports import Ports
from squidmesh.workers.taking import take
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import RunId
from squidmesh_core.views.explanation import Action, RefusedAction
from squidmesh_storage.api import Journal
from squidmesh_storage.lanes import SETTINGS, STATE
from squidmesh_storage.memory import MemoryJournal
from support.faults import counted_bytes
from support.stage import Clock

T = TypeVar("T")

#: How a step ends: with an output, or as these words say.
Ending = Literal[0, 1, "breaks", "retries", "defers", "fails"]

#: Attempts that are taken at once: more than there are.
_ALL_THERE_IS: Final = 256


@frozen(kw_only=True)
class No:
    """What a host is told instead of an answer."""

    kind: type[SquidmeshError]
    code: str
    message: str


class Host:
    """Two processes on one journal, whose steps end as they are told to."""

    def __init__(self, journal: Journal, workflows: Sequence[Spec], clock: Clock) -> None:
        self.journal = journal
        self.workflows = workflows
        self.clock = clock
        #: How the next steps end; when none is left, they succeed.
        self.endings: list[Ending] = []
        self.actions = ActionRegistry()
        steps = {node for spec in workflows for node in spec.steps if isinstance(node, StepNode)}
        for action in {node.action for node in steps}:
            self.actions.add(action, self._performs)
        for callback in {node.compensate for node in steps if node.compensate is not None}:
            self.actions.add(callback, self._undoes)
        self._bytes = counted_bytes()
        self.meshes = [self.opened(), self.opened()]

    def opened(self) -> Mesh:
        """A process that knows nothing yet."""
        return self._mesh(self.journal, self._bytes)

    def copied(self) -> Mesh:
        """The same runs and queues in another journal, by way of a file."""
        journal = MemoryJournal(clock=self.clock)
        copy = self._mesh(journal, _other_bytes())
        with TemporaryDirectory() as folder:
            file = Path(folder) / "export"
            self.meshes[0].export(file)
            copy.restore(file)
        for kind in (SETTINGS, STATE):
            for record in self.journal.records(kind):
                journal.put_record(kind, record.key, record.body)
        return copy

    def exported(self) -> str:
        """All journals and definitions, as they are stored."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "export"
            self.meshes[0].export(file)
            return file.read_text(encoding="utf-8")

    def _mesh(self, journal: Journal, randomness: Callable[[int], bytes]) -> Mesh:
        ports = Ports(random_bytes=randomness, draw=lambda: 0.5, monotonic=lambda: 0.0)
        return Mesh(journal, workflows=self.workflows, actions=self.actions, ports=ports)

    def _performs(self, ctx: Context) -> object:
        return self._ended()

    def _undoes(self, ctx: UndoContext) -> object:
        return self._ended()

    def _ended(self) -> object:
        match self.endings.pop(0) if self.endings else 1:
            case "breaks":
                raise ValueError("it broke")
            case "retries":
                return Retry("again", after="5s")
            case "defers":
                return Defer("later", for_="30s")
            case "fails":
                return Fail("no", code="no_good")
            case output:
                return output


def _other_bytes() -> Callable[[int], bytes]:
    """What is counted, and never what a host has drawn."""
    draw = counted_bytes()
    return lambda size: bytes(255 - byte for byte in draw(size))


def alike(
    hosts: Sequence[Host], by: int, do: Callable[[Mesh], T], endings: Sequence[Ending] = ()
) -> T | No:
    """What one process of each host is answered, which is the same for all of them."""
    answers: list[T | No] = []
    for host in hosts:
        host.endings = list(endings)
        answers.append(_answer(host.meshes[by], do))
    assert all(answer == answers[0] for answer in answers), answers
    return answers[0]


def surely(
    hosts: Sequence[Host], by: int, do: Callable[[Mesh], T], endings: Sequence[Ending] = ()
) -> T:
    """The same, of what nobody may be refused."""
    answer = alike(hosts, by, do, endings)
    assert not isinstance(answer, No), answer
    return answer


def _answer(mesh: Mesh, do: Callable[[Mesh], T]) -> T | No:
    try:
        return do(mesh)
    except SquidmeshError as error:
        return No(kind=type(error), code=error.code, message=str(error))


# --- what an explanation promises


def does(mesh: Mesh, run_id: str, action: Action) -> None:
    """Do what is said to be possible, in the very words in which it is said."""
    if action.name == "work":
        _work(mesh, RunId(run_id), action)
        return
    # What only the caller knows is whether somebody is sure, and may be left out of a message.
    try:
        eval(action.call.replace("...", "True"), {"mesh": mesh})
    except SquidmeshError as error:
        raise AssertionError(f"{action.call} was refused: {error.code}, {error}") from error


def _work(mesh: Mesh, run_id: RunId, action: Action) -> None:
    """A worker that knows just what is needed takes it; one that knows more may be kept busy."""
    door, crew = mesh.door, mesh.engine.crew([queue.name for queue in mesh.queues()], "60s")
    before, now = door.fresh(run_id).state, mesh.door.journal.now()
    needed = frozenset(
        one.intent.action
        for one in before.live.values()
        if one.intent.action is not None
        and one.visible(now)
        and (one.claim is None or one.expired(now))
    )
    take(door, sorted(crew.queues), needed, _ALL_THERE_IS, crew.offer)
    assert before.revision < door.fresh(run_id).state.revision, action


def is_refused(mesh: Mesh, run_id: str, refused: RefusedAction) -> None:
    """Do what is said to be refused, and find it refused, with the code that was told."""
    answer = _answer(mesh, lambda mesh: _try(mesh, run_id, refused))
    assert isinstance(answer, No), refused
    assert (answer.code, answer.message) == (refused.code, refused.message)


def _try(mesh: Mesh, run_id: str, refused: RefusedAction) -> object:
    match refused.name:
        case "approve":
            return mesh.approve(run_id, by="ida", node=refused.node)
        case "reject":
            return mesh.reject(run_id, by="ida", node=refused.node)
        case "resume":
            return mesh.resume(run_id, node=refused.node)
        case "pause":
            return mesh.pause(run_id)
        case "send":
            return mesh.send(run_id, str(refused.node), {})
        case "cancel":
            return mesh.cancel(run_id)
        case "cancel_and_undo":
            return mesh.cancel(run_id, compensate=True)
        case "abandon":
            return mesh.cancel(run_id, abandon=True)
        case "replay" | "fork":
            return mesh.replay(run_id, from_step=refused.node)
        case "retry_compensation":
            return mesh.retry_compensation(run_id)
        case _:
            raise AssertionError(f"{refused.name} is never refused")
