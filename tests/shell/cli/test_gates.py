"""People who are asked, at a terminal or by a script: the inbox, the answers, the hold."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import Typed
from support.shop import FORM, Shop, Where

#: Texts, and numbers, which are known by their place alone.
SECRETS = ("card-4711", "47114711", "99887766", "iban-5544", "33445566", "66006600")
Answer = Callable[[str], None]


def two_gates(shop: Shop) -> str:
    """A run at which two people are asked at once."""
    run_id = shop.squidmesh("start", "shop:Twice", "--set", "sku=mug").out.strip()
    shop.work()
    return run_id


# --- the inbox


def test_approvals_lists_who_is_waited_for(
    squidmesh: Typed, on_terminal: Typed, shop: Shop
) -> None:
    """People get headings and what is asked, pipes whole ids and instants, programs everything."""
    asked, held = shop.order("asked"), shop.order("held", sku="cup")

    piped = squidmesh("approvals").records
    shown = on_terminal("approvals").out
    document = squidmesh("approvals", "--json").document

    assert [[held, "Order", "", "hold"], [asked, "Order", "review", "approval"]] == [
        record[:4] for record in piped
    ]
    assert all(re.fullmatch(r"\S+Z", instant) for instant in piped[1][4:7])
    assert "High risk. Ship anyway?" == piped[1][7]
    assert ["run", "workflow", "node", "kind", "age", "due", "times", "out"] == (
        shown.splitlines()[0].split()[:8]
    )
    for text in (asked[:13], "review"):
        assert text in shown
    assert re.search("in (2 d 23 h|3 d)", shown)  # a machine may be that quick
    approvals = document["approvals"]
    assert isinstance(approvals, list)
    assert ("squidmesh.approvals/1", None) == (document["schema"], document["next"])
    assert [(held, "hold", None), (asked, "approval", "review")] == [
        (one["run"]["id"], one["gate"]["kind"], one["gate"]["node"]) for one in approvals
    ]
    assert {"ok": "charged", "error": "apology"} == approvals[1]["gate"]["targets"]


def test_a_long_question_leaves_the_list_readable(
    squidmesh: Typed, on_terminal: Typed, folder: Path
) -> None:
    """Programs and pipes get all of it, and `show` too."""
    question = "Is it right? " * 230 + "Say so."
    text = (folder / "shop.py").read_text(encoding="utf-8")
    asked = text.replace('"High risk. Ship anyway?"', repr(question))
    (folder / "shop.py").write_text(asked, encoding="utf-8")
    run_id = Shop(squidmesh, {}).order("asked")

    assert 8 > len(on_terminal("approvals").out.splitlines())
    assert question == squidmesh("approvals").records[0][7]
    assert question in squidmesh("approvals", "--json").out
    assert "Say so." in on_terminal("show", run_id).out


def test_approvals_come_in_pages(squidmesh: Typed, on_terminal: Typed, shop: Shop) -> None:
    """The cursor goes on where the page ended, and people are told of it."""
    first, second = shop.order("asked"), shop.order("asked")

    cursor = squidmesh("approvals", "--limit", "1", "--json").document["next"]
    rest = squidmesh("approvals", "--limit", "1", "--cursor", str(cursor))

    assert [first] == [record[0] for record in rest.records]
    assert f"--cursor {cursor}" in on_terminal("approvals", "--limit", "1").out
    assert second == squidmesh("approvals", "--limit", "1").records[0][0]
    assert 2 == squidmesh("approvals", "--cursor", "x").code


def test_an_empty_page_of_the_inbox_is_no_empty_inbox(on_terminal: Typed, shop: Shop) -> None:
    """Runs that cannot be read are left out; of whom the next page holds somebody is told."""
    shop.order("asked")
    unreadable = shop.order("asked")
    with closing(sqlite3.connect("greetings.db")) as database, database:
        database.execute("UPDATE squidmesh_journal SET body = 'x' WHERE run_id = ?", (unreadable,))

    said = on_terminal("approvals", "--limit", "1").out.splitlines()

    assert "none on this page" == said[0]
    assert said[1].startswith("there are more: --cursor ")


def test_nothing_that_no_gate_has_takes_room_on_a_terminal(on_terminal: Typed, shop: Shop) -> None:
    """What is asked is read in full where there is nothing to be late for."""
    two_gates(shop)

    shown = on_terminal("approvals").out

    headings = ["run", "workflow", "node", "kind", "age", "due", "question"]
    assert headings == shown.splitlines()[0].split()
    assert "Left?" in shown


def test_what_is_late_says_so_in_words(on_terminal: Typed, shop: Shop) -> None:
    """A colour alone would say it to some only."""
    run_id = two_gates(shop)

    listed, shown = on_terminal("approvals").out, on_terminal("show", run_id).out

    assert re.search(r"left .*overdue, ", listed)
    assert re.search(r"right .*soon, in (1 h|59 min)", listed)
    assert "overdue, was due" in shown


def test_an_empty_inbox_is_no_error(squidmesh: Typed, on_terminal: Typed, shop: Shop) -> None:
    """A pipe gets nothing, and people are told so."""
    shop.order("completed")

    assert (0, "") == ((said := squidmesh("approvals")).code, said.out)
    assert "nobody is waited for\n" == on_terminal("approvals").out


# --- answers


def test_approve_says_what_became_of_the_run(on_terminal: Typed, shop: Shop) -> None:
    """Before and after, and what follows."""
    run_id = shop.order()

    said = on_terminal("approve", run_id, "--as", "ana", "--note", "known", *FORM, "--yes")

    assert (0, "") == (said.code, said.err)
    assert [
        f"{run_id}  approved, paused → running",
        "  'review' → 'charged'",
        "  'charged' becomes visible",
    ] == said.out.splitlines()


def test_a_rejection_goes_where_a_no_leads(squidmesh: Typed, shop: Shop) -> None:
    """It needs no form, and is no failure of the run."""
    run_id = shop.order()

    said = squidmesh("reject", run_id, "--by", "ana", "--note", "too risky", "--yes", "--json")

    assert ["'review' → 'apology'", "'apology' becomes visible"] == said.document["effects"]
    shop.work()
    assert "completed" == shop.status(run_id)
    context = squidmesh("show", run_id, "--json").document["context"]
    assert isinstance(context, dict)
    assert ("rejected", "ana", "too risky", None) == tuple(
        context["review"][name] for name in ("decision", "actor", "comment", "form")
    )


def test_a_form_is_filled_in_by_fields_or_as_json(squidmesh: Typed, shop: Shop) -> None:
    """A field that is a text stays one, and `--set` wins over `--data`."""
    run_id = shop.order()

    shop.do(
        *("approve", run_id, "--by", "ana", "--yes"),
        *("--data", '{"reason": "x", "waive": true}', "--set", "reason=7"),
    )

    context = squidmesh("show", run_id, "--json").document["context"]
    assert isinstance(context, dict)
    assert {"reason": "7", "waive": True, "pin": "•••"} == context["review"]["form"]


@pytest.mark.parametrize(
    ("where", "key", "command"),
    [
        ("waiting", "yes-1", ("approve", "RUN", "--by", "ana", *FORM)),
        ("held", "hold-1", ("pause", "RUN", "--by", "op")),
        ("cancelled", "cancel-1", ("cancel", "RUN", "--by", "op")),
        ("undoing", "undo-1", ("cancel", "RUN", "--compensate", "--by", "op")),
    ],
)
def test_a_repetition_says_who_did_it_and_when(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, where: Where, key: str, command: list[str]
) -> None:
    """It exits with 0, asks nobody, and writes nothing."""
    run_id = shop.order(where)
    before = shop.run(run_id)["revision"]
    typed = [run_id if word == "RUN" else word for word in command]

    piped = squidmesh(*typed, "--key", key)
    shown = on_terminal(*typed, "--key", key)
    document = squidmesh(*typed, "--key", key, "--json").document

    done = {"approve": "approved", "pause": "held", "cancel": "cancelled"}[command[0]]
    by = command[command.index("--by") + 1]
    assert (0, 0) == (piped.code, shown.code)
    assert re.fullmatch(rf"already {done} by {by} at \S+Z \(same key\)", piped.records[0][1])
    assert f"already {done} by {by} " in shown.out
    already = document["already"]
    assert isinstance(already, dict)
    assert (command[0], by, key) == tuple(
        already[name] for name in ("command", "actor", "idempotency_key")
    )
    assert before == shop.run(run_id)["revision"]


# --- asking


@pytest.mark.parametrize(
    ("text", "code", "status"), [("y", 0, "running"), ("n", 130, "paused"), ("", 130, "paused")]
)
def test_approve_shows_what_follows_and_asks(
    on_terminal: Typed, shop: Shop, answer: Answer, text: str, code: int, status: str
) -> None:
    """No answer is a no, and nothing is written."""
    run_id = shop.order()
    answer(text)

    said = on_terminal("approve", run_id, "--by", "ana", *FORM)

    assert (code, "nothing was done" in said.err) == (said.code, code == 130)
    for line in (
        "waiting for a decision on 'review': High risk. Ship anyway?",
        "approve would do this:",
        "  'charged' becomes visible",
    ):
        assert line in said.out
    assert "squidmesh approve" not in said.out
    assert status == shop.status(run_id)


def test_who_was_quicker_is_told_to_who_is_still_being_asked(
    on_terminal: Typed, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first decision wins, also while a question is open."""
    run_id = shop.order()

    def quicker(text: str, **options: object) -> bool:
        shop.do("reject", run_id, "--by", "bo", "--yes")
        return True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", quicker)

    said = on_terminal("approve", run_id, "--by", "ana", *FORM)

    assert 4 == said.code
    assert "'review' is rejected already, by 'bo'" in said.err


