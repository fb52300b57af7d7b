"""Routes: which one an outcome takes, and what is kept of the decision."""

from squidmesh_core.definition.spec import COMPLETE, Outcome, Spec, Transition
from squidmesh_core.ids import NodeName
from squidmesh_core.plan.routes import choose
from squidmesh_core.protocol.entries import Decided
from squidmesh_core.values import Compare
from support.workflows import route, step, workflow

REVIEW = NodeName("review")


def score_below(limit: int) -> Compare:
    return Compare(path=("risk", "score"), operator="less_than", operand=limit)


def routed(*routes: Transition) -> Spec:
    names = ("review", "accept", "look", "refuse")
    return workflow(*(step(name) for name in names), routes=routes)


def target(spec: Spec, score: object = None, *, on: Outcome = "ok") -> str:
    """Where `review` leads, or why nowhere."""
    chosen = choose(spec, REVIEW, on, {"risk": {"score": score}})
    return chosen.target if isinstance(chosen, Decided) else chosen


def test_first_true_condition_wins() -> None:
    """Conditional routes are tried in the order written."""
    spec = routed(
        route("review", "accept", when=score_below(30)),
        route("review", "look", when=score_below(70)),
        route("review", "refuse"),
    )

    assert ["accept", "look", "refuse"] == [target(spec, score) for score in (10, 50, 90)]


def test_fallback_may_stand_anywhere() -> None:
    """An unconditional route written first still loses to a condition that holds."""
    spec = routed(route("review", "refuse"), route("review", "accept", when=score_below(30)))

    assert ["accept", "refuse"] == [target(spec, 10), target(spec, 90)]


def test_missing_value_makes_a_condition_false() -> None:
    """A path that is not there takes the fallback; it is no error."""
    spec = routed(route("review", "accept", when=score_below(30)), route("review", "refuse"))

    assert "refuse" == target(spec)


def test_conditions_without_fallback_may_match_nothing() -> None:
    """When no condition holds and nothing is unconditional, there is no way on."""
    spec = routed(route("review", "accept", when=score_below(30)))

    assert "no_matching_transition" == target(spec, 90)


def test_node_without_ok_route_ends_its_strand() -> None:
    """The last node of a strand leads to `complete` without saying so."""
    assert Decided(source=REVIEW, on="ok", target=COMPLETE) == choose(routed(), REVIEW, "ok", {})


def test_failure_without_error_route_leads_nowhere() -> None:
    """An ok route is no way out of a failure."""
    assert "unknown_transition" == target(routed(route("review", "accept")), on="error")


def test_error_route_may_have_conditions() -> None:
    """The error outcome is routed like any other."""
    spec = routed(
        route("review", "look", on="error", when=score_below(30)),
        route("review", "refuse", on="error"),
    )

    assert ["look", "refuse"] == [target(spec, score, on="error") for score in (10, 90)]


def test_decision_keeps_what_decided_it() -> None:
    """The route taken is kept with its condition and every value that was looked at."""
    spec = routed(
        route("review", "accept", when=score_below(30)),
        route("review", "look", when=Compare(path=("amount",), operator="at_least", operand=100)),
        route("review", "refuse"),
    )
    context = {"risk": {"score": 50}, "amount": 100, "unread": 1}

    assert Decided(
        source=REVIEW,
        on="ok",
        target=NodeName("look"),
        condition={"path": ["amount"], "at_least": 100},
        values={"risk.score": 50, "amount": 100},
    ) == choose(spec, REVIEW, "ok", context)


def test_fallback_keeps_what_was_looked_at() -> None:
    """Why it was taken: the values that made no condition true."""
    spec = routed(
        route("review", "accept", when=score_below(30)),
        route("review", "refuse"),
    )
    refused = Decided(source=REVIEW, on="ok", target=NodeName("refuse"), values={"risk.score": 30})

    assert refused == choose(spec, REVIEW, "ok", {"risk": {"score": 30}})


def test_recovery_marker_is_kept() -> None:
    """An error route that undoes or compensates says so in the decision."""
    spec = routed(route("review", "refuse", on="error", recovery="compensation"))
    decided = choose(spec, REVIEW, "error", {})

    assert isinstance(decided, Decided)
    assert "compensation" == decided.recovery
