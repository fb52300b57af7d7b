"""
The world: one run, its workers, clients and clock, and everything that can happen to them.

A state is seven small values; a move is one storage request of one process, the
clock's next interesting instant, or a fault.  What one process can do depends
on its own state, the journal and the clock alone, so that is worked out once and
remembered; the many ways in which the processes interleave cost only look-ups.

Left out, because it changes nothing: which of two workers that are alike does
something, and every instant at which no lease, delay or time-out is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from explore.family import Family, Fault
from explore.recorded import Heard, Look, Reply, Write
from explore.script import (
    Act,
    Cast,
    Claims,
    Local,
    Over,
    Played,
    play,
)
from explore.search import Broken, Move
from explore.shelf import Shelf, Story, instant, told
from explore.truth import heard, untrue
from squidmesh.actions import ActionRegistry
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptFailed,
    RunTerminal,
)
from squidmesh_storage.api import Batch
from support.scenario import LEASE

_HEARD: Final[Mapping[Fault | None, Heard]] = {
    None: "written",
    "unheard": "unknown",
    "lost": "unknown",
    "late": "unknown",
    "away": "away",
    "dies": "written",
}
_LANDS: Final = frozenset({None, "unheard", "dies"})


class State(NamedTuple):
    """One state of the world; processes, batches and stories by number."""

    story: int
    #: Milliseconds since the beginning.
    now: int
    faults: int
    extras: int
    #: Appends that are still on their way.
    late: tuple[int, ...]
    #: Sorted: workers are alike.
    workers: tuple[int, ...]
    clients: tuple[int, ...]


class Step(NamedTuple):
    """What one process can do, and what changes by it."""

    label: str
    faults: int
    extras: int
    process: int
    story: int
    #: The append that is now on its way, or -1.
    late: int = -1


class World:
    """A family, ready to be searched."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.shelf = Shelf(family.spec, grain=family.beats, deliveries=family.deliveries)
        self.reached: set[str] = set()
        actions = ActionRegistry()
        for key in _actions(family.spec):
            actions.add(key, _nothing)
        self._cast = Cast(
            shelf=self.shelf,
            actions=actions,
            slots=family.slots,
            orders=family.clients,
            claims=Claims(),
        )
        self._astray = sorted(family.kinds - {"crash"})
        self._locals: list[Local] = []
        self._numbers: dict[Local, int] = {}
        self._played: dict[Local, tuple[Played, tuple[Batch, ...]]] = {}
        #: Busy processes by number → the name of what they do.
        self._names: dict[int, str] = {}
        self._batches: list[tuple[str, Batch]] = []
        self._batch_numbers: dict[tuple[str, str], int] = {}
        self._steps: dict[_Setting, list[Step]] = {}

    # --- what the engine asks

    def begin(self) -> State:
        """The run has started; nobody knows of it."""
        family = self.family
        clients = tuple(self._number(Local(client=at)) for at in range(len(family.clients)))
        idle = self._number(Local(client=-1))
        first = self.shelf.first.number
        return State(first, 0, family.faults, family.extras, (), (idle,) * family.workers, clients)

    def moves(self, state: State) -> Iterator[Move[State]]:
        """Every storage request, every passing of time, every fault."""
        story, now, faults, extras, _, workers, clients = state
        yield from self._surroundings(state)
        around = (story, now, self._names_in(state), faults > 0, extras > 0)
        for at, process in enumerate(workers):
            if at and workers[at - 1] == process:
                continue  # its twin does the same
            others = workers[:at] + workers[at + 1 :]
            for step in self._steps_of((process, *around)):
                crew = tuple(sorted((*others, step.process)))
                fair = not step.faults and not step.extras
                yield step.label, fair, _after(state, step, crew, clients)
        for at, process in enumerate(clients):
            for step in self._steps_of((process, *around)):
                people = (*clients[:at], step.process, *clients[at + 1 :])
                fair = not step.faults and not step.extras
                yield step.label, fair, _after(state, step, workers, people)

    def rests(self, state: State) -> bool:
        """Whether the run is over, or only a person can move it."""
        witness = self.shelf[state.story].witness
        if witness.terminal is not None or witness.hold:
            return True
        return not witness.open and bool(witness.waiting)

    def tell(self, state: State) -> str:
        """The journal, and who is doing what."""
        story = self.shelf[state.story]
        people = [self._told(self._locals[one]) for one in (*state.workers, *state.clients)]
        clock = f"the clock is at {state.now / 1000} s, {len(state.late)} appends on their way"
        return "\n".join([told(story), clock, *people])

    def audit(self) -> Sequence[str]:
        """The offline checker's word; and what was reached is noted."""
        for story in self.shelf.stories:
            for entry in story.entries[story.before.revision if story.before else 0 :]:
                self.reached.add(f"wrote {type(entry).__name__}")
                if isinstance(entry, AttemptFailed):
                    self.reached.add(f"failed {entry.error.kind}")
                if isinstance(entry, RunTerminal):
                    self.reached.add(f"ended {entry.status}")
                    self.reached.update(f"left {one.reason}" for one in entry.recovery)
        self.reached |= {f"site {site}" for site in self._cast.sites}
        return list(self.shelf.audit(most=AUDITED))

    # --- the surroundings

    def _surroundings(self, state: State) -> Iterator[Move[State]]:
        """Time passes; what was on its way lands."""
        story = self.shelf[state.story]
        later = next((bound for bound in story.bounds if bound > state.now), None)
        if later is not None:
            yield "time passes", True, state._replace(now=later)
        for at, number in enumerate(state.late):
            landed = self._append(story, self._batches[number][1])
            rest = state.late[:at] + state.late[at + 1 :]
            yield "a late append lands", True, state._replace(story=landed.number, late=rest)

    def _names_in(self, state: State) -> frozenset[str]:
        """Names of operations that a new one could be mistaken for."""
        busy = [self._names[one] for one in state.workers if one in self._names]
        if not busy and not state.late:
            return _NOBODY
        return frozenset([*busy, *(self._batches[one][0] for one in state.late)])

    # --- one process

    def _steps_of(self, setting: "_Setting") -> Sequence[Step]:
        found = self._steps.get(setting)
        if found is None:
            found = self._steps[setting] = list(self._worked_out(*setting))
        return found

    def _worked_out(
        self, process: int, number: int, now: int, names: frozenset[str], fails: bool, more: bool
    ) -> Iterator[Step]:
        """All that one process can do, with faults or extras left or not."""
        local, story = self._locals[process], self.shelf[number]
        if local.act is not None:
            yield from self._answers(local, story, now, fails)
        else:
            for act, extras in self._acts(local, story, now):
                if extras and not more:
                    continue
                name = next(name for k in range(99) if (name := f"{act.name}.{k}") not in names)
                busy = local._replace(act=act._replace(name=name))
                for step in self._answers(busy, story, now, fails):
                    yield step._replace(extras=extras)
        fresh = Local(client=local.client, given=local.given)
        if fails and "crash" in self.family.kinds and local != fresh:
            yield Step(f"{_who(local)} dies", 1, 0, self._number(fresh), number)

    def _acts(self, local: Local, story: Story, now: int) -> Iterator[tuple[Act, int]]:
        """What an idle process can begin, and the extras that it takes."""
        if local.client >= 0:
            orders = len(self.family.clients[local.client])
            name = f"c{local.client}@{story.revision}"
            if local.given < orders:
                yield Act("order", f"{name}.{local.given}", local.given), 0
            if local.given:
                yield Act("order", f"{name}.{local.given - 1}", local.given - 1), 1
            return
        for which, number in enumerate(local.holds):
            claim = self._cast.claims[number]
            for ending in self.family.endings.get(claim.action or "", ("ok",)):
                act = Act("settle", f"s{claim.claim_id}", which, ending)
                yield act, int(ending == "defer")
            if self.family.beats and instant(now) > claim.lease_until - LEASE:
                yield Act("beat", f"b{claim.claim_id}@{story.revision}", which), 1
        if len(local.holds) < self.family.slots and story.due(now):
            yield Act("take", f"t@{story.revision}"), 0

    def _answers(self, local: Local, story: Story, now: int, fails: bool) -> Iterator[Step]:
        """What the storage may say to a busy process."""
        request, _ = self._play(local)
        if isinstance(request, Look):
            yield self._answered(
                local, _seen(request, story, now), story, f"reads the {request.what}"
            )
        elif isinstance(request, Write):
            yield from self._written(local, request, story, now, fails)

    def _written(
        self, local: Local, request: Write, story: Story, now: int, fails: bool
    ) -> Iterator[Step]:
        """One append or claim transaction, and all that may become of it."""
        for fault in (None, *self._astray) if fails else (None,):
            batches = self._batches_of(local, request, story, now)
            fits = [batch.expected == story.revision for batch in batches] == [True]
            if fault is not None and not fits:
                continue  # a fault of a request that writes nothing is no news
            heard = _HEARD[fault] if fits or not batches else "conflict"
            reply = Reply(heard=heard) if request.batch else Reply(story.number, now, heard)
            later, late = story, -1
            if fault in _LANDS:
                for batch in batches:
                    later = self._append(story, batch)
                label = "appends" if later is not story else "meets a conflict"
            else:
                label = "asks for an append"
            if fault == "late":
                late = self._batch_number(local, batches[0])
            if not batches:
                label = "finds nothing to claim yet"
            self.reached.add(label if fault is None else fault)
            if fault == "dies":
                fresh = self._number(Local(client=local.client, given=local.given))
                yield Step(f"{_does(local)}: {label}, and dies", 1, 0, fresh, later.number)
                continue
            step = self._answered(local, reply, later, f"{label} {fault or ''}".rstrip())
            yield step._replace(faults=int(fault is not None), late=late)

    def _batches_of(
        self, local: Local, request: Write, story: Story, now: int
    ) -> tuple[Batch, ...]:
        if request.batch is not None:
            return (request.batch,)
        reply = Reply(story.number, now)
        return self._play(local._replace(replies=(*local.replies, reply)))[1]

    def _answered(self, local: Local, reply: Reply, story: Story, label: str) -> Step:
        """The process once it got its reply: it waits again, or its operation is over."""
        after = local._replace(replies=(*local.replies, reply))
        played, _ = self._play(after)
        label = f"{_does(local)}: {label}"
        if isinstance(played, Over):
            self._judge(played, story)
            after, told_all = self._ended(local, played)
            label += f" {told_all}"
        elif reply.story >= 0 and reply.now < 0:
            after = self._caught_up(after, story)
        return Step(label, 0, 0, self._number(after), story.number)

    def _caught_up(self, local: Local, story: Story) -> Local:
        """
        The same process without its past: it has read all there is, and decides afresh.

        What it decided on older states led to nothing, so it goes on as one that
        knew this state when it began and was told: look again.
        """
        if local.act is None or any(
            one.heard not in {"written", "conflict"} for one in local.replies
        ):
            return local
        begun = local._replace(knows=story.hash, replies=())
        if local.act.kind == "take":
            return begun
        decided = begun._replace(replies=(Reply(now=0),))
        if isinstance(self._play(decided)[0], Write):
            decided = decided._replace(replies=(*decided.replies, Reply(heard="conflict")))
        again = decided._replace(replies=(*decided.replies, Reply(story.number)))
        return again if self._play(again)[0] == self._play(local)[0] else local

    def _ended(self, local: Local, over: Over) -> tuple[Local, str]:
        """The process once its operation is over, and what it was told."""
        told_all = [heard(said) for _, said in over.said]
        self.reached.update(told_all)
        given = local.given
        if local.act is not None and local.act.kind == "order":
            failed = any(isinstance(said, Exception) for _, said in over.said)
            given = given if failed else max(given, local.act.which + 1)
        holds = tuple(sorted(self._cast.claims.number(claim) for claim in over.claims))
        idle = Local(client=local.client, knows=over.knows, holds=holds, given=given)
        return idle, f"({', '.join(told_all)})" if told_all else ""

    def _play(self, local: Local) -> tuple[Played, tuple[Batch, ...]]:
        played = self._played.get(local)
        if played is None:
            try:
                played = play(self._cast, local)
            except Broken:
                raise
            except Exception as error:
                raise Broken(f"{_does(local)} raises {type(error).__name__}: {error}") from error
            self._played[local] = played
        return played

    def _append(self, story: Story, batch: Batch) -> Story:
        later = self.shelf.append(story, batch)
        return story if later is None else later

    # --- is it true?

    def _judge(self, over: Over, story: Story) -> None:
        """
        What a process was told, holds and knows is so.

        Raises:
            Broken: It is not.
        """
        hashes = {record.hash for record in story.records}
        if over.knows is not None and over.knows not in hashes:
            raise Broken(f"a process remembers what is not written\n{told(story)}")
        claimed = {e.claim_id for e in story.entries if isinstance(e, AttemptClaimed)}
        for claim in over.claims:
            if claim.claim_id not in claimed:
                raise Broken(f"{claim.attempt_key} is held without a durable claim\n{told(story)}")
        for command, said in over.said:
            wrong = untrue(command, said, story)
            if wrong:
                raise Broken(f"{wrong}: {command}\n{told(story)}")

    # --- numbers and words

    def _number(self, local: Local) -> int:
        number = self._numbers.get(local)
        if number is None:
            number = self._numbers[local] = len(self._locals)
            self._locals.append(local)
            if local.act is not None and local.act.kind == "take":
                self._names[number] = local.act.name
        return number

    def _batch_number(self, local: Local, batch: Batch) -> int:
        key = (batch.record.append_id, batch.record.body)
        if key not in self._batch_numbers:
            self._batch_numbers[key] = len(self._batches)
            self._batches.append((local.act.name if local.act else "", batch))
        return self._batch_numbers[key]

    def _told(self, local: Local) -> str:
        keys = [self._cast.claims[one].attempt_key for one in local.holds]
        return f"{_who(local)}: {_does(local) if local.act else 'idle'}, holds {keys}"


