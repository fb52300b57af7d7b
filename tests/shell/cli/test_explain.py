"""`squidmesh explain`: why a run is where it is, at terminals of two widths, in pipes, as JSON."""

import json
import re
import sqlite3
import sys
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from squidmesh_core.views.explanation import Explanation
from squidmesh_core.views.schemas import view_schema
from support.commands import Said, Typed
from support.shop import FILE, Shop

SECRETS = ("card-4711", "47114711", "99887766", "iban-5544", "33445566", "66006600")
AtWidth = Callable[..., Said]
#: An instant of the day, and how far away it is.
WHEN = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\dZ? \((now|in [^)]+|[^)]+ ago)\)")


@pytest.fixture
def at_width(squidmesh: Typed, monkeypatch: pytest.MonkeyPatch) -> AtWidth:
    """Type a command on a terminal of so many columns."""

    def typed(columns: int, *arguments: str) -> Said:
        with monkeypatch.context() as terminal:
            terminal.setenv("COLUMNS", str(columns))
            terminal.setenv("TERM", "dumb")
            terminal.setattr(sys.stdout, "isatty", lambda: True)
            return squidmesh(*arguments)

    return typed


def steady(text: str, run_id: str) -> str:
    """The text with what changes from one test run to the next left out."""
    text = text.replace(run_id[:18], "RUN-ID").replace(run_id[:13], "RUN-ID")
    return WHEN.sub("WHEN", " ".join(text.split()))


@pytest.mark.parametrize("columns", [80, 120])
def test_people_read_it_within_their_terminal(at_width: AtWidth, shop: Shop, columns: int) -> None:
    """A sentence, what supports it, what may be done with what follows, and what may not."""
    run_id = shop.order("asked")
    said = at_width(columns, "explain", run_id)

    assert (0, "") == (said.code, said.err)
    copied = [line for line in said.out.splitlines() if line.lstrip().startswith("squidmesh ")]
    others = [line for line in said.out.splitlines() if line not in copied]
    assert all(len(line) <= columns for line in others)
    assert (
        "RUN RUN-ID Order paused, manual_intervention_required since WHEN "
        "Waiting for a decision on 'review': High risk. Ship anyway? Due at WHEN. "
        "Why here 'reserved' was done, so 'review' came next "
        "'review' times out at WHEN; then the run goes to 'apology' "
        "the answer for 'review' needs 'reason' and may say 'waive', 'pin' "
        "You may approve 'review' 'review' → 'charged'; 'charged' becomes visible "
        "squidmesh approve RUN-ID --by NAME --set reason=… "
        "reject 'review' 'review' → 'apology'; 'apology' becomes visible "
        "squidmesh reject RUN-ID --by NAME "
        "send 'settled' kept until 'settled' takes it "
        "squidmesh send RUN-ID settled --set cents=… "
        "cancel (!) the run ends here, cancelled; not undone: 'reserved' (--compensate does it) "
        "squidmesh cancel RUN-ID "
        "cancel and undo (!) the run goes no further; undone, in this order: 'reserved' "
        "squidmesh cancel RUN-ID --compensate "
        "pause nothing is claimed any more until `squidmesh resume` squidmesh pause RUN-ID "
        "You may not replay: it is still active; only a finished run can be replayed (SM412)"
    ) == steady(said.out, run_id)


def test_pipes_get_a_record_for_each_fact(squidmesh: Typed, shop: Shop) -> None:
    """Whole ids, and one line each."""
    run_id = shop.order("asked")
    records = squidmesh("explain", run_id[:13]).records
    kinds = [record[0] for record in records]

    assert ["id", run_id] == records[0]
    assert ["reason", "manual_intervention_required"] == records[3]
    assert ["may", "approve", "review", "safe"] == records[kinds.index("may")][:4]
    assert ["may_not", "resume", "", "unsupported_manual_step"] == (
        records[kinds.index("may_not")][:4]
    )


