"""Payload fields and triggers of untrusted data."""

from typing import Final, get_args

from squidmesh_core.definition.payload import type_fits
from squidmesh_core.definition.reading import members, schedule
from squidmesh_core.definition.reading.source import Source, UnreadableError, a_list, shown
from squidmesh_core.definition.spec import (
    CronTrigger,
    Default,
    Field,
    FieldType,
    Idempotency,
    ManualTrigger,
    Trigger,
)
from squidmesh_core.values.condition import same

_TYPES: Final[tuple[FieldType, ...]] = get_args(FieldType)
_STRATEGIES: Final[tuple[Idempotency, ...]] = get_args(Idempotency)
_OPTS: Final = "invalid_payload_field_opts"


def trigger(source: Source) -> Trigger:
    """One trigger, manual or cron."""
    name = source.essential(
        "name", members.node_name, instead=members.NOBODY, code="invalid_trigger_name"
    )
    kind = source.essential(
        "type", members.one_of(["manual", "cron"]), instead="manual", code="invalid_trigger_type"
    )
    read: Trigger
    if kind == "cron":
        read = CronTrigger(
            name=name,
            expression=source.required(
                "expression", schedule.expression, instead="@daily", code="invalid_cron_expression"
            ),
            timezone=source.optional(
                "timezone", schedule.timezone, default="UTC", code="invalid_cron_timezone"
            ),
            idempotency=source.nullable(
                "idempotency", members.one_of(_STRATEGIES), code="invalid_cron_idempotency"
            ),
            payload=fields(source, "payload"),
        )
    else:
        read = ManualTrigger(name=name, payload=fields(source, "payload"))
    source.close()
    return read


def fields(source: Source, name: str) -> tuple[Field, ...]:
    """The fields of a payload, a form or a message."""
    return tuple(_field(item) for item in source.objects(name, code="invalid_payload_field"))


def _field(source: Source) -> Field:
    name = source.essential("name", members.key, instead="", code="invalid_payload_field_name")
    declared: FieldType = source.essential(
        "type", members.one_of(_TYPES), instead="any", code="invalid_payload_field_type"
    )
    nullable = source.optional("nullable", members.boolean, default=False, code=_OPTS)
    bare = Field(
        name=name,
        type=declared,
        required=source.optional("required", members.boolean, default=True, code=_OPTS),
        nullable=nullable,
    )
    choices = source.nullable("choices", lambda value: _choices(value, bare), code=_OPTS)
    default = source.optional(
        "default",
        lambda value: _default(value, bare, choices),
        default=None,
        code="invalid_payload_default",
    )
    source.close()
    return Field(
        name=name,
        type=declared,
        required=bare.required,
        nullable=nullable,
        choices=choices,
        default=default,
    )


def _choices(value: object, field: Field) -> tuple[object, ...]:
    choices = a_list(value)
    if not choices:
        raise UnreadableError("expected at least one choice")
    for i, choice in enumerate(choices):
        if not type_fits(field, choice):
            raise UnreadableError(f"{shown(choice)} is no {field.type}", path=(i,))
    return tuple(choices)


def _default(value: object, field: Field, choices: tuple[object, ...] | None) -> Default:
    if field.type == "string":
        match value:
            case {"now": "iso8601", **rest} if not rest:
                return Default(clock="now")
            case {"today": "iso8601", **rest} if not rest:
                return Default(clock="today")
    if not type_fits(field, value):
        raise UnreadableError(f"{shown(value)} is no {field.type}")
    if choices is not None and value is not None and not any(same(value, c) for c in choices):
        raise UnreadableError(f"{shown(value)} is not among the choices")
    return Default(value=value)
