"""`mesh.using(connection)`: what is decided there stands or falls with the host's own rows."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from attrs import frozen

from squidmesh import (
    ActionRegistry,
    Mesh,
    Run,
    Spec,
    Workflow,
    approval,
    complete,
    manual,
    receive,
    signals,
    step,
)
from squidmesh_core.errors import Refused, RevisionConflict, RunNotFound, StorageError
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Batch, Conflict, Journal, Outcome
from support.hosts import Shop
from support.workflows import step as node
from support.workflows import workflow


@frozen
class Order:
    """The payload of a run."""

    number: str


@frozen
class Paid:
    """A message."""

    cents: int


class RolledBack(Exception):
    """The host changes its mind."""


def pack(number: str) -> str:
    """A step."""
    return f"{number} packed"


class Orders(Workflow):
    """A step, a gate and a message."""

    placed = manual(Order)
    order = placed.payload

    packed = step(pack).takes(order.number)
    checked = approval("Ship it?")
    paid = receive(Paid, correlation=order.number)
    packed.then(checked).then(paid)
    checked.on_reject(complete)


class Packing(Workflow):
    """One step."""

    placed = manual(Order)
    packed = step(pack).takes(placed.payload.number)


@pytest.fixture
def mesh(journal: Journal, shop: Shop) -> Iterator[Mesh]:
    """A mesh in the host's database."""
    with Mesh(journal, workflows=[Orders, Packing]) as made:
        yield made


def placed(mesh: Mesh, number: str = "A-1") -> Run:
    """A run that waits for an answer."""
    run = mesh.start(Orders.placed, Order(number))
    mesh.drain()
    return run


# -- starts


def test_a_start_commits_with_the_hosts_rows(mesh: Mesh, shop: Shop) -> None:
    """Both are there, and the run is performed like any other."""
    with shop.transaction() as connection:
        shop.write("A-1")
        run = mesh.using(connection).start(Packing.placed, Order("A-1"))
        with pytest.raises(RunNotFound):
            mesh.inspect(run)

    assert ["A-1"] == shop.rows()
    mesh.drain()
    assert "completed" == mesh.inspect(run).status


def test_a_start_is_rolled_back_with_the_hosts_rows(mesh: Mesh, shop: Shop) -> None:
    """Neither is there, and nothing remembers that it was."""

    def change_of_mind() -> None:
        with shop.transaction() as connection:
            shop.write("A-1")
            started.append(mesh.using(connection).start(Packing.placed, Order("A-1"), key="k"))
            raise RolledBack

    started: list[Run] = []
    with pytest.raises(RolledBack):
        change_of_mind()

    assert [] == shop.rows()
    assert () == mesh.runs().items
    with pytest.raises(RunNotFound):
        mesh.inspect(started[0])
    again = mesh.start(Packing.placed, Order("A-1"), key="k")
    assert not again.duplicate
    mesh.drain()
    assert "completed" == mesh.inspect(again).status


def test_a_savepoint_takes_back_what_was_started_in_it(mesh: Mesh, shop: Shop) -> None:
    """And nothing else; the same start then works, by the same handle."""

    def change_of_mind() -> None:
        with shop.savepoint():
            shop.write("A-1")
            inside.start(Packing.placed, Order("A-1"), key="one")
            raise RolledBack

    with shop.transaction() as connection:
        shop.write("A-0")
        inside = mesh.using(connection)
        with pytest.raises(RolledBack):
            change_of_mind()
        run = inside.start(Packing.placed, Order("A-1"), key="one")
        assert not run.duplicate

    assert ["A-0"] == shop.rows()
    mesh.drain()
    assert ["completed"] == [one.status for one in mesh.runs().items]
    assert run.id == mesh.runs().items[0].id


