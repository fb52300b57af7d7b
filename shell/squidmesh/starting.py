"""Starting runs: from a payload and options to the `Start` command, through the door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypedDict

from attrs import frozen

from squidmesh.door import Door
from squidmesh.handle import Handled
from squidmesh_core import canonical
from squidmesh_core.definition.payload import resolve_payload
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import RunId, derived_run_id, is_queue_name, is_run_id
from squidmesh_core.protocol.commands import Offer, Receipted, Start

#: Characters of a start's key.
LONGEST_KEY = 255


class StartOptions(TypedDict, total=False):
    """What a start may say besides its payload."""

    #: The same key again returns the run that is there.
    key: str | None
    #: The caller's own run id, a UUID; the same id again returns the run that is there.
    run_id: str | None
    #: Not claimable before this instant.
    at: datetime | None
    tags: Sequence[str]
    queue: str | None
    priority: int | None
    #: For limits and fair turns per key.
    partition_key: str | None
    by: object
    note: str | None
    metadata: Mapping[str, object] | None
    #: The instant to decide at, for tests; otherwise the storage's clock.
    now: datetime | None


@frozen(kw_only=True)
class Request:
    """A start that is ready for the door."""

    command: Start
    spec: Spec
    now: datetime | None


def prepare(
    door: Door, spec: Spec, trigger: str, payload: Mapping[str, object], options: StartOptions
) -> Request:
    """
    Check a start and resolve what it leaves out; nothing is written but the definition.

    Raises:
        ConfigError: An option or the trigger is wrong.
        PayloadError: The payload does not fit; every problem is listed.
    """
    declared = spec.trigger(trigger)
    if declared is None:
        known = ", ".join(one.name for one in spec.triggers)
        raise ConfigError(
            f"{spec.workflow} has no trigger {trigger!r} (it has: {known}); no run was started",
            "unknown_trigger",
            {"option": "trigger", "reason": f"expected one of: {known}"},
        )
    checked = _checked(options)
    now = checked.get("now")
    instant = now if now is not None else door.journal.now()
    resolved = resolve_payload(declared.payload, payload, now=instant)
    key = checked.get("key")
    command = Start(
        run_id=_run_id(door, spec, trigger, checked, instant),
        workflow=spec.workflow,
        definition=door.define(spec),
        trigger=trigger,
        input=resolved,
        digest=_digest(spec, trigger, payload),
        queue=checked.get("queue") or spec.queue or "default",
        priority=_first(checked.get("priority"), spec.priority, 0),
        tags=tuple(checked.get("tags", ())),
        partition_key=checked.get("partition_key"),
        visible_at=checked.get("at"),
        said=Receipted(
            actor=checked.get("by"),
            comment=checked.get("note"),
            metadata=checked.get("metadata") or {},
            key=key,
        ),
    )
    return Request(command=command, spec=spec, now=now)


def start(door: Door, request: Request, offer: Offer | None) -> Handled:
    """Begin the run, or find that it was begun; see `handle.handle` for what is raised."""
    from attrs import evolve

    command = request.command if offer is None else evolve(request.command, offer=offer)
    begin = door.beginning(command.run_id, request.spec)
    return door.handle(command.run_id, command, begin=begin, now=request.now)


def _run_id(
    door: Door, spec: Spec, trigger: str, options: StartOptions, instant: datetime
) -> RunId:
    key, run_id = options.get("key"), options.get("run_id")
    if key is not None:
        return derived_run_id(spec.workflow, trigger, key)
    return RunId(run_id) if run_id is not None else door.mint.run_id(instant)


def _digest(spec: Spec, trigger: str, payload: Mapping[str, object]) -> str:
    """What makes two starts the same: the command as given, before defaults."""
    given = {
        "workflow": spec.workflow,
        "trigger": trigger,
        "payload": canonical.storable(dict(payload), where="the payload"),
        "parent": None,
    }
    return sha256(canonical.encode(given).encode()).hexdigest()


def _checked(options: StartOptions) -> StartOptions:
    known = StartOptions.__optional_keys__
    if unknown := sorted(set(options) - known):
        raise _wrong(unknown[0], f"there is no such option; known: {', '.join(sorted(known))}")
    key, run_id = options.get("key"), options.get("run_id")
    if key is not None and not (type(key) is str and 0 < len(key) <= LONGEST_KEY):
        raise _wrong("key", f"expected a text of 1 to {LONGEST_KEY} characters")
    if run_id is not None and not (type(run_id) is str and is_run_id(run_id)):
        raise _wrong("run_id", "expected a UUID in lower case")
    if key is not None and run_id is not None:
        raise _wrong("run_id", "a keyed start derives its run id; give key or run_id, not both")
    for name in ("at", "now"):
        instant = options.get(name)
        if instant is not None and not (_is_instant(instant)):
            raise _wrong(name, "expected an instant with a time zone")
    _check_lane(options)
    return options


def _check_lane(options: StartOptions) -> None:
    queue, priority, tags = options.get("queue"), options.get("priority"), options.get("tags", ())
    if queue is not None and not (type(queue) is str and is_queue_name(queue)):
        raise _wrong("queue", "expected letters, digits, '_', '.' or '-', at most 64")
    if priority is not None and type(priority) is not int:
        raise _wrong("priority", "expected a whole number; smaller is sooner")
    if isinstance(tags, str) or not all(type(tag) is str and tag for tag in tags):
        raise _wrong("tags", "expected a list of non-empty texts")


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _wrong(option: str, reason: str) -> ConfigError:
    """Never with the value: it may be a secret."""
    return ConfigError(
        f"the option {option} is wrong: {reason}; no run was started",
        "invalid_option",
        {"option": option, "reason": reason},
    )


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
