"""The demonstration: unattended, with a person, and under fire, the books balance."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import squidmesh.demo
from squidmesh import Mesh
from squidmesh.cli.root import run
from squidmesh.demo.crash import demonstrate_crashes
from squidmesh.demo.driver import Told, demonstrate, open_shop
from squidmesh.demo.folder import Folder, fresh_folder
from squidmesh.demo.ledger import Ledger
from squidmesh.demo.standins import Answer, People, Review
from squidmesh.demo.workflow import OrderFulfilment, ReviewForm

ROOT = Path(__file__).parents[3]
#: Answers an order of high risk, in a process of its own.
Reviewer = Callable[[Mesh, str], object]


def unseen(over: int, all_: int) -> None:
    """A progress that nobody watches."""


def endings(told: Told) -> dict[str, str]:
    """Order → how it ended."""
    return {ending.order_id: ending.how for ending in told.books.endings}


def judged(folder: Folder) -> bool:
    """Whether the offline checker finds nothing in any journal of a demonstration."""
    with open_shop(folder.url) as mesh:
        return mesh.verify(checker=True).clean


def test_the_example_is_a_copy_of_what_the_demonstration_runs() -> None:
    """What people are given to play with is what they have seen."""
    example = ROOT / "examples" / "order_fulfilment"
    demo = Path(squidmesh.demo.__file__).parent
    given = {path.name for path in example.iterdir() if path.suffix in {".py", ".csv"}}

    assert {"workflow.py", "app.py", "orders.csv"} < given
    for name in sorted(given - {"__init__.py"}):
        assert (demo / name).read_bytes() == (example / name).read_bytes(), name


def test_unattended_a_stand_in_reviews_and_everything_ends(folder: Folder) -> None:
    """Gates are answered, the bank writes, what cannot be shipped is undone."""
    told = demonstrate(folder, unseen, None)

    assert () == told.differences
    assert {
        "A-1001": "shipped",
        "A-1063": "shipped",
        "A-3005": "failed",
        "A-1187": "apologised",
        "A-1003": "shipped",
    } == endings(told)
    undone = {ending.order_id: ending.undone for ending in told.books.endings if ending.undone}
    assert {"A-3005": ("charge", "reserve")} == undone
    assert judged(folder)


@pytest.mark.parametrize(
    ("answer", "how", "decision"),
    [
        (
            lambda mesh, run_id: mesh.approve(run_id, by="ida", form=ReviewForm(waive_fee=True)),
            "shipped",
            "approved",
        ),
        (lambda mesh, run_id: mesh.reject(run_id, by="ida"), "apologised", "rejected"),
        (lambda mesh, run_id: mesh.cancel(run_id, compensate=True), "cancelled", None),
    ],
)
def test_a_person_at_another_terminal_is_waited_for(
    folder: Folder, answer: Reviewer, how: str, decision: str | None
) -> None:
    """The other orders go on; the one that is asked about ends as the person says."""
    asked: list[Review] = []
    said: list[Answer] = []
    at_another_terminal: list[threading.Thread] = []

    def ask(review: Review) -> None:
        def type_the_command() -> None:
            with open_shop(folder.url) as mesh:
                answer(mesh, review.run_id)

        asked.append(review)
        at_another_terminal.append(threading.Thread(target=type_the_command))
        at_another_terminal[-1].start()

    told = demonstrate(folder, unseen, People(ask=ask, tell=said.append))
    for thread in at_another_terminal:
        thread.join()

    assert [("A-1003", 77_400)] == [(one.order_id, one.total_cents) for one in asked]
    assert [("A-1003", decision)] == [(one.order_id, one.decision) for one in said]
    assert ((), how) == (told.differences, endings(told)["A-1003"])
    assert judged(folder)


def test_nobody_is_waited_for_when_the_outside_has_failed(folder: Folder) -> None:
    """What failed there ends the demonstration, instead of having people wait in vain."""

    def ask(review: Review) -> None:
        raise ConnectionError(f"nobody can be told of {review.order_id}")

    with pytest.raises(ConnectionError, match="A-1003"):
        demonstrate(folder, unseen, People(ask=ask, tell=lambda answer: None))


def test_the_bank_of_a_restarted_shop_repeats_itself_harmlessly(folder: Folder) -> None:
    """The key of a message is its payment: told again, it counts once."""
    from squidmesh.demo.bank import Bank

    told = demonstrate(folder, unseen, None)
    with open_shop(folder.url) as mesh:
        before = {run_id: mesh.inspect(run_id).at_revision for run_id in told.intake.started}
        repeated = Bank(mesh, Ledger(folder.ledger)).settle()
        after = {run_id: mesh.inspect(run_id).at_revision for run_id in told.intake.started}

    assert (4, before) == (repeated, after)


def test_in_a_pipe_nobody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole export, one record a line, and 0 because the books balance."""
    code = run(["demo", "--folder", str(tmp_path / "shop")])
    records = [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    assert 0 == code
    assert [["started", "206"]] == [record for record in records if record[0] == "started"]
    assert [] == [record for record in records if record[0] == "difference"]
    money = [record[3:] for record in records if record[:2] == ["books", "charged"]]
    assert [["162,627.59", "162,627.59"]] == money


def test_killed_workers_leave_balanced_books(tmp_path: Path) -> None:
    """Two die with a charge on their hands, one with a refund; none is done twice or lost."""
    told = demonstrate_crashes(fresh_folder(tmp_path / "shop"), unseen)

    assert () == told.differences
    assert ["charged", "charged", "refunded"] == [kill.effect for kill in told.kills]
    assert {-9} == {kill.exit_code for kill in told.kills}
    assert judged(told.folder)


def test_the_workflow_has_the_gates_the_message_and_the_undoing_of_the_design() -> None:
    """What the example shows, by kind of node."""
    spec = OrderFulfilment.spec
    kinds = {node.name: type(node).__name__.removesuffix("Node") for node in spec.steps}

    assert {
        "reserve": "Step",
        "risk": "Step",
        "review": "Approval",
        "charge": "Step",
        "settled": "Receive",
        "cool_off": "Wait",
        "count": "Pause",
        "slot": "Step",
        "ship": "Step",
        "apology": "Step",
    } == kinds