@pytest.mark.parametrize("command", ["approve", "reject", "pause", "cancel"])
def test_a_script_has_to_say_that_it_means_it(squidmesh: Typed, shop: Shop, command: str) -> None:
    """Where nobody can be asked, nothing is done without `--yes`."""
    run_id = shop.order()
    form = FORM if command == "approve" else ()

    said = squidmesh(command, run_id, "--by", "ana", *form)

    assert (2, "") == (said.code, said.out)
    assert f"say --yes to {command}" in said.err
    assert "paused" == shop.status(run_id)


# --- several gates, and the hold


def test_of_several_gates_one_has_to_be_named(squidmesh: Typed, shop: Shop) -> None:
    """The refusal lists them, and `show` says what to type for each."""
    run_id = two_gates(shop)

    said = squidmesh("approve", run_id, "--by", "ana", "--yes")
    named = squidmesh("approve", run_id, "--by", "ana", "--node", "left", "--yes")
    last = squidmesh("reject", run_id, "--by", "ana", "--yes")

    assert 4 == said.code
    assert "SM420" in said.err
    assert "left, right" in said.err
    assert "--node" in said.err
    assert (0, "paused", 0, "failed") == (
        named.code,
        named.records[0][3],
        last.code,
        last.records[0][3],
    )


def test_an_answer_may_lead_to_nobody_in_particular(squidmesh: Typed, shop: Shop) -> None:
    """Without routes, what depends on the gate follows; a no ends the run."""
    run_id = two_gates(shop)
    typed = (run_id, "--by", "ana", "--node", "left", "--dry-run", "--json")

    yes, no = squidmesh("approve", *typed).document, squidmesh("reject", *typed).document

    assert ["'told' waits for a message"] == yes["effects"]
    effects = no["effects"]
    assert isinstance(effects, list)
    assert effects[-1].startswith("the run ends here, failed: rejected: ")


