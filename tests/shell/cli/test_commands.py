"""Each command once: for people, for pipes, for programs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Typed

Start = Callable[..., str]
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


# --- run


def test_run_drives_a_workflow_to_its_end_in_memory(
    squidmesh: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has to be configured; a pipe gets a line for each thing that happens."""
    monkeypatch.delenv("SQUIDMESH_URL")

    said = squidmesh("run", "greetings:Greeting", "--set", "name=Zoë", "--set", "times=2")

    assert 0 == said.code
    happened = [(kind, node) for _, kind, node, _ in said.records]
    assert [
        ("run_started", ""),
        ("attempt_completed", "checked"),
        ("attempt_completed", "noted"),
        ("attempt_completed", "greeting"),
        ("run_terminal", ""),
    ] == [one for one in happened if one[0] not in {"attempt_scheduled", "step_applied"}]
    assert '"hello Zoë hello Zoë"' in said.out


def test_run_shows_a_tree_on_a_terminal(on_terminal: Typed) -> None:
    """Its last picture stays: every step, and how it ended."""
    said = on_terminal("run", "greetings:Greeting.asked", "--data", '{"name": "Ana"}')

    assert 0 == said.code
    for line in ("✔  checked   completed", "✔  noted     completed", "✔  greeting  completed"):
        assert line in said.out


def test_run_gives_programs_one_document(squidmesh: Typed) -> None:
    """The document is that of `show`."""
    said = squidmesh("run", "greetings:Greeting", "--set", "name=Ana", "--json")

    assert 0 == said.code
    assert "squidmesh.run/1" == said.document["schema"]
    assert "terminal" == said.document["reason"]


def test_a_failed_run_exits_with_1(squidmesh: Typed) -> None:
    """Scripts can tell how a run ended, and people why."""
    said = squidmesh("run", "greetings:Greeting", "--set", "name=nobody")

    assert 1 == said.code
    assert ["run_terminal", "checked"] == said.records[-1][1:3]
    assert r"Fail: \x1b[31mnobody is here\x1b[0m, said •••" in said.records[-1][3]


# --- start, step, work


def test_start_prints_an_id_that_other_commands_take(squidmesh: Typed, started: Start) -> None:
    """A started run waits for a worker."""
    run_id = started("Ana", "--tag", "vip", "--queue", "slow", "--priority", "-3")

    assert re.fullmatch(UUID, run_id)
    run = squidmesh("show", run_id, "--json").document["run"]
    assert isinstance(run, dict)
    assert ("running", "slow", -3, ["vip"]) == tuple(
        run[name] for name in ("status", "queue", "priority", "tags")
    )


def test_start_twice_with_one_key_is_one_run(squidmesh: Typed, on_terminal: Typed) -> None:
    """Doing it again says that it was done, and is no error."""
    arguments = ("start", "greetings:Greeting", "--set", "name=Ana", "--key", "k-1")
    first = squidmesh(*arguments)

    again = on_terminal(*arguments)

    assert 0 == again.code
    assert f"{first.out.strip()}  Greeting was already started, running" in again.out


def test_start_takes_an_id_of_the_callers_own(started: Start) -> None:
    """A caller who keeps ids need not ask for them."""
    own = "0190f0e0-0000-7000-8000-000000000001"

    assert own == started("Ana", "--run-id", own)


def test_start_reads_its_payload_from_a_file(squidmesh: Typed, folder: Path) -> None:
    """`--set` wins over the file."""
    (folder / "order.json").write_text('{"name": "Ana", "times": 1}', encoding="utf-8")

    said = squidmesh(
        "start", "greetings:Greeting", "--data", "@order.json", "--set", "times=3", "--json"
    )

    shown = squidmesh("show", str(_run(said.document)["id"]), "--json").document
    assert {"name": "Ana", "times": 3, "password": "•••"} == shown["input"]


def test_start_runs_a_definition_from_a_file(squidmesh: Typed, folder: Path) -> None:
    """A spec performs only what the registry allows."""
    (folder / "spec.json").write_text(
        """{"workflow": "made.up", "triggers": [{"name": "go", "type": "manual", "payload": [
            {"name": "name", "type": "string", "required": true}]}],
          "steps": [{"name": "hi", "kind": "step", "action": "greet", "input": {
            "name": ["name"], "times": {"value": 1}, "password": {"value": "none"}}}]}""",
        encoding="utf-8",
    )

    said = squidmesh(
        "start", "--spec", "spec.json", "--actions", "greetings:actions", "--set", "name=Ana"
    )

    assert (0, "") == (said.code, said.err)
    assert "made.up" == squidmesh("runs").records[0][1]


