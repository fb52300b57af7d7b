"""Starting runs: from a payload and options to the `Start` command, through the door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from attrs import evolve, frozen

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.mint import Mint
from squidmesh.people import By, CommandOptions, said
from squidmesh_core import canonical
from squidmesh_core.definition.payload import beyond_defaults, resolve_payload
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import Fingerprint, RunId, derived_run_id, is_run_id
from squidmesh_core.protocol.commands import Offer, Receipted, Start
from squidmesh_core.protocol.digests import start_digest


class StartOptions(TypedDict, total=False):
    """What a start may say besides its payload."""

    #: The same key again returns the run that is there.
    key: str | None
    #: The caller's own run id, a UUID; the same id again returns the run that is there.
    run_id: str | None
    #: Not claimable before this instant.
    at: datetime | None
    #: Words of the host, for lists and counts.
    tags: Sequence[str]
    #: Where it waits for a worker, unless a step says otherwise; null: the workflow's own.
    queue: str | None
    #: Smaller is claimed sooner; null: the workflow's own, else 0.
    priority: int | None
    #: For limits and fair turns per key.
    partition_key: str | None
    #: Who starts it.
    by: By | None
    #: Why, for people.
    note: str | None
    #: Further facts; values under names such as `api_key` are redacted before they are kept.
    metadata: Mapping[str, object] | None
    #: The instant to decide at, for tests; otherwise the storage's clock.
    now: datetime | None


@frozen(kw_only=True)
class Request:
    """A start that is ready for the door."""

    command: Start
    spec: Spec
    now: datetime | None

    def offering(self, offer: Offer | None) -> Start:
        """The command, with a free slot for the first attempt, if there is one."""
        return self.command if offer is None else evolve(self.command, offer=offer)


def prepare(
    door: Door,
    spec: Spec,
    trigger: str,
    payload: Mapping[str, object],
    options: StartOptions,
    *,
    who: Receipted | None = None,
) -> Request:
    """
    Check a start and resolve what it leaves out; nothing is written but the definition.

    Raises:
        ConfigError: As for `requested`.
        PayloadError: As for `requested`.
    """
    clock = door.journal.now()
    ready = requested(door.mint, spec, trigger, payload, options, clock=clock, who=who)
    door.define(spec)
    return ready


def requested(
    mint: Mint,
    spec: Spec,
    trigger: str,
    payload: Mapping[str, object],
    options: StartOptions,
    *,
    clock: datetime,
    who: Receipted | None = None,
) -> Request:
    """
    A start that was checked, with what it leaves out resolved; its definition must be stored.

    Args:
        mint: Draws the run id.
        spec: What to run.
        trigger: Its trigger.
        payload: JSON-like data.
        options: What the host says.
        clock: The storage's clock, which `now` in the options overrules.
        who: What was said along with a signal, which has checked it.

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
    if unknown := sorted(set(options) - StartOptions.__optional_keys__):
        known = ", ".join(sorted(StartOptions.__optional_keys__))
        raise checks.wrong(unknown[0], f"there is no such option; known: {known}")
    now = checks.instant("now", options.get("now"))
    instant = now if now is not None else clock
    queue, priority = _lane(spec, options)
    if who is None:
        who = said("start", _said_in(options))
    resolved = resolve_payload(declared.payload, payload, now=instant)
    beyond = beyond_defaults(declared.payload, payload)
    # Without a key or an id nobody can ask for it again.
    repeatable = who.key is not None or options.get("run_id") is not None
    told_more = repeatable and len(beyond) < len(payload)
    command = Start(
        run_id=_run_id(
            mint, spec, trigger, key=who.key, run_id=options.get("run_id"), instant=instant
        ),
        workflow=spec.workflow,
        definition=Fingerprint(spec.fingerprint),
        trigger=trigger,
        input=resolved,
        digest=_digest(spec, trigger, beyond),
        digest_in_full=_digest(spec, trigger, payload) if told_more else None,
        # Who gave an id can give it again: pruning leaves a tombstone under it.
        asked={} if options.get("run_id") is None else {"run_id": options["run_id"]},
        queue=queue,
        priority=priority,
        tags=checks.texts("tags", options.get("tags", ())),
        partition_key=checks.optional_text("partition_key", options.get("partition_key")),
        visible_at=checks.instant("at", options.get("at")),
        said=who,
    )
    return Request(command=command, spec=spec, now=now)


def start(door: Door, request: Request, offer: Offer | None) -> Handled:
    """Begin the run, or find that it was begun; see `handle.handle` for what is raised."""
    command = request.offering(offer)
    begin = door.beginning(command.run_id, request.spec)
    return door.handle(command.run_id, command, begin=begin, now=request.now)


def _said_in(options: StartOptions) -> CommandOptions:
    return {
        "by": options.get("by"),
        "note": options.get("note"),
        "metadata": options.get("metadata"),
        "key": options.get("key"),
    }


def _run_id(
    mint: Mint,
    spec: Spec,
    trigger: str,
    *,
    key: str | None,
    run_id: str | None,
    instant: datetime,
) -> RunId:
    if key is not None:
        if run_id is not None:
            raise checks.wrong("run_id", "a keyed start derives its run id; give key or run_id")
        return derived_run_id(spec.workflow, trigger, key)
    if run_id is None:
        return mint.run_id(instant)
    if is_run_id(checks.text("run_id", run_id)):
        return RunId(run_id)
    raise checks.wrong("run_id", "expected a UUID in lower case")


def _digest(spec: Spec, trigger: str, given: Mapping[str, object]) -> str:
    """What makes two starts the same; that the payload can be stored has been seen."""
    storable = canonical.storable(dict(given), where="the payload")
    return start_digest(spec.workflow, trigger, storable)


def _lane(spec: Spec, options: StartOptions) -> tuple[str, int]:
    """Queue and priority: the caller's, else the workflow's."""
    queue, priority = options.get("queue"), options.get("priority")
    if queue is None:
        queue = spec.queue or "default"
    if priority is None:
        priority = spec.priority or 0
    return checks.queue("queue", queue), checks.integer("priority", priority)
