"""Bad input: one clear error with its exit code, and the data as it was."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Typed

Start = Callable[..., str]
SECRET = "s3cret-pass"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["fly"], 2, ["No such command 'fly'"]),
        (["runs", "--colour"], 2, ["--colour", "squidmesh runs --help"]),
        (["runs", "--status", "lost"], 2, ["'lost'"]),
        (["runs", "--limit", "0"], 2, ["--limit"]),
        (["runs", "--since", "yesterday"], 2, ["--since", "90m"]),
        (["runs", "--since", "99999999d"], 2, ["--since", "90m"]),
        (["runs", "--until", "0001-01-01T00:00:00+14:00"], 2, ["--until", "90m"]),
        (["runs", "--cursor", "x"], 2, ["SM708", "cursor"]),
        (["show"], 2, ["RUN"]),
        (["show", "zebra"], 3, ["SM402", "zebra"]),
        (["show", "abc"], 3, ["SM401", "abc", "squidmesh runs"]),
        (["show", "0190f0e0-0000-7000-8000-000000000001"], 3, ["SM401"]),
        (["journal", "abc"], 3, ["SM401"]),
        (["cancel", "abc", "--yes"], 3, ["SM401"]),
        (["start"], 2, ["name a workflow"]),
        (["start", "greetings:Greeting"], 2, ["SM501", "name"]),
        (["start", "greetings:Greeting", "--set", "name"], 2, ["--set", "NAME=VALUE"]),
        (["start", "greetings:Greeting", "--set", "nam=Ana"], 2, ["SM501", "nam"]),
        (
            ["start", "greetings:Greeting", "--set", "name=Ana", "--set", "times=two"],
            2,
            ["SM501", "times"],
        ),
        (["start", "greetings:Greeting", "--data", "{"], 2, ["SM501", "JSON"]),
        (["start", "greetings:Greeting", "--data", "[1]"], 2, ["SM501", "object"]),
        (["start", "greetings:Greeting", "--data", "@none.json"], 2, ["SM501", "none.json"]),
        (["start", "greetings:Greeting", "--data", '{"name":1,"name":2}'], 2, ["SM501"]),
        (["start", "greetings:Greeting", "--set", "name=A", "--run-id", "7"], 2, ["run_id"]),
        (["start", "greetings:Greeting", "--set", "name=A", "--queue", "a b"], 2, ["queue"]),
        (["start", "greetings:Greeting", "--set", "name=A", "--timeout", "1s"], 2, ["--wait"]),
        (["start", "greetings:Nothing"], 2, ["SM701", "Nothing"]),
        (["start", "greetings:Greeting.nothing"], 2, ["SM701", "nothing"]),
        (["start", "greetings:Asked"], 2, ["SM701", "neither"]),
        (["start", "nowhere:Greeting"], 2, ["SM701", "nowhere"]),
        (["start", "--spec", "x.json"], 2, ["--actions"]),
        (["start", "--spec", "x.json", "--actions", "greetings:actions"], 2, ["x.json"]),
        (["start", "--spec", "x.json", "--actions", "greetings:Asked"], 2, ["ActionRegistry"]),
        (["run", "greetings"], 2, ["SM701", "greetings"]),
        (["step"], 2, ["--app"]),
        (["work"], 2, ["--app"]),
        (["work", "--app", "greetings", "--lease", "soon"], 2, ["SM701", "lease"]),
        (["work", "--app", "greetings", "-c", "0"], 2, ["-c"]),
        (["work", "--app", "greetings", "-q", "a b"], 2, ["queues"]),
        (["runs", "--app", "greetings:Asked"], 2, ["SM701", "app"]),
        (["runs", "--app", "greetings:mesh", "--url", "memory://"], 2, ["SM701", "url"]),
        (["check"], 2, ["--app"]),
        (["check", "nowhere"], 2, ["nowhere"]),
        (["runs", "--app", "greetings:elsewhere"], 2, ["SM702"]),
        (["runs", "--app", "greetings:broken"], 2, ["SM701", "OSError: no", "greetings.py:"]),
        (["migrate", "--url", "gopher://x"], 2, ["SM702"]),
        (["demo", "--folder", "."], 2, ["SM701", "not empty"]),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    squidmesh: Typed, started: Start, arguments: list[str], code: int, words: list[str]
) -> None:
    """The message names what was wrong; no run is started, moved or ended."""
    started("Ana")

    said = squidmesh(*arguments)

    assert (code, "") == (said.code, said.out), said.err
    assert said.err.startswith("error")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err
    assert ["running"] == [record[2] for record in squidmesh("runs").records]


@pytest.mark.parametrize("verb", ["work", "step"])
def test_whoever_has_nothing_to_perform_begins_no_journal(
    squidmesh: Typed, folder: Path, verb: str
) -> None:
    """It complains before anything is opened."""
    said = squidmesh(verb)

    assert (2, False) == (said.code, (folder / "greetings.db").exists())
    assert "--app" in said.err


def test_migrate_loads_no_application(
    squidmesh: Typed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mesh would not open before the tables are there; so the journal has to be named."""
    monkeypatch.delenv("SQUIDMESH_URL")

    said = squidmesh("migrate", "--app", "greetings:mesh")

    assert (2, False) == (said.code, (folder / "own.db").exists())
    assert "'greetings:mesh' is not loaded" in said.err