def test_programs_get_a_document(squidmesh: Typed, shop: Shop) -> None:
    """Its members are those of the schema, and one that names it."""
    run_id = shop.order("waiting")
    document = squidmesh("explain", run_id, "--json").document
    schema = document.pop("schema")

    assert "squidmesh.explanation/1" == schema
    Draft202012Validator(view_schema(Explanation)).validate(document)
    assert ("waiting_for_message", "settled") == (document["reason"], document["node"])


@pytest.mark.parametrize(
    "where",
    ["fresh", "asked", "waiting", "counting", "held", "undoing", "completed", "abandoned"],
)
def test_nothing_sensitive_is_told(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, where: str
) -> None:
    """Wherever an order stands, to whomever it is told."""
    run_id = shop.order(where)  # type: ignore[arg-type]  # one of its words
    told = [
        squidmesh("explain", run_id).out,
        squidmesh("explain", run_id, "--json").out,
        on_terminal("explain", run_id).out,
    ]

    assert [] == [secret for text in told for secret in SECRETS if secret in text]


def test_every_command_that_is_printed_brings_an_order_to_its_end(
    squidmesh: Typed, shop: Shop
) -> None:
    """Nothing but what `explain` prints is typed, first action first."""
    run_id = shop.order("fresh")
    for _ in range(20):
        first = _may(squidmesh("explain", run_id, "--app", "shop"))
        if first.startswith("squidmesh replay") or "--allow-irreversible" in first:
            break
        if " work " in first:
            assert "--app shop" in first
            shop.work()
            continue
        words = first.replace("NAME", "ida").replace("=…", "=7").split()[1:]
        shop.do(*words, *(["--yes"] if "send" not in words else []))

    assert "completed" == shop.status(run_id)


def test_the_application_is_left_to_be_said_where_none_is_known(
    squidmesh: Typed, shop: Shop
) -> None:
    """A place for it stands in the command."""
    assert "squidmesh work --app MODULE --queue default" == (
        _may(squidmesh("explain", shop.order("fresh")))
    )


def test_instants_follow_the_clock_on_the_wall_where_that_is_asked_for(
    at_width: AtWidth, shop: Shop
) -> None:
    """UTC says so, local time does not."""
    run_id = shop.order("asked")

    assert "Z (" in at_width(120, "explain", run_id).out
    assert "Z (" not in at_width(120, "explain", run_id, "--time", "local").out


def test_a_quarantined_run_is_explained(squidmesh: Typed, on_terminal: Typed, shop: Shop) -> None:
    """Exit 0: to be told why is what was asked for."""
    run_id = shop.order("asked")
    with sqlite3.connect(FILE) as connection:
        connection.execute("update squidmesh_journal set body = replace(body, 'mug', 'jug')")
    connection.close()
    said = on_terminal("explain", run_id)

    assert 0 == said.code
    assert "Its journal cannot be trusted" in said.out
    assert f"squidmesh verify {run_id[:13]}" in said.out
    assert "run_quarantined" == squidmesh("explain", run_id, "--json").document["reason"]


@pytest.mark.parametrize(
    ("run", "code", "error"),
    [
        ("0193e2a0-7b3c-7d10-8f00-123456789abc", 3, "not_found"),
        ("order", 3, "invalid_run_id"),
        ("0", 3, "ambiguous_run_id"),
    ],
)
def test_what_is_no_run_is_refused(
    squidmesh: Typed, shop: Shop, run: str, code: int, error: str
) -> None:
    """One code, one sentence."""
    shop.order("asked")
    squidmesh("start", "shop:Order", "--set", "sku=cup")
    said = squidmesh("explain", run, "--json")

    assert (code, error) == (said.code, json.loads(said.err)["code"])


def _may(said: Said) -> str:
    """The command of the first action."""
    assert said.code == 0, said.err
    return next(record[5] for record in said.records if record[0] == "may")
