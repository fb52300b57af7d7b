"""What the drawings of a graph look like, and what they never hold."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from attrs import evolve

from squidmesh_core.definition.spec import COMPLETE, ManualTrigger, Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.values import AllOf, AnyOf, Compare, Condition, Not
from squidmesh_core.values.scope import Scope
from squidmesh_core.views.graph import RunGraph, graph, words
from squidmesh_core.views.graph.style import SIGNS
from squidmesh_core.views.visibility import redact
from squidmesh_core.views.words import columns
from support import pictures
from support.drawn import HARMFUL, check_drawings
from support.scenario import Scenario
from support.workflows import chain, route, step, workflow

SVG = "{http://www.w3.org/2000/svg}"
SPECS = Path(__file__).parents[4] / "specs"


def seen(run: Scenario) -> RunGraph:
    return graph(run.state, run.spec, run.now)


def groups(run: Scenario, attribute: str) -> dict[str, ElementTree.Element]:
    """The groups of a picture by `data-node` or `data-edge`."""
    root = ElementTree.fromstring(seen(run).to_svg())
    found = ((group.get(attribute), group) for group in root.iter(f"{SVG}g"))
    return {name: group for name, group in found if name is not None}


def classes(group: ElementTree.Element) -> set[str]:
    return set((group.get("class") or "").split())


def title(group: ElementTree.Element) -> str:
    return group.findtext(f"{SVG}title") or ""


def looped(condition: Condition) -> Scenario:
    """A step that may lead to itself."""
    routes = (route("a", "a", when=condition), route("a", COMPLETE))
    run = Scenario(workflow(step("a", output="a", max_visits=3), step("b"), routes=routes))
    run.start()
    return run


def begun(spec: Spec) -> Scenario:
    """A run that nobody has worked on."""
    run = Scenario(spec)
    run.start()
    return run


# --- SVG


def test_a_picture_has_every_node_and_edge_with_a_title() -> None:
    """For screen readers, and for a pointer that rests."""
    run = pictures.order_is_reviewed()

    nodes, edges = groups(run, "data-node"), groups(run, "data-edge")

    assert [node.id for node in seen(run).nodes] == list(nodes)
    assert {edge.id for edge in seen(run).edges} == set(edges)
    assert "review: approval · paused, due soon, in 15 min" == title(nodes["review"])
    assert "reserve: completed, does do.reserve, undone by undo.reserve" == title(nodes["reserve"])
    assert 'risk to review: selected, otherwise, ↳ risk.score = 61, risk.band = "medium"' == (
        title(edges["risk:ok:review"])
    )


def test_a_status_is_told_by_colour_sign_and_word() -> None:
    """By none of them alone."""
    review = groups(pictures.order_is_reviewed(), "data-node")["review"]
    signs = [path.get("d") for path in review.iter(f"{SVG}path")]
    said = [text.text for text in review.iter(f"{SVG}text")]

    assert "paused" in classes(review)
    assert [SIGNS["paused"][0]] == signs
    assert ["review", "approval · paused", "due soon, in 15 min"] == said
    assert len(SIGNS) == len(set(SIGNS.values()))


def test_ways_that_were_taken_are_drawn_over_those_that_were_not() -> None:
    """The last that is drawn is on top."""
    drawn = [
        next(iter(classes(edge) & {"selected", "skipped", "pending", "blocked"}))
        for edge in groups(pictures.order_is_charged(), "data-edge").values()
    ]

    assert drawn == sorted(drawn, key=["skipped", "pending", "blocked", "selected"].index)
    assert "selected" == drawn[-1]


def test_lines_to_the_same_node_share_their_way() -> None:
    """Two hundred nodes of which forty lead to one handler stay a picture, not a tangle."""
    edges = groups(pictures.two_hundred(), "data-edge")
    tips = {name: len(edge.findall(f"{SVG}path")) for name, edge in edges.items()}
    errors = [count for name, count in tips.items() if name.endswith(":error:handler")]

    assert 40 == len(errors)
    assert 10 > errors.count(2) > 0  # the rest end where they join those
    assert 300_000 > len(seen(pictures.two_hundred()).to_svg())


def test_what_would_be_far_too_wide_goes_from_left_to_right() -> None:
    """Pages are scrolled down; forty steps side by side would need a very wide one."""
    wide = workflow(
        step("a"),
        *(step(f"b{i}", after=("a",)) for i in range(40)),
        step("c", after=tuple(f"b{i}" for i in range(40))),
    )
    run = Scenario(wide)
    run.start()
    run.fail(run.claim("a"), retryable=False)
    root = ElementTree.fromstring(seen(run).to_svg())
    width, height = (float(root.get(name, "0")) for name in ("width", "height"))

    assert 1_500 > width > 500
    assert 5_000 > height > 2 * width
    assert "blocked" in classes(groups(run, "data-edge")["a:dependency:b0"])


@pytest.mark.parametrize("scope", ["external", "operator", "auditor"])
@pytest.mark.parametrize("name", pictures.PICTURES)
def test_a_graph_can_be_drawn_whoever_looks(name: str, scope: Scope) -> None:
    """What is hidden from somebody is missing from the picture, and nothing else."""
    check_drawings(redact(seen(pictures.PICTURES[name]()), scope))


def test_a_revision_that_is_hidden_is_not_shown() -> None:
    """There is none of number 0."""
    hidden = redact(seen(pictures.order_is_ready()), "external")

    assert "revision" not in hidden.to_ascii()
    assert "revision" in seen(pictures.order_is_ready()).to_ascii()


def test_a_node_out_of_reach_is_pale() -> None:
    """And says so."""
    review = groups(pictures.order_is_charged(), "data-node")["review"]
    charge = groups(pictures.order_is_charged(), "data-node")["charge"]

    assert "beyond" in classes(review)
    assert "approval · not reached" in title(review)
    assert "beyond" not in classes(charge)


def test_a_blocked_way_ends_in_a_bar() -> None:
    """Nothing comes through there."""
    edges = groups(pictures.join_is_blocked(), "data-edge")
    bar = edges["report:dependency:complete"].findall(f"{SVG}path")[-1].get("d") or ""
    tip = edges["pick:dependency:pack"].findall(f"{SVG}path")[-1].get("d") or ""

    assert not bar.endswith("Z")
    assert tip.endswith("Z")


def test_several_loops_at_one_node_have_labels_side_by_side() -> None:
    """None covers another."""
    one = Compare(path=("a",), operator="equals", operand=1)
    two = Compare(path=("a",), operator="equals", operand=2)
    routes = (route("a", "a", when=one), route("a", "a", when=two), route("a", COMPLETE))
    run = Scenario(workflow(step("a", output="a", max_visits=3), step("b"), routes=routes))
    run.start()

    found = re.findall(
        r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*rx="6"', seen(run).to_svg()
    )
    loops = sorted((float(x), float(width)) for x, width in found)[-2:]

    assert loops[0][0] + loops[0][1] < loops[1][0]


def test_a_picture_needs_nothing_but_itself() -> None:
    """No script, no font, no address but the name of its language; light and dark."""
    svg = seen(pictures.order_is_reviewed()).to_svg()

    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?:[^\"]*", svg)
    assert not re.search(r"<script|<image|<foreignObject|\bon\w+=|@import|url\(|href", svg)
    assert "prefers-color-scheme:dark" in svg
    rules = svg.partition("<style>")[2].partition("</style>")[0].splitlines()
    assert all(
        rule.startswith((".sqm", "@media (prefers-color-scheme:dark){.sqm{")) for rule in rules
    )


def test_a_notebook_shows_the_picture() -> None:
    """By the name that Jupyter asks for."""
    found = seen(pictures.order_is_ready())

    assert found.to_svg() == found._repr_svg_()


def test_a_picture_says_in_a_sentence_what_it_shows() -> None:
    """Where the run is, and how far."""
    ready = ElementTree.fromstring(seen(pictures.order_is_ready()).to_svg())
    shipped = ElementTree.fromstring(seen(pictures.order_is_shipped()).to_svg())

    assert "A run of 10 nodes, 0 completed; it is at reserve." == ready.findtext(f"{SVG}desc")
    assert "A run of 10 nodes, 7 completed." == shipped.findtext(f"{SVG}desc")
    alone = ElementTree.fromstring(seen(begun(chain(step("a")))).to_svg())
    assert "A run of 1 node, 0 completed; it is at a." == alone.findtext(f"{SVG}desc")


@pytest.mark.parametrize("draw", [RunGraph.to_svg, RunGraph.to_mermaid, RunGraph.to_dot])
def test_texts_from_outside_cannot_break_out(draw: object) -> None:
    """They are written out, with what they hold shown and harmless."""
    assert callable(draw)
    text = draw(seen(pictures.texts_from_outside()))

    assert "<script>alert" not in text or draw is RunGraph.to_dot  # DOT quotes it
    assert None is HARMFUL.search(text)
    assert "u202e" in text


# --- the other languages


def test_mermaid_draws_ways_by_their_status() -> None:
    """Strong, plain, dotted; and pale where that can be said."""
    text = seen(pictures.order_is_charged()).to_mermaid()

    assert text.startswith("flowchart TD\n")
    assert "n0 ==> n1" in text
    assert 'n2 -.->|"otherwise' in text
    assert "n4 --> n5" in text
    assert "linkStyle" in text
    assert "linkStyle" not in seen(pictures.order_is_ready()).to_mermaid()


def test_dot_quotes_every_name_and_text() -> None:
    """A backslash is none of its escapes, but for line feeds."""
    text = seen(pictures.texts_from_outside()).to_dot()

    assert text.startswith("digraph run {\n")
    assert text.endswith("}\n")
    assert r"pick.\\u001b" in text
    for line in text.splitlines():
        assert 0 == len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2, line


def test_lines_stand_in_the_order_of_the_run() -> None:
    """Each node below those that lead to it, loops left out."""
    run = pictures.loop_goes_round()
    lines = seen(run).to_ascii().splitlines()
    names = [line.split()[1] for line in lines if line[:1] in "✔▶·" and line]

    assert ["placed", "fetch", "draft", "content", "publish", "complete"] == names
    assert "┣━ rejected · 2 times ━▶ draft ↑" in lines
    assert "▶ draft               running · visit 3  ◀ here" in lines


def test_lines_are_cut_at_the_width() -> None:
    """By columns, of which some characters take two; never below forty."""
    wide = Compare(path=("a",), operator="equals", operand="漢字" * 20)
    text = seen(looped(wide)).to_ascii(50)
    narrow = seen(looped(wide)).to_ascii(1)

    assert 50 >= max(columns(line) for line in text.splitlines()) > 48
    assert 40 >= max(columns(line) for line in narrow.splitlines()) > 38


def test_values_go_below_a_way_that_is_too_long_for_them() -> None:
    """Nothing of them is lost as long as they fit a line of their own."""
    lines = seen(pictures.order_is_reviewed()).to_ascii().splitlines()
    below = lines.index('├╌ risk.score < 40 and risk.band ≠ "high" ╌▷ charge') + 1

    assert '╎  ↳ risk.score = 61, risk.band = "medium"' == lines[below]


def test_nodes_that_nothing_leads_to_are_drawn_too() -> None:
    """A stored definition may hold one; it stands below the rest."""
    run = Scenario(workflow(step("a"), step("b"), routes=(route("a", COMPLETE),)))
    run.start()

    assert "· b" in seen(run).to_ascii()
    assert "b" in groups(run, "data-node")


def test_a_run_without_a_version_is_called_by_its_workflow() -> None:
    """There is nothing to say beside."""
    found = seen(pictures.order_is_ready())

    assert "orders v1 · running" == words.heading(found)
    assert "orders · running" == words.heading(evolve(found, version=None))


# --- words


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Compare(path=("a", "b"), operator="at_least", operand=3), "a.b ≥ 3"),
        (Compare(path=("a",), operator="is_in", operand=[1, 2]), "a in [1, 2]"),
        (Compare(path=("a",), operator="is_missing", operand=True), "a is missing"),
        (Compare(path=("a",), operator="is_missing", operand=False), "a is there"),
    ],
)
def test_conditions_are_said_in_signs(condition: Compare, text: str) -> None:
    """Alone, turned round, and put together."""
    assert text == words.said(condition)
    assert f"not {text}" == words.said(Not(condition=condition))
    both = AllOf(conditions=(condition, Not(condition=condition)))
    assert f"{text} and (not {text})" == words.said(both)
    either = AnyOf(conditions=(condition, condition))
    assert f"{text} or {text}" == words.said(either)


def test_long_names_keep_their_ends() -> None:
    """Which tell most names apart."""
    name = "a" * 40 + "b" * 40
    run = Scenario(chain(step(name), step("z")))
    run.start()

    assert f"{'a' * 14}…{'b' * 15}" == words.short(name)
    assert f"{'a' * 14}…{'b' * 15}" in seen(run).to_svg()
    assert title(groups(run, "data-node")[NodeName(name)]).startswith(name)


def test_names_that_differ_in_the_middle_alone_can_be_told_apart() -> None:
    """So much of them is shown in boxes and lines that they differ there too."""
    names = [f"settle_the_outstanding_balance_of_{who}_before_the_end_of_the_day" for who in "xyz"]
    graph = seen(begun(chain(*map(step, names))))
    labels = words.labels_of(graph)

    assert 3 == len({labels[name] for name in names})
    for text in (graph.to_svg(), graph.to_ascii(80)):
        assert all(label in text for label in labels.values())


def test_a_node_and_what_started_the_run_may_have_one_name() -> None:
    """Nothing would tell them apart but their kinds, which their boxes say."""
    name = "an_order_was_placed_in_the_shop_by_somebody"
    spec = evolve(chain(step(name)), triggers=(ManualTrigger(name=name),))

    assert {"an_order_was_p…hop_by_somebody"} <= set(words.labels_of(seen(begun(spec))).values())


def test_what_is_said_of_a_node_goes_below_a_name_that_leaves_no_room() -> None:
    """Never away, whatever the name."""
    lines = seen(begun(chain(step("a" * 30), step("b")))).to_ascii(40).splitlines()

    assert [f"○ {'a' * 30}", "│  pending  ◀ here", "│", "· b                   waiting"] == lines[
        5:9
    ]


def test_labels_have_few_lines() -> None:
    """What does not fit is in the title."""
    text = ", ".join(f"risk.value_{i} = {i}" for i in range(9))

    lines = words.lines_of(text)

    assert 3 == len(lines)
    assert lines[-1].endswith("…")
    assert () == tuple(words.lines_of(""))


# --- those that are kept


def test_kept_pictures_are_what_is_drawn() -> None:
    """`python specs/write_graphs.py` writes them, for somebody to look at."""
    done = subprocess.run(
        [sys.executable, SPECS / "write_graphs.py", "--check"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (0, "") == (done.returncode, done.stderr)
