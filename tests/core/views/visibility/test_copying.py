"""Redacted copies are what constructors would make, though none is called."""

import pickle
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.values.scope import SCOPES, Scope, sees
from squidmesh_core.views.explanation import explain
from squidmesh_core.views.graph import graph
from squidmesh_core.views.inspection import AttemptView, Snapshot, run_of, snapshot
from squidmesh_core.views.plain import View
from squidmesh_core.views.visibility import CORE, redact
from squidmesh_core.views.visibility.copying import Changes, copier
from squidmesh_core.views.visibility.hiding import hidden
from squidmesh_core.views.visibility.records import loose
from squidmesh_core.views.visibility.rules import Partly
from support.canaries import LONGEST, Planted

BELOW_AUDITOR: Final[tuple[Scope, ...]] = ("external", "operator")


def plainly(member: object, scope: Scope) -> object:
    """Redaction as one would write it who has all the time in the world."""
    if isinstance(member, tuple):
        return tuple(plainly(one, scope) for one in member)
    if isinstance(member, Mapping):
        return loose(member)
    cls = type(member)
    if not attrs.has(cls):
        return member
    changes: dict[str, object] = {}
    for field in attrs.fields(cls):
        rule = CORE.tables[cls][field.name]
        edit = rule.edit(scope) if isinstance(rule, Partly) else None
        if edit is not None:
            changes[field.name] = edit(partial(getattr, member))
        elif isinstance(rule, Partly) or not sees(scope, rule):
            changes[field.name] = hidden(field.type)()
        else:
            changes[field.name] = plainly(getattr(member, field.name), scope)
    return cls(**changes)


@pytest.mark.parametrize("scope", BELOW_AUDITOR)
@given(count=st.integers(1, LONGEST), cancelled=st.booleans(), history=st.booleans())
def test_a_copy_is_what_the_tables_say(
    scope: Scope, *, count: int, cancelled: bool, history: bool
) -> None:
    """Member by member, of whatever views there are of a run."""
    run = Planted("c0ffee02").until(count, cancelled=cancelled)
    views: tuple[View, ...] = (
        run_of(run.state),
        snapshot(run.state, run.spec, run.now, history=history),
        graph(run.state, run.spec, run.now, history=history),
        explain(run.state, run.spec, run.now),
    )
    for view in views:
        copy = redact(view, scope)

        assert plainly(view, scope) == copy
        assert type(view) is type(copy)


@pytest.mark.parametrize("scope", SCOPES)
@given(count=st.integers(1, LONGEST), cancelled=st.booleans(), history=st.booleans())
def test_attempts_redacted_while_they_are_made_are_the_same(
    scope: Scope, *, count: int, cancelled: bool, history: bool
) -> None:
    """One by one or all together: there is one set of rules."""
    run = Planted("c0ffee05").until(count, cancelled=cancelled)
    whole = snapshot(run.state, run.spec, run.now, history=history)

    seen = snapshot(run.state, run.spec, run.now, history=history, shown=CORE.each(scope))

    assert redact(list(whole.attempts), scope) == list(seen.attempts)
    assert redact(whole, scope) == redact(seen, scope)


def test_each_attempt_is_redacted_before_the_next_is_made() -> None:
    """So those that nobody may see whole are never all there."""
    run = Planted("c0ffee06").until(LONGEST)
    made: list[weakref.ref[AttemptView]] = []

    def shown(attempt: AttemptView) -> AttemptView:
        made.append(weakref.ref(attempt))
        return attrs.evolve(attempt, number=sum(one() is not None for one in made))

    alive = [one.number for one in snapshot(run.state, run.spec, run.now, shown=shown).attempts]

    assert len(run.state.attempts) == len(alive) > 2
    assert 2 >= max(alive)


@pytest.fixture
def copied() -> Snapshot:
    run = Planted("c0ffee03").until(LONGEST)
    return redact(snapshot(run.state, run.spec, run.now, history=True), "operator")


def test_a_copy_is_as_frozen_as_what_it_was_made_of(copied: Snapshot) -> None:
    """That it was open for a moment is over before anybody has it."""
    for record in (copied, copied.run, copied.attempts[0]):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            record.status = "completed"  # type: ignore[misc]  # what nobody may do
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            del record.run  # type: ignore[union-attr]  # what nobody may do


def test_a_copy_is_a_record_like_any_other(copied: Snapshot) -> None:
    """It can be hashed, kept weakly, sent to another process, and changed into yet another."""
    attempt = copied.attempts[0]

    assert hash(copied.run) == hash(attrs.evolve(copied.run))
    assert copied == pickle.loads(pickle.dumps(copied))
    assert attempt is weakref.ref(attempt)()
    assert 7 == attrs.evolve(attempt, number=7).number


def test_maps_in_the_place_of_hidden_ones_are_the_reader_s_own() -> None:
    """What a host adds to one shows in no other."""
    run = Planted("c0ffee04").until(LONGEST)
    full = snapshot(run.state, run.spec, run.now)
    one, other = redact(full, "operator"), redact(full, "operator")

    assert {} == one.context == other.context
    assert one.context is not other.context


def test_members_may_be_called_anything() -> None:
    """What the written function calls its own does not get in their way."""

    @attrs.frozen(kw_only=True)
    class Odd:
        record: str
        copy: str
        cls: object
        inside: object
        twin: tuple[str, ...]
        of: object

    odd = Odd(record="a", copy="b", cls="c", inside="d", twin=("e",), of=6)
    changes = Changes(
        hidden={"record": str, "twin": tuple},
        edited={"of": lambda get: f"{get('of')} of {get('copy')}"},
        deep=("cls", "inside"),
    )

    seen = copier(Odd, changes, lambda member: f"in {member}")(odd)

    assert Odd(record="", copy="b", cls="in c", inside="in d", twin=(), of="6 of b") == seen
