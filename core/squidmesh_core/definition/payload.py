"""
The payload contract: what a caller hands in becomes the input of a run.

Forms and messages have fields of the same shape (specs/spec.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, assert_never

from attrs import Factory, define, frozen

from squidmesh_core.canonical import storable
from squidmesh_core.definition.spec import Default, Field
from squidmesh_core.errors import PayloadError, StorageError, enumerated
from squidmesh_core.values.condition import same

_NOUNS: Final[Mapping[str, str]] = {
    "string": "a text",
    "integer": "a whole number",
    "float": "a number with a fraction part",
    "boolean": "true or false",
    "map": "an object",
    "list": "a list",
    "any": "any value",
}


What = Literal["payload", "form", "message"]


def resolve_payload(
    fields: Iterable[Field],
    payload: object,
    *,
    now: datetime,
    what: What = "payload",
    assumed: Collection[str] = (),
) -> dict[str, object]:
    """
    The payload with its defaults filled in, in the form `canonical.storable` gives.

    A default stands in only where the key is absent; an explicit null is kept
    and checked.  Optional fields without a value stay absent.

    Args:
        fields: The contract.
        payload: What was handed in.
        now: The instant of the command, which clock defaults are made of.
        what: What is handed in; it names the error's code.
        assumed: Fields that say no more than their default, by the contract of whoever hands
            them in.  That contract may be newer, so one that this one lacks is left out.

    Raises:
        PayloadError: `invalid_payload`, `invalid_form` or `invalid_message`, with
            everything that is wrong at once.
    """
    declared = {field.name: field for field in fields}
    findings = _Findings(what)
    if not isinstance(payload, Mapping):
        findings.add([], f"an object with fields, not {type(payload).__name__}")
        raise findings.error()
    values: dict[str, object] = {}
    for name, field in declared.items():
        if name in payload:
            values[name] = payload[name]
            _check(field, payload[name], findings)
        elif field.default is not None:
            values[name] = default_value(field.default, now)
        elif field.required:
            findings.missing.append(name)
            findings.add([name], f"{expected(field)}; it is missing")
    unknown = payload.keys() - declared.keys() - set(assumed)
    for name in sorted(map(str, unknown)):
        findings.unknown.append(name)
        findings.add([name], "no field of this name")
    stored = _stored(values, findings)
    if findings.all:
        raise findings.error()
    return stored


def default_value(default: Default, now: datetime) -> object:
    """What a default stands for at an aware instant; clock defaults are UTC."""
    match default.clock:
        case None:
            return default.value
        case "now":
            return now.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case "today":
            return now.astimezone(UTC).date().isoformat()
    assert_never(default.clock)


def beyond_defaults(
    fields: Iterable[Field], given: Mapping[str, object], *, assumed: Collection[str] = ()
) -> dict[str, object]:
    """
    What is handed in beyond what goes without saying (specs/protocol.md §6).

    A contract's object always says its defaults, and JSON hardly ever; so what equals its
    constant default counts as left out.

    Args:
        fields: The contract.
        given: What was handed in.
        assumed: See `resolve_payload`; of these, the fields that this contract lacks.
    """
    declared = {field.name: field for field in fields}
    return {
        name: value
        for name, value in given.items()
        if not (_at_default(declared[name], value) if name in declared else name in assumed)
    }


def type_fits(field: Field, value: object) -> bool:
    """
    Whether a value has the type of a field; choices are not looked at.

    An integer is not a float, and a boolean is not an integer.
    """
    if value is None:
        return field.nullable or field.type == "any"
    match field.type:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, float)
        case "boolean":
            return isinstance(value, bool)
        case "map":
            return isinstance(value, Mapping)
        case "list":
            return isinstance(value, list | tuple)
        case "any":
            return True
    assert_never(field.type)


def expected(field: Field) -> str:
    """What a field wants, in words."""
    wanted = _NOUNS[field.type]
    if field.choices is not None:
        wanted = f"one of {', '.join(map(repr, field.choices))}"
    return f"{wanted} or null" if field.nullable else wanted


@frozen(kw_only=True)
class _Finding:
    path: tuple[object, ...]
    expected: str


@define
class _Findings:
    """What is wrong with one payload."""

    what: What
    missing: list[str] = Factory(list)
    unknown: list[str] = Factory(list)
    types: dict[str, str] = Factory(dict)
    all: list[_Finding] = Factory(list)

    def add(self, path: Sequence[object], wanted: str) -> None:
        self.all.append(_Finding(path=tuple(path), expected=wanted))

    def error(self) -> PayloadError:
        """The exception; its details name only what there is."""
        each = (": ".join(filter(None, [_dotted(f.path), f.expected])) for f in self.all)
        said = enumerated(each, "; ")
        details: dict[str, object] = {
            "missing_fields": self.missing,
            "unknown_fields": self.unknown,
            "invalid_types": self.types,
            "problems": [{"path": list(f.path), "expected": f.expected} for f in self.all],
        }
        return PayloadError(
            f"The {self.what} does not fit its contract: {said}. Nothing was written.",
            f"invalid_{self.what}",
            {name: found for name, found in details.items() if found},
        )


def _dotted(path: tuple[object, ...]) -> str:
    return ".".join(map(str, path))


def _check(field: Field, value: object, findings: _Findings) -> None:
    if not type_fits(field, value):
        findings.types[field.name] = field.type
        findings.add([field.name], f"{expected(field)}, not {type(value).__name__}")
    elif value is not None and not _among(field.choices, value):
        findings.add([field.name], expected(field))


def _at_default(field: Field, value: object) -> bool:
    default = field.default
    return default is not None and default.clock is None and same(value, default.value)


def _among(choices: tuple[object, ...] | None, value: object) -> bool:
    return choices is None or any(same(value, choice) for choice in choices)


def _stored(values: dict[str, object], findings: _Findings) -> dict[str, object]:
    try:
        stored = storable(values, where=f"the {findings.what}")
    except StorageError as refused:
        path = refused.details["path"]
        wanted = f"a value that can be stored, not {refused.details['reason']}"
        findings.add(path if isinstance(path, list) else [], wanted)
        return {}
    return stored if isinstance(stored, dict) else {}
