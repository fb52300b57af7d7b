"""What to undo next, and what will not be undone: answers from the state alone."""

from hypothesis import given

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName, VisitKey
from squidmesh_core.plan.compensation import (
    CALLBACK_RETRY,
    Undo,
    candidates,
    compensable,
    unrecovered,
)
from squidmesh_core.protocol.entries import Unrecovered
from squidmesh_core.state.fold import fold_run
from squidmesh_core.values import Exponential, RetryPolicy
from support.plays import plays
from support.replays import recompensated, replayed
from support.scenario import BOOM, RUN, Scenario
from support.workflows import chain, step, workflow

ONCE = RetryPolicy(max_attempts=1)


def visit(name: str) -> VisitKey:
    return VisitKey(f"{RUN}:{name}")


def names(run: Scenario) -> list[str]:
    return [undo.node.name for undo in candidates(run.state, run.spec)]


def side_by_side() -> Spec:
    """Three roots; `b` has no callback."""
    return workflow(
        step("a", compensate=True),
        step("b"),
        step("c", compensate=True, compensate_retry=ONCE),
        step("end", after=("a", "b", "c")),
    )


def test_nothing_is_to_be_undone_at_first() -> None:
    """Unclaimed work had no effect yet."""
    run = Scenario(side_by_side())
    run.start()

    assert (False, []) == (compensable(run.state, run.spec), names(run))


def test_a_claimed_step_may_soon_be() -> None:
    """One with a callback; one without does not count."""
    run = Scenario(side_by_side())
    run.start()
    run.claim("b")
    before = compensable(run.state, run.spec)
    run.claim("a")

    assert (False, True, []) == (before, compensable(run.state, run.spec), names(run))


def test_candidates_come_last_applied_first() -> None:
    """With the callback, its policy, and no key from elsewhere."""
    run = Scenario(side_by_side())
    run.start()
    for name in ("c", "b", "a"):
        run.perform(name)
    a, c = run.spec.nodes[NodeName("a")], run.spec.nodes[NodeName("c")]
    assert isinstance(a, StepNode)
    assert isinstance(c, StepNode)

    assert [
        Undo(visit=visit("a"), node=a, action="undo.a", retry=CALLBACK_RETRY, key=None),
        Undo(visit=visit("c"), node=c, action="undo.c", retry=ONCE, key=None),
    ] == list(candidates(run.state, run.spec))


def test_default_policy_is_five_attempts_up_to_a_minute() -> None:
    """The numbers of the protocol."""
    assert RetryPolicy(max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=60_000)) == (
        CALLBACK_RETRY
    )


def test_what_was_undone_or_failed_is_no_candidate_any_more() -> None:
    """Each visit has one turn."""
    run = Scenario(side_by_side())
    run.start()
    run.perform("a")
    run.perform("c")
    run.fail(run.claim("b"))
    left = [names(run)]
    run.fail(run.claim("c"))
    left.append(names(run))
    run.undo("a")
    left.append(names(run))

    assert [["c", "a"], ["a"], []] == left


def test_nodes_that_the_definition_lost_are_no_candidates() -> None:
    """A definition without the step has no callback for it either."""
    run = Scenario(side_by_side())
    run.start()
    run.perform("a")

    assert [] == list(candidates(run.state, chain(step("other"))))


def test_reused_results_are_candidates_only_to_be_undone() -> None:
    """A fork's are not; those of a retry are, with the key that their callback uses."""
    spec = chain(step("a", compensate=True, compensate_retry=ONCE), step("end"))
    run = Scenario(spec)
    run.start()
    run.perform("a")
    run.fail(run.claim("end"))
    run.fail(run.claim("a"))
    again = recompensated(run)
    done = Scenario(spec)
    done.start()
    done.perform("a")
    done.perform("end")

    assert [] == names(replayed(done, from_step="end"))
    assert [f"{RUN}:compensate:a:1"] == [undo.key for undo in candidates(again.state, again.spec)]


def test_unrecovered_is_all_that_is_not_undone() -> None:
    """In the order applied, then what nobody knows, then what somebody is at."""
    run = Scenario(
        workflow(
            step("a", compensate=True),
            step("b", compensate=True),
            step("c", compensate=True),
            step("d"),
            step("e"),
            step("end", after=("a", "b", "c", "d", "e")),
        )
    )
    run.start()
    for name in ("b", "a"):
        run.perform(name)
    d, e, c = run.claim("d"), run.claim("e"), run.claim("c")
    run.fail(c)
    run.fail(d)

    assert [
        Unrecovered(visit_key=visit("b"), step=NodeName("b"), reason="abandoned"),
        Unrecovered(visit_key=visit("a"), step=NodeName("a"), reason="abandoned"),
        Unrecovered(visit_key=visit("d"), step=NodeName("d"), reason="effect_unknown", error=BOOM),
        Unrecovered(visit_key=visit("e"), step=NodeName("e"), reason="effect_unknown"),
    ] == list(unrecovered(run.state, run.spec))
    run.complete(e)
    run.fail(run.claim("a"), retryable=False)
    run.claim("b")
    assert [("b", "abandoned"), ("a", "compensation_failed"), ("d", "effect_unknown")] == [
        (item.step, item.reason) for item in unrecovered(run.state, run.spec)
    ]


@given(plays())
def test_the_answer_is_the_same_after_a_crash(run: Scenario) -> None:
    """Nothing of it is remembered anywhere but in the journal."""
    read_again = fold_run(run.state.run_id, run.journal)

    assert list(candidates(run.state, run.spec)) == list(candidates(read_again, run.spec))
    assert unrecovered(run.state, run.spec) == unrecovered(read_again, run.spec)
