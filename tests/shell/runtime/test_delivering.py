"""Which run a message goes to, beside runs that cannot be read."""

from dataclasses import dataclass
from hashlib import sha256

import pytest

from squidmesh import Mesh, Refused, Run, StorageError, Workflow, manual, receive, step
from squidmesh.steering import delivering
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Quarantine
from support.stage import Stage


@dataclass(frozen=True)
class Placed:
    """An order."""

    order_id: str


@dataclass(frozen=True)
class Settlement:
    """The bank's word."""

    cents: int


class Order(Workflow, name="tests.Delivered"):
    """Wait for the bank, which knows the order and no run."""

    placed = manual(Placed)
    settled = receive(Settlement, correlation=placed.payload.order_id)


PAID = Settlement(500)


def taken(mesh: Mesh, key: str) -> Run:
    """A run of the order that has had its message."""
    run = mesh.start(Order.placed, Placed("A-1"))
    mesh.send(run, Order.settled, PAID, key=key)
    return run


def waiting(mesh: Mesh) -> Run:
    """A run of the order that has had none."""
    return mesh.start(Order.placed, Placed("A-1"))


def mark(mesh: Mesh, run: Run, *, damaged: bool = True) -> None:
    """Quarantine a run, or lift that."""
    why = Quarantine(revision=None, reason="a disk") if damaged else None
    mesh.door.journal.quarantine(RunId(run.id), why)


#: More than PostgreSQL indexes, and nothing that it could pack.
LONG = "".join(sha256(str(number).encode()).hexdigest() for number in range(100))


def told(order_id: str) -> str:
    """A step that finds out what the bank calls the order."""
    return order_id


class Later(Workflow, name="tests.DeliveredLater"):
    """A step says under what the bank's word comes."""

    placed = manual(Placed)
    called = step(told).takes(placed.payload.order_id)
    settled = receive(Settlement, correlation=called.out)
    called.then(settled)


@pytest.mark.parametrize(
    "correlation",
    [LONG, "é" * 600, "sha256:0", LONG * 20],
    ids=["long", "in bytes", "like a digest", "very long"],
)
def test_a_long_correlation_finds_its_run_in_every_database(stage: Stage, correlation: str) -> None:
    """From the start on, or once a step has said it; and only the run that it belongs to."""
    mesh = stage.mesh(Order, Later)
    first = mesh.start(Order.placed, Placed(correlation))
    other = mesh.start(Order.placed, Placed(correlation[:-1]))
    later = mesh.start(Later.placed, Placed(correlation))
    mesh.drain()

    assert first.id == mesh.deliver(Order.settled, correlation, PAID, key="bank-1").id
    assert mesh.deliver(Order.settled, correlation, PAID, key="bank-1").duplicate
    assert later.id == mesh.deliver(Later.settled, correlation, PAID).id
    assert "idle" == mesh.inspect(other).status
    with pytest.raises(Refused, match="has taken its message already"):
        mesh.deliver(Order.settled, correlation, PAID)
    (row,) = mesh.door.journal.rows_of(RunId(first.id)).correlations
    with pytest.raises(Refused, match="no run waits for it"):
        mesh.deliver(Order.settled, row.correlation, PAID)
    assert mesh.verify().clean


def test_what_an_unreadable_run_may_have_is_given_to_nobody(stage: Stage) -> None:
    """The refusal names both runs; nothing is written, and after the repair it is a repetition."""
    mesh = stage.mesh(Order)
    first, second = taken(mesh, "bank-1"), waiting(mesh)
    mark(mesh, first)

    with pytest.raises(StorageError) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key="bank-1")

    assert ("run_quarantined", first.id) == (caught.value.code, caught.value.details["run_id"])
    assert f"send it to run {second.id} if you know that it is new" in caught.value.message
    assert "waiting_for_message" == mesh.inspect(second).reason
    mark(mesh, first, damaged=False)
    again = mesh.deliver(Order.settled, "A-1", PAID, key="bank-1")
    assert (first.id, True) == (again.id, again.duplicate)


@pytest.mark.parametrize("others", [1, 2])
def test_only_one_other_run_that_waits_is_offered(stage: Stage, others: int) -> None:
    """The unreadable one may wait as well; of two others nobody knows which is meant."""
    mesh = stage.mesh(Order)
    unreadable, *sound = (waiting(mesh) for _ in range(1 + others))
    mark(mesh, unreadable)

    with pytest.raises(StorageError) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key="bank-1")

    assert (others == 1) == (f"or send it to run {sound[0].id}" in caught.value.message)
    assert ("send it" in caught.value.message) == (others == 1)


