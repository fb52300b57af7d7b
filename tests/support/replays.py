"""
Runs made of finished runs: a scenario as the source of another.

    again = replayed(run, from_step="ship")
    rest = recompensated(run)
"""

from squidmesh_core.decide import Refusal
from squidmesh_core.decide.replay import ReplayPlan, plan_replay, replay, retry_compensation
from squidmesh_core.decide.source import Source
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import NodeName, RunId, derived_run_id
from squidmesh_core.protocol.commands import Receipted, Start
from squidmesh_core.protocol.requests import DefinitionChoice, ReplayRequest, RetryRequest
from support.scenario import Scenario


def source_of(run: Scenario) -> Source:
    """The run as something to make another of."""
    return Source(state=run.state, journal=run.journal, spec=run.spec)


def next_run_id(run: Scenario) -> RunId:
    """An id for a run that is made of this one."""
    return derived_run_id("made of", run.state.run_id)


def a_replay(
    run: Scenario,
    *,
    from_step: str | None = None,
    allow_irreversible: bool = False,
    definition: DefinitionChoice = "source",
    key: str | None = None,
) -> ReplayRequest:
    """The wish for a replay."""
    return ReplayRequest(
        run_id=run.state.run_id,
        from_step=None if from_step is None else NodeName(from_step),
        allow_irreversible=allow_irreversible,
        definition=definition,
        said=Receipted(actor="olga", key=key),
    )


def a_retry(run: Scenario, *, key: str | None = None) -> RetryRequest:
    """The wish to undo what a run has left."""
    return RetryRequest(run_id=run.state.run_id, said=Receipted(actor="olga", key=key))


def asked(run: Scenario, ask: ReplayRequest, spec: Spec | None = None) -> Start | Refusal:
    """What a wish for a replay comes to."""
    return replay(
        source_of(run), ask, run_id=next_run_id(run), spec=spec or run.spec, instant=run.now
    )


def planned(run: Scenario, ask: ReplayRequest, spec: Spec | None = None) -> ReplayPlan:
    """What a replay would do."""
    plan = plan_replay(source_of(run), ask, spec or run.spec)
    assert isinstance(plan, ReplayPlan), plan
    return plan


def begun(run: Scenario, start: Start | Refusal, spec: Spec | None = None) -> Scenario:
    """The run that such a start begins, which must be possible."""
    assert isinstance(start, Start), start
    again = Scenario(spec or run.spec, now=run.now, run_id=start.run_id)
    again.decides(start)
    return again


def replayed(
    run: Scenario,
    *,
    from_step: str | None = None,
    allow_irreversible: bool = False,
    spec: Spec | None = None,
) -> Scenario:
    """The replay or fork of a finished run; with a spec, by that present definition."""
    ask = a_replay(
        run,
        from_step=from_step,
        allow_irreversible=allow_irreversible,
        definition="current" if spec else "source",
    )
    return begun(run, asked(run, ask, spec), spec)


def retry_start(run: Scenario, *, key: str | None = None) -> Start:
    """The start of a run that undoes what this one has left, which must be possible."""
    ask = a_retry(run, key=key)
    start = retry_compensation(source_of(run), ask, run_id=next_run_id(run))
    assert isinstance(start, Start), start
    return start


def recompensated(run: Scenario) -> Scenario:
    """The run that undoes what this one has left."""
    return begun(run, retry_start(run))


def refusal(run: Scenario, ask: ReplayRequest, spec: Spec | None = None) -> Refusal:
    """The refusal of a replay, which must be one."""
    answer = asked(run, ask, spec)
    assert isinstance(answer, Refusal), answer
    return answer
