"""Every command on every state of a run: what is refused, how, and that nothing is written."""

from typing import Final, get_args

import pytest

from support.commands import Said, Typed
from support.shop import FORM, Shop, Where

UNKNOWN: Final = "0190f0e0-0000-7000-8000-000000000001"

#: Done; nothing is refused.
OK: Final = "ok"
#: The command, as it is typed where it fits.
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "approve": ("approve", "RUN", "--by", "ana", *FORM, "--yes"),
    "reject": ("reject", "RUN", "--by", "ana", "--yes"),
    "pause": ("pause", "RUN", "--yes"),
    "resume": ("resume", "RUN", "--yes"),
    "resume --node": ("resume", "RUN", "--node", "count", "--yes"),
    "send": ("send", "RUN", "settled", "--set", "cents=1"),
    "cancel": ("cancel", "RUN", "--yes"),
    "cancel --compensate": ("cancel", "RUN", "--compensate", "--yes"),
    "cancel --abandon": ("cancel", "RUN", "--abandon", "--yes"),
    "replay": ("replay", "RUN", "--yes"),
    "retry-compensation": ("retry-compensation", "RUN", "--yes"),
}
_OVER: Final = "invalid_transition"
#: Command → where the order stands → the code it is refused with.
ANSWERS: Final[dict[str, dict[Where, str]]] = {
    "approve": {"asked": OK, "counting": "unsupported_manual_step", "undoing": "compensating"},
    "reject": {"asked": OK, "counting": "unsupported_manual_step", "undoing": "compensating"},
    "pause": {
        "fresh": OK,
        "asked": OK,
        "waiting": OK,
        "counting": OK,
        "undoing": "compensating",
    },
    "resume": {
        "asked": "unsupported_manual_step",
        "counting": OK,
        "held": OK,
        "undoing": "compensating",
    },
    "resume --node": {"counting": OK, "undoing": "compensating"},
    "send": {
        "fresh": OK,
        "asked": OK,
        "waiting": OK,
        "counting": "already_received",
        "held": OK,
        "undoing": "compensating",
    },
    "cancel": {
        "fresh": OK,
        "asked": OK,
        "waiting": OK,
        "counting": OK,
        "held": OK,
        "undoing": "compensating",
    },
    "cancel --compensate": {
        "fresh": OK,
        "asked": OK,
        "waiting": OK,
        "counting": OK,
        "held": OK,
        "undoing": "compensating",
    },
    "cancel --abandon": {"undoing": OK},
    "replay": {"completed": "unsafe_replay", "abandoned": OK, "cancelled": OK},
    "retry-compensation": {"abandoned": OK},
}
#: What a command is refused with wherever the table says nothing else.
OTHERWISE: Final[dict[str, str]] = {"replay": "invalid_replay_source"}
EXITS: Final = {"unsafe_replay": 5}


@pytest.mark.parametrize("where", get_args(Where))
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_done_or_refused_by_the_state_of_the_run(
    squidmesh: Typed, shop: Shop, command: str, where: Where
) -> None:
    """One code and one exit code for each refusal, and the journal stays as it was."""
    run_id = shop.order(where)
    before = shop.run(run_id)["revision"]
    expected = ANSWERS[command].get(where, OTHERWISE.get(command, _OVER))

    said = squidmesh(*(run_id if word == "RUN" else word for word in COMMANDS[command]), "--json")

    if expected == OK:
        assert (0, "") == (said.code, said.err)
    else:
        assert (EXITS.get(expected, 4), expected, "") == (said.code, said.error["code"], said.out)
        assert before == shop.run(run_id)["revision"]
        assert 1 == len(squidmesh("runs").records)


