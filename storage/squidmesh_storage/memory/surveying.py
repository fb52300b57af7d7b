"""How things stand, as a whole."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Depth, Survey
from squidmesh_storage.lanes import earliest
from squidmesh_storage.memory.tables import Attempt, Tables


def survey(tables: Tables, now: datetime) -> Survey:
    """Count and look."""
    attempts = [attempt for of_run in tables.attempts.values() for attempt in of_run.values()]
    used = {one.row.queue for one in attempts if tables.may_claim(one.row.run_id)}
    queues = {queue: _depth(tables.open_attempts((queue,)), now) for queue in used}
    return Survey(
        runs=Counter(row.status for row in tables.listed()),
        quarantined=dict(sorted(tables.quarantined.items())),
        newer=tuple(
            run_id
            for run_id in sorted(tables.attempts)
            if tables.codecs.get(run_id, 0) > CODEC_VERSION
        ),
        actions=Counter(one.row.action for one in attempts if one.row.action is not None),
        queues=queues,
        waiting_since=earliest(*(depth.since for depth in queues.values())),
    )


def _depth(attempts: Sequence[Attempt], now: datetime) -> Depth:
    ready = [one for one in attempts if one.claimable(now)]
    later = [one for one in attempts if not one.claimable(now)]
    return Depth(
        waiting=len(ready),
        delayed=sum(one.row.held_until is None for one in later),
        held=sum(one.row.held_until is not None for one in later),
        since=min(
            (one.row.visible_at for one in ready if one.row.held_until is None), default=None
        ),
    )
