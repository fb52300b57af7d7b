"""What the verbs make of what was asked: a command with all of it, and its digest."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Cancel, Pause, Receipted, Resume, Review, Send, Verb
from squidmesh_core.protocol.digests import command_digest
from squidmesh_core.protocol.requests import Operation, ReplayRequest, RetryRequest

RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
SAID = Receipted(
    actor={"id": "ana"},
    comment="why not",
    metadata={"from": "desk"},
    key="k1",
    occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def digest(verb: Verb, **options: object) -> str:
    """What anybody may compute for a command of Ana's."""
    return command_digest(verb, RUN, options, {"id": "ana"}, "why not")


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        (
            lambda: requests.cancel(RUN, SAID),
            Cancel(said=SAID, digest=digest("cancel"), compensate=False, abandon=False),
        ),
        (
            lambda: requests.cancel(RUN, SAID, compensate=True, abandon=True),
            Cancel(
                said=SAID,
                digest=digest("cancel", compensate=True, abandon=True),
                compensate=True,
                abandon=True,
            ),
        ),
        (lambda: requests.pause(RUN, SAID), Pause(said=SAID, digest=digest("pause"))),
        (lambda: requests.resume(RUN, SAID), Resume(said=SAID, digest=digest("resume"), node=None)),
        (
            lambda: requests.resume(RUN, SAID, node="hold"),
            Resume(said=SAID, digest=digest("resume", node="hold"), node="hold"),
        ),
        (
            lambda: requests.review(RUN, SAID, "approved", node="review", form={"limit": 0}),
            Review(
                said=SAID,
                digest=digest("approve", node="review", form={"limit": 0}),
                decision="approved",
                node="review",
                form={"limit": 0},
            ),
        ),
        (
            lambda: requests.review(RUN, SAID, "rejected"),
            Review(said=SAID, digest=digest("reject"), decision="rejected", node=None, form=None),
        ),
        (
            lambda: requests.send(RUN, SAID, node="paid", payload=[1]),
            Send(
                said=SAID,
                digest=digest("send", node="paid", message=[1]),
                node="paid",
                payload=[1],
            ),
        ),
    ],
)
def test_a_command_holds_all_that_was_asked(
    asked: Callable[[], Operation], command: Cancel | Pause | Resume | Review | Send
) -> None:
    """Who asked, for which run, with which options; and the digest is of the same."""
    assert Operation(run_id=RUN, command=command) == asked()


def test_a_replay_is_told_by_what_differs_from_the_ordinary_one() -> None:
    """Options at their default take no part; of undoing again there is only one."""
    replay = ReplayRequest(
        run_id=RUN,
        said=SAID,
        from_step=NodeName("pay"),
        allow_irreversible=True,
        definition="current",
    )

    assert digest("replay") == ReplayRequest(run_id=RUN, said=SAID).digest
    assert (
        digest("replay", from_step="pay", allow_irreversible=True, definition="current")
        == replay.digest
    )
    assert (
        command_digest("retry_compensation", RUN, {}) == RetryRequest(run_id=RUN, said=SAID).digest
    )
