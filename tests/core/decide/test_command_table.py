"""
Every operating command against every state a run can be in: one grid, read it like a spec.

Whatever the answer: a no writes nothing and leaves the key free; a yes is
answered with its receipt when it is repeated, even after the run moved on.
"""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from attrs import evolve

from squidmesh_core.decide import Already, Decision, Refusal
from squidmesh_core.definition.spec import Field, Node
from squidmesh_core.protocol.commands import Operating
from squidmesh_core.protocol.entries import RunSignalReceived
from support.scenario import (
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
)
from support.workflows import approval, chain, pause, receive, step, workflow

FORM = (Field(name="sure", type="boolean"),)
PACK = evolve(step("pack"), compensate="do.unpack")
LOOK = pause("look")
ASK = approval("ask", form=FORM)
PARCEL = receive("parcel", message=(Field(name="n", type="integer"),))


# --- the states


def begun(*nodes: Node) -> Scenario:
    run = Scenario(chain(*nodes))
    run.start()
    return run


def running() -> Scenario:
    run = begun(PACK, LOOK, ASK, PARCEL)
    run.claim("pack")
    return run


def two_gates() -> Scenario:
    """Two of each kind, side by side."""
    twins = (pause("look2"), approval("ask2", form=FORM))
    run = Scenario(workflow(LOOK, ASK, *twins, PARCEL, step("pack", after=("look", "ask"))))
    run.start()
    run.send("parcel", {"n": 1})
    return run


def held() -> Scenario:
    run = begun(PACK, LOOK, ASK, PARCEL)
    run.hold()
    return run


def held_at_gate() -> Scenario:
    run = begun(LOOK, PACK, ASK, PARCEL)
    run.hold()
    return run


def answered() -> Scenario:
    """Both gates were answered, a step is left."""
    run = begun(LOOK, ASK, PACK, PARCEL)
    run.resume()
    run.approve(form={"sure": True})
    return run


def compensating() -> Scenario:
    run = begun(PACK, LOOK, ASK, PARCEL)
    run.perform("pack")
    run.decides(evolve(a_cancel(), compensate=True))
    return run


def completed() -> Scenario:
    run = begun(LOOK, PARCEL, ASK, PACK)
    run.resume()
    run.send("parcel", {"n": 1})
    run.approve(form={"sure": True})
    run.perform("pack")
    return run


def failed() -> Scenario:
    run = begun(PACK, LOOK, ASK, PARCEL)
    run.fail(run.claim("pack"))
    return run


def cancelled() -> Scenario:
    run = begun(LOOK, PACK, ASK, PARCEL)
    run.cancel()
    return run


STATES: Final[Mapping[str, Callable[[], Scenario]]] = {
    "not there": lambda: Scenario(chain(PACK, LOOK, ASK, PARCEL)),
    "started": lambda: begun(PACK, LOOK, ASK, PARCEL),
    "running": running,
    "awaiting": lambda: begun(PARCEL, PACK, LOOK, ASK),
    "at pause": lambda: begun(LOOK, PACK, ASK, PARCEL),
    "at approval": lambda: begun(ASK, PACK, LOOK, PARCEL),
    "two gates": two_gates,
    "held": held,
    "held gate": held_at_gate,
    "answered": answered,
    "undoing": compensating,
    "completed": completed,
    "failed": failed,
    "cancelled": cancelled,
}

# --- the commands

SURE = {"sure": True}
COMMANDS: Final[Mapping[str, Operating]] = {
    "cancel": a_cancel(),
    "cancel, undoing": evolve(a_cancel(), compensate=True),
    "cancel, abandoning": evolve(a_cancel(), abandon=True),
    "pause": a_hold(),
    "resume": a_resume(),
    "resume look": a_resume("look"),
    "resume ask": a_resume("ask"),
    "resume pack": a_resume("pack"),
    "resume nowhere": a_resume("nowhere"),
    "approve": a_review("approved", form=SURE),
    "approve ask": a_review("approved", "ask", form=SURE),
    "approve look": a_review("approved", "look", form=SURE),
    "approve parcel": a_review("approved", "parcel", form=SURE),
    "approve nowhere": a_review("approved", "nowhere", form=SURE),
    "approve ask, no form": a_review("approved", "ask"),
    "approve ask, empty form": a_review("approved", "ask", form={}),
    "approve ask, unknown field": a_review("approved", "ask", form={**SURE, "x": 1}),
    "approve ask, wrong type": a_review("approved", "ask", form={"sure": "yes"}),
    "reject": a_review("rejected"),
    "reject ask": a_review("rejected", "ask"),
    "reject ask, form": a_review("rejected", "ask", form=SURE),
    "reject ask, wrong type": a_review("rejected", "ask", form={"sure": 1}),
    "reject look": a_review("rejected", "look"),
    "send parcel": a_message("parcel", {"n": 2}),
    "send parcel, empty": a_message("parcel"),
    "send parcel, wrong type": a_message("parcel", {"n": "2"}),
    "send parcel, unknown field": a_message("parcel", {"n": 2, "x": 1}),
    "send parcel, no object": a_message("parcel", [2]),
    "send pack": a_message("pack", {"n": 2}),
    "send nowhere": a_message("nowhere", {"n": 2}),
}
CODES = {
    "+": "",
    "N": "not_found",
    "T": "invalid_transition",
    "U": "unsupported_manual_step",
    "A": "ambiguous_gate",
    "C": "compensating",
    "F": "invalid_form",
    "M": "invalid_message",
    "W": "not_awaited",
    "R": "already_received",
}

