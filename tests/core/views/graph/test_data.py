"""What the graph of a run says: where the run is, which ways it went, and why."""

import json
from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from squidmesh_core.definition.spec import COMPLETE
from squidmesh_core.ids import Fingerprint, Revision
from squidmesh_core.protocol.entries import RunPruned
from squidmesh_core.state.run import RunState
from squidmesh_core.values import Compare
from squidmesh_core.views.graph import GraphEdge, GraphNode, RunGraph, graph
from squidmesh_core.views.graph.schema import graph_schemas
from support import pictures
from support.scenario import BOOM, EPOCH, RUN, Scenario
from support.workflows import approval, chain, log, receive, route, step, workflow


def seen(run: Scenario, *, history: bool = False) -> RunGraph:
    return graph(run.state, run.spec, run.now, history=history)


def node(run: Scenario, name: str, *, history: bool = False) -> GraphNode:
    return next(node for node in seen(run, history=history).nodes if node.id == name)


def edge(run: Scenario, start: str) -> GraphEdge:
    """The one edge whose id begins so."""
    found = [edge for edge in seen(run).edges if edge.id.startswith(start)]
    assert 1 == len(found), [edge.id for edge in seen(run).edges]
    return found[0]


def ways(run: Scenario, status: str) -> set[str]:
    return {edge.id for edge in seen(run).edges if edge.status == status}


# --- nodes


def test_nodes_are_the_trigger_those_of_the_definition_and_the_end() -> None:
    """In the definition's order, with what each one does."""
    run = pictures.order_is_ready()

    nodes = seen(run).nodes

    assert ["trigger:placed", *run.spec.nodes, "complete"] == [node.id for node in nodes]
    assert ("trigger", "completed") == (nodes[0].kind, nodes[0].status)
    assert ("step", "do.reserve") == (nodes[1].kind, nodes[1].action)
    assert ("approval", None) == (node(run, "review").kind, node(run, "review").action)
    assert ("end", "waiting") == (nodes[-1].kind, nodes[-1].status)


def test_current_nodes_are_where_the_run_is() -> None:
    """An attempt, a gate, a message; nothing of a run that is over."""
    assert ("reserve",) == seen(pictures.order_is_ready()).current
    assert ("review",) == seen(pictures.order_is_reviewed()).current
    assert ("settled",) == seen(pictures.order_awaits_its_money()).current
    assert {"weigh", "customs", "report"} == set(seen(pictures.join_waits()).current)
    assert () == seen(pictures.order_is_cancelled()).current
    assert node(pictures.order_is_reviewed(), "review").current


def test_a_deadline_runs_at_its_node_only() -> None:
    """It stands with the node that it is of, as it is judged now."""
    run = pictures.order_is_reviewed()

    due = node(run, "review").deadline

    assert due is not None
    assert ("due_soon", timedelta(minutes=15)) == (due.status, due.remaining)
    assert node(run, "charge").deadline is None


def test_a_node_counts_its_visits_and_tries() -> None:
    """The newest try is of the newest visit."""
    run = pictures.order_is_charged()

    assert (1, 2) == (node(run, "charge").visits, node(run, "charge").attempt)
    assert 3 == node(pictures.loop_goes_round(), "draft").visits
    assert node(run, "review").attempt is None


def test_recovery_is_told_of_steps_alone() -> None:
    """What cannot be undone is known before it is done."""
    run = pictures.order_is_ready()

    reserve, ship = node(run, "reserve").recovery, node(run, "ship").recovery

    assert reserve is not None
    assert "undo.reserve" == reserve.compensate
    assert ship is not None
    assert ship.irreversible
    assert node(run, "cool_off").recovery is None


# --- routes


def test_the_decided_route_is_selected_and_the_others_are_skipped() -> None:
    """With the values that decided, also on the way that they closed."""
    run = pictures.order_is_reviewed()

    taken, other = edge(run, "risk:ok:review"), edge(run, "risk:ok:charge")

    assert ("selected", True, 1) == (taken.status, taken.otherwise, taken.times)
    assert {"risk.score": 61, "risk.band": "medium"} == taken.values
    assert ("skipped", False, 0) == (other.status, other.otherwise, other.times)
    assert {"risk.score": 61, "risk.band": "medium"} == other.values
    assert taken.id == node(run, "risk").decision


