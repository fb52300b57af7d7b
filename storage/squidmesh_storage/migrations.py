"""
Numbered changes of an adapter's tables, and which of them a database lacks.

Each adapter has its own, and its own way to carry them out; what is the same for
all is here.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

from attrs import frozen

from squidmesh_core.errors import StorageError

Row = TypeVar("Row")


@frozen(kw_only=True)
class Migration:
    """One numbered change of the tables."""

    number: int
    #: Expand: older processes go on working beside it.  Contract: they must be gone.
    kind: Literal["expand", "contract"]
    title: str
    sql: str
    #: What has to be done beside it where there are runs already.
    remark: str = ""


@frozen(kw_only=True)
class Plan:
    """What a migration does, or has done."""

    #: Number of the newest migration that is there; 0: there are no tables of ours.
    found: int
    wanted: int
    steps: tuple[Migration, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The steps as people read them."""
        return tuple(map(self._line, self.steps))

    def _line(self, step: Migration) -> str:
        remark = f"; {step.remark}" if step.remark and self.found else ""
        return f"{step.number:04} {step.kind}: {step.title}{remark}"


def only_row(rows: Sequence[Row], table: str) -> Row:
    """
    The row that says which tables are there.

    Raises:
        StorageError: There is none, or there are several.
    """
    if len(rows) != 1:
        raise StorageError(
            f"{table} has {len(rows)} rows and not one, so nobody knows which tables these are; "
            "nothing was changed, restore it with all others",
            "storage_error",
            {"table": table, "rows": len(rows)},
        )
    return rows[0]


def planned(migrations: Sequence[Migration], found: int, *, oldest: int | None = None) -> Plan:
    """
    Which migrations tables lack.

    Args:
        migrations: All that this release knows, in order.
        found: Number of the newest one that is there; 0: there are no tables.
        oldest: The number that a process has to know at least to work with what is
            there; null: the newest one.

    Raises:
        StorageError: `schema_ahead`.
    """
    wanted = migrations[-1].number
    if wanted < (found if oldest is None else oldest):
        raise StorageError(
            f"the tables are of schema {found}, newer than this squidmesh, which knows {wanted}; "
            "upgrade squidmesh; nothing was changed",
            "schema_ahead",
            {"found": found, "wanted": wanted},
        )
    return Plan(
        found=found, wanted=wanted, steps=tuple(one for one in migrations if one.number > found)
    )


def behind(plan: Plan, place: str, url: str) -> StorageError:
    """
    Tables that lack something, and the command that brings them up to date.

    Args:
        plan: What they lack.
        place: Where they are.
        url: The same as a shell takes it.
    """
    command = f"squidmesh migrate {url}"
    # A process that goes on beside what it cannot read takes it for damaged.
    contracts = any(step.kind == "contract" for step in plan.steps)
    first = "stop every process of the older release, then " if contracts else ""
    return StorageError(
        f"{place} has tables of schema {plan.found}, and this squidmesh needs {plan.wanted}; "
        f"{first}run `{command}`; nothing was changed",
        "schema_behind",
        {"found": plan.found, "wanted": plan.wanted, "command": command},
    )
