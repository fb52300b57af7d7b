"""Steps with `transaction=True`: their writes and their completion are one commit."""

from typing import cast

import pytest
from attrs import evolve

from squidmesh import (
    ActionRegistry,
    Defer,
    DefinitionError,
    Fail,
    Mesh,
    Retry,
    Spec,
    TxContext,
)
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entries_of, wire_type
from squidmesh_core.protocol.entries import AttemptCompleted
from support.books import LEASE, Books
from support.ledger import ACTS, Async, Hasty, Ledger, Patient, Posting, explode, give, posted
from support.stage import entries
from support.workflows import step as node
from support.workflows import workflow

# -- one commit


def test_the_writes_and_the_completion_are_one_commit(books: Books, ledger: Mesh) -> None:
    """While the step runs nobody sees either; then both, and what follows, in one append."""
    seen: list[object] = []

    def look(tx: TxContext) -> str:
        seen.append((books.lines(), books.journal.load(RunId(tx.run_id)).head.revision))
        return "E-1"

    ACTS["look"] = look
    run = ledger.start(Ledger.due, Posting("A-1", "look"))
    ledger.execute_next()

    *_, before, last = books.journal.load(RunId(run.id)).records
    assert [([], before.last)] == seen
    assert ["A-1"] == books.lines()
    told = [entry.type for entry in ledger.journal(run, after=before.last)]
    assert ["attempt_completed", "step_applied", "attempt_scheduled"] == told
    assert last.first == before.last + 1
    ledger.drain()
    assert {"post": "E-1", "pdf": "E-1.pdf"}.items() <= ledger.inspect(run).context.items()


def test_what_follows_is_claimed_in_the_same_commit(books: Books, ledger: Mesh) -> None:
    """By the slot that goes on with it, as where a step is settled the ordinary way."""
    run = ledger.start(Ledger.due, Posting("A-1"))
    ledger.drain()

    records = books.journal.load(RunId(run.id)).records
    settling = next(one for one in map(_types, records) if "attempt_completed" in one)
    assert ["attempt_completed", "step_applied", "attempt_scheduled", "attempt_claimed"] == settling


def test_an_async_step_writes_in_its_transaction_too(books: Books, ledger: Mesh) -> None:
    """On the loop's thread, with the same connection."""
    run = ledger.start(Async.due, Posting("A-1"))
    ledger.drain()

    assert ("completed", ["A-1"]) == (ledger.inspect(run).status, books.lines())


def test_workers_perform_transactional_steps(books: Books, ledger: Mesh) -> None:
    """Many at once wait for each other, and none is lost."""
    with ledger.worker(concurrency=4):
        runs = [ledger.start(Ledger.due, Posting(f"A-{i}")) for i in range(8)]
        ended = {ledger.wait_for(run, timeout="60s").status for run in runs}

    assert {"completed"} == ended
    assert sorted(f"A-{i}" for i in range(8)) == sorted(books.lines())


def test_what_a_step_starts_through_its_connection_commits_with_it(
    books: Books, ledger: Mesh
) -> None:
    """`ledger.using(tx.connection)` is in the same transaction."""

    def go_on(tx: TxContext) -> str:
        ledger.using(tx.connection).start(Async.due, Posting("A-2"), key="next")
        return "E-1"

    def give_up(tx: TxContext) -> Fail:
        go_on(tx)
        return Fail("no")

    ACTS.update({"go_on": go_on, "give_up": give_up})
    assert "failed" == ledger.inspect(posted(ledger, "give_up")).status
    assert 1 == len(ledger.runs().items)
    posted(ledger, "go_on")

    assert {"failed", "completed"} == {run.status for run in ledger.runs().items}
    assert 3 == len(ledger.runs().items)
    assert ["A-1", "A-2"] == books.lines()


# -- rolled back


@pytest.mark.parametrize("then", ["raise", "fail", "unfit"])
def test_a_failure_takes_the_writes_with_it(books: Books, ledger: Mesh, then: str) -> None:
    """The failure itself is recorded, as for every step."""
    ACTS.update({"raise": explode, "fail": give(Fail("no")), "unfit": give(object())})

    run = posted(ledger, then)

    assert [] == books.lines()
    snapshot = ledger.inspect(run)
    assert "failed" == snapshot.status
    assert snapshot.error is not None
    assert {"raise": "ZeroDivisionError", "fail": "Fail", "unfit": "invalid_output"}[
        then
    ] == snapshot.error.kind


