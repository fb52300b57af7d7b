"""Identities: what may be a name, and the ids that are made of other things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core import ids
from squidmesh_core.ids import (
    AttemptKey,
    NodeName,
    RunId,
    VisitKey,
    attempt_key,
    attempt_visit,
    child_run_id,
    cron_signal_id,
    deferrals,
    deferred_key,
    derived_run_id,
    is_run_id,
    is_timeout,
    run_visit,
    timeout_key,
    undo_key,
    undone_visit,
    uuid7,
    visit_key,
    visit_node,
    visit_number,
)

RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
parts = st.lists(st.text(min_size=1), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (RUN, True),
        (RUN.upper(), False),
        (f"{RUN}0", False),
        (RUN.replace("-", ""), False),
        ("", False),
    ],
)
def test_a_run_id_is_a_uuid_in_small_letters(text: str, fits: bool) -> None:
    """Nothing before it and nothing after it."""
    assert fits is is_run_id(text)


@pytest.mark.parametrize(
    ("text", "node", "queue", "action"),
    [
        ("ship", True, True, True),
        ("_ship", True, False, True),
        ("2nd", False, True, True),
        ("Ship.it-now_2", True, True, True),
        ("a" * 64, True, True, True),
        ("a" * 65, True, False, True),
        ("a" * 128, True, False, True),
        ("a" * 129, False, False, True),
        ("a" * 255, False, False, True),
        ("a" * 256, False, False, False),
        ("<lambda>", False, False, True),
        ("a:b", False, False, False),
        ("a@2", False, False, False),
        ("größe", False, False, False),
        ("", False, False, False),
    ],
)
def test_names_keep_to_their_letters_and_lengths(
    text: str, node: bool, queue: bool, action: bool
) -> None:
    """A node's name holds neither of the two signs that keys are made with."""
    assert (node, queue, action) == (
        ids.is_node_name(text),
        ids.is_queue_name(text),
        ids.is_action_key(text),
    )


def test_keys_are_spelt_as_the_protocol_says() -> None:
    """Visits from the second on are counted, and so are deferrals."""
    visit = visit_key(RUN, NodeName("ship"))
    again = visit_key(RUN, NodeName("ship"), 2)
    first = attempt_key(visit, 1)

    assert (f"{RUN}:ship", f"{RUN}:ship@2", f"{RUN}:ship:1") == (visit, again, first)
    assert f"{RUN}:ship:1:deferred" == deferred_key(first)
    assert f"{RUN}:ship:1:deferred2" == deferred_key(deferred_key(first))
    assert f"{RUN}:ship:1:deferred11" == deferred_key(AttemptKey(f"{first}:deferred10"))
    assert [0, 1, 2, 11] == [
        deferrals(AttemptKey(f"{first}{turn}"))
        for turn in ("", ":deferred", ":deferred2", ":deferred11")
    ]
    assert f"{RUN}:compensate:ship@2" == undo_key(again)
    assert (f"{RUN}:ship@2:timeout", f"{RUN}:timeout") == (
        timeout_key(again),
        timeout_key(run_visit(RUN)),
    )
    assert [True, False] == [is_timeout(timeout_key(visit)), is_timeout(first)]


@given(number=st.integers(1, 99), node=st.sampled_from(["ship", "a.b", "timeout", "compensate"]))
def test_keys_say_what_they_were_made_of(number: int, node: str) -> None:
    """Node and number are read back from a visit, and a visit from what undoes it."""
    visit = visit_key(RUN, NodeName(node), number)

    assert (node, number) == (visit_node(visit), visit_number(visit))
    assert visit == undone_visit(undo_key(visit))
    assert (node, number) == (visit_node(undo_key(visit)), visit_number(undo_key(visit)))
    assert None is undone_visit(visit)


@given(number=st.integers(1, 99), node=st.sampled_from(["ship", "timeout", "deferred"]))
def test_an_attempt_says_which_visit_it_is_of(number: int, node: str) -> None:
    """However often it was deferred, and whatever the node is called; so does a timer."""
    visit = visit_key(RUN, NodeName(node), number)
    first = attempt_key(visit, number)
    later = deferred_key(deferred_key(first))

    for key in (first, deferred_key(first), later, timeout_key(visit)):
        assert visit == attempt_visit(key)
    assert undo_key(visit) == attempt_visit(attempt_key(undo_key(visit), number))
    assert run_visit(RUN) == attempt_visit(timeout_key(run_visit(RUN)))


def test_odd_keys_are_first_visits() -> None:
    """What is no number is not counted."""
    assert [1, 1, 12] == [visit_number(VisitKey(key)) for key in ("7", f"{RUN}:a@b", f"{RUN}:a@12")]


def test_a_run_id_is_made_of_an_instant_and_ten_bytes() -> None:
    """RFC 9562: 48 bits of milliseconds, version 7, variant 10, the rest by chance."""
    all_ones, all_zeros = b"\xff" * 10, b"\x00" * 10

    assert "0193e2a0-7b3c-7fff-bfff-ffffffffffff" == uuid7(0x0193E2A07B3C, all_ones)
    assert "0193e2a0-7b3c-7a0b-8c0d-0e0f10111213" == uuid7(
        0x0193E2A07B3C, bytes.fromhex("fa0bcc0d0e0f10111213")
    )
    assert "0193e2a0-7b3c-7000-8000-000000000000" == uuid7(0x0193E2A07B3C, all_zeros)
    assert uuid7(1, all_ones) == uuid7(1, all_ones + b"more than is needed")
    assert is_run_id(uuid7(0, all_zeros))


def test_derived_ids_stay_what_they_are() -> None:
    """They are in journals: another way of making them would start every keyed run again."""
    assert "0b7d0d04-cf44-5cfa-ad06-0da93ee39a20" == derived_run_id("orders", "placed", "7")
    assert "e0ebb758-3972-54f8-8c6e-fa8cf0ffc6ca" == derived_run_id("orders", "placed", "8")
    assert derived_run_id("orders", "placed", f"{RUN}|fan|k") == child_run_id(
        RUN, "fan", "orders", "placed", "k"
    )
    assert "sha256:7ABngicut_nua1pyIdElFKQtwke5soDDpVldshq7IeY" == cron_signal_id(
        "orders", "nightly", "a", "b"
    )


@given(left=parts, right=parts)
def test_derived_ids_differ_when_a_part_does(left: list[str], right: list[str]) -> None:
    """Where one part ends and the next begins counts too; the form is a UUID of version 5."""
    made = derived_run_id(*left)

    assert (left == right) is (made == derived_run_id(*right))
    assert is_run_id(made)
    assert "5" == made[14]
    assert made[19] in "89ab"


@given(left=st.tuples(*[st.text(min_size=1)] * 4), right=st.tuples(*[st.text(min_size=1)] * 4))
def test_windows_of_schedules_differ_when_a_bound_does(
    left: tuple[str, str, str, str], right: tuple[str, str, str, str]
) -> None:
    """Two windows share an identity if and only if all four parts are the same texts."""
    assert (left == right) is (cron_signal_id(*left) == cron_signal_id(*right))


def test_an_empty_part_makes_no_id() -> None:
    """A forgotten key must not become everybody's."""
    with pytest.raises(ValueError, match="non-empty"):
        derived_run_id("orders", "")