def test_start_wait_follows_a_run_that_another_process_moves(
    squidmesh: Typed, worked: Start
) -> None:
    """The same key finds the run that is over already, and its end is the exit code."""
    worked("Ana", "--key", "k-1")

    said = squidmesh(
        "start", "greetings:Greeting", "--set", "name=Ana", "--key", "k-1", "--wait", "--json"
    )

    assert (0, "terminal") == (said.code, said.document["reason"])


def test_a_wait_that_takes_too_long_exits_with_8(squidmesh: Typed) -> None:
    """The run goes on; only the waiting has ended."""
    said = squidmesh(
        "start", "greetings:Greeting", "--set", "name=Ana", "--wait", "--timeout", "10ms"
    )

    assert 8 == said.code
    assert "SM433" in said.err
    assert "running" == squidmesh("runs").records[0][2]


def test_step_performs_one_attempt(squidmesh: Typed, on_terminal: Typed, started: Start) -> None:
    """One step forward, and an empty answer when there is nothing to do."""
    run_id = started("Ana")

    assert [[run_id, "Greeting", "running"]] == squidmesh("step", "--app", "greetings").records
    assert f"one attempt of {run_id} was performed" in on_terminal("step", "--app", "greetings").out
    assert "completed" == squidmesh("show", run_id).records[2][1]
    assert "nothing is claimable\n" == on_terminal("step", "--app", "greetings").out
    assert (0, "") == ((empty := squidmesh("step", "--app", "greetings")).code, empty.out)
    assert squidmesh("step", "--app", "greetings", "--json").document["run"] is None


def test_the_application_may_be_a_function_that_makes_a_mesh(
    squidmesh: Typed, folder: Path
) -> None:
    """Then the mesh brings its own journal."""
    said = squidmesh("step", "--app", "greetings:mesh")

    assert (0, "") == (said.code, said.err)
    assert (folder / "own.db").exists()
    assert not (folder / "greetings.db").exists()