def test_a_retry_writes_once(books: Books, ledger: Mesh) -> None:
    """Each try has a transaction of its own; only that of the last is committed."""
    tries: list[int] = []

    def third_time_lucky(tx: TxContext) -> object:
        tries.append(tx.attempt)
        return "E-1" if tx.attempt == 3 else Retry("busy")

    ACTS["try"] = third_time_lucky
    run = posted(ledger, "try", by=Patient)

    assert ([1, 2, 3], ["A-1"]) == (tries, books.lines())
    assert "completed" == ledger.inspect(run).status


def test_a_deferral_writes_nothing(books: Books, ledger: Mesh) -> None:
    """The same work is done later, from the beginning."""
    asked: list[str] = []

    def not_yet(tx: TxContext) -> object:
        asked.append(tx.attempt_key)
        return "E-1" if len(asked) > 1 else Defer("no van", for_="0s")

    ACTS["defer"] = not_yet
    run = posted(ledger, "defer")

    assert (2, ["A-1"]) == (len(asked), books.lines())
    assert "completed" == ledger.inspect(run).status


def test_a_lost_lease_takes_the_writes_with_it(books: Books, ledger: Mesh) -> None:
    """The step took longer than its lease; whoever comes next does it again, once."""
    calls: list[str] = []

    def oversleep(tx: TxContext) -> str:
        calls.append(tx.claim_id)
        if len(calls) == 1:
            books.clock.now += LEASE
        return "E-1"

    ACTS["oversleep"] = oversleep
    run = ledger.start(Ledger.due, Posting("A-1", "oversleep"))
    ledger.execute_next()

    assert [] == books.lines()
    ledger.drain()
    assert (2, ["A-1"]) == (len(calls), books.lines())
    assert "completed" == ledger.inspect(run).status


def test_a_run_that_its_own_step_has_ended_takes_the_writes_with_it(
    books: Books, ledger: Mesh, caplog: pytest.LogCaptureFixture
) -> None:
    """The completion is refused, so nothing is committed; the attempt has failed, at once."""

    def cancelled(tx: TxContext) -> str:
        ledger.using(tx.connection).cancel(tx.run_id)
        return "E-1"

    ACTS["cancelled"] = cancelled
    run = posted(ledger, "cancelled")

    assert [] == books.lines()
    assert "rolled back" in caplog.text
    assert "failed" == ledger.inspect(run).status
    assert not [e for e in entries(books.journal, run.id) if isinstance(e, AttemptCompleted)]


def test_a_time_limit_takes_the_writes_with_it(books: Books, ledger: Mesh) -> None:
    """Also where the step itself keeps everybody from writing, and is judged when it returns."""

    def dawdle(tx: TxContext) -> str:
        while not tx.cancelled:
            pass
        return "E-1"

    ACTS["dawdle"] = dawdle
    run = posted(ledger, "dawdle", by=Hasty)

    assert [] == books.lines()
    error = ledger.inspect(run).error
    assert error is not None
    assert "timed_out" == error.kind


# -- definitions


def test_a_built_in_node_has_no_transaction() -> None:
    """It writes nothing of the host's."""

    given = workflow(node("post")).to_dict()
    steps = cast("list[dict[str, object]]", given["steps"])
    steps[0] = {"name": "post", "kind": "wait", "duration_ms": 5, "transaction": True}

    with pytest.raises(DefinitionError, match="transaction"):
        Spec.from_dict(given)


def test_a_spec_that_asks_for_a_transaction_gets_one(books: Books) -> None:
    """Whether or not the function looks at it: what it takes is not the spec's to know."""
    actions = ActionRegistry()
    held: list[object] = []

    def write(tx: TxContext) -> None:
        held.append(mesh.using(tx.connection).inspect(tx.run_id).status)

    actions.add("do.post", write)
    with books.mesh() as mesh:
        for spec in (
            workflow(evolve(node("post"), transaction=True)),
            workflow(node("post")),
        ):
            run = mesh.start_spec(spec, "placed", {}, actions=actions)
            mesh.drain()
            assert "completed" == mesh.inspect(run).status

    assert ["running", "running"] == held


def _types(record: AppendRecord) -> list[str]:
    return [wire_type(type(entry)) for entry in entries_of(record)]
