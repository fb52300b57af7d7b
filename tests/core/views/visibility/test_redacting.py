"""What each scope sees of a view, and that nobody was forgotten."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, cast

import attrs
import pytest

from squidmesh_core import views
from squidmesh_core.ids import Revision
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views.explanation import RefusedAction, explain
from squidmesh_core.views.graph import graph
from squidmesh_core.views.history import CommandView
from squidmesh_core.views.inspection import Snapshot, run_of, snapshot
from squidmesh_core.views.plain import View
from squidmesh_core.views.visibility import CORE, HIDDEN_AT, Redaction, redact
from squidmesh_core.views.visibility.failures import OWN_KINDS
from squidmesh_core.views.visibility.records import changes_of
from squidmesh_core.views.visibility.rules import table
from support.canaries import LONGEST, Planted
from support.scenario import EPOCH, Scenario
from support.workflows import chain, diamond, step

BELOW_AUDITOR: Final[tuple[Scope, ...]] = ("external", "operator")
RECORDS: Final = sorted(CORE.tables, key=lambda cls: cls.__name__)


def planted(count: int = LONGEST) -> Snapshot:
    run = Planted("feedbeef").until(count)
    return snapshot(run.state, run.spec, run.now, history=True)


def core_views(cls: type[View] = View) -> Iterator[type]:
    for sub in cls.__subclasses__():
        # But for the twins that copies are begun in, which attrs has not made.
        if sub.__module__.startswith("squidmesh_core.") and "__attrs_attrs__" in vars(sub):
            yield sub
            yield from core_views(sub)


# --- the tables


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_every_member_is_named(cls: type) -> None:
    """A new member fails here until somebody has said who may see it."""
    assert {field.name for field in attrs.fields(cls)} == set(CORE.tables[cls])


@pytest.mark.parametrize("scope", BELOW_AUDITOR)
@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_every_view_can_be_copied(cls: type, scope: Scope) -> None:
    """Whatever a table hides has a value in its place; entries are redacted as data alone."""
    if cls in {view for view in core_views() if view in CORE.tables}:
        changes = changes_of(cls, CORE.tables[cls], scope)
        assert {*changes.hidden, *changes.edited, *changes.deep} <= CORE.tables[cls].keys()
    else:
        assert cls in WIRE_TYPES or not issubclass(cls, View)


def test_every_view_of_the_core_has_a_table() -> None:
    """A new view cannot be redacted, and fails here, until somebody has said who may see it."""
    for module in pkgutil.walk_packages(views.__path__, f"{views.__name__}."):
        import_module(module.name)

    assert set() == {cls.__name__ for cls in core_views() if cls not in CORE.tables}


def test_a_member_that_no_table_names_is_hidden() -> None:
    """A new one shows nothing before it is listed."""

    @attrs.frozen(kw_only=True)
    class Grown(View):
        known: str
        new: str

    grown = Grown(known="a", new="b")
    redaction = Redaction({Grown: table(external="known")})

    for scope in BELOW_AUDITOR:
        assert Grown(known="a", new=REDACTED) == redaction.redact(grown, scope)
        assert {"known": "a", "new": REDACTED} == redaction.redact(grown.to_dict(), scope)


def test_a_member_is_listed_once() -> None:
    """Two scopes for one member would be a slip of the pen."""
    with pytest.raises(ValueError, match="status is listed twice"):
        table(external="status", operator="status")


def test_what_is_empty_stays_as_it_is() -> None:
    """And a record that nothing is left out of is handed on, not copied."""
    empty = CommandView(revision=Revision(1), command="pause", at=EPOCH)
    named = attrs.evolve(empty, actor="ana")

    assert empty is redact(empty, "operator")
    assert empty == redact(named, "operator")


# --- what is seen


def test_external_sees_status_current_nodes_and_the_shape() -> None:
    """And no time, no count, no reason, no owner, no word of anybody."""
    seen = redact(planted(10), "external")

    assert ("running", ("ship",)) == (seen.status, seen.current)
    assert ["completed", "completed", "completed", "running"] == [s.status for s in seen.steps]
    assert (HIDDEN_AT, None) == (seen.run.created_at, seen.to_dict()["next_visible_at"])
    assert (REDACTED, (), {}) == (seen.reason, seen.attempts, seen.context)
    assert [0, 0, 0, 0] == [step.visits for step in seen.steps]


def test_operators_see_reasons_counts_times_owners_and_kinds() -> None:
    """And neither what went in nor what came out."""
    full = planted()
    seen = redact(full, "operator")

    assert (full.reason, full.steps) == (seen.reason, seen.steps)
    assert full.run.created_at == seen.run.created_at
    assert [a.owner for a in full.attempts] == [a.owner for a in seen.attempts]
    assert full.error is not None
    assert Failure(kind=full.error.kind, message=REDACTED) == seen.error
    assert full.error.kind == seen.run.error
    assert ({}, {}) == (seen.input, seen.context)
    assert {None} == {command.actor for command in redact(full.audit, "operator")}


@pytest.mark.parametrize("kind", [*sorted(OWN_KINDS), "Boom"])
def test_operators_read_the_messages_of_the_runtime_alone(kind: str) -> None:
    """A step's message is the host's; that of a time-out is not."""
    run = Scenario(chain(step("a")))
    run.start()
    run.fail(run.claim("a"), Failure(kind=kind, message="so it says", details={"n": 1}))
    seen = redact(snapshot(run.state, run.spec, run.now), "operator")
    said = "so it says" if kind in OWN_KINDS else REDACTED

    assert Failure(kind=kind, message=said) == seen.error
    assert (f"{kind}: {said}" if kind in OWN_KINDS else kind) == seen.run.error


def test_a_graph_keeps_its_shape() -> None:
    """So pictures can be drawn of it for everybody."""
    run = Planted("feedbeef").until(LONGEST)
    full = graph(run.state, run.spec, run.now, history=True)
    for scope in BELOW_AUDITOR:
        seen = redact(full, scope)

        assert [node.id for node in full.nodes] == [node.id for node in seen.nodes]
        assert [edge.id for edge in full.edges] == [edge.id for edge in seen.edges]
        assert {None} == {edge.values for edge in seen.edges}


def test_each_scope_sees_more_than_the_one_before() -> None:
    """The three differ, for a snapshot and for what is made of it."""
    documents = [str(redact(planted(), scope).to_dict()) for scope in SCOPES]

    assert 3 == len(set(documents))
    assert sorted(documents, key=len) == documents


# --- plain data


def test_plain_data_shows_what_views_show() -> None:
    """Under the names that views have; of other members nothing is known, so nothing is shown."""
    given = {
        "status": "running",
        "owner": "ana",
        "customer": "Ida",
        "nested": {"status": "secret"},
        "apiKey": "k",
        "graph": [run_of(Planted("ab").until(1).state).to_dict()],
    }

    external, operator = (redact(given, scope) for scope in BELOW_AUDITOR)

    assert {"status", "graph"} == set(external)
    assert {"status", "owner", "graph"} == set(operator)
    assert given is redact(given, "auditor")


def test_bare_values_are_hidden_and_null_stays() -> None:
    """Nobody can tell what a text in a list is."""
    assert [REDACTED, None, REDACTED] == redact(["text", None, 5], "operator")
    assert None is redact(None, "external")


def test_what_is_no_view_is_refused() -> None:
    """An answer that was not thought of is an error, never the thing itself."""
    run = Planted("ab").until(1)
    for thing in ("text", 5, run.state, run.journal[0]):
        with pytest.raises(TypeError):
            redact(thing, "operator")
    with pytest.raises(ValueError, match="expected one of external, operator, auditor"):
        redact(run_of(run.state), "admin")  # type: ignore[arg-type]  # as a host may call it


def test_an_entry_that_nobody_knows_shows_nothing() -> None:
    """A newer release may have written it."""
    shown = CORE.entry_data("operator")

    assert {} == shown("run_teleported", {"step": "a"})
    assert {} == shown(None, {"step": "a"})
    assert {} == shown("attempt_scheduled", "a text")


# --- odd places


def test_a_member_of_a_type_that_tells_nothing_is_a_mistake_of_ours() -> None:
    """What could not be hidden is refused where the table is written, not shown."""

    @attrs.frozen(kw_only=True)
    class Odd(View):
        place: complex

    with pytest.raises(TypeError, match="tells nothing"):
        Redaction({Odd: table()}).redact(Odd(place=1j), "external")


def test_what_is_no_plain_data_is_hidden_though_it_may_be_seen() -> None:
    """A document is judged as it came; what JSON has not cannot be looked into."""
    document = {**planted(10).run.to_dict(), "status": {"a set"}}

    assert REDACTED == redact(document, "external")["status"]


def test_a_refusal_that_may_quote_somebody_is_not_told() -> None:
    """Only its code is the runtime's own."""
    refused = RefusedAction(name="approve", code="invalid_form", message="'feedbeef' is no number")

    assert ("invalid_form", REDACTED) == (
        redact(refused, "operator").code,
        redact(refused, "operator").message,
    )


def test_what_a_join_waits_for_is_told_by_node() -> None:
    """Nodes and how far they are: nobody's words."""
    run = Scenario(diamond())
    run.start()
    run.complete(run.claim("pick"), {})
    run.complete(run.claim("pack"), {})
    told = explain(run.state, run.spec, run.now)
    seen = redact(told, "operator")

    assert told.details["joins"] == seen.details["joins"]
    assert [{"bill": "pending"}] == [one["waits_for"] for one in cast("Any", told.details["joins"])]


@pytest.mark.parametrize("scope", BELOW_AUDITOR)
def test_what_holds_itself_is_no_view(scope: Scope) -> None:
    """Nothing stored lies so deep; it is said, and nothing of it is shown."""
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(TypeError, match="nested too deeply"):
        redact(endless, scope)
