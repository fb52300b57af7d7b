"""All adapters give the same answers to the same calls; memory is the model."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from attrs import evolve, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from squidmesh_core.errors import RunNotFound
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.chain import origin
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import (
    AttemptRow,
    CorrelationRow,
    Head,
    IndexRows,
    RowChanges,
    RunRow,
    RunStatus,
)
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds
from squidmesh_storage.api import (
    Batch,
    Candidate,
    Checkpoint,
    Choice,
    Claimed,
    Journal,
    Loaded,
    Offered,
    Quarantine,
    Record,
    RunFilter,
)
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Clock,
    attempt,
    correlation,
    key,
    on,
    run_id,
    run_row,
)
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.postgres import empty

RUNS = [run_id(number) for number in (1, 2, 3)]
STEPS = ["a", "b"]
QUEUES = ["default", "mail"]
KEYS = [None, "p", "q"]
STATUSES: list[RunStatus] = ["running", "paused", "completed"]
TAGS = ["red", "blue"]
TEXTS = ["order-7", "order-8"]

runs = st.sampled_from(RUNS)
#: Seconds around the instants that rows name.
moments = st.sampled_from([-10, 0, 5, 10]).map(lambda seconds: timedelta(seconds=seconds))
instants = moments.map(lambda delay: EPOCH + delay)
pauses = st.sampled_from([1, 4, 5, 20])


@frozen(kw_only=True)
class Attempt:
    """An attempt in words: the machine fills in run and instants."""

    step: str
    queue: str
    action: str | None
    priority: int
    visible: timedelta
    held: timedelta | None
    key: str | None

    def row(self, run: RunId, now: datetime) -> AttemptRow:
        return attempt(
            run,
            step=self.step,
            queue=self.queue,
            action=self.action,
            priority=self.priority,
            visible_at=now + self.visible,
            held_until=None if self.held is None else now + self.held,
            partition_key=self.key,
        )


attempts = st.builds(
    Attempt,
    step=st.sampled_from(STEPS),
    queue=st.sampled_from(QUEUES),
    action=st.sampled_from(["act", "other", None]),
    priority=st.sampled_from([0, 0, 1]),
    visible=moments,
    held=st.none() | moments,
    key=st.sampled_from(KEYS),
)
listed = st.builds(
    run_row,
    st.just(RUNS[0]),
    workflow=st.sampled_from(["orders", "mail"]),
    status=st.sampled_from(STATUSES),
    tags=st.sets(st.sampled_from(TAGS)).map(lambda tags: tuple(sorted(tags))),
    created_at=instants,
    ended_at=st.none() | instants,
    deadline=st.none() | st.builds(Thresholds, due_at=instants, due_soon_at=st.none() | instants),
)
#: What a conditional write expects: anything, nothing, or a version.
versions = st.sampled_from([None, None, 0, 1, 2])
correlations = st.dictionaries(st.sampled_from(TEXTS), st.booleans(), max_size=2)
marks = st.builds(Quarantine, revision=st.none() | st.just(Revision(2)), reason=st.just("damaged"))
filters = st.builds(
    RunFilter,
    workflow=st.none() | st.sampled_from(["orders", "mail"]),
    status=st.none() | st.sampled_from(STATUSES),
    tag=st.none() | st.sampled_from(TAGS),
    since=st.none() | instants,
    text=st.none() | st.sampled_from(["mail", "0002", "nowhere"]),
    deadline=st.none() | st.sampled_from(get_args(DeadlineStatus)),
    deadline_at=instants,
)


class AllAdaptersAnswerAlike(RuleBasedStateMachine):
    """Runs grow, are claimed, listed, damaged and mended, on every adapter at once."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = TemporaryDirectory()
        self.model = MemoryJournal(clock=self.clock)
        self.others = self.open_others()

    def open_others(self) -> list[Journal]:
        """Empty journals whose answers are compared with the model's."""
        return [
            SqliteJournal(Path(self.folder.name) / "journal.db", clock=self.clock),
            SqliteJournal(":memory:", clock=self.clock),
        ]

    # -- what can happen --

    @rule(
        run=runs,
        late=st.sampled_from([0, 0, 0, -1, 3]),
        entries=st.sampled_from([1, 3]),
        run_row=st.none() | listed,
        put=st.lists(attempts, max_size=2, unique_by=lambda one: one.step),
        drop=st.lists(st.sampled_from(STEPS), max_size=2, unique=True),
        found_by=st.none() | correlations,
        newer=st.sampled_from([0, 0, 0, 1]),
    )
    def somebody_appends(
        self,
        *,
        run: RunId,
        late: int,
        entries: int,
        run_row: RunRow | None,
        put: list[Attempt],
        drop: list[str],
        found_by: dict[str, bool] | None,
        newer: int,
    ) -> None:
        batch = self.batch(run, late=late, entries=entries, run_row=run_row, put=put, drop=drop)
        found = None if found_by is None else _correlations(run, found_by)
        rows = evolve(batch.rows, correlations=found)
        batch = evolve(batch, rows=rows, codec=CODEC_VERSION + newer)
        self.all_answer(lambda journal: journal.append((batch,)))

    @rule(
        chosen=st.lists(runs, unique=True, max_size=3),
        late=st.sampled_from([0, 0, 1]),
        groups=st.lists(st.sampled_from([None, "g", "h"]), min_size=3, max_size=3),
        put=attempts,
    )
    def somebody_appends_to_several_runs(
        self, chosen: list[RunId], late: int, groups: list[str | None], put: Attempt
    ) -> None:
        batches = [
            evolve(self.batch(run, late=late if n == 0 else 0, put=[put]), group=group)
            for n, (run, group) in enumerate(zip(chosen, groups, strict=False))
        ]
        self.all_answer(lambda journal: journal.append(batches))

    @rule(
        queues=st.lists(st.sampled_from(QUEUES), max_size=3),
        actions=st.sampled_from([(), ("act",), ("act", "other")]),
        limit=st.sampled_from([1, 2, 10]),
        lease=moments,
        stale=st.booleans(),
        left=st.lists(st.sampled_from(QUEUES), max_size=1),
        lets_go=st.none() | moments,
    )
    def a_worker_claims(
        self,
        queues: list[str],
        actions: tuple[str, ...],
        limit: int,
        lease: timedelta,
        stale: bool,
        left: list[str],
        lets_go: timedelta | None,
    ) -> None:
        claims: list[Batch] = []
        records = [Record(kind="lane", key=queue, body="{}") for queue in left]
        next_due = None if lets_go is None else self.clock.time + lets_go

        def decide(offered: Offered) -> Choice:
            if not claims:
                until = offered.now + lease
                claims.extend(self.claim(offered.candidates, until, stale=stale))
            return Choice(batches=claims, records=records, next_due=next_due)

        def ask(journal: Journal) -> tuple[Claimed, list[Offered]]:
            seen: list[Offered] = []

            def note(offered: Offered) -> Choice:
                seen.append(offered)
                return decide(offered)

            return journal.claimable(queues, actions, limit, note), seen

        self.all_answer(ask)

    @rule(
        queues=st.lists(st.sampled_from(QUEUES), max_size=3),
        actions=st.sampled_from([(), ("act",), ("act", "other")]),
        at=st.none() | instants,
    )
    def somebody_asks_how_urgent_it_is(
        self, queues: list[str], actions: tuple[str, ...], at: datetime | None
    ) -> None:
        self.all_answer(lambda journal: journal.foremost(queues, actions, at=at))

    @rule(
        run=runs,
        row=listed,
        put=st.lists(attempts, max_size=2, unique_by=lambda a: a.step),
        found_by=correlations,
    )
    def somebody_rebuilds_the_index(
        self, run: RunId, row: RunRow, put: list[Attempt], found_by: dict[str, bool]
    ) -> None:
        attempts = sorted(put, key=lambda one: one.step)
        rows = IndexRows(
            run=evolve(row, run_id=run),
            attempts=tuple(one.row(run, self.clock.time) for one in attempts),
            correlations=_correlations(run, found_by),
        )
        head = self.head(run).revision
        self.all_answer(lambda journal: journal.index(run, head, rows))

    @rule(run=runs, mark=st.none() | marks)
    def somebody_quarantines(self, run: RunId, mark: Quarantine | None) -> None:
        self.all_answer(lambda journal: journal.quarantine(run, mark))

    @rule(text=st.sampled_from(TEXTS), limit=st.sampled_from([1, 2, 9]))
    def a_message_comes(self, text: str, limit: int) -> None:
        self.all_answer(lambda journal: journal.correlated("orders", "settled", text, limit))

    @rule(run=runs, after=st.sampled_from([0, 1, 3]), limit=st.sampled_from([1, 9]))
    def somebody_walks_a_journal(self, run: RunId, after: int, limit: int) -> None:
        self.all_answer(lambda journal: journal.stored(run, Revision(after), limit))

    @rule()
    def somebody_asks_how_things_stand(self) -> None:
        self.all_answer(lambda journal: evolve(journal.survey(), schema=None, facts={}))

    @rule(run=runs, behind=st.sampled_from([0, 0, 1]), garbled=st.booleans())
    def somebody_stores_a_checkpoint(self, run: RunId, behind: int, garbled: bool) -> None:
        head = self.head(run)
        stored = Checkpoint(
            revision=Revision(head.revision - behind),
            hash="00" * 32 if garbled else head.hash,
            codec_version=1,
            body="{}",
        )
        self.all_answer(lambda journal: journal.put_checkpoint(run, stored))

    @rule(run=runs)
    def somebody_deletes_a_checkpoint(self, run: RunId) -> None:
        self.all_answer(lambda journal: journal.delete_checkpoint(run))

    @rule(where=filters, limit=st.sampled_from([1, 2, 10]))
    def somebody_lists(self, where: RunFilter, limit: int) -> None:
        page = self.model.runs(where, None, limit)
        self.all_answer(lambda journal: journal.runs(where, None, limit))
        self.all_answer(lambda journal: journal.runs(where, page.next, limit))

    @rule(where=filters, limit=st.sampled_from([1, 2, 10]))
    def somebody_lists_what_is_due(self, where: RunFilter, limit: int) -> None:
        page = self.model.deadlines(where, None, limit)
        self.all_answer(lambda journal: journal.deadlines(where, None, limit))
        self.all_answer(lambda journal: journal.deadlines(where, page.next, limit))

    @rule(at=instants)
    def somebody_counts(self, at: datetime) -> None:
        self.all_answer(lambda journal: journal.tally(at))

    @rule(queue=st.sampled_from(QUEUES), body=st.sampled_from(["1", "2"]), expected=versions)
    def somebody_sets_up_a_queue(self, queue: str, body: str, expected: int | None) -> None:
        self.all_answer(lambda one: one.put_record("queue", queue, body, expected=expected))

    @rule(kind=st.sampled_from(["queue", "lane"]), queue=st.sampled_from(QUEUES), expected=versions)
    def somebody_drops_a_record(self, kind: str, queue: str, expected: int | None) -> None:
        self.all_answer(lambda journal: journal.drop_record(kind, queue, expected=expected))

    @rule(before=moments, limit=st.sampled_from([1, 9]), after=st.none() | st.tuples(moments, runs))
    def somebody_looks_for_what_has_ended(
        self, before: timedelta, limit: int, after: tuple[timedelta, RunId] | None
    ) -> None:
        beyond = None if after is None else (EPOCH + after[0], after[1])
        self.all_answer(lambda one: one.finished(EPOCH + before, limit, after=beyond))

    @rule(run=runs, late=st.sampled_from([0, 0, 1]), entries=st.sampled_from([None, 1, 2]))
    def somebody_removes_a_run(self, run: RunId, late: int, entries: int | None) -> None:
        seen = Revision(self.head(run).revision + late)
        start = Head(revision=BEGINNING, hash=origin(run), at=EPOCH)
        tombstone = entries and on(run, start, entries=entries, at=self.clock.time).record
        self.all_answer(lambda journal: journal.remove(run, seen, tombstone or None))

    @rule(seconds=pauses)
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.model.run_ids(None, 1))
    @rule(after=st.sampled_from([None, *RUNS]), limit=st.sampled_from([1, 2, 9]))
    def somebody_walks_the_runs(self, after: RunId | None, limit: int) -> None:
        self.all_answer(lambda journal: journal.run_ids(after, limit))
        self.all_answer(lambda journal: journal.listed_ids(after, limit))

    # -- what must always hold --

    @invariant()
    def every_adapter_holds_the_same_journals(self) -> None:
        for run in RUNS:
            self.all_answer(partial(_loaded, run=run))

    @invariant()
    def every_adapter_holds_the_same_index(self) -> None:
        for run in RUNS:
            self.all_answer(partial(_rows, run=run))

    @invariant()
    def every_adapter_holds_the_same_records(self) -> None:
        for kind in ("queue", "lane"):
            self.all_answer(partial(_records, kind=kind))

    # -- helpers --

    def all_answer(self, ask: Callable[[Journal], object]) -> None:
        expected = ask(self.model)
        for journal in self.others:
            assert expected == ask(journal), journal.url

    def head(self, run: RunId) -> Head:
        loaded = _loaded(self.model, run)
        return loaded.head if loaded else Head(revision=Revision(0), hash=origin(run), at=EPOCH)

    def batch(
        self,
        run: RunId,
        *,
        late: int = 0,
        entries: int = 1,
        run_row: RunRow | None = None,
        put: Sequence[Attempt] = (),
        drop: Sequence[str] = (),
    ) -> Batch:
        head = self.head(run)
        expected = evolve(head, revision=Revision(max(0, head.revision + late)))
        rows = RowChanges(
            run=None if run_row is None else evolve(run_row, run_id=run),
            put=tuple(one.row(run, self.clock.time) for one in put),
            drop=tuple(key(run, step) for step in drop),
        )
        return on(run, expected, entries=entries, rows=rows, at=self.clock.time)

    def claim(
        self, candidates: Sequence[Candidate], until: datetime, *, stale: bool
    ) -> list[Batch]:
        batches: dict[RunId, Batch] = {}
        for candidate in candidates:
            row = evolve(candidate.row, held_until=until)
            run = row.run_id
            if run not in batches:
                head = evolve(candidate.head, revision=Revision(0)) if stale else candidate.head
                batches[run] = on(run, head, rows=RowChanges(put=(row,)), at=self.clock.time)
        return list(batches.values())

    def teardown(self) -> None:
        for journal in self.others:
            journal.close()
        self.folder.cleanup()


