"""
Notices: what a host's hooks are told of, and how far the telling has come.

A notice is implied by what was appended (`views.notices`) and kept beside the journals
until it was delivered, at least once.  It says where to look and carries no payload.
"""

from collections.abc import Mapping
from datetime import datetime
from json.encoder import encode_basestring
from typing import Final, Literal, cast, get_args

from attrs import evolve, frozen

from squidmesh_core.canonical import decode, encode
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol.wire import instant_from_text, instant_to_text

#: What an append implies.
RunEvent = Literal[
    "run_completed", "run_failed", "run_cancelled", "gate_opened", "compensation_failed"
]
#: What comes with the time, and nobody appends.
DeadlineEvent = Literal["deadline_due_soon", "deadline_overdue", "deadline_escalated"]
Event = RunEvent | DeadlineEvent
DEADLINE_EVENTS: Final[tuple[DeadlineEvent, ...]] = get_args(DeadlineEvent)
EVENTS: Final[tuple[Event, ...]] = (*get_args(RunEvent), *DEADLINE_EVENTS)


@frozen(kw_only=True)
class Notice:
    """Something that happened to a run; a hook that wants more asks `mesh.inspect`."""

    #: The same each time this is told, and of nothing else: what repetitions are known by.
    id: str
    event: Event
    run_id: RunId
    workflow: str
    #: When it happened: the instant of the entry, or the deadline's.
    at: datetime
    #: The step that failed or was not undone, the gate, the node of the deadline.
    node: NodeName | None = None
    #: What kind of error ended the run, or why something was not undone; never its message.
    error: str | None = None
    #: The code that an error came with.
    code: str | None = None
    #: Whom or what to tell of a deadline, a text of the host.
    target: str | None = None
    #: How often it has been told with this time, from 1.
    attempt: int = 1


@frozen(kw_only=True)
class NoticeRow:
    """A notice as an adapter keeps it, once for each hook of its event."""

    event: Event
    notice_id: str
    #: Canonical JSON text of a `Delivery`.
    body: str


@frozen(kw_only=True)
class Delivery:
    """How far a notice has come on its way to one hook."""

    notice: Notice
    #: Calls that were begun.
    attempts: int = 0
    #: Nobody calls before this instant: somebody is at it, or the last call failed.
    until: datetime | None = None
    #: What the last call failed with; null: none has.
    problem: str | None = None


@frozen(kw_only=True)
class Subscription:
    """That somebody wants to be told of an event."""

    #: From when on it is told: nothing that was committed before.
    since: datetime
    #: When a worker last had a function for it.
    seen_at: datetime


def row_of(notice: Notice) -> NoticeRow:
    """What an adapter keeps of a notice that nobody was told of yet."""
    return NoticeRow(
        event=notice.event,
        notice_id=notice.id,
        body=delivery_to_text(Delivery(notice=notice)),
    )


def delivery_to_text(delivery: Delivery) -> str:
    """The canonical text of a delivery; by hand, because each end of a run makes one."""
    told = delivery.notice
    until = None if delivery.until is None else instant_to_text(delivery.until)
    return (
        f'{{"attempts":{delivery.attempts},"notice":{{"at":{_quoted(instant_to_text(told.at))}'
        f',"code":{_quoted(told.code)},"error":{_quoted(told.error)}'
        f',"event":{_quoted(told.event)},"id":{_quoted(told.id)},"node":{_quoted(told.node)}'
        f',"run_id":{_quoted(told.run_id)},"target":{_quoted(told.target)}'
        f',"workflow":{_quoted(told.workflow)}}},"problem":{_quoted(delivery.problem)}'
        f',"until":{_quoted(until)}}}'
    )


def delivery_from_text(text: str) -> Delivery | None:
    """What `delivery_to_text` wrote, by any release; null: it cannot be read."""
    try:
        data = decode(text)
        if not isinstance(data, Mapping) or data["notice"]["event"] not in EVENTS:
            return None
        known = data["notice"]
        attempts = int(data["attempts"])
        return Delivery(
            notice=Notice(
                id=str(known["id"]),
                event=cast("Event", known["event"]),
                run_id=RunId(known["run_id"]),
                workflow=str(known["workflow"]),
                at=instant_from_text(known["at"]),
                node=known.get("node"),
                error=known.get("error"),
                code=known.get("code"),
                target=known.get("target"),
                attempt=attempts,
            ),
            attempts=attempts,
            until=_instant(data.get("until")),
            problem=data.get("problem"),
        )
    except (ValueError, TypeError, KeyError):
        return None


def subscription_to_text(subscription: Subscription) -> str:
    """The canonical text of a subscription."""
    return encode(
        {
            "since": instant_to_text(subscription.since),
            "seen_at": instant_to_text(subscription.seen_at),
        }
    )


def subscription_from_text(text: str) -> Subscription | None:
    """What `subscription_to_text` wrote; null: it cannot be read."""
    try:
        data = decode(text)
        if not isinstance(data, Mapping):
            return None
        return Subscription(
            since=instant_from_text(data["since"]), seen_at=instant_from_text(data["seen_at"])
        )
    except (ValueError, KeyError):
        return None


def begun(delivery: Delivery, until: datetime) -> Delivery:
    """The delivery while somebody makes the next call, up to an instant."""
    attempts = delivery.attempts + 1
    notice = evolve(delivery.notice, attempt=attempts)
    return evolve(delivery, notice=notice, attempts=attempts, until=until)


def _instant(text: object) -> datetime | None:
    return None if text is None else instant_from_text(text)


def _quoted(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)