def test_an_async_mesh_is_no_application(
    squidmesh: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no loop here; the refusal says what to name instead."""
    made = "from squidmesh import AsyncMesh\nmesh = AsyncMesh.open('sqlite:///own.db')\n"
    (folder / "on_a_loop.py").write_text(made, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "on_a_loop", raising=False)

    said = squidmesh("work", "--app", "on_a_loop:mesh")

    assert 2 == said.code
    assert "AsyncMesh; expected a Mesh (no AsyncMesh), a function that returns one" in said.err


def test_the_application_is_found_in_the_project_file(squidmesh: Typed, folder: Path) -> None:
    """What a project says once need not be typed."""
    (folder / "pyproject.toml").write_text(
        '[tool.squidmesh]\napp = "greetings:Greeting"\n', encoding="utf-8"
    )

    assert 0 == squidmesh("step").code


# --- runs


def test_runs_lists_the_newest_first(squidmesh: Typed, on_terminal: Typed, worked: Start) -> None:
    """People get headings and ages, pipes whole ids, programs everything."""
    first, second = worked("Ana", "--key", "k-1"), worked("nobody")

    piped = squidmesh("runs")
    shown = on_terminal("runs").out.splitlines()
    document = squidmesh("runs", "--json").document

    assert [[second, "Greeting", "failed", ""], [first, "Greeting", "completed", "k-1"]] == [
        record[:4] for record in piped.records
    ]
    assert ["run", "workflow", "status", "key", "started", "took", "error"] == shown[0].split()
    ids = [line.split()[0] for line in shown[1:] if not line.startswith(" ")]
    assert [second[:13], first[:13]] == ids[:2]
    assert ("squidmesh.runs/1", None) == (document["schema"], document["next"])
    runs = document["runs"]
    assert isinstance(runs, list)
    assert [second, first] == [run["id"] for run in runs]


def test_runs_can_be_narrowed_and_paged(squidmesh: Typed, worked: Start) -> None:
    """Filters and cursor reach the journal."""
    failed, fine = worked("nobody", "--tag", "odd"), worked("Ana", "--key", "k-7")

    def ids(*options: str) -> list[str]:
        return [record[0] for record in squidmesh("runs", *options).records]

    assert [failed] == ids("--status", "failed") == ids("--tag", "odd") == ids("--text", "nobody")
    assert [fine] == ids("--text", "k-7") == ids("--status", "completed")
    assert [fine, failed] == ids("--workflow", "Greeting", "--since", "1h") == ids()
    assert [] == ids("--until", "1h") == ids("--queue", "other") == ids("--version", "x")
    cursor = squidmesh("runs", "--limit", "1", "--json").document["next"]
    assert [failed] == ids("--limit", "1", "--cursor", str(cursor))


def test_an_empty_list_is_no_error(squidmesh: Typed, on_terminal: Typed, started: Start) -> None:
    """A pipe gets nothing, and people are told so."""
    started("Ana")

    assert (0, "") == ((said := squidmesh("runs", "--status", "failed")).code, said.out)
    assert "no runs\n" == on_terminal("runs", "--status", "failed").out


# --- show, journal


def test_show_says_why_a_run_is_where_it_is(on_terminal: Typed, worked: Start) -> None:
    """Status, steps, error and context on one screen."""
    run_id = worked("nobody")

    said = on_terminal("show", run_id[:20], "--history")

    assert 0 == said.code
    for text in (
        f"run {run_id}  Greeting  failed",
        "it is over",
        "✖  checked   failed",
        "·  greeting  not reached",
        r"error in checked: Fail: \x1b[31mnobody is here\x1b[0m, said ••• (nobody)",
        '"name": "nobody"',
    ):
        assert text in said.out


def test_show_gives_pipes_one_fact_a_line(squidmesh: Typed, worked: Start) -> None:
    """The first word of a line says what it is."""
    said = squidmesh("show", worked("Ana"), "--history")

    facts = {record[0]: record[1:] for record in said.records}
    assert ["completed"] == facts["status"]
    assert ["step", "greeting", "completed"] in said.records
    assert ["greeting", "1", "completed"] == facts["attempt"][:3]
    assert '"hello Ana"' == facts["attempt"][4]


def test_show_at_an_earlier_revision_shows_the_run_as_it_was(
    squidmesh: Typed, worked: Start
) -> None:
    """The journal only so far."""
    run_id = worked("Ana")

    then = squidmesh("show", run_id, "--at", "3", "--json").document

    assert (3, False, "attempt_visible") == (
        then["at_revision"],
        then["terminal"],
        then["reason"],
    )


def test_show_and_graph_go_back_to_an_instant(squidmesh: Typed, worked: Start) -> None:
    """An instant stands for the last revision that was there by then."""
    run_id = worked("Ana")
    entries = squidmesh("journal", run_id, "--json").document["entries"]
    assert isinstance(entries, list)
    at = entries[2]["at"]
    revision = max(one["revision"] for one in entries if one["at"] <= at)

    for command in ("show", "graph"):
        then = squidmesh(command, run_id, "--at", at, "--json").document

        assert revision == then["at_revision" if command == "show" else "revision"]
        assert 2 == squidmesh(command, run_id, "--at", "2h").code


def test_journal_lists_every_entry(squidmesh: Typed, on_terminal: Typed, worked: Start) -> None:
    """In order, each with its number; `--after` leaves out what is known."""
    run_id = worked("Ana")

    entries = squidmesh("journal", run_id, "--json").document["entries"]
    assert isinstance(entries, list)
    piped = squidmesh("journal", run_id, "--after", "2")

    assert list(range(1, len(entries) + 1)) == [entry["revision"] for entry in entries]
    assert ["3", "attempt_scheduled", "checked"] == [piped.records[0][i] for i in (0, 2, 3)]
    assert len(entries) - 2 == len(piped.records)
    assert "→ noted" in piped.out
    assert "+0.000 s" in on_terminal("journal", run_id).out


def test_times_are_shown_as_asked(squidmesh: Typed, started: Start) -> None:
    """A pipe gets ISO 8601 unless told otherwise."""
    started("Ana")

    assert squidmesh("runs").records[0][4].endswith("Z")
    assert squidmesh("runs", "--time", "relative").records[0][4] in {"now", "1 s ago", "2 s ago"}


def test_the_end_of_a_run_is_shown_as_its_start(squidmesh: Typed, worked: Start) -> None:
    """Whatever was asked for counts for every instant of a record."""
    worked("Ana")

    began, ended = squidmesh("runs", "--time", "utc").records[0][4:6]

    assert [20, 20, False, False] == [len(began), len(ended), "T" in began, "T" in ended]


@pytest.mark.parametrize("form", ["human", "plain", "json"])
@pytest.mark.parametrize("name", ["Ana", "nobody"])
def test_a_sensitive_value_is_in_no_output(
    squidmesh: Typed, on_terminal: Typed, worked: Start, form: str, name: str
) -> None:
    """Not in payload, input, output, error or entry, whoever reads."""
    run_id = worked(name)
    typed = on_terminal if form == "human" else squidmesh
    extra = ("--json",) if form == "json" else ()

    for command in (
        ("show", run_id, "--history"),
        ("journal", run_id),
        ("runs",),
        ("run", "greetings:Greeting", "--set", f"name={name}"),
    ):
        said = typed(*command, *extra)
        assert "hunter2" not in said.out + said.err
        assert "\x1b[31m" not in said.out + said.err


# --- cancel


def test_cancel_ends_a_run(squidmesh: Typed, started: Start) -> None:
    """Who and why are kept; the same key again is no second cancel."""
    run_id = started("Ana")
    arguments = ("cancel", run_id, "--by", "ana", "--note", "wrong order", "--key", "c-1", "--yes")

    first, again = squidmesh(*arguments), squidmesh(*arguments)

    assert (0, [[run_id, "cancelled", "running", "cancelled"]]) == (first.code, first.records)
    assert (0, run_id, ["cancelled", "cancelled"]) == (
        again.code,
        again.records[0][0],
        again.records[0][2:],
    )
    assert re.fullmatch(r"already cancelled by ana at \S+Z \(same key\)", again.records[0][1])
    commands = squidmesh("show", run_id, "--json").document["commands"]
    assert isinstance(commands, list)
    assert ("cancel", "ana", "wrong order") == tuple(
        commands[-1][name] for name in ("command", "actor", "comment")
    )


@pytest.mark.parametrize(
    ("answer", "code", "status"), [("y\n", 0, "cancelled"), ("\n", 130, "running")]
)
def test_cancel_asks_on_a_terminal(
    on_terminal: Typed,
    squidmesh: Typed,
    started: Start,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    status: str,
) -> None:
    """No answer is a no, and nothing is written."""
    run_id = started("Ana")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: answer.strip())

    assert code == on_terminal("cancel", run_id).code
    assert status == squidmesh("runs").records[0][2]


def test_cancel_does_not_guess_where_nobody_can_be_asked(squidmesh: Typed, started: Start) -> None:
    """A script has to say that it means it."""
    said = squidmesh("cancel", started("Ana"))

    assert 2 == said.code
    assert "--yes" in said.err
    assert "running" == squidmesh("runs").records[0][2]


# --- check, migrate


def test_check_finds_nothing_wrong_with_what_is_right(squidmesh: Typed, on_terminal: Typed) -> None:
    """A pipe gets one line for each problem: none."""
    assert (0, "") == ((said := squidmesh("check", "greetings")).code, said.out)
    assert "Greeting: nothing is wrong\n" == on_terminal("check", "greetings:Greeting").out
    document = squidmesh("check", "--json", "--app", "greetings:mesh").document
    assert [] == document["problems"]


def test_check_reports_every_problem_with_its_place(
    squidmesh: Typed, on_terminal: Typed, folder: Path
) -> None:
    """Definitions are checked without running anything."""
    (folder / "broken.py").write_text(
        "from squidmesh import Workflow, step\n\n"
        "def greet(name: str) -> str:\n    return name\n\n"
        "class Broken(Workflow):\n    hi = step(greet)\n    ho = step(greet)\n",
        encoding="utf-8",
    )

    piped = squidmesh("check", "broken", "greetings")
    shown = on_terminal("check", "broken")
    document = squidmesh("check", "broken", "--json").document

    assert (6, 6) == (piped.code, shown.code)
    assert all("broken.py:" in record[1] for record in piped.records)
    assert {"SM104", "SM209"} <= {record[2] for record in piped.records}
    assert "problems" in shown.out
    problems = document["problems"]
    assert isinstance(problems, list)
    assert len(piped.records) == len(problems)


def test_migrate_leaves_an_up_to_date_journal_alone(
    squidmesh: Typed, on_terminal: Typed, started: Start, folder: Path
) -> None:
    """The URL may be typed, as the message of a refused journal tells."""
    started("Ana")

    assert 0 == squidmesh("migrate", "--plan").code
    assert "is up to date" in on_terminal("migrate", f"sqlite:///{folder}/greetings.db").out
    assert [] == squidmesh("migrate", "--json").document["steps"]


# --- helpers


def _run(document: dict[str, object]) -> dict[str, object]:
    run = document["run"]
    assert isinstance(run, dict)
    return run