def test_a_hold_lasts_until_it_is_lifted(squidmesh: Typed, shop: Shop) -> None:
    """Under it gates are answered, and nothing is claimed."""
    run_id = shop.order()
    held = squidmesh("pause", run_id, "--by", "op", "--yes", "--json").document

    answered = squidmesh("approve", run_id, "--by", "ana", *FORM, "--yes", "--json").document
    shop.work()
    under = squidmesh("show", run_id, "--json").document
    lifted = squidmesh("resume", run_id, "--by", "op", "--yes", "--json").document

    assert ["nothing is claimed any more until `squidmesh resume`"] == held["effects"]
    effects = answered["effects"]
    assert isinstance(effects, list)
    assert "the run stays held: nothing is claimed until `squidmesh resume`" == effects[-1]
    assert ["charged"] == under["waiting_on"]
    assert ["the hold is lifted: what is due can be claimed again"] == lifted["effects"]
    shop.work()
    assert "idle" == shop.status(run_id)


def test_a_pause_can_be_answered_under_a_hold(squidmesh: Typed, shop: Shop) -> None:
    """Naming its node means the pause; naming nothing means the hold."""
    run_id = shop.order("counting")
    shop.do("pause", run_id, "--yes")

    on = squidmesh("resume", run_id, "--node", "count", "--yes", "--json").document
    lifted = squidmesh("resume", run_id, "--yes")

    effects = on["effects"]
    assert isinstance(effects, list)
    assert "'count' → 'shipped'" == effects[0]
    assert "running" == lifted.records[0][3]