def test_values_are_those_that_an_edge_reads() -> None:
    """A condition shows what it read itself; the fallback shows all of it."""
    low = Compare(path=("a", "n"), operator="less_than", operand=1)
    high = Compare(path=("a", "m"), operator="less_than", operand=1)
    run = Scenario(
        workflow(
            step("a", output="a"),
            step("b"),
            step("c"),
            routes=(
                route("a", "b", when=low),
                route("a", "c", when=high),
                route("a", COMPLETE),
                route("b", COMPLETE),
                route("c", COMPLETE),
            ),
        )
    )
    run.start()

    assert {None} == {edge.values for edge in seen(run).edges}

    run.perform("a", {"n": 5, "m": 7})

    assert {"a.n": 5} == edge(run, "a:ok:b:").values
    assert {"a.m": 7} == edge(run, "a:ok:c:").values
    assert {"a.n": 5, "a.m": 7} == edge(run, "a:ok:complete").values


@pytest.mark.parametrize(("total", "taken"), [(5, 0), (50, 1), (500, 2)])
def test_of_routes_between_the_same_nodes_the_decided_one_is_selected(
    total: int, taken: int
) -> None:
    """They differ in nothing but what is compared with."""
    small, large = (
        Compare(path=("a", "total"), operator="less_than", operand=limit) for limit in (10, 100)
    )
    run = Scenario(
        workflow(
            step("a", output="a"),
            step("b"),
            routes=(
                route("a", "b", when=small),
                route("a", "b", when=large),
                route("a", "b"),
                route("b", COMPLETE),
            ),
        )
    )
    run.start()
    run.perform("a", {"total": total})

    routes = [one for one in seen(run).edges if one.id.startswith("a:ok:b")]

    assert 3 == len({one.id for one in routes})
    assert [place == taken for place in range(3)] == [one.status == "selected" for one in routes]


def test_a_rejection_selects_the_error_route() -> None:
    """The decision is in the journal, so nothing is guessed of it."""
    run = pictures.order_is_rejected()

    assert "selected" == edge(run, "review:error:apology").status
    assert "skipped" == edge(run, "review:ok:charge").status
    assert "completed" == node(run, "review").status


def test_a_time_out_selects_its_route() -> None:
    """Neither answer was given."""
    run = pictures.time_is_up()

    assert "selected" == edge(run, "content:timeout:publish").status
    assert "skipped" == edge(run, "content:ok:publish").status


def test_a_visit_that_leads_nowhere_takes_no_way() -> None:
    """Its time was up, and there is no route for that."""
    run = Scenario(chain(approval("a", timeout_ms=1000), step("b")))
    run.start()
    run.time_passes(timedelta(seconds=1))
    run.strike("a")

    assert {"trigger:placed:start:a"} == ways(run, "selected")
    assert ("failed", None) == (node(run, "a").status, node(run, "a").decision)


def test_a_result_that_comes_while_the_run_is_undone_leads_nowhere() -> None:
    """It counts, and no way was decided for it."""
    run = Scenario(chain(step("a", compensate=True), step("b"), step("c")))
    run.start()
    run.perform("a")
    held = run.claim("b")
    run.cancel(compensate=True)
    run.complete(held)

    assert ("completed", None) == (node(run, "b").status, node(run, "b").decision)
    assert {"b:ok:c", "c:ok:complete"} == ways(run, "skipped")


def test_a_branch_that_was_not_taken_is_skipped_to_its_end() -> None:
    """Also where no node of it was ever entered."""
    run = pictures.order_is_charged()

    assert {"risk:ok:review", "review:ok:charge", "review:error:apology"} == ways(run, "skipped")
    assert "pending" == edge(run, "charge:error:apology").status


def test_nothing_is_pending_in_a_run_that_is_over() -> None:
    """Whatever was not taken is never taken."""
    run = pictures.order_is_cancelled()

    assert set() == ways(run, "pending")
    assert {"trigger:placed:start:reserve", "reserve:ok:risk"} < ways(run, "selected")


