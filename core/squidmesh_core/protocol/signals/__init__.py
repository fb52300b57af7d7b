"""
Signals: commands as data, for queues, webhooks and anything that speaks JSON.

    members    what each kind of signal says, and how that is judged
    signal     the envelope, from and to JSON
    making     one function per verb, for those who give commands
    meaning    what a signal asks for

A signal is plain data and promises nothing: whether it may be done is decided
when it is applied.  As a CloudEvent it travels by `protocol.cloudevents`.
"""

from squidmesh_core.protocol.signals.making import (
    approve,
    cancel,
    pause,
    reject,
    replay,
    resume,
    retry_compensation,
    send,
    start,
)
from squidmesh_core.protocol.signals.meaning import command_of, receipted_of
from squidmesh_core.protocol.signals.signal import (
    Signal,
    checked,
    signal_from_json,
    signal_to_json,
)

__all__ = [
    "Signal",
    "approve",
    "cancel",
    "checked",
    "command_of",
    "pause",
    "receipted_of",
    "reject",
    "replay",
    "resume",
    "retry_compensation",
    "send",
    "signal_from_json",
    "signal_to_json",
    "start",
]