def test_a_keyed_start_finds_the_run_that_is_there(mesh: Mesh, shop: Shop) -> None:
    """One from before, and one of the same transaction."""
    before = mesh.start(Packing.placed, Order("A-1"), key="before")

    with shop.transaction() as connection:
        inside = mesh.using(connection)
        found = inside.start(Packing.placed, Order("A-1"), key="before")
        first = inside.start(Packing.placed, Order("A-2"), key="new")
        second = inside.start(Packing.placed, Order("A-2"), key="new")

    assert (before.id, True) == (found.id, found.duplicate)
    assert (first.id, True) == (second.id, second.duplicate)


def test_a_spec_made_at_run_time_starts_inside_too(mesh: Mesh, shop: Shop) -> None:
    """Its definition is stored with it, and the workers outside perform its actions."""
    called: list[str] = []
    actions = ActionRegistry()
    actions.add("do.pick", lambda: called.append("pick"))
    spec: Spec = workflow(node("pick"))

    with shop.transaction() as connection:
        run = mesh.using(connection).start_spec(spec, "placed", {}, actions=actions)

    mesh.drain()
    assert ["pick"] == called
    assert "completed" == mesh.inspect(run).status


# -- decisions

#: What people and systems can say of a run that waits at its gate.
DECISIONS: dict[str, Callable[[Mesh, Run], Run]] = {
    "approve": lambda mesh, run: mesh.approve(run, by="ana"),
    "reject": lambda mesh, run: mesh.reject(run, by="ana", node=Orders.checked),
    "pause": lambda mesh, run: mesh.pause(run),
    "cancel": lambda mesh, run: mesh.cancel(run),
    "send": lambda mesh, run: mesh.send(run, Orders.paid, Paid(5)),
    "deliver": lambda mesh, _run: mesh.deliver(Orders.paid, "deliver", Paid(5)),
    "apply_signal": lambda mesh, run: mesh.apply_signal(signals.pause(run.id)),
}


def test_decisions_are_rolled_back_with_the_hosts_rows(mesh: Mesh, shop: Shop) -> None:
    """Nobody has said anything."""

    def change_of_mind(verb: str, run: Run) -> None:
        with shop.transaction() as connection:
            inside = mesh.using(connection)
            DECISIONS[verb](inside, run)
            assert len(list(inside.journal(run))) > len(before)
            raise RolledBack

    for verb in DECISIONS:
        run = placed(mesh, verb)
        before = list(mesh.journal(run))
        with pytest.raises(RolledBack):
            change_of_mind(verb, run)

        assert before == list(mesh.journal(run)), verb


def test_decisions_commit_with_the_hosts_rows(mesh: Mesh, shop: Shop) -> None:
    """What the verb returns is what stands."""
    for verb, decide in DECISIONS.items():
        run = placed(mesh, verb)
        before = mesh.inspect(run).at_revision
        with shop.transaction() as connection:
            shop.write(verb)
            told = decide(mesh.using(connection), run)

        assert told.revision == mesh.inspect(run).at_revision > before, verb
    assert sorted(DECISIONS) == sorted(shop.rows())


def test_what_holds_a_run_can_be_lifted_inside(mesh: Mesh, shop: Shop) -> None:
    """`pause`, then `resume`, decided on what the transaction itself has written."""
    run = placed(mesh)
    with shop.transaction() as connection:
        inside = mesh.using(connection)
        inside.pause(run, note="wait")
        assert "paused" == inside.inspect(run).status
        inside.resume(run)
        assert [gate.gate.node for gate in inside.approvals().items] == ["checked"]


def test_finished_runs_are_repeated_inside(mesh: Mesh, shop: Shop) -> None:
    """A replay is a start, and commits like one."""
    source = mesh.start(Packing.placed, Order("A-1"))
    mesh.drain()

    with shop.transaction() as connection:
        again = mesh.using(connection).replay(source, key="again")
        with pytest.raises(RunNotFound):
            mesh.inspect(again)

    assert source.id == again.replayed_from


def test_a_refusal_leaves_the_transaction_as_it_was(mesh: Mesh, shop: Shop) -> None:
    """It is normal life; the host goes on."""
    run = placed(mesh)
    with shop.transaction() as connection:
        shop.write("A-1")
        with pytest.raises(Refused):
            mesh.using(connection).retry_compensation(run)

    assert ["A-1"] == shop.rows()


