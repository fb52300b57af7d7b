"""`--jsonl`: a document a line, each with its schema; and one document as ever with `--json`."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from support.commands import Typed
from support.shop import Shop

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("typed", "member", "line", "beside"),
    [
        (("runs", "--limit", "1"), "runs", "listed-run", {"next"}),
        (("approvals", "--limit", "1"), "approvals", "approval", {"next"}),
        (("deadlines",), "deadlines", "deadline", {"at", "next"}),
        (("queues",), "queues", "listed-queue", set()),
        (("workers",), "workers", "listed-worker", set()),
        (("help",), "codes", "code", set()),
        (("verify",), "results", "verified-run", {"clean", "runs", "entries", "verdicts"}),
        (
            ("cancel", "--workflow", "Order", "--dry-run", "--limit", "1"),
            "runs",
            "steered-run",
            {"command", "dry_run", "key", "more"},
        ),
    ],
)
def test_a_list_is_a_line_for_each_member(
    squidmesh: Typed, shop: Shop, typed: tuple[str, ...], member: str, line: str, beside: set[str]
) -> None:
    """And one for what stands beside it; together they say what the document says."""
    for sku in ("mug", "cup"):
        shop.order("asked", sku=sku)

    lines, document = squidmesh(*typed, "--jsonl").lines, squidmesh(*typed, "--json").document

    items = document[member]
    assert isinstance(items, list)
    page = lines.pop() if beside else {}
    # What counts the time that is left says another number the second time.
    assert [{"schema", *item} for item in items] == [set(one) for one in lines]
    assert [one["schema"] for one in lines] == [f"squidmesh.{line}/1"] * len(items)
    assert {name: document[name] for name in beside - {"at"}} == {
        name: page[name] for name in beside - {"at"}
    }
    assert {"schema", *beside} == {*page, "schema"}


def test_entries_are_lines_listed_or_followed(squidmesh: Typed, shop: Shop) -> None:
    """The same lines."""
    run_id = shop.order("cancelled")

    listed = squidmesh("journal", run_id, "--jsonl")
    followed = squidmesh("journal", run_id, "--follow", "--jsonl")
    watched = squidmesh("watch", run_id, "--jsonl")

    assert {"squidmesh.entry/1"} == {line["schema"] for line in listed.lines}
    assert {run_id} == {line["run"] for line in listed.lines}
    assert listed.out == followed.out == watched.out
    assert (0, 0, 1) == (listed.code, followed.code, watched.code)


def test_any_other_document_stands_on_one_line(squidmesh: Typed, shop: Shop) -> None:
    """Also an error, which is on standard error."""
    run_id = shop.order("asked")

    assert 1 == len(squidmesh("show", run_id, "--jsonl").lines)
    assert squidmesh("explain", run_id, "--jsonl").document.keys() == (
        squidmesh("explain", run_id, "--json").document.keys()
    )
    refused = squidmesh("replay", run_id, "--yes", "--jsonl")
    assert (4, "", "squidmesh.error/1") == (refused.code, refused.out, refused.error["schema"])


def test_what_became_of_many_runs_is_of_its_schema(squidmesh: Typed, shop: Shop) -> None:
    """That of specs/views."""
    shop.order("asked")
    schema = json.loads((ROOT / "specs/views/bulk.schema.json").read_text(encoding="utf-8"))
    steered = Draft202012Validator({**schema["$defs"]["Steered"], "$defs": schema["$defs"]})

    line, page = squidmesh("cancel", "--workflow", "Order", "--yes", "--jsonl").lines

    del line["schema"]
    steered.validate(line)
    assert "squidmesh.page/1" == page["schema"]


def test_the_page_names_every_line(squidmesh: Typed, shop: Shop) -> None:
    """The table in docs/reference/cli.md."""
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    names = {"listed-run", "approval", "deadline", "listed-queue", "listed-worker", "entry"}

    for name in names | {"verified-run", "steered-run", "code", "hook", "page"}:
        assert f"`{name}/1`" in page


# --- dry runs


def test_a_dry_run_says_what_would_be_appended(squidmesh: Typed, shop: Shop) -> None:
    """In the order of the journal; nothing is written."""
    run_id = shop.order("waiting")
    before = squidmesh("journal", run_id).out

    document = squidmesh(
        *("send", run_id, "settled", "--set", "cents=1", "--dry-run", "--json")
    ).document
    unchanged = squidmesh("journal", run_id).out
    shop.do("send", run_id, "settled", "--set", "cents=1")

    done = squidmesh("journal", run_id, "--jsonl").lines[len(before.splitlines()) :]
    assert before == unchanged
    assert document["appends"] == [line["type"] for line in done]
    assert (True, "'settled' takes it") == (document["dry_run"], document["effects"][0])  # type: ignore[index]  # any JSON


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (("send", "{}", "settled", "--set", "cents=soon"), 2, "SM502"),
        (("send", "{}", "review", "--set", "cents=1"), 4, "SM413"),
        (("retry-compensation", "{}"), 4, "SM410"),
        (("resume", "{}"), 4, "SM410"),
        (("pause", "0190"), 3, "SM401"),
    ],
)
def test_a_dry_run_is_refused_as_the_command_would_be(
    squidmesh: Typed, shop: Shop, typed: tuple[str, ...], code: int, words: str
) -> None:
    """By the same decider, with the same code."""
    run_id = shop.order("waiting")
    arguments = [word.format(run_id) for word in typed]

    dry, meant = squidmesh(*arguments, "--dry-run"), squidmesh(*arguments, "--yes")

    assert (code, "") == (dry.code, dry.out)
    assert words in dry.err
    if typed[0] != "send":  # which asks nobody
        assert dry.err == meant.err


def test_a_dry_retry_names_the_run_that_would_be_begun(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """And once it is there, that it is."""
    run_id = shop.order("abandoned")
    typed = ("retry-compensation", run_id)

    piped, shown = squidmesh(*typed, "--dry-run"), on_terminal(*typed, "--dry-run")
    document = squidmesh(*typed, "--dry-run", "--json").document
    begun = squidmesh(*typed, "--yes").out.strip()
    again = on_terminal(*typed, "--dry-run")

    assert {begun} == {record[0] for record in piped.records}
    assert f"{run_id}  would be taken up in a new run: {begun}" == shown.out.splitlines()[0]
    assert ("squidmesh.retry-plan/1", run_id, begun) == tuple(
        document[name] for name in ("schema", "source", "run")
    )
    assert again.out.startswith(f"{run_id}  already taken up")
    assert 2 == len(squidmesh("runs").records)


# --- who looks


@pytest.mark.parametrize(
    ("role", "shown"), [("external", False), ("operator", False), ("auditor", True)]
)
def test_a_watched_run_is_seen_in_a_role(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, role: str, *, shown: bool
) -> None:
    """Live, in a pipe, and as JSON."""
    run_id = shop.order("completed")

    for typed in (("watch", run_id), ("journal", run_id, "--follow")):
        piped = squidmesh(*typed, "--as", role)
        lines = squidmesh(*typed, "--as", role, "--jsonl")
        drawn = on_terminal(*typed, "--as", role)
        assert [0] * 3 == [said.code for said in (piped, lines, drawn)]
        assert shown == ("card-4711-0815" in piped.out + lines.out)
        assert shown or '"mug"' not in piped.out + lines.out + drawn.out


def test_every_command_that_reads_can_be_asked_in_a_role() -> None:
    """All that show what is in runs; the others read files, tables or nothing."""
    from squidmesh.cli.root import COMMANDS, root

    reading = {
        "runs", "counts", "show", "explain", "graph", "journal", "watch", "diff",
        "approvals", "deadlines", "queues", "workers", "hooks",
    }  # fmt: skip
    context = root.make_context("squidmesh", ["help"], resilient_parsing=True)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        assert (name in reading) == any(param.name == "role" for param in command.params), name
