"""Records made quickly are as their constructors make them, and as closed."""

import pickle
from collections.abc import Mapping
from copy import copy
from inspect import signature

import pytest
from attrs import Factory, astuple, define, evolve, field, frozen
from attrs.exceptions import FrozenInstanceError
from attrs.validators import instance_of

from squidmesh_core.protocol.making import maker_of, only_sets, open_twin, quick


@frozen(kw_only=True)
class Noted:
    """A record with something needed, something left out, and something made each time."""

    at: int
    note: str = ""
    #: Named like what a written function might use.
    record: str | None = None
    more: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class Plain:
    """A record without anything made."""

    cls: int
    made: str = "m"


@frozen(kw_only=True)
class Checked:
    """A record whose constructor refuses."""

    at: int = field(validator=instance_of(int))


@frozen(kw_only=True)
class Turned:
    """A record whose constructor converts."""

    at: int = field(converter=int)


@define(kw_only=True)
class Counted:
    """A record whose constructor does more than set."""

    at: int

    def __attrs_post_init__(self) -> None:
        """Count on."""
        self.at += 1


@frozen(kw_only=True)
class Private:
    """A record with a member that the constructor calls otherwise."""

    _at: int


@frozen
class Placed:
    """A record whose constructor takes members by their place."""

    at: int


def test_a_row_becomes_what_the_constructor_makes() -> None:
    """In the order of the names; what is not named is at its default."""
    rows = [("b", 1), ("c", 2)]

    assert [Noted(note=note, at=at) for note, at in rows] == maker_of(Noted, ("note", "at"))(rows)
    assert [Noted(at=1, record="r")] == maker_of(Noted, ("at", "record"))([(1, "r")])


def test_records_made_quickly_are_frozen_and_of_their_class() -> None:
    """Nobody sees what they were before."""
    (one,) = maker_of(Noted, ("at",))([(1,)])

    assert (Noted, Noted(at=2)) == (type(one), evolve(one, at=2))
    with pytest.raises(FrozenInstanceError):
        one.at = 2


def test_defaults_that_are_made_are_made_for_each() -> None:
    """Two records share no map."""
    one, other = maker_of(Noted, ("at",))([(1,), (2,)])

    assert one.more == other.more == {}
    assert one.more is not other.more


def test_a_constructor_that_does_more_is_called() -> None:
    """Whatever it refuses, converts or counts."""
    assert [Turned(at=7)] == maker_of(Turned, ("at",))([("7",)])
    assert [Counted(at=1)] == maker_of(Counted, ("at",))([(1,)])
    with pytest.raises(TypeError, match="must be <class 'int'>"):
        maker_of(Checked, ("at",))([("7",)])
    assert [False, False, False, True] == list(map(only_sets, (Checked, Turned, Counted, Noted)))


@pytest.mark.parametrize(("names", "what"), [(("note",), "needs"), (("at", "moon"), "no.*moon")])
def test_a_row_that_makes_no_record_is_refused(names: tuple[str, ...], what: str) -> None:
    """Something is missing, or there is too much."""
    with pytest.raises(TypeError, match=what):
        maker_of(Noted, names)


@quick
@frozen(kw_only=True)
class Swift:
    """A record that writes its own constructor; its members have names that one might use."""

    cls: int
    twin: int = 0
    made: str = "m"
    more: Mapping[str, object] = Factory(dict)


def test_a_quick_constructor_takes_what_the_constructor_takes() -> None:
    """Names alone, and no other; what is not given is at its default, made for each record."""
    one, other = Swift(cls=1), Swift(cls=1, twin=2, made="x", more={"a": 1})

    assert (1, 0, "m", {}) == astuple(one)
    assert (1, 2, "x", {"a": 1}) == astuple(other)
    assert one.more is not Swift(cls=1).more
    assert list(signature(Swift).parameters) == ["cls", "twin", "made", "more"]
    with pytest.raises(TypeError, match="cls"):
        Swift()  # type: ignore[call-arg]  # the very mistake
    with pytest.raises(TypeError, match="moon"):
        Swift(cls=1, moon=2)  # type: ignore[call-arg]  # the very mistake
    with pytest.raises(TypeError, match="positional"):
        Swift(1)  # type: ignore[call-arg]  # the very mistake


def test_a_record_of_a_quick_constructor_is_like_any_other() -> None:
    """Closed, of its class, and copied in every way there is."""
    one = Swift(cls=1, more={"a": 1})

    assert (Swift, True) == (type(one), one == Swift(cls=1, more={"a": 1}))
    assert [one, one, one] == [copy(one), pickle.loads(pickle.dumps(one)), evolve(one, cls=1)]
    with pytest.raises(FrozenInstanceError):
        one.cls = 2  # type: ignore[misc]  # the very mistake


@pytest.mark.parametrize("cls", [Checked, Turned, Counted, Placed, Private])
def test_a_constructor_that_does_more_is_never_quick(cls: type) -> None:
    """Nothing that it would refuse or make gets lost."""
    with pytest.raises(TypeError, match="does more"):
        quick(cls)


def test_a_twin_is_open_and_adds_nothing() -> None:
    """Its records can become those of the class, and only that."""
    twin = open_twin(Plain)
    one = twin()
    one.cls = 1
    one.made = "m"
    one.__class__ = Plain

    assert Plain(cls=1) == one
