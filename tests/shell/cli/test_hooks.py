"""`hooks`: who is told of what, which telling fails, and forgetting one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh import Mesh
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.notices import (
    Delivery,
    Notice,
    Subscription,
    delivery_to_text,
    subscription_to_text,
)
from support.commands import Typed

NOTICE = Notice(
    id="019b76da-a800-7000-8000-000000000001:4:run_failed",
    event="run_failed",
    run_id=RunId("019b76da-a800-7000-8000-000000000001"),
    workflow="greeting",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    node=NodeName("greet"),
)


@pytest.fixture
def told(folder: Path) -> None:
    """Leave two hooks, and what one of them fails to be told of."""
    now = datetime.now(UTC)
    subscription = Subscription(since=now - timedelta(days=2), seen_at=now)
    failing = Delivery(
        notice=NOTICE,
        attempts=3,
        until=now + timedelta(minutes=4),
        problem="ValueError: \x1b[31mno answer",
    )
    with Mesh.open(f"sqlite:///{folder}/greetings.db") as mesh:
        journal = mesh.door.journal
        for hook in ("run_failed app.page", "gate_opened app.ask", "run_completed app.page"):
            journal.put_record("hook", hook, subscription_to_text(subscription))
        for number in (1, 2):
            notice = evolve(NOTICE, id=f"{NOTICE.id}{number}")
            body = delivery_to_text(evolve(failing, notice=notice))
            journal.put_record("notice", f"run_failed app.page {notice.id}", body)


@pytest.mark.usefixtures("told")
def test_hooks_are_listed_with_what_fails(squidmesh: Typed, on_terminal: Typed) -> None:
    """For people, for pipes, and for programs; what a function said cannot move a cursor."""
    said, shown = squidmesh("hooks"), on_terminal("hooks").out
    document = squidmesh("hooks", "--json").document

    assert 0 == said.code
    assert [
        ["app.ask", "gate_opened", "0", "0"],
        ["app.page", "run_completed", "0", "0"],
        ["app.page", "run_failed", "2", "2"],
    ] == [[*record[:2], *record[4:6]] for record in said.records]
    assert "\x1b" not in said.out + shown
    assert "2 d ago" in shown
    assert "in 4 min" in shown or "in 3 min" in shown
    assert "ValueError" in shown
    assert "squidmesh.hooks/1" == document["schema"]
    hooks = document["hooks"]
    assert isinstance(hooks, list)
    assert [0, 0, 2] == [len(hook["failing"]) for hook in hooks]
    assert 3 == hooks[2]["failing"][0]["attempts"]


@pytest.mark.usefixtures("told")
def test_an_operator_sees_that_it_fails_and_not_why(squidmesh: Typed) -> None:
    """What a function of the host's says may quote anything."""
    operator = squidmesh("hooks", "--json", "--as", "operator").out
    external = squidmesh("hooks", "--json", "--as", "external").out

    assert '"attempts": 3' in operator
    assert "no answer" not in operator
    assert "app.page" not in external
    assert "no answer" in squidmesh("hooks", "--json", "--as", "auditor").out


@pytest.mark.usefixtures("told")
def test_a_hook_is_forgotten_by_its_name(squidmesh: Typed, on_terminal: Typed) -> None:
    """With all that waits for it, for every event; others stay."""
    shown = on_terminal("hooks", "--forget", "app.page").out

    assert "app.page  forgotten for run_failed" in shown
    assert "never told of: 2" in shown
    assert ["app.ask"] == [record[0] for record in squidmesh("hooks").records]
    assert [["app.ask", "gate_opened", "forgotten"]] == squidmesh(
        "hooks", "--forget", "app.ask"
    ).records


def test_forgetting_what_is_not_there_is_a_usage_error(squidmesh: Typed, folder: Path) -> None:
    """Nothing is done."""
    Mesh.open(f"sqlite:///{folder}/greetings.db").close()

    said = squidmesh("hooks", "--forget", "app.page")

    assert (2, "") == (said.code, said.out)
    assert "there is no hook called app.page" in said.err


def test_without_hooks_it_says_how_to_begin(on_terminal: Typed, folder: Path) -> None:
    """An empty list is no error."""
    Mesh.open(f"sqlite:///{folder}/greetings.db").close()

    assert "nobody is told of anything; `mesh.on(event, function)` begins" in on_terminal(
        "hooks"
    ).out.replace("\n", " ")


@pytest.mark.usefixtures("told")
def test_doctor_tells_of_hooks_that_fail(squidmesh: Typed) -> None:
    """It is no reason to call the storage ill."""
    said = squidmesh("doctor")
    document = squidmesh("doctor", "--json").document

    assert 0 == said.code
    assert ["look", "hooks", "app.page fails for run_failed: ValueError: no answer"] in [
        [*record[:2], record[2].replace("\\x1b[31m", "").replace("\ufffd[31m", "")]
        for record in said.records
    ]
    failing = document["failing_hooks"]
    assert isinstance(failing, list)
    assert ["run_failed"] == [hook["event"] for hook in failing]
