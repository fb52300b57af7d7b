"""States of queues: paused, full, too fast, and served by nobody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.plan.admission import (
    Bucket,
    LaneState,
    Paused,
    QueueSettings,
    rate_from_text,
)
from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_core.views.explanation import Holder, Line
from support.explained.stages import Explained, around, begun, explained, worker
from support.scenario import EPOCH, LEASE, SECOND
from support.workflows import step, wait

ABLE: Final = worker("ana", "do.pick", "do.ship")
OTHER: Final = RunId("0193e2a0-0000-7d10-8f00-00000000000a")
PAUSED: Final = QueueSettings(
    paused=Paused(at=EPOCH - timedelta(hours=1), by={"id": "olga"}, note="stock-taking")
)


def queue_paused() -> Explained:
    """A ready step whose queue somebody stopped."""
    run = begun(step("pick"), step("ship"))
    return explained(run, around=around(ABLE, default=Line(settings=PAUSED)))


def queue_paused_and_unserved() -> Explained:
    """A ready step whose queue somebody stopped, and which nobody serves."""
    run = begun(step("pick"), step("ship"))
    return explained(run, around=around(default=Line(settings=PAUSED)))


def queue_paused_under_a_wait() -> Explained:
    """A wait that is over, in a queue that is stopped."""
    run = begun(wait("rest", 1_000), step("ship"))
    run.time_passes(SECOND)
    return explained(run, around=around(ABLE, default=Line(settings=PAUSED)))


def lost_lease_in_a_paused_queue() -> Explained:
    """A lost worker whose step nobody takes over."""
    run = begun(step("pick"), step("ship"))
    run.claim("pick", by="bob")
    run.time_passes(LEASE)
    return explained(run, around=around(ABLE, default=Line(settings=PAUSED)))


def queue_full() -> Explained:
    """A queue whose slots others hold."""
    line = Line(
        settings=QueueSettings(concurrency=2),
        held={None: 2},
        holders=(
            Holder(run_id=OTHER, attempt_key=AttemptKey(f"{OTHER}:charge:1"), owner="bob"),
            Holder(run_id=OTHER, attempt_key=AttemptKey(f"{OTHER}:notify@2:1")),
        ),
    )
    return explained(begun(step("pick"), step("ship")), around=around(ABLE, default=line))


def queue_full_of_this_run() -> Explained:
    """A branch that waits for the other branch's slot."""
    run = begun(step("pick"), step("pack", after=("pick",)), step("bill", after=("pick",)))
    run.perform("pick")
    held = run.claim("pack")
    line = Line(
        settings=QueueSettings(concurrency=1),
        held={None: 1},
        holders=(Holder(run_id=run.state.run_id, attempt_key=held.attempt_key, owner="ana"),),
    )
    return explained(run, around=around(worker("ana", "do.pack", "do.bill"), default=line))


def queue_full_for_its_key() -> Explained:
    """A queue with room, but not for work without a partition key."""
    line = Line(settings=QueueSettings(concurrency=5, per_key=1), held={None: 1})
    return explained(begun(step("pick"), step("ship")), around=around(ABLE, default=line))


def queue_too_fast() -> Explained:
    """A queue that has started all it may for now."""
    rate = rate_from_text("2/m")
    bucket = Bucket(level=0, per_ms=rate.per_ms, at=EPOCH)
    line = Line(settings=QueueSettings(rate=rate), state=LaneState(bucket=bucket))
    return explained(begun(step("pick"), step("ship")), around=around(ABLE, default=line))


def third_in_line() -> Explained:
    """A step that others came before."""
    others = tuple(
        AttemptRow(
            run_id=OTHER,
            attempt_key=AttemptKey(f"{OTHER}:pick@{number}:1"),
            queue="default",
            action="do.pick",
            priority=0,
            visible_at=EPOCH - number * SECOND,
        )
        for number in (2, 1)
    )
    line = Line(waiting=others)
    return explained(begun(step("pick"), step("ship")), around=around(ABLE, default=line))


def queue_unserved() -> Explained:
    """A queue that no worker serves, though there are workers."""
    run = begun(step("pick", queue="slow"), step("ship"))
    return explained(run, around=around(ABLE))


def queue_left_by_its_worker() -> Explained:
    """A queue whose only worker was killed."""
    gone = worker("bob", "do.pick", takes_work=False, seen=-timedelta(minutes=3))
    return explained(begun(step("pick"), step("ship")), around=around(gone))


def action_unknown() -> Explained:
    """A queue that is served by workers which lack the code."""
    run = begun(step("pick"), step("ship"))
    return explained(run, around=around(worker("ana", "do.ship"), worker("bob", "do.bill")))


def no_worker_at_all() -> Explained:
    """Nobody works on this journal."""
    return explained(begun(step("pick"), step("ship")), around=around())


def one_branch_held_back() -> Explained:
    """Two branches: one ready for somebody, the other in a queue that nobody serves."""
    run = begun(
        step("pick"), step("pack", after=("pick",)), step("bill", after=("pick",), queue="slow")
    )
    run.perform("pick")
    return explained(run, around=around(worker("ana", "do.pack", "do.bill")))


STATES: Final[tuple[Callable[[], Explained], ...]] = (
    queue_paused,
    queue_paused_and_unserved,
    queue_paused_under_a_wait,
    lost_lease_in_a_paused_queue,
    queue_full,
    queue_full_of_this_run,
    queue_full_for_its_key,
    queue_too_fast,
    third_in_line,
    queue_unserved,
    queue_left_by_its_worker,
    action_unknown,
    no_worker_at_all,
    one_branch_held_back,
)
