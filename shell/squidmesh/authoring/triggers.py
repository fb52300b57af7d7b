"""Triggers: what starts a run, and the contract of its payload."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar, cast, get_args, is_typeddict, overload

from squidmesh.authoring.contracts import (
    InvalidContract,
    fields_of,
    without_instants,
)
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.encode import encode
from squidmesh.authoring.hints import name_of
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.paths import path_to
from squidmesh.authoring.records import record_class
from squidmesh.authoring.schema import schema_of
from squidmesh_core.definition.spec import CronTrigger as SpecCron
from squidmesh_core.definition.spec import Field, ManualTrigger
from squidmesh_core.definition.spec import Trigger as SpecTrigger
from squidmesh_core.errors import ConfigError, PayloadError

P = TypeVar("P")
OnDuplicate = Literal["return_existing_run", "skip_duplicate", "new_run"]

_ON_DUPLICATE: Final[tuple[OnDuplicate, ...]] = get_args(OnDuplicate)


class Trigger(Source, Generic[P]):
    """What starts a run with a payload of type `P`; make one with `manual` or `cron`."""

    def __init__(self, contract: object) -> None:
        super().__init__()
        self._contract = contract
        self._found: tuple[Field, ...] | None = None

    @property
    def payload(self) -> P:
        """The payload; in a class body a path to it."""
        return cast("P", path_to(self, self._contract))

    def parse(self, data: Mapping[str, object]) -> P:
        """
        The payload that JSON-like data stands for; nothing is coerced.

        Raises:
            PayloadError: It does not fit; every missing, unknown and wrong field is listed.
        """
        if self._contract is None:
            if data:
                raise _payload_error(self, f"expected no payload, not {sorted(data)}")
            return cast("P", None)
        try:
            return cast("P", reader_for(self._contract, closed=True)(data))
        except ContractMismatch as exc:
            raise _payload_error(self, str(exc), exc.details) from None

    def schema(self) -> dict[str, object]:
        """The JSON Schema of the payload."""
        return schema_of(self._label or "payload", self._fields())

    def _fields(self) -> tuple[Field, ...]:
        if self._found is None:
            try:
                self._found = fields_of(self._contract, self._names)
            except InvalidContract as exc:
                if all(item.code != "invalid_contract" for item in self._notes):
                    note(self, "invalid_contract", str(exc), location=self._location)
                return ()
        return self._found

    def _spec(self) -> SpecTrigger:
        return ManualTrigger(name=self._label or "", payload=self._fields())


class CronTrigger(Trigger[P]):
    """What starts a run for each slot of a schedule."""

    def __init__(
        self,
        expression: str,
        contract: object,
        timezone: str,
        values: Callable[[datetime], P] | None,
        on_duplicate: OnDuplicate,
    ) -> None:
        super().__init__(contract)
        self._expression = expression
        self._timezone = timezone
        self._values = values
        self._on_duplicate = on_duplicate

    def _spec(self) -> SpecTrigger:
        fields = self._fields()
        needed = [f.name for f in fields if f.required]
        if needed and self._values is None:
            message = f"nobody gives {', '.join(map(repr, needed))} to a run started by the clock"
            hint = f"values=lambda at: {name_of(self._contract)}(...)"
            note(self, "payload_not_supplied", message, hint, location=self._location)
        values: object = self._values
        if values is not None and not callable(values):
            message = "values: expected a function of the slot's instant"
            note(self, "invalid_step_option", message, location=self._location)
        if self._on_duplicate not in _ON_DUPLICATE:
            message = f"on_duplicate: expected one of {', '.join(_ON_DUPLICATE)}"
            note(self, "invalid_step_option", message, location=self._location)
        return SpecCron(
            name=self._label or "",
            expression=self._expression,
            timezone=self._timezone,
            idempotency=None if self._on_duplicate == "new_run" else self._on_duplicate,
            payload=fields,
        )


def payload_of(trigger: Trigger[P], payload: P) -> dict[str, object]:
    """
    The JSON form of a payload, without the fields that the instant of the start fills.

    Raises:
        ConfigError: What starts a run is not a trigger.
        PayloadError: It is not of the trigger's contract, or a field has another type.
    """
    if not isinstance(trigger, Trigger):
        raise _no_trigger(trigger)
    contract = trigger._contract
    if contract is None:
        if payload is not None:
            raise _payload_error(trigger, f"expected no payload, not {type(payload).__name__}")
        return {}
    if payload is None:
        raise _payload_error(trigger, "it is missing")
    try:
        written = cast("dict[str, object]", encode(payload, contract))
    except ContractMismatch as exc:
        is_data = isinstance(payload, Mapping) and not is_typeddict(contract)
        hint = f"; a {type(payload).__name__} goes through .parse(...) first" if is_data else ""
        raise _payload_error(trigger, f"{exc}{hint}", exc.details) from None
    return without_instants(written, contract)


@overload
def manual() -> Trigger[None]: ...
@overload
def manual(payload: type[P]) -> Trigger[P]: ...
def manual(payload: type[Any] | None = None) -> Trigger[Any]:
    """A run is started by a caller, with a payload of this contract."""
    return Trigger(payload)


@overload
def cron(
    expression: str, *, tz: str = "UTC", on_duplicate: OnDuplicate = "return_existing_run"
) -> CronTrigger[None]: ...
@overload
def cron(
    expression: str,
    payload: type[P],
    *,
    tz: str = "UTC",
    values: Callable[[datetime], P] = ...,
    on_duplicate: OnDuplicate = "return_existing_run",
) -> CronTrigger[P]: ...
def cron(
    expression: str,
    payload: type[Any] | None = None,
    *,
    tz: str = "UTC",
    values: Callable[[datetime], Any] | None = None,
    on_duplicate: OnDuplicate = "return_existing_run",
) -> CronTrigger[Any]:
    """
    A run is started for each slot of a schedule.

    This release does not fire it: start such runs by a scheduler of yours, each
    slot with a key of its own.

    Args:
        expression: Five cron fields.
        payload: The contract.
        tz: The IANA time zone of the expression.
        values: Makes the payload of the slot's instant; needed if a field has no default.
        on_duplicate: What a slot that has its run already gives.
    """
    return CronTrigger(expression, payload, tz, values, on_duplicate)


def _no_trigger(given: object) -> ConfigError:
    """What to say to who hands over a workflow, the name of a trigger, or a step."""
    named = given if isinstance(given, type) else type(given)
    triggers = [name for name, value in vars(named).items() if isinstance(value, Trigger)]
    example = f"{named.__name__}.{triggers[0]}" if triggers else "Orders.placed"
    reason = f"expected a trigger such as {example}, not {named.__name__}"
    return ConfigError(
        f"{reason}; no run was started", "unknown_trigger", {"option": "trigger", "reason": reason}
    )


def _payload_error(
    trigger: Trigger[P], reason: str, details: Mapping[str, object] | None = None
) -> PayloadError:
    kind = record_class(trigger._contract)
    contract = "" if kind is None else f" ({kind.__name__})"
    message = (
        f"the payload of '{trigger._label}'{contract} does not fit: {reason}; nothing was written"
    )
    return PayloadError(message, "invalid_payload", details or {})