#: A process, the journal, the clock, names in use, whether faults and extras are left.
_Setting = tuple[int, int, int, frozenset[str], bool, bool]
#: Journals that the offline checker looks at, of each search.
AUDITED: Final = 1_500
_NOBODY: Final[frozenset[str]] = frozenset()


def _after(state: State, step: Step, workers: tuple[int, ...], clients: tuple[int, ...]) -> State:
    late = state.late
    if step.late >= 0:
        late = tuple(sorted((*late, step.late)))
    faults, extras = state.faults - step.faults, state.extras - step.extras
    return State(step.story, state.now, faults, extras, late, workers, clients)


def _seen(request: Look, story: Story, now: int) -> Reply:
    match request.what:
        case "clock":
            return Reply(now=now)
        case "journal":
            return Reply(story.number)
        case "append id":
            there = any(record.append_id == request.append_id for record in story.records)
            return Reply(heard="found" if there else "absent")


def _who(local: Local) -> str:
    return f"client {local.client}" if local.client >= 0 else "a worker"


def _does(local: Local) -> str:
    act = local.act
    if act is None:
        return _who(local)
    what = f"{act.kind}s {act.which}" + (f" {act.ending}" if act.kind == "settle" else "")
    return f"{_who(local)} {what}"


def _actions(spec: Spec) -> set[str]:
    steps = [node for node in spec.steps if isinstance(node, StepNode)]
    return {node.action for node in steps} | {node.compensate for node in steps if node.compensate}


def _nothing() -> None:
    """What an action does is of no matter here: its ending is chosen."""