@pytest.mark.parametrize("where", get_args(Where))
@pytest.mark.parametrize("command", ["approve", "reject", "pause", "resume", "cancel"])
def test_a_dry_run_says_what_the_command_would_and_does_nothing(
    squidmesh: Typed, shop: Shop, command: str, where: Where
) -> None:
    """The same refusals; where the command would be done, its effects, and no more."""
    run_id = shop.order(where)
    before = shop.run(run_id)["revision"]
    expected = ANSWERS[command].get(where, OTHERWISE.get(command, _OVER))
    typed = [run_id if word == "RUN" else word for word in COMMANDS[command] if word != "--yes"]

    dry = squidmesh(*typed, "--dry-run", "--json")

    assert before == shop.run(run_id)["revision"]
    if expected != OK:
        assert (4, expected) == (dry.code, dry.error["code"])
        return
    done = squidmesh(*typed, "--yes", "--json")
    assert (0, True, False) == (dry.code, dry.document["dry_run"], done.document["dry_run"])
    assert dry.document["effects"] == done.document["effects"] != []
    assert _status(dry) == _status(done)


@pytest.mark.parametrize("run", [UNKNOWN, "0190f0e0", "zebra"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_not_there_exits_with_3(
    squidmesh: Typed, shop: Shop, command: str, run: str
) -> None:
    """Whether the id is whole, the beginning of one, or none."""
    shop.order("fresh")

    said = squidmesh(*(run if word == "RUN" else word for word in COMMANDS[command]), "--json")

    code = "invalid_run_id" if run == "zebra" else "not_found"
    assert (3, code, "") == (said.code, said.error["code"], said.out)


#: What is wrong → the words that say it.
BAD: Final[dict[str, tuple[str, ...]]] = {
    "no name": ("--by", ""),
    "a name that is too long": ("--by", "a" * 256),
    "no reason": ("--note", ""),
    "a reason that is too long": ("--note", "a" * 8193),
    "no key": ("--key", ""),
    "a key that is too long": ("--key", "a" * 256),
}
#: Command → what is wrong with what is said along with it; else it is an option.
SAID_CODES: Final = {"approve": "invalid_review", "reject": "invalid_review"} | dict.fromkeys(
    ("resume", "resume --node"), "invalid_resume"
)


@pytest.mark.parametrize("wrong", BAD)
@pytest.mark.parametrize("run", ["there", "not there"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_said_along_is_checked_before_the_run_is_looked_up(
    squidmesh: Typed, shop: Shop, command: str, run: str, wrong: str
) -> None:
    """A review and a resume have a code of their own; a key is an option everywhere."""
    there = shop.order("asked")
    before = shop.run(there)["revision"]
    run_id = there if run == "there" else UNKNOWN
    typed = [run_id if word == "RUN" else word for word in COMMANDS[command]]

    said = squidmesh(*typed, *BAD[wrong], "--json")

    code = "invalid_option" if "key" in wrong else SAID_CODES.get(command, "invalid_option")
    exits = 2 if code == "invalid_option" else 4
    assert (exits, code, "") == (said.code, said.error["code"], said.out)
    assert before == shop.run(there)["revision"]


@pytest.mark.parametrize(
    ("where", "typed", "exits", "code"),
    [
        ("asked", "approve RUN --set reason=vip --yes", 4, "invalid_review"),
        ("asked", "reject RUN --yes", 4, "invalid_review"),
        ("asked", "approve RUN --by ana --yes", 2, "invalid_form"),
        ("asked", "approve RUN --by ana --set reason=7 --set odd=1 --yes", 2, "invalid_form"),
        ("asked", "approve RUN --by ana --data [] --yes", 2, "invalid_form"),
        ("asked", "approve RUN --by ana --data { --yes", 2, "invalid_form"),
        ("asked", "approve RUN --by ana --data @nowhere.json --yes", 2, "invalid_form"),
        ("asked", "approve RUN --by ana --set reason --yes", 2, "invalid_option"),
        ("asked", "approve RUN --by ana --node count --yes", 4, "unsupported_manual_step"),
        ("asked", "approve RUN --by ana --node ship --yes", 4, "unsupported_manual_step"),
        ("asked", "approve RUN --by ana --set reason=vip", 2, "usage"),
        ("asked", "reject RUN --by ana --set reason=7 --set odd=1 --yes", 2, "invalid_form"),
        ("asked", "resume RUN --node review --yes", 4, "unsupported_manual_step"),
        ("asked", "resume RUN --node  --yes", 2, "invalid_option"),
        ("asked", "approve RUN --by ana --node  --yes", 2, "invalid_option"),
        ("asked", "reject RUN --by ana --node  --yes", 2, "invalid_option"),
        ("waiting", "send RUN  --set cents=1", 2, "invalid_option"),
        ("waiting", "send RUN settled", 2, "invalid_message"),
        ("waiting", "send RUN settled --set cents=many", 2, "invalid_message"),
        ("waiting", "send RUN settled --data nonsense", 2, "invalid_message"),
        ("waiting", "send RUN count --set cents=1", 4, "not_awaited"),
        ("waiting", "send RUN nowhere --set cents=1", 4, "not_awaited"),
        ("waiting", "cancel RUN --compensate --abandon --yes", 2, "usage"),
        ("waiting", "cancel RUN", 2, "usage"),
        ("counting", "approve RUN --by bo --node review --set reason=x --yes", 4, _OVER),
        (
            "counting",
            "approve RUN --by bo --set reason=x --yes --key yes-1",
            4,
            "idempotency_conflict",
        ),
        ("counting", "send RUN settled --set cents=7 --key message-1", 4, "idempotency_conflict"),
        ("undoing", "cancel RUN --yes --by op --key undo-1", 4, "idempotency_conflict"),
        ("completed", "replay RUN --from-step nowhere --yes", 4, "invalid_replay_source"),
        ("completed", "replay RUN --from-step apology --yes", 4, "invalid_replay_source"),
        ("completed", "replay RUN --definition current --yes", 4, "invalid_replay_source"),
        ("completed", "replay RUN --definition other --yes", 2, "usage"),
        ("completed", "replay RUN --allow-irreversible", 2, "usage"),
        ("abandoned", "replay RUN --from-step count --yes", 4, "invalid_replay_source"),
        ("abandoned", "retry-compensation RUN", 2, "usage"),
    ],
)
def test_a_bad_value_has_one_code_and_one_exit_code(
    squidmesh: Typed, shop: Shop, where: Where, typed: str, exits: int, code: str
) -> None:
    """And nothing is written."""
    run_id = shop.order(where)
    before = shop.run(run_id)["revision"]

    said = squidmesh(*(run_id if word == "RUN" else word for word in typed.split(" ")), "--json")

    assert (exits, code, "") == (said.code, said.error["code"], said.out), said.err
    assert before == shop.run(run_id)["revision"]
    assert 1 == len(squidmesh("runs").records)


def test_a_missing_actor_is_named_as_the_option_it_is(squidmesh: Typed, shop: Shop) -> None:
    """Nobody is guessed: not even from the operating system."""
    said = squidmesh("approve", shop.order(), *FORM, "--yes")

    assert "SM418" in said.err
    assert "hint: say who decides with --by NAME" in said.err


def test_a_gate_that_was_decided_says_by_whom_and_when(squidmesh: Typed, shop: Shop) -> None:
    """The second of two people learns that the first was quicker."""
    run_id = shop.order("waiting")

    said = squidmesh("reject", run_id, "--by", "bo", "--yes", "--json")

    assert (4, "invalid_transition") == (said.code, said.error["code"])
    details = said.error["details"]
    assert isinstance(details, dict)
    assert ("ana", "review", "approved") == (details["actor"], details["node"], details["reason"])
    assert str(details["at"]).endswith("Z")


def _status(said: Said) -> object:
    run = said.document["run"]
    assert isinstance(run, dict)
    return run["status"]
