"""Changing what limits a queue: checked, compared with what is there, and written once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypedDict

from attrs import evolve

from squidmesh import checks
from squidmesh.people import By, CommandOptions, said
from squidmesh.queues.history import ChangeKind, QueueChange, remember
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.plan.admission import (
    QueueSettings,
    Rate,
    rate_from_text,
    rate_to_text,
    settings_from_text,
    settings_to_text,
)
from squidmesh_core.plan.admission.records import MOST_STARTS
from squidmesh_core.protocol.commands import Receipted
from squidmesh_storage.api import Journal, Record
from squidmesh_storage.lanes import SETTINGS, STATE

#: Times that a change is tried again because somebody else changed the queue meanwhile.
_TRIES: Final = 20


class QueueCommand(TypedDict, total=False):
    """What may be said along with a change of a queue."""

    #: Who says so.
    by: By | None
    #: Why, for people.
    note: str | None
    #: Further facts; values under names such as `api_key` are redacted before they are kept.
    metadata: Mapping[str, object] | None


class QueueLimits(QueueCommand, total=False):
    """Limits of a queue: null takes one away, one that is left out stays as it is."""

    #: Attempts that are held at once.
    concurrency: int | None
    #: The same, of each partition key.
    per_key: int | None
    #: Starts in a time: `5/s`, `100/m`, `10/15m`.
    rate: str | None
    #: Starts at once after a pause; of a new rate those of one period, unless said.
    burst: int | None


#: From the settings as they are, what was said, and the instant, to the new ones.
Make = Callable[[QueueSettings, Receipted, datetime], QueueSettings]


def change(
    journal: Journal,
    name: str,
    what: ChangeKind,
    who: QueueCommand,
    make: Make,
) -> bool:
    """
    Change the settings of a queue; whether there was anything to change.

    Args:
        journal: Where they are kept.
        name: Which queue.
        what: For its history.
        who: Who says so, and why.
        make: Makes the new settings.

    Raises:
        ConfigError: What was said, or the new settings, are wrong; nothing was written.
        StorageError: The storage failed, or others kept changing the queue.
    """
    known = QueueLimits.__optional_keys__ if what == "set" else QueueCommand.__optional_keys__
    if unknown := sorted(set(who) - known):
        raise checks.wrong(
            unknown[0], f"there is no such option; known: {', '.join(sorted(known))}"
        )
    spoken: CommandOptions = {
        "by": who.get("by"),
        "note": who.get("note"),
        "metadata": who.get("metadata"),
    }
    receipt = said("pause", spoken)
    for _ in range(_TRIES):
        now = journal.now()
        stored = next((one for one in journal.records(SETTINGS) if one.key == name), None)
        before = QueueSettings() if stored is None else settings_from_text(stored.body)
        after = make(before, receipt, now)
        if after == before:
            return False
        if _replace(journal, name, stored, after):
            remember(journal, name, _change(what, receipt, after, now))
            return True
    message = f"queue {name} kept being changed by others; nothing was written"
    raise StorageUnavailable(message, "storage_unavailable", {"queue": name})


def limited(settings: QueueSettings, limits: QueueLimits) -> QueueSettings:
    """
    The settings with these limits.

    Raises:
        ConfigError: A limit is wrong.
    """
    if "concurrency" in limits:
        settings = evolve(settings, concurrency=_most("concurrency", limits["concurrency"]))
    if "per_key" in limits:
        settings = evolve(settings, per_key=_most("per_key", limits["per_key"]))
    if "rate" in limits or "burst" in limits:
        settings = evolve(settings, rate=_rate(settings.rate, limits))
    return settings


def _most(option: str, value: object) -> int | None:
    return None if value is None else checks.integer(option, value, least=1)


def _rate(before: Rate | None, limits: QueueLimits) -> Rate | None:
    burst = _most("burst", limits.get("burst"))
    text = limits.get("rate") if "rate" in limits else before and rate_to_text(before)
    if text is None:
        if burst is not None:
            raise checks.wrong("burst", "there is no rate that it could belong to")
        return None
    if burst is not None and burst > MOST_STARTS:
        raise checks.wrong("burst", f"expected at most {MOST_STARTS}")
    try:
        return rate_from_text(text, burst=burst)
    except ValueError as error:
        raise checks.wrong("rate", str(error)) from None


def _replace(journal: Journal, name: str, stored: Record | None, after: QueueSettings) -> bool:
    """Put the new settings in the place of those that were read, if they are still there."""
    version = 0 if stored is None else stored.version
    if not after.limits_nothing:
        return journal.put_record(SETTINGS, name, settings_to_text(after), expected=version)
    if not journal.drop_record(SETTINGS, name, expected=version):
        return False
    journal.drop_record(STATE, name)
    return True


def _change(
    what: ChangeKind, receipt: Receipted, after: QueueSettings, now: datetime
) -> QueueChange:
    return QueueChange(
        at=now,
        what=what,
        by=receipt.actor,
        note=receipt.comment,
        metadata=receipt.metadata,
        limits=_limits(after),
    )


def _limits(settings: QueueSettings) -> dict[str, object]:
    """What limits a queue, as `set_queue` takes it; a limit that is not set is left out."""
    rate = settings.rate
    limits = {
        "concurrency": settings.concurrency,
        "per_key": settings.per_key,
        "rate": None if rate is None else rate_to_text(rate),
        "burst": None if rate is None else rate.burst,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}
