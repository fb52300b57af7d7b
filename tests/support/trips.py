"""
Runs to be undone: a trip that fails, and steps side by side.

    run = failed(trip(), "flight", "hotel", step="pay")
    assert ["hotel"] == due(run)
    ...
    assert () == ended(run).recovery
"""

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import VisitKey
from squidmesh_core.protocol.entries import Entry, Failure, RunTerminal
from squidmesh_core.values import RetryPolicy
from support import naive_undoing
from support.scenario import RUN, Scenario
from support.workflows import chain, step, workflow

BANG = Failure(kind="Bang", message="it broke as well")
ONCE = RetryPolicy(max_attempts=1)
TWICE = RetryPolicy(max_attempts=2)


def visit(name: str) -> VisitKey:
    """The key of a visit of the scenario's run."""
    return VisitKey(f"{RUN}:{name}")


def trip(**options: RetryPolicy) -> Spec:
    """Flight, then hotel, then paying, which has no callback; options are policies of callbacks."""
    return chain(
        step("flight", output="flight", compensate=True, compensate_retry=options.get("flight")),
        step("hotel", output="hotel", compensate=True, compensate_retry=options.get("hotel")),
        step("pay"),
    )


def side_by_side() -> Spec:
    """Three steps without order, each with a callback, and one after them all."""
    return workflow(
        step("a", compensate=True),
        step("b", compensate=True),
        step("c", compensate=True),
        step("end", after=("a", "b", "c")),
    )


def failed(spec: Spec, *done: str, step: str) -> Scenario:
    """A run that did these steps, and then failed at that one."""
    run = Scenario(spec)
    run.start({"amount": 5})
    for name in done:
        run.perform(name, f"{name} done")
    run.fail(run.claim(step))
    return run


def kinds(entries: tuple[Entry, ...]) -> list[type[Entry]]:
    """The classes of these entries, in order."""
    return [type(entry) for entry in entries]


def due(run: Scenario) -> list[str]:
    """The steps whose callback is live."""
    return [a.intent.step for a in run.state.live.values() if a.intent.kind == "compensation"]


def ended(run: Scenario) -> RunTerminal:
    """How the run ended, which passes the second opinion."""
    assert run.state.terminal is not None
    naive_undoing.every_rule_holds(run.journal, run.spec)
    return run.state.terminal