# --- what show says


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        ("asked", ["waiting for a decision on 'review': High risk. Ship anyway?", "times out in"]),
        ("waiting", ["waiting for a message at 'settled'", "correlation mug"]),
        ("counting", ["waiting for somebody to go on at 'count': Fragile: count the box"]),
        ("held", ["held by op: nothing is claimed until it is resumed"]),
    ],
)
def test_show_says_who_is_waited_for(
    on_terminal: Typed, shop: Shop, where: Where, lines: list[str]
) -> None:
    """And since when, and until when."""
    said = on_terminal("show", shop.order(where))

    for line in [*lines, "  since "]:
        assert line in said.out


@pytest.mark.parametrize("where", ["asked", "waiting", "counting", "held", "abandoned"])
def test_what_show_says_to_type_works(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, where: Where
) -> None:
    """Each command that is shown is carried out, once its blanks are filled in."""
    run_id = shop.order(where)
    shown = on_terminal("show", run_id).out
    typed = re.findall(r"squidmesh ([a-z-]+ .*)", re.sub(r" \[.*?\]", "", shown))

    commands = [line.replace("NAME", "ana").split() for line in typed]
    values = {"reason": "vip", "cents": "3"}
    filled = [[_filled(word, values) for word in command] for command in commands]

    assert filled
    for words in filled:
        dry = () if words[0] in {"send", "retry-compensation"} else ("--dry-run",)
        yes = ("--yes",) if words[0] == "retry-compensation" else ()
        said = squidmesh(*words, *dry, *yes)
        assert (0, "") == (said.code, said.err), words


def test_show_names_the_gate_where_several_are_open(on_terminal: Typed, shop: Shop) -> None:
    """So that the command that is shown means the gate it stands under."""
    run_id = two_gates(shop)

    said = on_terminal("show", run_id).out

    for node in ("left", "right"):
        assert f"squidmesh approve {run_id} --node {node} --by NAME" in said
        assert f"squidmesh reject {run_id} --node {node} --by NAME" in said