def test_a_loop_is_selected_and_its_way_out_still_pending() -> None:
    """An edge counts how often it was taken, and keeps the values that it was taken by."""
    run = pictures.loop_goes_round()

    assert ("selected", 2) == (
        edge(run, "content:error:draft").status,
        edge(run, "content:error:draft").times,
    )
    assert "pending" == edge(run, "content:ok:publish").status
    assert {"fetch.done": False} == edge(run, "fetch:ok:fetch").values
    assert {"fetch.done": True} == edge(run, "fetch:ok:draft").values


def test_a_node_without_an_ok_route_leads_to_the_end() -> None:
    """As it does when it is run."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    run.perform("a")
    run.perform("b")

    assert "selected" == edge(run, "b:ok:complete").status
    assert "completed" == node(run, "complete").status


def test_a_run_that_only_began_may_still_enter_its_first_node() -> None:
    """History cut short before the first node was entered."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    begun = next(state for state in _prefixes(run) if state.started is not None)

    statuses = {edge.status for edge in graph(begun, run.spec, run.now).edges}

    assert {"pending"} == statuses


def test_what_never_began_has_no_graph() -> None:
    """There is no trigger to draw."""
    with pytest.raises(ValueError, match="no run_started"):
        graph(RunState(run_id=RUN), chain(step("a"), step("b")), EPOCH)


# --- dependencies


def test_dependencies_are_selected_by_completion_alone() -> None:
    """The join waits for the side that is not done; loose ends lead to the end."""
    run = pictures.join_waits()

    assert {"trigger:placed:start:pick", "pick:dependency:pack", "bill:dependency:label"} < (
        ways(run, "selected")
    )
    assert {"weigh:dependency:label", "report:dependency:complete"} < ways(run, "pending")
    assert {None} == {node.decision for node in seen(run).nodes}


def test_a_failed_dependency_blocks() -> None:
    """What was not reached when the run failed is skipped."""
    run = pictures.join_is_blocked()

    assert {"report:dependency:complete"} == ways(run, "blocked")
    assert "weigh:dependency:label" in ways(run, "skipped")


# --- undoing


def test_what_undoes_a_node_is_a_node_once_undoing_began() -> None:
    """Its status is that of the callback, and the run is at it, not at what it undoes."""
    run = pictures.order_is_undone()

    nodes = {one.id: one for one in seen(run).nodes}

    assert "compensate:charge" not in {one.id for one in seen(pictures.order_is_shipped()).nodes}
    assert ("completed", "undo.charge") == (
        nodes["compensate:charge"].status,
        nodes["compensate:charge"].action,
    )
    assert "running" == nodes["compensate:reserve"].status
    assert ("compensate:reserve",) == seen(run).current
    assert "completed" == nodes["reserve"].status
    assert "selected" == edge(run, "charge:compensation:compensate:charge").status


def test_a_callback_says_how_far_it_is() -> None:
    """Due, to come after others, coming again, failed for good, given up."""
    run = pictures._cooled(fragile=False)
    run.perform("slot")
    run.fail(run.claim("ship"), BOOM, retryable=False)

    assert ("pending", "waiting") == (
        node(run, "compensate:charge").status,
        node(run, "compensate:reserve").status,
    )
    assert "pending" == edge(run, "reserve:compensation").status

    run.fail(run.claim("charge"))

    assert "retrying" == node(run, "compensate:charge").status

    run.cancel(abandon=True)

    assert "waiting" == node(run, "compensate:reserve").status
    assert "failed" == node(pictures.order_is_not_undone(), "compensate:charge").status


def test_an_unknown_effect_is_not_undone() -> None:
    """A step at work when undoing begins has nothing that undoes it, if it fails then."""
    run = Scenario(workflow(step("a", compensate=True), step("b"), step("c", after=("a",))))
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"), retryable=False)
    run.fail(held)

    assert "compensate:a" not in {one.id for one in seen(run).nodes}