def _correlations(run: RunId, found_by: dict[str, bool]) -> tuple[CorrelationRow, ...]:
    return tuple(correlation(run, text, open=open_) for text, open_ in sorted(found_by.items()))


def _loaded(journal: Journal, run: RunId) -> Loaded | None:
    try:
        return journal.load(run)
    except RunNotFound:
        return None


def _records(journal: Journal, kind: str) -> object:
    return journal.records(kind)


def _rows(journal: Journal, run: RunId) -> object:
    return journal.rows_of(run)


def test_all_adapters_answer_alike() -> None:
    """Whatever is asked, in whatever order, memory and SQLite agree."""
    run_state_machine_as_test(AllAdaptersAnswerAlike)


@pytest.mark.timeout(240)
def test_postgresql_answers_like_the_model(postgres_dsn: str) -> None:
    """The same play on a real server; fewer examples, because each call is a round trip."""

    class PostgresAnswersLikeTheModel(AllAdaptersAnswerAlike):
        def open_others(self) -> list[Journal]:
            empty(postgres_dsn)
            return [PostgresJournal(postgres_dsn, clock=self.clock)]

    fewer = settings(max_examples=max(1, settings().max_examples // 5))
    run_state_machine_as_test(PostgresAnswersLikeTheModel, settings=fewer)
