"""
Claims outside a claim transaction: a start, or a settlement, that claims what comes next.

These see no counts, so they are for queues without limits, with one exception:
a run that goes on in the queue it is in keeps its slot, and its key.  That
counts nothing anew, so a limit on what is held allows it; a rate does not, for
it is a start, and neither does a pause.
"""

from collections.abc import Mapping

from attrs import frozen

from squidmesh_core.plan.admission.records import QueueSettings


@frozen(kw_only=True)
class Inline:
    """Where a worker may claim without asking."""

    #: Queues whose work without an action may be done.
    queues: frozenset[str]
    #: Those of them whose other work has to ask first.
    limited: frozenset[str]


def inline(
    queues: frozenset[str], lanes: Mapping[str, QueueSettings], *, settled: str | None = None
) -> Inline:
    """
    Where a claim may be made on the way.

    Args:
        queues: The queues that the worker serves.
        lanes: What is known of the queues that somebody has set up.
        settled: The queue of the attempt that is settled in the same append, if one is.
    """
    if not lanes:
        return Inline(queues=queues, limited=frozenset())
    served = {name: settings for name, settings in lanes.items() if name in queues}
    paused = {name for name, settings in served.items() if settings.paused is not None}
    keeps = {settled} if settled in served and served[settled].rate is None else set()
    return Inline(queues=queues - paused, limited=frozenset(served.keys() - paused - keeps))