@pytest.mark.parametrize("key", ["bank-1", None])
def test_a_message_for_two_runs_is_given_to_neither(stage: Stage, key: str | None) -> None:
    """Both are named; sent to one of them it is taken, and the other one still waits."""
    mesh = stage.mesh(Order)
    runs = [waiting(mesh), waiting(mesh)]

    with pytest.raises(Refused) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key=key)

    assert "ambiguous_correlation" == caught.value.code
    assert sorted(run.id for run in runs) == caught.value.details["run_ids"]
    assert ["waiting_for_message"] * 2 == [mesh.inspect(run).reason for run in runs]
    mesh.send(runs[0], Order.settled, PAID)
    assert runs[1].id == mesh.deliver(Order.settled, "A-1", PAID).id


def test_a_message_that_a_sound_run_has_is_known_beside_an_unreadable_one(stage: Stage) -> None:
    """Whatever stands in the other one: it is a repetition."""
    mesh = stage.mesh(Order)
    runs = [taken(mesh, "bank-1"), taken(mesh, "bank-2")]
    for damaged, sound in ((0, 1), (1, 0)):
        mark(mesh, runs[damaged])

        again = mesh.deliver(Order.settled, "A-1", PAID, key=f"bank-{sound + 1}")
        with pytest.raises(Refused) as caught:
            mesh.deliver(Order.settled, "A-1", PAID)

        assert (runs[sound].id, True) == (again.id, again.duplicate)
        assert "already_received" == caught.value.code
        mark(mesh, runs[damaged], damaged=False)


def test_a_message_without_a_key_goes_to_the_one_that_waits(stage: Stage) -> None:
    """It repeats nothing, so what the unreadable run has does not matter."""
    mesh = stage.mesh(Order)
    first, second = taken(mesh, "bank-1"), waiting(mesh)
    mark(mesh, first)

    assert second.id == mesh.deliver(Order.settled, "A-1", PAID).id


@pytest.mark.parametrize("key", ["bank-1", None])
def test_a_message_that_only_an_unreadable_run_may_have_is_not_lost(
    stage: Stage, key: str | None
) -> None:
    """Nobody is told that it was received, or that nobody waits."""
    mesh = stage.mesh(Order)
    mark(mesh, taken(mesh, "bank-1"))

    with pytest.raises(StorageError) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key=key)

    assert "run_quarantined" == caught.value.code
    assert caught.value.message.endswith("deliver it again once that run can be read")


def test_a_message_is_known_however_many_runs_had_its_correlation(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A customer has many orders: none of them is overlooked, and none is asked for twice."""
    monkeypatch.setattr(delivering, "_AT_ONCE", 2)
    mesh = stage.mesh(Order)
    runs = [taken(mesh, f"bank-{number}") for number in range(5)]
    last = waiting(mesh)

    again = [mesh.deliver(Order.settled, "A-1", PAID, key=f"bank-{n}") for n in range(5)]
    new = mesh.deliver(Order.settled, "A-1", PAID, key="bank-5")

    assert [(run.id, True) for run in runs] == [(one.id, one.duplicate) for one in again]
    assert (last.id, False) == (new.id, new.duplicate)


def test_a_run_that_was_pruned_while_it_was_looked_for_has_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had been gone before."""
    mesh = stage.mesh(Order)
    taken(mesh, "bank-1")
    found = mesh.door.journal.correlated("tests.Delivered", "settled", "A-1")
    monkeypatch.setattr(mesh.door.journal, "correlated", lambda *_: found)
    mesh.prune(run=found[0].run_id)

    with pytest.raises(Refused) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key="bank-1")

    assert "not_awaited" == caught.value.code


def test_a_storage_that_fails_meanwhile_is_no_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is the caller's, as everywhere."""
    mesh = stage.mesh(Order)
    taken(mesh, "bank-1")
    gone = StorageError("gone", "storage_unavailable", {})
    monkeypatch.setattr(mesh.door, "fresh_all", lambda _: [gone])

    with pytest.raises(StorageError) as caught:
        mesh.deliver(Order.settled, "A-1", PAID, key="bank-1")

    assert gone is caught.value