def test_programs_get_an_error_document(squidmesh: Typed, started: Start) -> None:
    """On standard error, with code, number, message, hint and facts; the output stays empty."""
    started("Ana")

    said = squidmesh("show", "abc", "--json")

    assert (3, "") == (said.code, said.out)
    assert ("squidmesh.error/1", "not_found", 401) == tuple(
        said.error[name] for name in ("schema", "code", "sm")
    )
    assert {"run_id": "abc"} == said.error["details"]
    assert 2 == squidmesh("runs", "--json", "--limit", "x").code


def test_an_ambiguous_prefix_exits_with_3_and_candidates(squidmesh: Typed, started: Start) -> None:
    """Whoever typed too little sees what there is to choose from."""
    ids = [f"0190f0e0-0000-7000-8000-00000000000{n}" for n in range(2)]
    for run_id in ids:
        started("Ana", "--run-id", run_id)

    said = squidmesh("show", "0190F0E0-00", "--json")

    assert (3, "ambiguous_run_id") == (said.code, said.error["code"])
    assert {"run_id": "0190f0e0-00", "candidates": ids} == said.error["details"]


def test_a_refused_cancel_exits_with_4(squidmesh: Typed, worked: Start) -> None:
    """What is over cannot be cancelled, and nobody has to be asked to learn that."""
    said = squidmesh("cancel", worked("Ana"))

    assert 4 == said.code
    assert "SM410" in said.err


def test_a_key_that_belongs_to_another_start_exits_with_4(squidmesh: Typed, started: Start) -> None:
    """The first request stands."""
    started("Ana", "--key", "k-1")

    said = squidmesh("start", "greetings:Greeting", "--set", "name=Bo", "--key", "k-1")

    assert 4 == said.code
    assert "SM431" in said.err
    assert 1 == len(squidmesh("runs").records)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("def broken(:\n", ["SyntaxError", "wrong.py"]),
        ("import no_such_module_anywhere\n", ["no_such_module_anywhere"]),
        ("1 / 0\n", ["ZeroDivisionError", "wrong.py:1"]),
    ],
)
def test_a_module_that_fails_to_load_is_no_traceback(
    squidmesh: Typed, folder: Path, module: str, words: list[str]
) -> None:
    """The place in the host's own code is in the message."""
    (folder / "wrong.py").write_text(module, encoding="utf-8")

    said = squidmesh("work", "--app", "wrong")

    assert 2 == said.code
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def test_an_invalid_definition_exits_with_6(squidmesh: Typed, folder: Path) -> None:
    """Every problem is listed, in the module's own terms."""
    (folder / "broken.py").write_text(
        "from squidmesh import Workflow, step\n\n"
        "def greet(name: str) -> str:\n    return name\n\n"
        "class Broken(Workflow):\n    hi = step(greet)\n",
        encoding="utf-8",
    )

    said = squidmesh("work", "--app", "broken")
    document = squidmesh("work", "--app", "broken", "--json").error

    assert (6, "") == (said.code, said.out)
    assert "broken.py:7" in said.err
    details = document["details"]
    assert isinstance(details, dict)
    assert details["problems"]