def test_of_several_visits_the_gravest_speaks() -> None:
    """One visit is undone, the other is next."""
    again = Compare(path=("a",), operator="equals", operand=1)
    run = Scenario(
        workflow(
            step("a", output="a", compensate=True, max_visits=2),
            step("b"),
            routes=(route("a", "a", when=again), route("a", "b"), route("b", COMPLETE)),
        )
    )
    run.start()
    run.perform("a", 1)
    run.perform("a", 2)
    run.fail(run.claim("b"), retryable=False)
    run.undo("a")

    undo = node(run, "compensate:a")

    assert ("pending", 2) == (undo.status, undo.visits)


# --- history


def test_only_history_shows_what_a_node_took_in_and_gave_out() -> None:
    """Payloads, errors, gates and tries."""
    run = pictures.order_is_charged()

    bare, full = node(run, "charge"), node(run, "charge", history=True)

    assert (None, None, None, ()) == (bare.input, bare.output, bare.error, bare.attempts)
    assert [1, 2] == [one.number for one in full.attempts]
    assert {"fragile": False} == node(run, "reserve", history=True).output
    assert full.input == full.attempts[-1].input


def test_history_shows_gates_and_what_no_attempt_put_out() -> None:
    """An answer, and a message."""
    run = pictures.order_is_reviewed()
    gate = node(run, "review", history=True).gate

    assert gate is not None
    assert "review?" == gate.question

    run.approve("review")

    output = node(run, "review", history=True).output
    assert isinstance(output, dict)
    assert "approved" == output["decision"]


def test_history_shows_why_a_visit_failed_that_no_attempt_says() -> None:
    """A time-out is told by what was applied."""
    error = node(pictures.time_is_up(), "content", history=True).error

    assert error is not None
    assert "timed_out" == error.kind


def test_history_shows_the_error_of_the_newest_try() -> None:
    """An attempt says it itself."""
    run = pictures.order_is_undone()

    error = node(run, "ship", history=True).error

    assert error is not None
    assert "the card was declined" == error.message


def test_a_node_that_puts_nothing_out_shows_nothing() -> None:
    """A message whose node keeps no output."""
    run = Scenario(chain(receive("told"), log("noted")))
    run.start()
    run.send("told", {})

    assert node(run, "told", history=True).output is None


# --- as data


def test_a_time_out_of_the_run_is_at_no_node() -> None:
    """A timer is no try at anything."""
    run = Scenario(workflow(approval("a", timeout_ms=1000), timeout_ms=5000))
    run.start()

    assert (None, ("a",)) == (node(run, "a").attempt, seen(run).current)


def test_a_pruned_run_draws_its_definition_and_claims_nothing() -> None:
    """How far it came nobody knows any more."""
    run = Scenario(chain(step("a"), step("b")))
    run.finds(
        RunPruned(
            at=EPOCH,
            revision=Revision(1),
            workflow="orders",
            definition=Fingerprint("f" * 64),
            trigger="placed",
            digest="d",
            status="completed",
            started_at=EPOCH,
            ended_at=EPOCH,
        )
    )

    assert {"skipped"} == {edge.status for edge in seen(run).edges}
    assert ["waiting", "waiting"] == [one.status for one in seen(run).nodes[1:3]]


@pytest.mark.parametrize("history", [False, True], ids=["bare", "history"])
@pytest.mark.parametrize("name", pictures.PICTURES)
def test_data_are_as_the_schema_says(name: str, history: bool) -> None:
    """What programs are handed is described in specs/views/graph.schema.json."""
    data = seen(pictures.PICTURES[name](), history=history).to_dict()
    schema = graph_schemas()["graph.schema.json"]

    Draft202012Validator(schema).validate(json.loads(json.dumps(data)))


def test_edges_name_their_ends_from_and_to() -> None:
    """As definitions do; the attributes have the names that Python allows."""
    data = edge(pictures.order_is_ready(), "reserve:ok:risk").to_dict()

    assert ("reserve", "risk") == (data["from"], data["to"])
    assert {"source", "target"}.isdisjoint(data)


def _prefixes(run: Scenario) -> list[RunState]:
    from squidmesh_core.state.fold import fold_run

    return [fold_run(RUN, run.journal[:i]) for i in range(len(run.journal) + 1)]
