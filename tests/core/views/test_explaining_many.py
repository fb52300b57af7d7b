"""However many things a run waits for, did or undoes: what is said of it can be read."""

import re
from collections.abc import Callable
from typing import Final

import pytest

from squidmesh_core.errors import MOST_NAMED
from squidmesh_core.views.explanation import Explanation
from support.explained.stages import around, begun, worker
from support.explaining import explained
from support.features.told import Told
from support.workflows import approval, pause, receive, step

MANY: Final = 40
NAMES: Final = tuple(f"n{number:02}" for number in range(MANY))
#: What was offered may say of each node what it does; it is cut as a whole.
LONGEST_EFFECT: Final = 600


def at_pauses() -> Explanation:
    return explained(begun(*map(pause, NAMES), step("last", after=NAMES)))


def at_approvals() -> Explanation:
    return explained(begun(*map(approval, NAMES), step("last", after=NAMES)))


def at_messages() -> Explanation:
    return explained(begun(*map(receive, NAMES), step("last", after=NAMES)))


def at_a_join() -> Explanation:
    """Half of what it waits for is done."""
    run = with_steps()
    for name in NAMES[::2]:
        run.perform(name)
    run.hold()
    return explained(run)


def nearly_joined() -> Explanation:
    """Nothing else is to be said but what it waits for."""
    run = begun(*map(step, NAMES), pause("last"), step("end", after=(*NAMES, "last")))
    for name in NAMES[::2]:
        run.perform(name)
    return explained(run)


def with_workers() -> Explanation:
    workers = [worker(f"w{name}", *(f"do.{one}" for one in NAMES)) for name in NAMES]
    return explained(with_steps(), around(*workers))


def cancelled() -> Explanation:
    """What it did is not undone."""
    run = all_done()
    run.cancel()
    return explained(run)


def cancelled_at_work() -> Explanation:
    run = with_steps()
    for name in NAMES:
        run.claim(name)
    run.cancel()
    return explained(run)


def about_to_be_cancelled() -> Explanation:
    return explained(all_done())


def failed_at_work() -> Explanation:
    """One failed, and all others are not settled yet."""
    run = with_steps()
    claims = [run.claim(name) for name in NAMES]
    run.complete(claims[0])
    run.fail(claims[1], retryable=False)
    return explained(run)


def undoing() -> Explanation:
    run = all_done()
    run.fail(run.claim("last"), retryable=False)
    return explained(run)


def undone() -> Explanation:
    run = all_done()
    run.fail(run.claim("last"), retryable=False)
    for name in reversed(NAMES):
        run.undo(name)
    return explained(run)


def completed() -> Explanation:
    """All of it would be done again, and none of it can be undone."""
    run = begun(*(step(name, irreversible=True) for name in NAMES), step("last", after=NAMES))
    for name in (*NAMES, "last"):
        run.perform(name)
    return explained(run)


def with_steps() -> Told:
    return begun(*(step(name, compensate=True) for name in NAMES), step("last", after=NAMES))


def all_done() -> Told:
    run = with_steps()
    for name in NAMES:
        run.perform(name)
    return run


STATES: Final = (
    at_pauses,
    at_approvals,
    at_messages,
    at_a_join,
    nearly_joined,
    with_workers,
    cancelled,
    cancelled_at_work,
    about_to_be_cancelled,
    failed_at_work,
    undoing,
    undone,
    completed,
)


@pytest.mark.parametrize("state", STATES)
def test_no_sentence_enumerates_what_nobody_reads(state: Callable[[], Explanation]) -> None:
    """The first are named, and how many more there are; of a join what is done, and what is not."""
    found = state()
    sentences = [found.summary, *found.why, *(one.message for one in found.refused_actions)]

    assert all(_named(sentence) <= 2 * MOST_NAMED for sentence in sentences)
    assert all(len(one.effect) <= LONGEST_EFFECT for one in found.next_actions)
    assert any("more" in said for said in (*sentences, *(a.effect for a in found.next_actions)))


@pytest.mark.parametrize("state", STATES)
def test_no_text_is_longer_than_anybody_scrolls(state: Callable[[], Explanation]) -> None:
    """The record has all of it."""
    assert len(state().to_text().splitlines()) < 200


def test_the_details_name_all() -> None:
    """For programs, which count."""
    found = at_messages()

    assert list(NAMES) == found.details["messages"]
    assert MANY == len([one for one in found.next_actions if one.name == "send"])
    assert f"and {MANY - MOST_NAMED} more." in found.summary


def test_what_else_may_be_done_stays_in_sight() -> None:
    """However many messages could be sent."""
    text = at_messages().to_text()

    assert f"… and {MANY - MOST_NAMED} more" in text
    assert "squidmesh cancel" in text
    assert "squidmesh pause" in text


def _named(sentence: str) -> int:
    return len(set(re.findall(r"n\d\d", sentence)))
