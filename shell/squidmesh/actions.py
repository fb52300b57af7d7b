"""
The functions that workers may perform, by key: nothing else is ever called.

The package `authoring` loads with the first function: a process that only looks at runs has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import frozen

from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import is_action_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from squidmesh.authoring.signature import Function, Signature
    from squidmesh.authoring.workflow import Workflow

_KEY: Final = "1 to 255 letters, digits and _ . < > -"


@frozen(kw_only=True)
class Action:
    """A function that can be performed."""

    #: The key it was found by.
    key: str
    fn: Function
    signature: Signature


@frozen(kw_only=True)
class _Entry:
    action: Action
    enabled: bool


class ActionRegistry(Mapping[str, bool]):
    """
    An allowlist of functions; as a mapping, key or alias → whether it may be performed.

    Stored definitions name keys, never import paths, so functions can move.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._performable: frozenset[str] = frozenset()
        self._frozen = False

    def add(
        self, key: str, fn: Function, *, aliases: Sequence[str] = (), enabled: bool = True
    ) -> None:
        """
        Allow a function.

        Args:
            key: What definitions call it.
            fn: Sync or async; what is not annotated is passed through.
            aliases: Older keys that it still answers to.
            enabled: `False` withdraws it: known, and not performed.

        Raises:
            ConfigError: A key is malformed or belongs to another function, the function cannot
                be called by name, or a mesh has the registry already.
        """
        from squidmesh.authoring.frames import Names, caller
        from squidmesh.authoring.functions import without_json
        from squidmesh.authoring.signature import InvalidFunction, Signature

        if isinstance(aliases, str):
            raise _refused("aliases", "expected a list of action keys", "invalid_option")
        names = Names(caller())
        try:
            signature = Signature.of(fn, names)
        except InvalidFunction as exc:
            raise _refused("actions", str(exc), "invalid_option") from exc
        for reason in without_json(signature, names):
            raise _refused("actions", reason, "invalid_option")
        self._register(key, fn, signature, aliases, enabled=enabled)

    def add_workflow(self, workflow: type[Workflow]) -> None:
        """
        Allow the steps and undo callbacks of a class.

        Raises:
            ConfigError: As for `add`, or the class has no nodes.
        """
        from squidmesh.authoring.workflow import compiled_form

        for needed in compiled_form(workflow).registrations:
            self._register(needed.key, needed.fn, needed.signature, needed.aliases, enabled=True)

    def resolve(self, key: str) -> Action | None:
        """The function of a key or alias; `None` if there is none or it is withdrawn."""
        entry = self._entries.get(key)
        return entry.action if entry is not None and entry.enabled else None

    def join(self, other: ActionRegistry) -> None:
        """
        Allow what another registry allows, and withdraw what it withdraws.

        Raises:
            ConfigError: A key belongs to different functions, or it is not a registry; nothing
                was added.
        """
        if not isinstance(other, ActionRegistry):
            raise _refused("actions", "expected an ActionRegistry", "invalid_option")
        for key, entry in other._entries.items():
            self._check(key, entry.action.fn)
        self._entries.update(other._entries)
        self._changed()

    def performable(self) -> frozenset[str]:
        """Every key and alias that may be performed; asked for at every claim."""
        return self._performable

    def freeze(self) -> None:
        """Refuse further functions: whoever has this registry relies on it."""
        self._frozen = True

    def __getitem__(self, key: str) -> bool:
        return self._entries[key].enabled

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _register(
        self,
        key: str,
        fn: Function,
        signature: Signature,
        aliases: Sequence[str],
        *,
        enabled: bool,
    ) -> None:
        keys = (key, *aliases)
        for one in keys:
            self._check(one, fn)
        for one in keys:
            action = Action(key=one, fn=fn, signature=signature)
            self._entries[one] = _Entry(action=action, enabled=enabled)
        self._changed()

    def _changed(self) -> None:
        self._performable = frozenset(key for key, one in self._entries.items() if one.enabled)

    def _check(self, key: str, fn: Function) -> None:
        if self._frozen:
            reason = "a mesh has this registry already; nothing was added"
            raise _refused("actions", reason, "invalid_option")
        if not is_action_key(key):
            raise _refused("actions", f"an action key is {_KEY}", "invalid_action_key")
        known = self._entries.get(key)
        if known is not None and known.action.fn is not fn:
            reason = f"'{key}' belongs to another function already; nothing was added"
            raise _refused("actions", reason, "duplicate_action")


def _refused(option: str, reason: str, code: str) -> ConfigError:
    return ConfigError(reason, code, {"option": option, "reason": reason})
