"""What a table says of the members of a record: which scope sees them, or how much."""

from collections.abc import Callable, Mapping

from attrs import frozen

from squidmesh_core.values.scope import SCOPES, Scope

#: A member of the record that is redacted, by name; of plain data as well.
Get = Callable[[str], object]
#: What to show of a member, made of its record.
Edit = Callable[[Get], object]


@frozen
class Partly:
    """A member of which some scopes below auditor see a part; without a part they see nothing."""

    operator: Edit
    external: Edit | None = None

    def edit(self, scope: Scope) -> Edit | None:
        """What makes the part that a scope sees; null: it sees nothing of it."""
        return self.operator if scope == "operator" else self.external


#: The narrowest scope that sees a member, or how much some scopes see of it.
Rule = Scope | Partly
#: Member → rule.
Table = Mapping[str, Rule]
#: Record class → its table.  A class without one cannot be redacted.
Tables = Mapping[type, Table]


def table(*, external: str = "", operator: str = "", auditor: str = "", **parts: Partly) -> Table:
    """
    The table of a record.

    Args:
        external: Names of the members that everybody sees, parted by spaces.
        operator: Those that operators and auditors see.
        auditor: Those that auditors alone see.
        parts: Those of which others see a part.

    Raises:
        ValueError: A member is listed twice.
    """
    rules: dict[str, Rule] = dict(parts)
    for scope, names in zip(SCOPES, (external, operator, auditor), strict=True):
        for name in names.split():
            if name in rules:
                raise ValueError(f"{name} is listed twice")
            rules[name] = scope
    return rules
