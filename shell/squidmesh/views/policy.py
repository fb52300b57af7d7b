"""
Who may see what: the policy of a mesh.

A policy names the scope of everybody, or says of each actor and view which it is.
Whatever is no scope is an error and shows nothing, never a wider view.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from squidmesh.people import By
from squidmesh_core.errors import ConfigError
from squidmesh_core.values.scope import SCOPES, Scope

if TYPE_CHECKING:
    from squidmesh_core.views.visibility import Redaction

T = TypeVar("T")

#: Says which scope an actor sees a view in; null: nobody said who looks.
Decide = Callable[[By | None, object], Scope]


class VisibilityPolicy(Protocol):
    """A policy as an object, such as one that asks the host's own access rights."""

    def visibility_scope(self, actor: By | None, view: object) -> Scope:
        """Which scope the actor sees the view in."""


#: The scope of everybody, a function, or an object.
Policy = Scope | Decide | VisibilityPolicy


def policy_of(given: object) -> Decide:
    """
    What decides; null: everybody is external.

    Raises:
        ConfigError: `invalid_visibility_policy`: it can decide nothing.
    """
    if given is None:
        return lambda _actor, _view: "external"
    if isinstance(given, str):
        scope = _scope(given)
        return lambda _actor, _view: scope
    decide = getattr(given, "visibility_scope", given)
    # A class is callable too, and what it makes is no scope.
    if not callable(decide) or isinstance(given, type):
        raise _invalid(
            "expected a scope, a function of (actor, view), or an object with the method visibility_scope(actor, view)"
        )
    return cast("Decide", decide)


class Redacting:
    """The verb that shows views to other people; `Mesh` and `AsyncMesh` have it."""

    _decide: Decide

    def redact(self, view: T, actor: By | None = None) -> T:
        """
        A view as somebody may see it, by this mesh's policy; it reads and writes nothing.

        Args:
            view: A snapshot, run, page, explanation, graph, journal entry, queue …, several
                of them in a list or tuple, or plain data made of them.
            actor: Who looks, as the policy knows them; null: nobody said.

        Raises:
            ConfigError: `invalid_visibility_policy`: the policy answered with no scope.
            TypeError: It is not a view.
        """
        return _redaction().redact(view, _scope(self._decide(actor, view)))


@functools.cache
def _redaction() -> "Redaction":
    from squidmesh.views.visibility import SHELL  # few ask for it, and it knows every view

    return SHELL


def _scope(answer: object) -> Scope:
    """
    An answer that is a scope.

    Raises:
        ConfigError: It is not one.
    """
    if isinstance(answer, str) and answer in SCOPES:
        return answer
    raise _invalid(f"expected one of {', '.join(SCOPES)} as a scope, not a {type(answer).__name__}")


def _invalid(reason: str) -> ConfigError:
    return ConfigError(
        f"the visibility policy is wrong: {reason}; nothing is shown",
        "invalid_visibility_policy",
        {"option": "policy", "reason": reason},
    )
