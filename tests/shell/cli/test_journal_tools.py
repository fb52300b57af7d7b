"""`watch`, `journal --follow`, `diff`, `bundle`, `load`, `export`, `import`, `help`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from squidmesh.cli.meanings import MEANINGS, UNNUMBERED
from squidmesh_core.errors import NUMBERS
from support.commands import Typed
from support.shop import Shop, Where

Start = Callable[..., str]
#: What the shop's orders and answers have that is sensitive.
SECRETS = ("card-4711-0815", "47114711", "99887766", "iban-5544332211", "33445566", "66006600")
WHERES: tuple[Where, ...] = (
    "fresh", "asked", "waiting", "counting", "held", "completed", "abandoned", "cancelled",
)  # fmt: skip


def lines_of(text: str) -> list[dict[str, object]]:
    """Documents, one on a line."""
    return [json.loads(line) for line in text.splitlines()]


# --- journal --follow and watch


def test_a_followed_journal_ends_with_the_run(squidmesh: Typed, worked: Start) -> None:
    """The lines are those of `journal`."""
    run_id = worked("Ana")

    followed, listed = squidmesh("journal", run_id, "--follow"), squidmesh("journal", run_id)

    assert (0, listed.out) == (followed.code, followed.out)
    assert "run_terminal" == listed.records[-1][2]


def test_a_followed_journal_is_a_stream_of_documents(squidmesh: Typed, worked: Start) -> None:
    """Each with its schema; what is sensitive is masked."""
    run_id = worked("Ana")

    said = squidmesh("journal", run_id, "--follow", "--after", "1", "--json")
    listed = squidmesh("journal", run_id, "--after", "1", "--json").document["entries"]

    streamed = lines_of(said.out)
    assert {("squidmesh.entry/1", run_id)} == {
        (one.pop("schema"), one.pop("run")) for one in streamed
    }
    assert listed == streamed
    assert "hunter2" not in said.out


def test_a_followed_journal_stands_in_columns(on_terminal: Typed, worked: Start) -> None:
    """Lines that come one by one stand below each other."""
    said = on_terminal("journal", worked("Ana"), "--follow")

    lines = said.out.splitlines()
    assert {21} == {line.index("attempt_") for line in lines if "attempt_" in line}
    assert "+0.000 s" in lines[0]


def test_watch_draws_a_bar_for_each_attempt(on_terminal: Typed, worked: Start) -> None:
    """Below the tree, in the order that they came up."""
    said = on_terminal("watch", worked("Ana"))

    assert 0 == said.code
    bars = [line.split()[:2] for line in said.out.splitlines() if "#1" in line]
    assert [["checked", "#1"], ["noted", "#1"], ["greeting", "#1"]] == bars
    assert all("━" in line for line in said.out.splitlines() if "#1" in line)


def test_watch_tells_how_the_run_ended(squidmesh: Typed, started: Start) -> None:
    """A pipe gets what happened, programs the entries, scripts the exit code."""
    run_id = started("nobody")
    while squidmesh("step", "--app", "greetings").out.strip():
        pass

    piped, streamed = squidmesh("watch", run_id), squidmesh("watch", run_id, "--json")

    assert (1, 1) == (piped.code, streamed.code)
    assert "run_terminal" == piped.records[-1][1] == lines_of(streamed.out)[-1]["type"]


# --- diff


def test_diff_tells_what_a_run_came_to(squidmesh: Typed, worked: Start) -> None:
    """One argument: since then; records for pipes, a document for programs."""
    run_id = worked("Ana")

    said = squidmesh("diff", f"{run_id[:20]}@3")
    document = squidmesh("diff", f"{run_id}@3", run_id, "--json").document

    assert ["fact", "status", "running", "completed"] in said.records
    assert ["path", "after 0", "", "checked → noted → greeting"] in said.records
    assert ["context", "greeting", "", '"hello Ana"'] in said.records
    assert ("squidmesh.diff/1", True, 3) == (
        document["schema"],
        document["differs"],
        document["before"]["revision"],  # type: ignore[index]  # an object
    )


def test_diff_of_two_runs_compares_what_is_masked(squidmesh: Typed, worked: Start) -> None:
    """Which of them knows which secret is not told."""
    one = worked("Ana", "--set", "password=first-password")
    other = worked("Bo", "--set", "password=second-password")

    said = squidmesh("diff", one, other)

    assert ["context", "name", '"Ana"', '"Bo"'] in said.records
    assert "password" not in said.out


def test_diff_of_runs_that_went_alike(on_terminal: Typed, worked: Start) -> None:
    """People are told so."""
    said = on_terminal("diff", worked("Ana"), worked("Ana"))

    assert "nothing that counts differs" in said.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["01a1"], 2),
        (["01a1@0"], 2),
        (["01a1@x"], 2),
        (["0193e2a0-7b3c-7d10-8f00-123456789abc@1"], 3),
    ],
)
def test_a_diff_of_what_is_not_there_is_refused(
    squidmesh: Typed, started: Start, arguments: list[str], code: int
) -> None:
    """One sentence, and the exit code of what is wrong."""
    started("Ana")
    said = squidmesh("diff", *arguments)

    assert (code, "") == (said.code, said.out)
    assert said.err.startswith("error")


def test_a_diff_beyond_the_head_is_refused(squidmesh: Typed, started: Start) -> None:
    """The run has not come so far."""
    assert 2 == squidmesh("diff", f"{started('Ana')}@99").code


# --- bundle, load, export, import


@pytest.mark.parametrize("where", WHERES)
def test_a_bundle_of_any_order_has_no_secrets(shop: Shop, where: Where) -> None:
    """Wherever the order stands; loaded elsewhere, it is where it was, and sound."""
    run_id = shop.order(where)

    said = shop.squidmesh("bundle", run_id[:20])
    text = Path(f"{run_id}.sqm").read_text(encoding="utf-8")
    below = "".join(line for line in text.splitlines(keepends=True) if '"definition":' not in line)
    there = ("--url", "sqlite:///there.db")
    loaded = shop.squidmesh("load", f"{run_id}.sqm", *there)

    assert (0, f"{run_id}.sqm\n") == (said.code, said.out)
    assert [] == [secret for secret in SECRETS if secret in below]
    assert (0, f"{run_id}\n") == (loaded.code, loaded.out)
    shown = shop.squidmesh("show", run_id, "--json", *there).document
    over = where in {"completed", "abandoned", "cancelled"}
    run = shown["run"]
    assert isinstance(run, dict)
    assert (shop.status(run_id) if over else "paused") == run["status"]
    assert 0 == shop.squidmesh("verify", "--checker", *there).code


def test_a_load_says_which_run_it_took_in(
    squidmesh: Typed, on_terminal: Typed, worked: Start
) -> None:
    """To people, and as a document."""
    run_id = worked("Ana")
    squidmesh("bundle", run_id, "one.sqm")

    first = squidmesh("load", "one.sqm", "--url", "sqlite:///there.db", "--json")
    again = on_terminal("load", "one.sqm", "--url", "sqlite:///there.db")

    run = first.document["run"]
    assert isinstance(run, dict)
    assert ("squidmesh.loaded/1", run_id, False) == (
        first.document["schema"],
        run["id"],
        run["duplicate"],
    )
    assert f"{run_id}  Greeting was here already, completed\n" == again.out


def test_all_runs_move_to_another_database(squidmesh: Typed, worked: Start) -> None:
    """What `runs` lists there is what it lists here."""
    worked("Ana")
    worked("Bo")

    exported = squidmesh("export", "all.jsonl")
    imported = squidmesh("import", "all.jsonl", "--url", "sqlite:///there.db", "--json")
    again = squidmesh("import", "all.jsonl", "--url", "sqlite:///there.db")

    assert ("2\n", 2, "0\n") == (exported.out, imported.document["runs"], again.out)
    assert squidmesh("runs").out == squidmesh("runs", "--url", "sqlite:///there.db").out


def test_a_file_that_was_altered_is_taken_in_by_nobody(squidmesh: Typed, worked: Start) -> None:
    """One code, one sentence, exit code 2."""
    squidmesh("bundle", worked("Ana"), "one.sqm")
    file = Path("one.sqm")
    file.write_text(file.read_text(encoding="utf-8").replace("Ana", "Eve"), encoding="utf-8")

    for name in ("one.sqm", "greetings.py", "greetings.db"):
        for command in ("load", "import"):
            said = squidmesh(command, name, "--url", "sqlite:///there.db", "--json")
            assert (2, "invalid_bundle") == (said.code, said.error["code"])
    said = squidmesh("load", "nothing.sqm", "--url", "sqlite:///there.db", "--json")
    assert (2, "invalid_option") == (said.code, said.error["code"])
    assert "" == squidmesh("runs", "--url", "sqlite:///there.db").out


# --- help


@pytest.mark.parametrize("typed", ["SM410", "sm410", "410", "invalid_transition"])
def test_help_knows_a_code_however_it_is_typed(on_terminal: Typed, typed: str) -> None:
    """By number and by word."""
    said = on_terminal("help", typed)

    assert ("SM410  invalid_transition", MEANINGS["invalid_transition"]) == tuple(
        said.out.splitlines()
    )


def test_help_has_something_to_say_of_every_code(squidmesh: Typed) -> None:
    """The table is that of the codes, in their order."""
    listed = squidmesh("help", "--json").document["codes"]

    meanings = {**MEANINGS, **UNNUMBERED}
    assert [*NUMBERS] == [*MEANINGS]
    assert listed == [
        {"sm": NUMBERS.get(code), "code": code, "means": text} for code, text in meanings.items()
    ]
    assert all(text.endswith(".") and ". " in text for text in meanings.values())


def test_help_for_what_is_no_code(squidmesh: Typed) -> None:
    """It names what may have been meant."""
    said = squidmesh("help", "invalid_bundel")

    assert 2 == said.code
    assert "did you mean invalid_bundle" in said.err


# --- prefixes


def test_children_are_found_by_a_prefix_of_their_parent(squidmesh: Typed, started: Start) -> None:
    """As every other command takes one."""
    run_id = started("Ana")

    found, nothing = squidmesh("runs", "--parent", run_id[:20]), squidmesh("runs", "--parent", "f")

    assert (0, "") == (found.code, found.out)
    assert 3 == nothing.code