# -- reading


def test_reading_verbs_see_what_the_transaction_has_written(mesh: Mesh, shop: Shop) -> None:
    """The ones inside; those outside do not."""
    with shop.transaction() as connection:
        inside = mesh.using(connection)
        run = inside.start(Packing.placed, Order("A-1"), tags=["new"])

        assert run.id == inside.inspect(run).id
        assert [run.id] == [one.id for one in inside.runs(tag="new").items]
        assert "run_started" in {entry.type for entry in inside.journal(run)}
        assert () == mesh.runs().items


# -- wake-ups


def test_workers_are_woken_after_the_commit(mesh: Mesh, shop: Shop) -> None:
    """By itself where the library tells of it; else when the handle is closed."""
    with mesh.door.journal.listen(("default",)) as wakeups:
        with shop.transaction() as connection:
            inside = mesh.using(connection)
            inside.start(Packing.placed, Order("A-1"))
            assert not wakeups.wait(0)

        assert shop.tells == wakeups.wait(0)
        inside.close()
        assert shop.tells != wakeups.wait(0)


def test_a_worker_takes_what_was_committed(mesh: Mesh, shop: Shop) -> None:
    """The whole way, with a worker that rests meanwhile."""
    with mesh.worker(concurrency=1):
        with shop.transaction() as connection:
            inside = mesh.using(connection)
            run = inside.start(Packing.placed, Order("A-1"))
        inside.close()

        assert "completed" == mesh.wait_for(run, timeout="60s").status


# -- what cannot be


def test_a_conflict_is_told_and_never_sent_again(
    mesh: Mesh, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was first may have changed what the host's own rows rest on."""
    run = placed(mesh)
    sent: list[Batch] = []

    def lose(_self: object, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        sent.extend(batches)
        expected = batches[0].expected
        return (Conflict(run_id=RunId(run.id), expected=expected, actual=batches[0].record.last),)

    with shop.transaction() as connection:
        inside = mesh.using(connection)
        monkeypatch.setattr(type(inside.door.journal), "append", lose)
        with pytest.raises(RevisionConflict, match="roll the transaction back"):
            inside.approve(run, by="ana")

    assert 1 == len(sent)


def test_a_journal_in_memory_cannot_be_joined(shop: Shop) -> None:
    """There is no database that the host could share."""
    with Mesh.open("memory://") as mesh, shop.transaction() as connection:
        with pytest.raises(StorageError) as refused:
            mesh.using(connection)

        assert "unsupported_transaction_storage" == refused.value.code


def test_working_verbs_stay_outside(mesh: Mesh, shop: Shop) -> None:
    """A claim in a host's transaction would keep every worker waiting."""
    mesh.start(Packing.placed, Order("A-1"))
    with shop.transaction() as connection:
        inside = mesh.using(connection)
        for work in (inside.drain, inside.execute_next, inside.reindex):
            with pytest.raises(StorageError):
                work()


# -- many runs at once


def test_many_runs_are_steered_within_the_hosts_transaction(mesh: Mesh, shop: Shop) -> None:
    """All of them, and what the host writes; or none."""
    runs = [placed(mesh, number) for number in ("A-1", "A-2")]

    def change_of_mind() -> None:
        with shop.transaction() as connection:
            mesh.using(connection).cancel_all(runs, key="k")
            raise RolledBack

    with pytest.raises(RolledBack):
        change_of_mind()
    assert ["paused"] * 2 == [mesh.inspect(run).status for run in runs]

    with shop.transaction() as connection:
        inside = mesh.using(connection)
        told = inside.cancel_all(runs, key="k")
        again = inside.replay_all(runs, key="k")
        assert ["paused"] * 2 == [mesh.inspect(run).status for run in runs]

    assert ["done"] * 4 == [item.outcome for item in (*told.items, *again.items)]
    assert ["cancelled"] * 2 == [mesh.inspect(run).status for run in runs]
    assert 4 == len(mesh.runs().items)
