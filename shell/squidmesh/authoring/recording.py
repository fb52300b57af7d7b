"""What a path has recorded: a place in the run context, and the type of what lies there."""

from typing import Any, Final, cast, get_args, get_origin

from attrs import evolve, frozen

from squidmesh.authoring.conditions import Place
from squidmesh.authoring.hints import bare, name_of, union_of, without_none
from squidmesh.authoring.notes import UNNAMED, note, stopped, suggestion
from squidmesh.authoring.records import read_by_key, record_class, record_members

AS_VALUE: Final = "a path is data; do this inside a step"


@frozen(kw_only=True)
class Recorded:
    """What a path has recorded so far."""

    place: Place
    #: The type of the values there.
    hint: object
    #: Whether the value may be missing, by `maybe` or `.get`.
    optional: bool = False
    #: What stands for a missing value.
    default: object = None
    #: Whether a problem has been noted on the way here; then nothing more is said.
    broken: bool = False

    @property
    def text(self) -> str:
        """The path as the class body writes it, as far as names are known."""
        return ".".join((self.place.source._label or UNNAMED, *self.place.below))

    @property
    def kind(self) -> object:
        """The only type beside `None`; checkers see to it that nothing else is read from."""
        found = without_none(self.hint)
        return bare(found[0]) if len(found) == 1 else self.hint

    @property
    def is_open(self) -> bool:
        """Whether anything may lie there, so that nothing can be said against a use."""
        return self.broken or self.kind in {Any, object}

    @property
    def is_read_by_key(self) -> bool:
        """Whether its members are keys rather than attributes."""
        return not self.broken and read_by_key(self.kind)

    def below(self, name: str) -> "Recorded":
        """
        One name further down; a name that is not there is noted.

        Raises:
            AttributeError: It is not one of the contract's, and looks like a tool asking.
            DefinitionError: It is something that values have, such as a method.
        """
        place = evolve(self.place, below=(*self.place.below, name))
        hint = Any if self.is_open else self._member_hint(name)
        if hint is None:
            return evolve(self, place=place, hint=Any, broken=True)
        if self.optional:
            hint = union_of((hint, type(None)))
        return evolve(self, place=place, hint=hint)

    def get(self, key: str, default: object = None) -> "Recorded":
        """What `case.get("note")` records: a key that may be missing."""
        found = self.below(key)
        hint = union_of((found.hint, type(None))) if default is None else found.hint
        return evolve(found, optional=True, default=default, hint=hint)

    def refuse_attribute(self, name: str) -> None:
        """
        Where values are read by key, refuse the attributes that mappings have.

        Raises:
            DefinitionError: The name is a key, or a method.
        """
        if record_class(self.kind) is not None and name in self._members():
            message = f'{name_of(self.kind)} is read by key: write ["{name}"]'
            raise stopped("path_as_value", message)
        if hasattr(get_origin(self.kind) or self.kind, name):
            raise stopped("path_as_value", f".{name}: {AS_VALUE}")

    def _members(self) -> dict[str, object]:
        found = record_members(self.kind, self.place.source._names)
        return {name: member.hint for name, member in found.items()}

    def _member_hint(self, name: str) -> object | None:
        """The type one name down; `None` once a problem has been noted."""
        members: dict[str, object] = {}
        if record_class(self.kind) is not None:
            try:
                members = self._members()
            except NameError as exc:
                message = f"{name_of(self.kind)} cannot be read: {exc}"
                note(self.place.source, "invalid_contract", message)
                return None
        elif read_by_key(self.kind):
            _, value = get_args(self.kind) or (str, Any)
            return cast("object", value)
        if name in members:
            return members[name]
        if hasattr(get_origin(self.kind) or self.kind, name):
            hint = f"{self.text} is {name_of(self.kind)}"
            raise stopped("path_as_value", f".{name}: {AS_VALUE}", hint)
        if name.startswith("_"):  # what notebooks and debuggers ask for
            raise AttributeError(name)
        message = f"'{name}' is not a field of {name_of(self.kind)}"
        note(self.place.source, "unknown_field", message, suggestion(name, list(members)))
        return None