def test_show_gives_pipes_and_programs_the_same(squidmesh: Typed, shop: Shop) -> None:
    """The first word of a line says what it is."""
    asked, waiting = shop.order("asked"), shop.order("waiting", sku="cup")

    gate = next(r for r in squidmesh("show", asked).records if r[0] == "approval")
    message = next(r for r in squidmesh("show", waiting).records if r[0] == "message")
    gates = squidmesh("show", asked, "--json").document["gates"]
    awaited = squidmesh("show", waiting, "--json").document["awaited"]

    assert ("review", "High risk. Ship anyway?") == (gate[1], gate[-1])
    assert ("settled", "cup") == (message[1], message[-1])
    assert isinstance(gates, list)
    assert isinstance(awaited, list)
    assert (["reason", "waive", "pin"], "on_time") == (
        gates[0]["form"],
        gates[0]["deadline"]["status"],
    )
    assert ("settled", "cup") == (awaited[0]["node"], awaited[0]["correlation"])


# --- messages


def test_a_message_goes_to_the_visit_that_waits(on_terminal: Typed, shop: Shop) -> None:
    """Nobody is asked: what was typed is what is meant."""
    run_id = shop.order("waiting")

    said = on_terminal("send", run_id, "settled", "--set", "cents=300", "--by", "bank")

    assert [
        f"{run_id}  sent, idle → paused",
        "  'settled' takes it",
        "  'settled' → 'count'",
        "  'count' waits for a person: Fragile: count the box by hand",
    ] == said.out.splitlines()


def test_an_early_message_is_kept(squidmesh: Typed, shop: Shop) -> None:
    """Its node takes it when it comes; the same key again is the same message."""
    run_id = shop.order("asked")
    typed = ("send", run_id, "settled", "--data", '{"cents": 300}', "--key", "m-1")

    kept, again = squidmesh(*typed, "--json").document, squidmesh(*typed)

    assert ["kept until 'settled' takes it"] == kept["effects"]
    assert re.fullmatch(r"already sent at \S+Z \(same key\)", again.records[0][1])
    shop.do("approve", run_id, "--by", "ana", *FORM, "--yes")
    shop.work()
    assert "count" in squidmesh("show", run_id, "--json").document["waiting_on"]  # type: ignore[operator]  # a list


# --- secrets


@pytest.mark.parametrize("form", ["human", "plain", "json"])
@pytest.mark.parametrize("where", ["counting", "abandoned", "completed"])
def test_what_is_sensitive_in_answers_and_messages_is_in_no_output(
    squidmesh: Typed, on_terminal: Typed, shop: Shop, where: Where, form: str
) -> None:
    """Neither in forms and messages, nor in what a callback took in, nor in the copies of a replay."""
    run_id = shop.order(where)
    typed = on_terminal if form == "human" else squidmesh
    extra = ("--json",) if form == "json" else ()
    made = [] if where == "counting" else [_made(squidmesh, run_id, where)]

    for one in [run_id, *made]:
        for command in (("show", one, "--history"), ("journal", one), ("approvals",), ("runs",)):
            said = typed(*command, *extra)
            assert 0 == said.code
            assert [] == [secret for secret in SECRETS if secret in said.out + said.err]


def test_a_refusal_repeats_no_value(squidmesh: Typed, shop: Shop) -> None:
    """What was wrong is named, what was typed is not."""
    run_id = shop.order()

    said = squidmesh(
        *("approve", run_id, "--by", "ana", "--yes"),
        *("--data", '{"reason": 7, "pin": "pin-9988", "odd": "pin-9988"}'),
    )

    assert 2 == said.code
    assert "reason" in said.err
    assert "pin-9988" not in said.out + said.err


def _made(squidmesh: Typed, run_id: str, where: Where) -> str:
    """A run made of an ended one, with copies of its results."""
    if where == "abandoned":
        return squidmesh("retry-compensation", run_id, "--yes").out.strip()
    return squidmesh(
        "replay", run_id, "--from-step", "shipped", "--allow-irreversible", "--yes"
    ).out.strip()


def _filled(word: str, values: dict[str, str]) -> str:
    name = word.removesuffix("=…")
    return f"{name}={values[name]}" if word != name else word
