"""Progress: what a state asks for, however it came about."""

from squidmesh_core.plan.progress import Plan, plan, waits_for
from squidmesh_core.protocol.entries import AttemptScheduled, RunStarted, RunTerminal
from squidmesh_core.state.fold import fold_run
from support.scenario import RUN, Scenario
from support.workflows import chain, diamond, step


def test_unstarted_run_asks_for_nothing() -> None:
    """Without `run_started` there is no run to move."""
    assert Plan() == plan(fold_run(RUN, []), diamond())


def test_started_run_asks_for_its_entry() -> None:
    """A run that has only started wants its first nodes."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    begun = fold_run(RUN, run.entries(RunStarted))

    assert Plan(enter=run.spec.entry_steps) == plan(begun, run.spec)


def test_same_question_gets_the_same_answer_after_a_crash() -> None:
    """Cut short after the application, a run still wants the node that its route owes."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    run.perform("charge")
    unfinished = fold_run(RUN, run.journal[:-1])

    assert isinstance(run.journal[-1], AttemptScheduled)
    assert Plan(enter=(run.spec.steps[1].name,)) == plan(unfinished, run.spec)


def test_unfinished_end_is_asked_for_again() -> None:
    """With everything applied and no `run_terminal` yet, the run wants to complete."""
    run = Scenario(chain(step("charge")))
    run.start()
    run.perform("charge")
    unfinished = fold_run(RUN, run.journal[:-1])

    assert isinstance(run.journal[-1], RunTerminal)
    assert Plan(complete=True) == plan(unfinished, run.spec)


def test_ended_run_asks_for_nothing() -> None:
    """After the end there is nothing to enter and nothing to complete."""
    run = Scenario(diamond())
    run.start()
    run.cancel()

    assert Plan() == plan(run.state, run.spec)


def test_join_names_what_it_waits_for() -> None:
    """The dependencies that are not applied yet, in the order written."""
    run = Scenario(diamond())
    run.start()
    ship = run.spec.steps[-1]
    waited = [waits_for(ship, run.state)]
    for name in ("pick", "bill", "pack"):
        run.perform(name)
        waited.append(waits_for(ship, run.state))

    assert [("pack", "bill"), ("pack", "bill"), ("pack",), ()] == waited
