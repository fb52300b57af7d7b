"""What is true of the graph of any run, and that the checks of it would notice if it were not."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Fingerprint
from squidmesh_core.protocol.entries import RunStarted
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.graph import building, edges, graph, undoing, words
from squidmesh_core.views.graph.layout import Box, Line, ordering, placing, routing
from squidmesh_core.views.graph.layout.ranking import Ranks, ranked
from support import pictures
from support.drawn import check_course, check_drawings, check_graph, check_layout
from support.plays import plays
from support.scenario import EPOCH, RUN, Scenario
from support.specs import specs

_sizes = st.integers(1, 60)


@st.composite
def webs(draw: st.DrawFn) -> tuple[list[Box], list[Line]]:
    """Any boxes with any lines between them: loops, twins, labels, and boxes on their own."""
    names = [f"b{i}" for i in range(draw(st.integers(1, 9)))]
    boxes = [
        Box(name, draw(_sizes) + 9, draw(_sizes), draw(st.sampled_from([0, 7]))) for name in names
    ]
    ends = st.sampled_from(names)
    labels = st.none() | st.tuples(_sizes, _sizes)
    lines = [
        Line(f"l{i}", draw(ends), draw(ends), draw(labels)) for i in range(draw(st.integers(0, 16)))
    ]
    return boxes, lines


def check_run(run: Scenario) -> None:
    """Everything that must be true of the graphs of a run's states."""
    graphs = [check_graph(run, state) for state in run.states if state.started is not None]
    check_course(graphs)
    check_drawings(graphs[-1])


@given(run=plays())
def test_graphs_say_what_the_journal_says(run: Scenario) -> None:
    """Of every state of a run, and from each state to the next."""
    check_run(run)


@given(spec=specs())
def test_every_valid_definition_can_be_drawn(spec: Spec) -> None:
    """Every kind of node and condition, in every language."""
    began = RunStarted(
        at=EPOCH,
        workflow=spec.workflow,
        definition=Fingerprint("f" * 64),
        definition_version=spec.version,
        trigger=spec.triggers[0].name,
    )

    check_drawings(graph(fold_run(RUN, [began]), spec, EPOCH))


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures_say_what_the_journal_says(name: str) -> None:
    """The same of the runs that are kept as pictures."""
    check_run(pictures.PICTURES[name]())


@given(web=webs())
def test_no_two_boxes_overlap_and_lines_lead_where_they_should(
    web: tuple[list[Box], list[Line]],
) -> None:
    """Labels are boxes too."""
    check_layout(*web)


#: Whose rows take all sweeps there are: source and target of each line.
RESTLESS: Final = "10-8 10-4 0-7 10-4 3-8 10-7 8-7 2-4 8-7 6-6 9-7 9-6"


def _web(lines: str) -> tuple[list[Box], list[Line]]:
    ends = [line.split("-") for line in lines.split()]
    boxes = [Box(str(i), 20, 10) for i in range(11)]
    return boxes, [Line(f"l{i}", source, target) for i, (source, target) in enumerate(ends)]


@given(web=webs())
@example(web=_web(RESTLESS))
def test_rows_are_in_the_best_order_of_all_sweeps(web: tuple[list[Box], list[Line]]) -> None:
    """Crossings are counted pair by pair here, and no sweep is left out."""
    ranks = ranked(*web)
    orders = [ordering._first(ranks)]
    for sweep in range(ordering._SWEEPS):
        rows = list(orders[-1])
        down = sweep % 2 == 0
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            beside = rows[i - 1 if down else i + 1]
            rows[i] = ordering._sorted(rows[i], beside, ranks.above if down else ranks.below)
        orders.append(rows)

    assert min(orders, key=lambda rows: _crossed(rows, ranks)) == ordering.in_order(ranks)


def _crossed(rows: list[tuple[int, ...]], ranks: Ranks) -> int:
    """How many pairs of joins cross."""
    count = 0
    for upper, lower in pairwise(rows):
        joins = [(i, lower.index(to)) for i, stop in enumerate(upper) for to in ranks.below[stop]]
        count += sum(a[0] < b[0] and a[1] > b[1] for a in joins for b in joins)
    return count


# --- planted bugs

#: Generating only, and always the same: a bug is to be found, not shrunk.
_CANARY = settings(
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    max_examples=300,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def _first_route(named: edges._Named, decided: object) -> str:
    return next((own for routes in named._routes.values() for _, own in routes), "")


def _every_node(state: object, spec: Spec) -> set[str]:
    return set(spec.nodes)


def _no_node(state: object, spec: Spec) -> set[str]:
    return set()


#: What is wrong → the module, the name in it, and what is put there.
BUGS: dict[str, tuple[object, str, object]] = {
    "decisions are guessed": (edges._Named, "edge_of", _first_route),
    "branches stay open for ever": (edges, "_ahead", _every_node),
    "branches are closed too soon": (edges, "_ahead", _no_node),
    "a failed dependency counts": (edges, "_MET", {"failed": "selected", "completed": "selected"}),
    "what undoes has the id of its node": (undoing, "_PREFIX", ""),
    "undone steps are forgotten": (undoing, "_GRAVEST", ()),
    "a whole run is at its timers": (building, "_place", lambda attempt: attempt.key),
    "texts are drawn as they are": (words, "visible", lambda text: text),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that misses these is the broken thing."""
    module, name, planted = BUGS[bug]
    monkeypatch.setattr(module, name, planted)

    with pytest.raises(Exception):  # noqa: B017, PT011  # an assertion, or whatever the bug raises
        _found_by(check_run)


def _found_by(check: Callable[[Scenario], None]) -> None:
    for play in pictures.PICTURES.values():
        check(play())
    _CANARY(given(plays())(check))()


LAYOUT_BUGS: dict[str, tuple[object, str, object]] = {
    "rows are not kept apart": (placing, "_gap", lambda left, right, spacing: 0.0),
    "chains move through each other": (
        placing,
        "straightened",
        lambda ranks, rows, centres, gaps: [centres[0]] * len(centres),
    ),
    "lines end beside their boxes": (routing, "_EDGE", 3.0),
}


@pytest.mark.parametrize("bug", LAYOUT_BUGS)
def test_planted_bugs_of_the_layout_are_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that misses these is the broken thing."""
    module, name, planted = LAYOUT_BUGS[bug]
    monkeypatch.setattr(module, name, planted)

    with pytest.raises(AssertionError):
        _CANARY(given(webs())(_check_web))()


def _check_web(web: tuple[list[Box], list[Line]]) -> None:
    check_layout(*web)
