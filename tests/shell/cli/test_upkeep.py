"""`verify` and `doctor`: what is wrong with a journal, and how it stands."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Typed

Start = Callable[..., str]


@pytest.fixture
def damaged(started: Start, folder: Path) -> str:
    """A run whose first row was changed behind everybody's back."""
    run_id = started("Ana")
    with sqlite3.connect(folder / "greetings.db") as connection:
        connection.execute("update squidmesh_journal set body = replace(body, 'Ana', 'Eve')")
    connection.close()
    return run_id


# --- verify


def test_verify_says_that_nothing_is_wrong(
    squidmesh: Typed, on_terminal: Typed, worked: Start
) -> None:
    """A pipe gets nothing to read, a person a sentence, a program the counts."""
    worked("Ana")

    plain, human = squidmesh("verify", "--checker"), on_terminal("verify")
    document = squidmesh("verify", "--json").document

    assert (0, "") == (plain.code, plain.out)
    assert "1 run, " in human.out
    assert "nothing is wrong" in human.out
    assert ("squidmesh.verification/1", True, {"ok": 1}, []) == tuple(
        document[name] for name in ("schema", "clean", "verdicts", "results")
    )


def test_verify_takes_one_run(squidmesh: Typed, worked: Start) -> None:
    """By any beginning of its id; then it is named whatever is found."""
    run_id = worked("Ana")

    said = squidmesh("verify", run_id[:20])

    assert 0 == said.code
    assert [run_id, "ok"] == said.records[0][:2]
    assert 3 == squidmesh("verify", "ffffffff").code


def test_verify_names_damage_and_where_it_begins(
    squidmesh: Typed, on_terminal: Typed, damaged: str, started: Start
) -> None:
    """With an exit code for scripts, and what to do for people."""
    started("Bob")

    said = squidmesh("verify")
    document = squidmesh("verify", "--json").document

    assert 7 == said.code
    assert [[damaged, "damaged", "1", "it does not follow what comes before it"]] == said.records
    assert {"ok": 1, "damaged": 1} == document["verdicts"]
    human = on_terminal("verify").out
    assert "restore the run's rows from a backup" in human
    assert "1 to look at" in human


def test_a_quarantined_run_is_listed_and_refused(squidmesh: Typed, damaged: str) -> None:
    """The list goes on; whoever commands it learns where to look."""
    squidmesh("verify")

    listed = squidmesh("runs", "--json").document["runs"]
    refused = squidmesh("cancel", damaged, "--yes")

    assert isinstance(listed, list)
    assert "revision 1: it does not follow what comes before it" == listed[0]["quarantined"]
    assert "quarantined: revision 1" in squidmesh("runs").out
    assert 7 == refused.code
    assert "SM603 run_quarantined" in refused.err
    assert "squidmesh verify" in refused.err


def test_a_list_hides_the_error_of_a_run_that_cannot_be_read(
    squidmesh: Typed, worked: Start, folder: Path
) -> None:
    """Nobody can tell its secrets any more, so all of it is one."""
    worked("nobody")
    with sqlite3.connect(folder / "greetings.db") as connection:
        connection.execute("update squidmesh_journal set body = body || ' ' where first = 1")
    connection.close()

    listed = squidmesh("runs", "--json")

    assert 0 == listed.code
    assert "hunter2" not in listed.out
    runs = listed.document["runs"]
    assert isinstance(runs, list)
    assert "•••" == runs[0]["error"]


# --- doctor


def test_doctor_says_how_things_stand(squidmesh: Typed, on_terminal: Typed, started: Start) -> None:
    """The installation, the storage's settings, and the work."""
    started("Ana")

    said = squidmesh("doctor")
    document = squidmesh("doctor", "--json").document

    assert 0 == said.code
    facts = {name: value for _, name, value in said.records}
    assert {"squidmesh", "python", "schema", "journal_mode", "log_bytes", "clock"} <= set(facts)
    assert ("wal", "1 running") == (facts["journal_mode"], facts["runs"])
    assert "oldest attempt" in facts["waiting"]
    assert ("squidmesh.doctor/1", True, {"running": 1}) == tuple(
        document[name] for name in ("schema", "ok", "runs")
    )
    assert "how it stands" in on_terminal("doctor").out


def test_doctor_names_actions_that_the_application_does_not_perform(
    squidmesh: Typed, started: Start, folder: Path
) -> None:
    """Without an application nobody expects it to perform any."""
    started("Ana")
    (folder / "other.py").write_text(
        "from squidmesh import Workflow, manual, step\n"
        "def idle() -> None: ...\n"
        "class Other(Workflow, name='Other'):\n"
        "    go = manual(None)\n"
        "    only = step(idle).takes()\n",
        encoding="utf-8",
    )

    assert "does not perform" not in squidmesh("doctor").out
    assert "does not perform" not in squidmesh("doctor", "--app", "greetings").out
    said = squidmesh("doctor", "--app", "other")
    assert 0 == said.code
    assert "1 attempt of greetings.check, which this application does not perform" in said.out


def test_doctor_names_quarantined_runs(squidmesh: Typed, damaged: str) -> None:
    """And says so with its exit code."""
    squidmesh("verify")

    said = squidmesh("doctor")

    assert 7 == said.code
    (line,) = [record for record in said.records if record[1] == "quarantined"]
    assert ["wrong", "quarantined"] == line[:2]
    assert f"{damaged} revision 1:" in line[2]
    document = squidmesh("doctor", "--json").document
    assert [damaged] == [one["run_id"] for one in _list(document["quarantined"])]


def test_doctor_does_not_begin_a_journal(squidmesh: Typed, folder: Path) -> None:
    """A typing error must not look like an empty, healthy one."""
    assert 7 == squidmesh("doctor").code
    assert 7 == squidmesh("verify").code
    assert not (folder / "greetings.db").exists()


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
