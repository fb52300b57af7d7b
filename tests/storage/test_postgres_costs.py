"""What a step, a claim and an idle poll cost, in numbers that no machine changes."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Batch, Choice, Offered
from squidmesh_storage.conformance.kit import (
    attempt,
    commit,
    first,
    hold,
    key,
    puts,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.postgres import PostgresJournal, driving
from squidmesh_storage.postgres.listening import BRIEF
from squidmesh_storage.postgres.pool import SyncSession
from squidmesh_storage.postgres.scripts import Round, Rows
from support.postgres import execute

HOUR = timedelta(hours=1)


@pytest.fixture
def journal(postgres_dsn: str) -> Iterator[PostgresJournal]:
    journal = PostgresJournal(postgres_dsn)
    yield journal
    journal.close()


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Round]:
    """What goes to the server: one entry for each trip."""
    sent: list[Round] = []
    send = driving._send

    def noted(session: SyncSession, calls: Round) -> Sequence[Rows]:
        sent.append(calls)
        return send(session, calls)

    monkeypatch.setattr(driving, "_send", noted)
    return sent


def _begun(journal: PostgresJournal, number: int) -> Batch:
    """A run whose first attempt is held."""
    row = attempt(run_id(number), step="s0", held_until=journal.now() + HOUR)
    begun = first(run_id(number), rows=RowChanges(run=run_row(run_id(number)), put=(row,)))
    commit(journal, begun)
    return begun


def _step(journal: PostgresJournal, before: Batch, number: int) -> Batch:
    """A slot goes on from one attempt to the next."""
    run = before.record.run_id
    row = attempt(run, step=f"s{number}", held_until=journal.now() + HOUR)
    return then(before, rows=RowChanges(put=(row,), drop=(key(run, f"s{number - 1}"),)))


def _hold_all(offered: Offered) -> Choice:
    until = offered.now + HOUR
    return Choice(batches=[hold(one, until) for one in offered.candidates])


def test_a_step_is_one_statement_and_one_commit(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """Settle, apply, schedule and claim of the successor: one trip, in no explicit transaction."""
    batch = _begun(journal, 1)
    rounds.clear()

    for number in range(1, 4):
        batch = _step(journal, batch, number)
        commit(journal, batch)

    assert [1, 1, 1] == [len(one) for one in rounds]


def test_a_start_and_an_end_are_one_statement_each(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """With the run's row, its tags and its attempt."""
    _begun(journal, 9)
    rounds.clear()

    begun = _begun(journal, 1)
    ended = run_row(run_id(1), status="completed", ended_at=begun.record.at)
    commit(journal, then(begun, rows=RowChanges(run=ended, drop=(key(run_id(1), "s0"),))))

    assert [1, 1] == [len(one) for one in rounds]