def test_an_unknown_key_of_the_project_file_is_named(squidmesh: Typed, folder: Path) -> None:
    """A typing error does not silently do nothing."""
    (folder / "pyproject.toml").write_text('[tool.squidmesh]\nulr = "x"\n', encoding="utf-8")

    said = squidmesh("runs")

    assert 2 == said.code
    assert "[tool.squidmesh] ulr: is unknown" in said.err


# --- URLs and files


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ana:{SECRET}@localhost/shop?colour=blue",
        f"postgres://ana:{SECRET}@localhost/%zz",
        f"mysql://ana:{SECRET}@localhost/shop",
        f"sqlite://ana:{SECRET}@host/x.db",
        f"gopher://[{SECRET}",
        f"//ana:{SECRET}@localhost",
    ],
)
@pytest.mark.parametrize("command", ["runs", "migrate", "step"])
@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_password_in_a_url_is_never_printed(
    squidmesh: Typed, url: str, command: str, extra: tuple[str, ...]
) -> None:
    """Neither to people nor to programs, whatever is wrong with the URL."""
    said = squidmesh(command, "--url", url, *extra)

    assert 2 == said.code, said.err
    assert SECRET not in said.out + said.err
    assert said.err


def test_a_command_that_reads_makes_no_file(squidmesh: Typed, folder: Path) -> None:
    """A mistyped URL shows no empty list of runs, and leaves no database behind."""
    said = squidmesh("runs", "--url", "sqlite:///typo.db")

    assert 7 == said.code
    assert "typo.db" in said.err
    assert not (folder / "typo.db").exists()


