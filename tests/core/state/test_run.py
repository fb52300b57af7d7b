"""The state of a run: its status, its context, its end."""

from typing import get_args

from hypothesis import given

from squidmesh_core.ids import BEGINNING
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.fold import fold_run
from squidmesh_core.state.run import RunState
from support import naive
from support.plays import plays
from support.scenario import EPOCH, RUN, SECOND, Scenario, a_cancel
from support.workflows import chain, log, step, workflow


def test_empty_state_is_the_beginning() -> None:
    """Before its first entry a run has a revision to append after, and nothing else."""
    state = RunState(run_id=RUN)

    assert (BEGINNING, None, None) == (state.revision, state.at, state.started)
    assert state == fold_run(RUN, [])


def test_run_is_running_while_an_attempt_is_live() -> None:
    """Waiting for a worker, being performed, waiting for a retry: all of it is `running`."""
    run = Scenario(chain(step("charge")))
    run.start()
    waiting = run.state.status
    held = run.claim("charge")
    performed = run.state.status
    run.defer(held, delay_ms=1_000)

    assert ["running"] * 3 == [waiting, performed, run.state.status]


def test_end_is_the_status() -> None:
    """A run that ended has the status its `run_terminal` names."""
    completed, failed, cancelled = (Scenario(chain(step("charge"))) for _ in range(3))
    for run in (completed, failed, cancelled):
        run.start()
    completed.perform("charge")
    failed.fail(failed.claim("charge"))
    cancelled.cancel()

    assert ["completed", "failed", "cancelled"] == [
        run.state.status for run in (completed, failed, cancelled)
    ]


@given(plays())
def test_status_is_one_of_the_listed(run: Scenario) -> None:
    """Every state of every run has a status that the index knows."""
    assert {state.status for state in run.states} <= set(get_args(RunStatus))


@given(plays())
def test_context_is_the_payload_and_what_was_applied(run: Scenario) -> None:
    """The context of each state is what its entries say, walked naively."""
    for state in run.states:
        assert naive.context(run.journal[: state.revision]) == state.context


def test_later_result_wins_in_the_order_applied() -> None:
    """Two steps with one output key: the one that was applied last is seen, not the later in name."""
    run = Scenario(
        workflow(
            step("z", output="found"),
            step("a", output="found"),
            step("end", after=("a", "z")),
        )
    )
    run.start({"found": "payload"})
    run.perform("a", "from a")
    run.perform("z", "from z")

    assert {"found": "from z"} == run.state.context


def test_step_without_output_leaves_no_trace_in_the_context() -> None:
    """What no key was given for is in the journal, not in the context."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start({"amount": 5})
    run.perform("charge", {"secret": 1})

    assert {"amount": 5} == run.state.context
    assert () == tuple(run.state.unapplied)


def test_end_withdraws_what_is_unclaimed_only() -> None:
    """At the end unclaimed attempts are withdrawn, claimed ones stay claimed."""
    run = Scenario(workflow(step("pack"), step("bill"), step("ship", after=("pack", "bill"))))
    run.start()
    run.claim("pack")
    run.cancel()

    assert {"pack": "claimed", "bill": "withdrawn"} == {
        attempt.intent.step: attempt.status for attempt in run.state.attempts.values()
    }
    assert ["pack"] == run.steps


def test_attempts_are_found_live_and_settled() -> None:
    """An attempt is found by its key, whether it ended or not."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    run.perform("charge")
    by_key = {key: run.state.attempt(key) for key in run.state.attempts}

    assert run.state.attempts == by_key
    assert ["completed", "available"] == [a.status for a in run.state.attempts.values()]


def test_receipts_are_found_by_command_and_key() -> None:
    """A receipt answers for its own command and key, and for no other."""
    run = Scenario(chain(step("charge")))
    run.start()
    run.decides(a_cancel(key="k"))
    receipt = run.state.receipt("cancel", "k")

    assert receipt is not None
    assert run.state.receipts[-1] == receipt
    assert [None, None] == [run.state.receipt("start", "k"), run.state.receipt("cancel", "l")]


def test_state_is_as_old_as_its_newest_entry() -> None:
    """`at` is the instant of the last append, also when the clock has moved on."""
    run = Scenario(chain(log("note"), step("charge")))
    run.start()
    run.time_passes(SECOND)
    run.tick("note")
    run.time_passes(SECOND)

    assert EPOCH + SECOND == run.state.at