def test_steps_of_many_runs_are_one_statement(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """What the committer merges travels together."""
    begun = [_begun(journal, number) for number in range(1, 33)]
    rounds.clear()

    commit(journal, *(_step(journal, one, 1) for one in begun))

    assert [1] == [len(one) for one in rounds]


def test_a_slot_that_goes_on_changes_no_index(journal: PostgresJournal, postgres_dsn: str) -> None:
    """Every update of a held row stays on its page, alone and in company."""
    batches = [_begun(journal, number) for number in range(1, 9)]
    for number in range(1, 21):
        batches = [_step(journal, one, number) for one in batches]
        commit(journal, *batches)
    alone = batches[0]
    for number in range(21, 121):
        alone = _step(journal, alone, number)
        commit(journal, alone)
    journal.close()

    ((updates, hot),) = execute(
        postgres_dsn,
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'held'",
    )

    assert 8 * 20 + 100 == updates == hot


def test_an_idle_poll_is_one_read(journal: PostgresJournal, rounds: list[Round]) -> None:
    """However many queues there are."""

    def decide(offered: Offered) -> Choice:
        raise AssertionError(f"asked about {offered}")

    queues = [f"queue-{number}" for number in range(50)]
    journal.claimable(queues, ("act",), 8, decide)
    rounds.clear()

    journal.claimable(queues, ("act",), 8, decide)

    assert [[False]] == [[call.writes for call in one] for one in rounds]


def test_a_claim_is_two_trips(journal: PostgresJournal, rounds: list[Round]) -> None:
    """One that locks and reads, one that writes and commits; a look first only after idleness."""
    for number in range(1, 41):
        commit(journal, first(run_id(number), rows=puts(attempt(run_id(number)))))

    journal.claimable(("default",), ("act",), 8, _hold_all)
    rounds.clear()

    claimed = journal.claimable(("default",), ("act",), 8, _hold_all)

    assert 8 == len(claimed.outcomes)
    assert ["begin", "commit"] == [
        rounds[0][0].text.split()[0],
        rounds[-1][-1].text,
    ]
    assert [3, 2] == [len(one) for one in rounds]


def test_a_claim_of_what_has_expired_is_one_trip_more(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """A lease is past so rarely that claims look for none by default, of one queue or several."""
    for number, queues in ((1, ("default",)), (2, ("default", "other"))):
        begun = journal.now() - 2 * HOUR
        row = attempt(run_id(number), held_until=begun + HOUR)
        commit(journal, first(run_id(number), at=begun, rows=puts(row)))
        journal._process.ear.take("default")
        rounds.clear()

        claimed = journal.claimable(queues, ("act",), 8, _hold_all)

        assert (1, [3, 1, 2]) == (len(claimed.outcomes), [len(one) for one in rounds])


def test_a_claim_after_a_hint_does_not_look_first(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """Whoever is told that there is work need not ask whether there is; once for each hint."""
    journal._process.ear.take("default")

    journal.claimable(("default",), ("act",), 8, _hold_all)
    journal.claimable(("default",), ("act",), 8, _hold_all)

    assert ["begin", "with"] == [rounds[0][0].text.split()[0], rounds[-1][0].text.split()[0]]
    assert 3 == len(rounds)


def test_a_claim_that_leaves_slots_free_is_followed_by_a_look(
    journal: PostgresJournal, rounds: list[Round]
) -> None:
    """All that there was has come: a read is cheaper than another claim."""
    commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))
    journal.claimable(("default",), ("act",), 8, _hold_all)
    rounds.clear()

    journal.claimable(("default",), ("act",), 8, _hold_all)

    assert [[False]] == [[call.writes for call in one] for one in rounds]


@pytest.mark.parametrize(("slots", "waits"), [(8, True), (1, False)])
def test_a_process_with_free_slots_goes_on_waiting(
    journal: PostgresJournal, postgres_dsn: str, slots: int, *, waits: bool
) -> None:
    """Only one whose slots are all taken says that it does not wait any more."""
    with journal.listen(("default",)) as wakeups:
        wakeups.wait(1)
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        journal.claimable(("default",), ("act",), slots, _hold_all)

    said = execute(postgres_dsn, "select queue from squidmesh.idle")
    assert ([("default",)] if waits else []) == said


@pytest.mark.parametrize(("seconds", "told"), [(0.01, []), (BRIEF, []), (1.0, ["default"])])
def test_a_brief_wait_is_told_to_nobody(
    journal: PostgresJournal, postgres_dsn: str, seconds: float, told: list[str]
) -> None:
    """Whoever has no slot free waits so: it wants no hints, and costs nobody any."""
    with journal.listen(("default",)) as wakeups:
        heard = wakeups.wait(seconds)

    said = [queue for (queue,) in execute(postgres_dsn, "select queue from squidmesh.idle")]
    assert (bool(told), told) == (heard, said)


def test_seeing_what_waits_is_one_read(journal: PostgresJournal, rounds: list[Round]) -> None:
    """However many queues there are, and whatever waits there."""
    commit(journal, *(first(run_id(n), rows=puts(attempt(run_id(n)))) for n in range(1, 9)))
    queues = ["default", *(f"queue-{number}" for number in range(50))]
    rounds.clear()

    assert journal.foremost(queues, ("act",)) == {"default": 0}
    assert [[False]] == [[call.writes for call in one] for one in rounds]


def test_reading_a_run_is_one_statement(journal: PostgresJournal, rounds: list[Round]) -> None:
    """Appends, checkpoint and mark come from one snapshot."""
    _begun(journal, 1)
    rounds.clear()

    journal.load(run_id(1))

    assert [1] == [len(one) for one in rounds]


def test_reading_many_runs_is_one_statement(journal: PostgresJournal, rounds: list[Round]) -> None:
    """As many as a claim takes are one trip."""
    for number in range(1, 33):
        _begun(journal, number)
    rounds.clear()

    journal.load_many({run_id(number): Revision(0) for number in range(1, 33)})

    assert [1] == [len(one) for one in rounds]


def test_the_clock_is_carried_forward(journal: PostgresJournal, rounds: list[Round]) -> None:
    """Asking for the time asks the database now and then only."""
    journal.now()
    rounds.clear()

    readings = [journal.now() for _ in range(100)]

    assert ([], sorted(readings)) == (rounds, readings)


def test_threads_share_their_commits(journal: PostgresJournal, postgres_dsn: str) -> None:
    """Sixteen threads that go on at the same moment need far fewer transactions than appends."""
    threads, steps = 16, 20
    begun = [_begun(journal, number) for number in range(1, threads + 1)]
    barrier = Barrier(threads)
    written: list[int] = []

    def work(batch: Batch) -> None:
        barrier.wait(30)
        for number in range(1, steps + 1):
            batch = _step(journal, batch, number)
            commit(journal, batch)
        written.append(steps)

    crew = [Thread(target=work, args=(one,)) for one in begun]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    journal.close()
    ((transactions,),) = execute(
        postgres_dsn,
        "select count(distinct xmin::text) from squidmesh.journal where first > 1",
    )

    assert threads * steps == sum(written)
    assert isinstance(transactions, int)
    assert transactions < threads * steps / 3


def test_what_was_claimed_is_not_looked_at_again(
    journal: PostgresJournal, postgres_dsn: str
) -> None:
    """Under an old snapshot dead index entries stay: the next claim begins behind them."""
    now = journal.now()
    commit(
        journal,
        *(
            first(
                run_id(number),
                at=now,
                rows=puts(attempt(run_id(number), visible_at=now - HOUR + number * HOUR / 1000)),
            )
            for number in range(1, 101)
        ),
    )

    journal.claimable(("default",), ("act",), 10, _hold_all)
    marks = [seen.watermark for seen in journal._process.claims._seen.values()]

    assert [(0, now - HOUR + 10 * HOUR / 1000)] == marks
    urgent = evolve(attempt(run_id(200)), priority=-1)
    commit(journal, first(run_id(200), rows=puts(urgent)))
    assert [None] == [seen.watermark for seen in journal._process.claims._seen.values()]
