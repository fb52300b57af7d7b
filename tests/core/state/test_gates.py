"""What a state says of gates and holds."""

from squidmesh_core.ids import NodeName, Revision, visit_key
from squidmesh_core.protocol.entries import ManualStepPaused, ManualStepResolved
from squidmesh_core.state.fold import fold
from squidmesh_core.state.gates import Gates
from support.entries import EPOCH, RUN
from support.scenario import Scenario
from support.workflows import approval, pause, step, workflow

LOOK = visit_key(RUN, NodeName("look"))
ASK = visit_key(RUN, NodeName("ask"))
SPEC = workflow(pause("look"), approval("ask"), step("pick"), step("end", after=("look", "ask")))


def started() -> Scenario:
    run = Scenario(SPEC)
    run.start()
    return run


def test_run_is_paused_while_a_person_is_waited_for() -> None:
    """At one gate of several, or by a hold, whatever else runs."""
    run = started()
    run.claim("pick")
    statuses = [run.state.status]
    for move in (run.resume, run.hold, run.approve, run.resume):
        move()
        statuses.append(run.state.status)

    assert ["paused", "paused", "paused", "paused", "running"] == statuses


def test_gates_are_open_in_the_order_they_opened() -> None:
    """Each visit has one of its own."""
    assert [LOOK, ASK] == list(started().state.gates.open)


def test_gate_stays_open_until_it_is_answered() -> None:
    """Other answers, other settlements and restarts do not close it."""
    run = started()
    run.resume()
    run.perform("pick")
    run.process_restarts()

    assert [ASK] == list(run.state.gates.open)


def test_answers_are_kept_in_order() -> None:
    """Also those of holds, which have no visit."""
    run = started()
    run.hold()
    run.approve()
    run.resume()
    run.resume()

    assert [(ASK, "approved"), (None, "resumed"), (LOOK, "resumed")] == [
        (said.visit_key, said.action) for said in run.state.gates.answers
    ]


def test_end_closes_gates_and_hold_without_an_answer() -> None:
    """By the fold alone."""
    run = started()
    run.hold()
    run.cancel()

    assert Gates() == run.state.gates


def test_hold_counts_no_visit() -> None:
    """Only gates are entered."""
    run = started()
    run.hold()

    assert {"look": 1, "ask": 1, "pick": 1} == run.state.visits


def test_answer_is_an_output_until_it_is_applied() -> None:
    """In a journal that was cut between an answer and its consequence nothing is lost."""
    run = started()
    run.approve()
    [answer] = run.entries(ManualStepResolved)
    cut = fold(run.states[0], run.journal[: answer.revision])

    assert ({answer.revision: answer.result}, [LOOK]) == (cut.unapplied, list(cut.gates.open))


def test_gates_without_one_are_the_same() -> None:
    """Closing what is not open copies nothing."""
    gates = Gates()

    assert gates is gates.closed(LOOK)
    assert gates is gates.all_closed()


def test_gate_needs_a_visit_and_a_step() -> None:
    """Only a hold has neither."""
    whole = ManualStepPaused(
        at=EPOCH, revision=Revision(1), kind="pause", visit_key=LOOK, step=NodeName("look")
    )
    opened = Gates().paused(whole)

    assert isinstance(opened, Gates)
    assert "malformed_entry" == Gates().paused(
        ManualStepPaused(at=EPOCH, kind="pause", visit_key=LOOK)
    )
    assert "malformed_entry" == Gates().paused(
        ManualStepPaused(at=EPOCH, kind="approval", step=NodeName("look"))
    )
