"""
The shelf: every journal that came up, each once, as a tree of appends.

A story is a journal with what follows from it: the state, the index rows, the
instants at which time changes something.  Stories share their beginnings, so a
new one costs its last append, and is judged once, when it is put on the shelf.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import define, evolve, field

from explore.search import Broken
from explore.witness import Witness
from squidmesh.door.handle import batch_of
from squidmesh.door.known import Known
from squidmesh_core.checker import check_run
from squidmesh_core.decide import Decision, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, AppendId, AttemptKey, Revision
from squidmesh_core.protocol.chain import AppendRecord, origin
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.rows import AttemptRow, Head, RunRow
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import attempt_rows, changes, run_row
from squidmesh_storage.api import Batch
from support.scenario import EPOCH, LEASE, RUN, a_start

_MS: Final = timedelta(milliseconds=1)


def instant(milliseconds: int) -> datetime:
    """The storage's clock, so long after the beginning."""
    return EPOCH + milliseconds * _MS


@define(eq=False, kw_only=True)
class Story:
    """One journal."""

    number: int
    before: "Story | None" = field(repr=False)
    records: tuple[AppendRecord, ...]
    entries: tuple[Entry, ...]
    state: RunState
    run: RunRow
    rows: Mapping[AttemptKey, AttemptRow]
    witness: Witness
    #: Milliseconds at which a lease, a delay or a time-out is over, in order.
    bounds: tuple[int, ...]
    after: dict[tuple[AppendId, str], "Story"] = field(factory=dict, repr=False)

    @property
    def revision(self) -> Revision:
        """The head's revision."""
        return self.state.revision

    @property
    def hash(self) -> str:
        """The head's chain hash."""
        return self.records[-1].hash

    @property
    def head(self) -> Head:
        """Where the next append must follow."""
        last = self.records[-1]
        return Head(revision=last.last, hash=last.hash, at=last.at)

    def due(self, now: int) -> list[AttemptRow]:
        """The index rows that may be claimed, in claim order."""
        at = max(instant(now), self.records[-1].at)
        due = [row for row in self.rows.values() if (row.held_until or row.visible_at) <= at]
        due.sort(key=lambda row: (row.priority, row.visible_at, row.attempt_key))
        return due


class Shelf:
    """
    All stories of one run.

    Args:
        spec: The definition of the run.
        grain: Whether time also stops half-way through a lease, where heartbeats matter.
        deliveries: How often an attempt is delivered where its node does not say.
    """

    def __init__(self, spec: Spec, *, grain: bool, deliveries: int) -> None:
        self.spec = spec
        self._grain = grain
        self._unseen = Witness(spec, deliveries)
        self.stories: list[Story] = []
        self._by_hash: dict[str, Story] = {}
        self.first = self._begin()

    def __getitem__(self, number: int) -> Story:
        return self.stories[number]

    def known(self, chain_hash: str) -> Known:
        """
        What a process knows that has read up to this hash.

        Raises:
            Broken: No such journal was ever written.
        """
        story = self._by_hash.get(chain_hash)
        if story is None:
            raise Broken("a process remembers what was never written")
        return Known(state=story.state, hash=chain_hash, spec=self.spec)

    def append(self, story: Story, batch: Batch) -> Story | None:
        """
        The story with one append more; null: it is a conflict.

        Raises:
            Broken: The new story is not as it must be.
        """
        if batch.expected != story.revision:
            return None
        key = (batch.record.append_id, batch.record.body)
        later = story.after.get(key)
        if later is None:
            later = story.after[key] = self._put(story, batch)
        return later

    def audit(self, most: int) -> Iterator[str]:
        """
        What the offline checker finds; each journal covers those that it goes on from.

        Args:
            most: Journals to look at, evenly spread over all that nothing follows.
        """
        whole = [story for story in self.stories if not story.after]
        for story in whole[:: max(1, len(whole) // most)]:
            report = check_run(story.records, self.spec)
            if not report.clean:
                found = [f"{v.rule} at {v.revision}: {v.message}" for v in report.violations]
                yield "\n".join(["the checker says", *found, told(story)])
                return

    def _begin(self) -> Story:
        command = evolve(a_start({"amount": 5}), definition=self.spec.fingerprint)
        empty = RunState(run_id=RUN)
        answer = decide(empty, self.spec, command, EPOCH)
        if not isinstance(answer, Decision):
            raise Broken(f"the run cannot start: {answer}")
        head = Head(revision=BEGINNING, hash=origin(RUN), at=EPOCH)
        rows = changes(empty, answer.state, self.spec)
        batch = batch_of(RUN, head, answer.entries, rows, AppendId("start"))
        return self._put(None, batch)

    def _put(self, before: Story | None, batch: Batch) -> Story:
        record, rows = batch.record, batch.rows
        entries = decode(record.body, run_id=RUN, first=record.first)
        try:
            witness = (before.witness if before else self._unseen).after(entries)
        except (AssertionError, LookupError) as wrong:
            heard = told(before, entries) if before else ""
            raise Broken(f"{type(wrong).__name__}: {wrong}\n{heard}") from wrong
        state = fold(before.state if before else RunState(run_id=RUN), entries)
        kept = dict(before.rows) if before else {}
        for key in rows.drop:
            kept.pop(key, None)
        kept |= {row.attempt_key: row for row in rows.put}
        run = rows.run or (before.run if before else None)
        if run is None:
            raise Broken("a run is listed nowhere")
        story = Story(
            number=len(self.stories),
            before=before,
            records=(*(before.records if before else ()), record),
            entries=(*(before.entries if before else ()), *entries),
            state=state,
            run=run,
            rows=kept,
            witness=witness,
            bounds=self._bounds(state),
        )
        _check(story)
        self.stories.append(story)
        self._by_hash.setdefault(record.hash, story)
        return story

    def _bounds(self, state: RunState) -> tuple[int, ...]:
        if state.terminal is not None:
            return ()
        found = set()
        for attempt in [*state.live.values(), *state.timers.values()]:
            if attempt.status == "claimed" and attempt.lease_until is not None:
                found.add(attempt.lease_until)
                if self._grain:
                    found.add(attempt.lease_until - LEASE / 2)
            else:
                found.add(attempt.intent.visible_at)
        return tuple(sorted((bound - EPOCH) // _MS for bound in found))


def told(story: Story, more: Sequence[Entry] = ()) -> str:
    """A journal in words."""
    lines = [f"  {_line(entry)}" for entry in story.entries]
    lines += [f"+ {_line(entry)}" for entry in more]
    return "\n".join(lines)


def _line(entry: Entry) -> str:
    seconds = (entry.at - EPOCH).total_seconds()
    names = ("attempt_key", "visit_key", "status", "action", "claim_id", "command", "cause", "kind")
    said = [str(value) for name in names if (value := getattr(entry, name, None))]
    return f"{entry.revision:>3} {seconds:>6}s {type(entry).__name__} {' '.join(said)}".replace(
        str(RUN), ""
    )


def _check(story: Story) -> None:
    """The state is what the entries say, and the index what the state says."""
    state = story.state
    wrong = ""
    if state.anomalies:
        wrong = f"the fold does not believe it: {state.anomalies}"
    elif state.status != story.witness.status:
        wrong = f"the run is {state.status}, and should be {story.witness.status}"
    elif story.run != run_row(state):
        wrong = f"it is listed as {story.run}"
    elif story.rows != {row.attempt_key: row for row in attempt_rows(state)}:
        wrong = f"the index has {sorted(story.rows)}, the state {sorted(state.live)}"
    if wrong:
        raise Broken(f"{wrong}\n{told(story)}")