def test_a_missing_url_says_where_to_put_one(
    squidmesh: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are three places."""
    monkeypatch.delenv("SQUIDMESH_URL")

    said = squidmesh("runs")

    assert 2 == said.code
    for place in ("--url", "SQUIDMESH_URL", "[tool.squidmesh]"):
        assert place in said.err


def test_a_file_that_is_no_database_is_left_alone(squidmesh: Typed, folder: Path) -> None:
    """Exit 7, and not one byte changed."""
    file = folder / "notes.txt"
    file.write_text("dear diary, " * 100, encoding="utf-8")

    said = squidmesh(
        "start", "greetings:Greeting", "--set", "name=A", "--url", "sqlite:///notes.txt"
    )

    assert 7 == said.code
    assert "notes.txt" in said.err
    assert "dear diary, " * 100 == file.read_text(encoding="utf-8")


def test_a_folder_is_no_database(squidmesh: Typed, folder: Path) -> None:
    """The message says what it is."""
    (folder / "data").mkdir()

    said = squidmesh("runs", "--url", "sqlite:///data")

    assert 7 == said.code
    assert "directory" in said.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_a_read_only_file_says_what_to_change(
    squidmesh: Typed, started: Start, folder: Path
) -> None:
    """Before SQLite touches anything."""
    started("Ana")
    (folder / "greetings.db").chmod(0o444)

    said = squidmesh("start", "greetings:Greeting", "--set", "name=Bo")

    assert 7 == said.code
    assert "may not write" in said.err


def test_a_newer_schema_exits_with_7_and_is_left_alone(
    squidmesh: Typed, started: Start, folder: Path
) -> None:
    """An older squidmesh keeps its hands off."""
    run_id = started("Ana")
    with sqlite3.connect(folder / "greetings.db") as connection:
        connection.execute("update squidmesh_schema set version = 99")
    connection.close()

    for command in (("runs",), ("cancel", run_id, "--yes"), ("migrate",), ("migrate", "--plan")):
        said = squidmesh(*command)

        assert 7 == said.code
        assert "SM607" in said.err
        assert "99" in said.err


def test_an_unreachable_parent_folder_exits_with_7(squidmesh: Typed) -> None:
    """A folder is not made by the way."""
    said = squidmesh(
        "start", "greetings:Greeting", "--set", "name=A", "--url", "sqlite:///no/such/x.db"
    )

    assert 7 == said.code
    assert "directory does not exist" in said.err


@pytest.mark.parametrize("at", ["0", "-1", "", "soon", "1.5", "9" * 20, "99999999d"])
def test_a_point_of_a_run_is_a_revision_or_an_instant(
    squidmesh: Typed, worked: Start, at: str
) -> None:
    """Whatever else is typed is a usage error that says what could be."""
    said = squidmesh("show", worked("Ana"), "--at", at)

    assert (2, "") == (said.code, said.out)
    assert "expected a revision from 1 on, an instant like" in said.err


def test_a_run_that_is_here_with_another_journal_is_no_matter_of_keys(
    squidmesh: Typed, worked: Start, folder: Path
) -> None:
    """Taking in a bundle of a run that is here types no key, so none is advised."""
    assert 0 == squidmesh("bundle", worked("Ana"), str(folder / "one.sqm")).code

    said = squidmesh("load", str(folder / "one.sqm"))

    assert 4 == said.code
    assert "SM431" in said.err
    assert "--key" not in said.err


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["runs"], ["runs", "--json"], ["--help"]])
def test_a_full_disk_behind_the_output_is_one_sentence(
    started: Start, folder: Path, command: list[str]
) -> None:
    """What cannot be written is told on standard error, without a traceback."""
    started("Ana")
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "squidmesh", *command],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert 2 == said.returncode
    assert "cannot be written: No space left on device" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_closed_output_is_no_error(started: Start, folder: Path) -> None:
    """Whoever closes standard output wants to hear nothing."""
    started("Ana")
    closing = "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-m", "squidmesh", "runs"]
    said = subprocess.run(
        [sys.executable, "-c", closing, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (said.returncode, said.stderr)


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["runs", "--help"]])
def test_a_reader_that_has_had_enough_is_told_apart_from_a_run_that_failed(
    folder: Path, arguments: list[str]
) -> None:
    """As `| head` has: no traceback, and the exit code that shells give SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "squidmesh", *arguments]
    said = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, cwd=folder, text=True, check=False
    )
    os.close(writer)

    assert (141, "") == (said.returncode, said.stderr)


@pytest.mark.parametrize("command", [["runs"], ["doctor"], ["show", "01a1"], ["verify"]])
def test_a_database_of_somebody_else_is_left_as_it_is(
    squidmesh: Typed, folder: Path, command: list[str]
) -> None:
    """What only reads creates no tables, and says what does."""
    url = "sqlite:///theirs.db"
    with sqlite3.connect(folder / "theirs.db") as connection:
        connection.execute("create table customers (name text)")
    connection.close()
    before = (folder / "theirs.db").read_bytes()

    said = squidmesh(*command, "--url", url)

    assert 7 == said.code
    assert "error (SM602 schema_behind): sqlite:///theirs.db has no tables of squidmesh" in said.err
    assert f"`squidmesh migrate '{url}'` creates them" in said.err
    assert before == (folder / "theirs.db").read_bytes()
    assert 0 == squidmesh("migrate", url).code
    assert (0, "") == (squidmesh("runs", "--url", url).code, squidmesh("runs", "--url", url).out)


def test_the_command_that_creates_tables_names_no_url_that_is_configured(
    squidmesh: Typed, folder: Path
) -> None:
    """It is found as it was before, with the password that it may hold."""
    (folder / "greetings.db").touch()

    said = squidmesh("runs")

    assert said.err.endswith("`squidmesh migrate` creates them\nhint: type: squidmesh migrate\n")