#: One letter for each state, in the order of `STATES`.
GRID: Final = """
                             not there
                             | started, running
                             | |  awaiting
                             | |  | at pause, at approval, two gates
                             | |  | |   held, held gate
                             | |  | |   |  answered
                             | |  | |   |  | undoing
                             | |  | |   |  | | completed, failed, cancelled
cancel                     | N ++ + +++ ++ + C TTT
cancel, undoing            | N ++ + +++ ++ + C TTT
cancel, abandoning         | N TT T TTT TT T + TTT
pause                      | N ++ + +++ TT + C TTT
resume                     | N TT T +UA ++ T C TTT
resume look                | N TT T +T+ T+ T C TTT
resume ask                 | N UU U UUU UU U C TTT
resume pack                | N UU U UUU UU U C TTT
resume nowhere             | N UU U UUU UU U C TTT
approve                    | N TT T U+A TU T C TTT
approve ask                | N TT T T++ TT T C TTT
approve look               | N UU U UUU UU U C TTT
approve parcel             | N UU U UUU UU U C TTT
approve nowhere            | N UU U UUU UU U C TTT
approve ask, no form       | N TT T TFF TT T C TTT
approve ask, empty form    | N TT T TFF TT T C TTT
approve ask, unknown field | N TT T TFF TT T C TTT
approve ask, wrong type    | N TT T TFF TT T C TTT
reject                     | N TT T U+A TU T C TTT
reject ask                 | N TT T T++ TT T C TTT
reject ask, form           | N TT T T++ TT T C TTT
reject ask, wrong type     | N TT T TFF TT T C TTT
reject look                | N UU U UUU UU U C TTT
send parcel                | N ++ + ++R ++ + C TTT
send parcel, empty         | N MM M MMR MM M C TTT
send parcel, wrong type    | N MM M MMR MM M C TTT
send parcel, unknown field | N MM M MMR MM M C TTT
send parcel, no object     | N MM M MMR MM M C TTT
send pack                  | N WW W WWW WW W C TTT
send nowhere               | N WW W WWW WW W C TTT
"""
ROWS: Final = {
    name.strip(): dict(zip(STATES, letters.replace(" ", ""), strict=True))
    for name, _, letters in (line.partition("|") for line in GRID.splitlines())
    if name.strip() in COMMANDS
}


def keyed(command: Operating, key: str = "k") -> Operating:
    """The command under an idempotency key."""
    return evolve(command, said=evolve(command.said, key=key))


def test_every_command_has_its_row() -> None:
    """The grid and the commands below it are the same."""
    assert COMMANDS.keys() == ROWS.keys()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", COMMANDS)
def test_command_in_state(state: str, command: str) -> None:
    """The grid's answer; a no changes nothing, a yes begins with its receipt."""
    run = STATES[state]()
    before, journal = run.state, list(run.journal)
    answer = run.ask(keyed(COMMANDS[command]))

    if isinstance(answer, Refusal):
        assert CODES[ROWS[command][state]] == answer.code
        assert (before, journal) == (run.state, run.journal)
        assert "nothing was written" in answer.message.lower()
        assert before.run_id == answer.details["run_id"]
    else:
        assert isinstance(answer, Decision)
        assert "+" == ROWS[command][state]
        assert isinstance(answer.entries[0], RunSignalReceived)
        assert 1 == sum(isinstance(entry, RunSignalReceived) for entry in answer.entries)


YES = [
    (name, state) for name, row in ROWS.items() for state, letter in row.items() if letter == "+"
]
NO = [(name, state) for name, row in ROWS.items() for state, letter in row.items() if letter != "+"]


@pytest.mark.parametrize(("command", "state"), YES)
def test_repeated_command_is_answered_as_the_first_time(command: str, state: str) -> None:
    """At once, after the run moved on, and after its end: the same receipt, nothing written."""
    run = STATES[state]()
    given = keyed(COMMANDS[command])
    receipt = run.decides(given).entries[0]
    run.expects_already(given)
    run.ask(a_hold())
    run.ask(a_resume())
    run.ask(evolve(a_cancel(), abandon=run.state.undoing))
    states = len(run.states)

    assert run.state.terminal is not None
    assert receipt.revision == run.expects_already(given).revision
    assert "idempotency_conflict" == run.expects_refusal(evolve(given, digest="other")).code
    assert states == len(run.states)


@pytest.mark.parametrize(("command", "state"), NO)
def test_refused_command_leaves_its_key_free(command: str, state: str) -> None:
    """A refusal is not stored: the same again is judged anew, another under the key too."""
    run = STATES[state]()
    given = keyed(COMMANDS[command])
    first, second = run.expects_refusal(given), run.expects_refusal(evolve(given, digest="other"))

    assert first == second
    assert "k" not in {receipt.idempotency_key for receipt in run.state.receipts}


@pytest.mark.parametrize("command", COMMANDS)
def test_key_of_another_command_is_free(command: str) -> None:
    """A key belongs to a run and a command: what another verb used it for does not matter."""
    for others in (a_hold(key="k"), a_message("parcel", {"n": 1}, key="k")):
        run = Scenario(workflow(LOOK, ASK, PARCEL, step("pack", after=("look",))))
        run.start()
        run.decides(others)
        given = keyed(COMMANDS[command])
        if type(given) is not type(others):
            answer = run.ask(given)
            code = answer.code if isinstance(answer, Refusal) else ""

            assert not isinstance(answer, Already)
            assert "idempotency_conflict" != code
