"""How much of a run somebody may see (specs/protocol.md §7)."""

from typing import Final, Literal, get_args

Scope = Literal["external", "operator", "auditor"]
#: From the narrowest to the widest; each sees what the ones before it see.
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


def sees(scope: Scope, least: Scope) -> bool:
    """Whether a scope is at least as wide as another."""
    return SCOPES.index(scope) >= SCOPES.index(least)
