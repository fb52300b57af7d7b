"""
Admission: may this attempt start now?

    admitting   the one answer, for all candidates of a claim transaction at once
    after       what that leaves for the next claim
    on_the_way  which claims need not ask
    turns       whose turn it is among the partition keys of a queue
    bucket      how many starts a rate has left
    rates       rates as people write them
    records     what limits a queue, and what one claim leaves for the next
    codec       both as canonical JSON

A queue that somebody has set up is a *lane*: its claims wait for each other, so
what is counted here is all there is.  Every other queue knows no limits and
costs nothing.
"""

from squidmesh_core.plan.admission.admitting import Admission, Lane, Refused, admit
from squidmesh_core.plan.admission.after import states_after
from squidmesh_core.plan.admission.codec import (
    settings_from_text,
    settings_to_text,
    state_from_text,
    state_to_text,
)
from squidmesh_core.plan.admission.on_the_way import Inline, inline
from squidmesh_core.plan.admission.rates import rate_from_text, rate_to_text
from squidmesh_core.plan.admission.records import (
    Bucket,
    LaneState,
    Paused,
    QueueSettings,
    Rate,
    Refusal,
    RefusalKind,
    Turn,
)

__all__ = [
    "Admission",
    "Bucket",
    "Inline",
    "Lane",
    "LaneState",
    "Paused",
    "QueueSettings",
    "Rate",
    "Refusal",
    "RefusalKind",
    "Refused",
    "Turn",
    "admit",
    "inline",
    "rate_from_text",
    "rate_to_text",
    "settings_from_text",
    "settings_to_text",
    "state_from_text",
    "state_to_text",
    "states_after",
]
