"""
Nothing that somebody filled in leaks below its scope, in any view, by any way out.

A case is one canary, in one view, for one scope, by one way out.  In CI there are
more than a hundred thousand; `test_there_are_enough_cases` counts them.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squidmesh_core.plan.admission import Paused, QueueSettings
from squidmesh_core.protocol.codec import entry_to_json
from squidmesh_core.protocol.entries import Failure, ManualStepResolved, RunStarted
from squidmesh_core.values.scope import Scope, sees
from squidmesh_core.views.board import Board, run_deadlines
from squidmesh_core.views.bulk import Bulk, Steered
from squidmesh_core.views.diff import diff
from squidmesh_core.views.explanation import Explanation, Line, Surroundings, explain
from squidmesh_core.views.graph import GraphEdge, RunGraph, graph
from squidmesh_core.views.history import AuditView, CommandView
from squidmesh_core.views.inspection import AttemptView, Run, Snapshot, run_of, snapshot
from squidmesh_core.views.plain import View
from squidmesh_core.views.visibility import CORE, Redaction
from squidmesh_core.views.waiting import AwaitedView
from support.canaries import LONGEST, PLACES, Planted

#: Runs that are tried here for every two of another property: a leak is worse than a bug.
FOLD: Final = 5
BELOW_AUDITOR: Final[tuple[Scope, ...]] = ("external", "operator")
marks = st.integers(0, 16**8 - 1).map("{:08x}".format)
runs = st.builds(
    lambda mark, count, cancelled: Planted(mark).until(count, cancelled=cancelled),
    marks,
    st.integers(1, LONGEST),
    st.booleans(),
)


def views(run: Planted) -> dict[str, object]:
    """Everything that a mesh shows of a run, with all that may be asked for."""
    note = Paused(at=run.now, by=run["actor"], note=run["comment"])
    lines = {run["queue"]: Line(settings=QueueSettings(paused=note))}
    full = snapshot(run.state, run.spec, run.now, history=True)
    begun = snapshot(run.states[1], run.spec, run.now, history=True)
    records: dict[str, View] = {
        "run": run_of(run.state),
        "snapshot": full,
        "explanation": explain(run.state, run.spec, run.now, Surroundings(lines=lines)),
        "graph": graph(run.state, run.spec, run.now, history=True),
        "board": Board(at=run.now, items=run_deadlines(run.state, run.now)),
        "bulk": Bulk(verb="cancel", planned=True, items=(steered(run),)),
        "diff": diff(begun, full),
    }
    documents = {name: view.to_dict() for name, view in records.items()}
    return {
        **records,
        "several": (full, records["run"]),
        "gates": full.gates,
        **{f"{name} as data": document for name, document in documents.items()},
        "a page of data": {"views": list(documents.values()), "extra": run["payload"]},
        "what a host adds": {**documents["snapshot"], "customer": {"status": run["payload"]}},
    }


def steered(run: Planted) -> Steered:
    """What a command on many runs says of this one, quoting what was filled in."""
    one = run_of(run.state)
    return Steered(
        id=one.id,
        workflow=one.workflow,
        outcome="refused",
        before=one.status,
        after=one.status,
        effects=(f"the run ends here: {run['errormessage']}",),
        code="invalid_transition",
        message=f"it is held by {run['actor']}: {run['comment']}",
    )


def ways_out(view: object) -> Iterator[str]:
    """Every form in which a view leaves the process."""
    yield repr(view)
    yield "%s" % (view,)  # noqa: UP031  # as a log line does it
    yield json.dumps(_data(view), ensure_ascii=False)
    if isinstance(view, Explanation):
        yield view.to_text()
    if isinstance(view, RunGraph):
        yield from (view.to_svg(), view.to_mermaid(), view.to_dot(), view.to_ascii())


def leaks(run: Planted, text: str, scope: Scope) -> set[str]:
    """Places whose canary a text shows, whole or cut short, to a scope that may not see it."""
    mark = run["payload"].removesuffix("payload")
    seen = {place for place, bird in run.birds.items() if sees(scope, bird.least)}
    found = set(re.findall(rf"{mark}([a-z]*)", text))
    return {cut for cut in found if not any(place.startswith(cut) for place in seen)}


def shown(run: Planted, scope: Scope, redaction: Redaction = CORE) -> Iterator[tuple[str, str]]:
    """Every view of a run, redacted, by every way out."""
    for name, view in views(run).items():
        redacted = redaction.redact(view, scope)
        for text in ways_out(redacted):
            yield name, text
    for entry in run.journal:
        data = dict(entry_to_json(entry, run.state.run_id))
        kind = str(data.pop("type"))
        yield kind, json.dumps(redaction.entry_data(scope)(kind, data), ensure_ascii=False)


@settings(max_examples=settings().max_examples * FOLD // 2)
@given(runs)
def test_no_canary_leaves_its_scope(run: Planted) -> None:
    """Whatever happened to the run, and whoever looks at whatever part of it."""
    for scope in BELOW_AUDITOR:
        for name, text in shown(run, scope):
            assert set() == leaks(run, text, scope), (scope, name)


@given(runs)
def test_auditors_see_the_view_itself(run: Planted) -> None:
    """Nothing is taken away, and what was planted is there to be found."""
    for view in views(run).values():
        assert view is CORE.redact(view, "auditor")

    assert {"payload", "secret", "tag"} <= leaks(run, repr(views(run)), "external")


@given(runs)
def test_redacting_and_writing_may_come_in_either_order(run: Planted) -> None:
    """A view that was written is as safe as one that was not, and looks the same."""
    for view in views(run).values():
        if isinstance(view, View):
            for scope in BELOW_AUDITOR:
                assert CORE.redact(view, scope).to_dict() == CORE.redact(view.to_dict(), scope)


@given(runs)
def test_redacting_twice_is_redacting_once(run: Planted) -> None:
    """Handing a redacted view on through another door does no harm, and cannot widen it."""
    for view in views(run).values():
        external = CORE.redact(view, "external")

        assert external == CORE.redact(external, "external")


def test_there_are_enough_cases() -> None:
    """What one run stands for, times the runs that CI tries, is more than 100,000."""
    run = Planted("c0ffee00").until(LONGEST)
    cases = sum(
        sum(not sees(scope, least) for least in PLACES.values())
        for scope in BELOW_AUDITOR
        for _ in shown(run, scope)
    )

    assert 100_000 < cases * (settings.get_profile("ci").max_examples * FOLD // 2)


def test_every_place_is_reached() -> None:
    """A canary that no view ever shows would test nothing."""
    run = Planted("c0ffee01").until(LONGEST)
    seen = "".join(text for _, text in shown(run, "auditor")) + repr(run.journal)

    assert set(PLACES) <= set(re.findall(r"qc0ffee01z([a-z]*)", seen))


# --- planted leaks are found


@pytest.mark.parametrize(
    ("cls", "member", "scope", "place"),
    [
        (Run, "error", "external", "errormessage"),
        (Run, "key", "external", "runkey"),
        (Run, "tags", "external", "tag"),
        (Snapshot, "input", "external", "payload"),
        (AttemptView, "owner", "external", None),
        (AttemptView, "progress", "operator", "progressnote"),
        (AwaitedView, "correlation", "external", "correlation"),
        (CommandView, "comment", "operator", "comment"),
        (AuditView, "actor", "operator", "actor"),
        (Explanation, "summary", "external", "errormessage"),
        (Explanation, "why", "operator", "output"),
        (Failure, "message", "operator", "errormessage"),
        (GraphEdge, "values", "operator", "output"),
        (ManualStepResolved, "comment", "external", "comment"),
        (RunStarted, "tags", "external", "tag"),
    ],
)
def test_a_member_that_is_listed_too_widely_is_found(
    cls: type, member: str, scope: Scope, place: str | None
) -> None:
    """The property fails where a table is wrong; what is hidden around it hides it too."""
    tables = {**CORE.tables, cls: {**CORE.tables[cls], member: "external"}}
    found: set[str] = set()
    for count in range(1, LONGEST + 1):
        run = Planted(f"bad{count:05}").until(count)
        for _, text in shown(run, scope, Redaction(tables)):
            found |= leaks(run, text, scope)

    assert (set() if place is None else {place}) <= found
    assert (place is None) == (found == set())


def _data(view: object) -> object:
    match view:
        case View():
            return view.to_dict()
        case tuple() | list():
            return [_data(member) for member in view]
        case _:
            return view
