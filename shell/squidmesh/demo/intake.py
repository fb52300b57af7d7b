"""From an export to runs: one run for each order, keyed by the order's id."""

from dataclasses import dataclass
from pathlib import Path

from squidmesh import IdempotencyConflict, Mesh

from .orders import Flaw, Refused, read_orders  # noqa: TID252 - the example is a copy
from .workflow import OrderFulfilment  # noqa: TID252 - the example is a copy


@dataclass(frozen=True)
class Intake:
    """What became of the rows of an export."""

    #: Run id → order id of each order that now has a run.
    started: dict[str, str]
    #: Rows that say again what an earlier row said; nothing was done about them.
    repeated: tuple[int, ...]
    refused: tuple[Refused, ...]

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return len(self.started) + len(self.repeated) + len(self.refused)


def take_in(mesh: Mesh, export: Path) -> Intake:
    """
    Start a run for each order of an export.

    A row that repeats an order finds its run; one that contradicts an earlier row
    with the same order id is refused by the key, and the first one stands.

    Raises:
        OSError: The export cannot be read.
        ValueError: It is no export.
    """
    started: dict[str, str] = {}
    repeated: list[int] = []
    refused: list[Refused] = []
    for row in read_orders(export):
        if isinstance(row, Refused):
            refused.append(row)
            continue
        order_id = row.placed.order_id
        try:
            run = mesh.start(OrderFulfilment.placed, row.placed, key=order_id)
        except IdempotencyConflict:
            flaw = Flaw("order_id", f"{order_id} was placed before, with another content")
            refused.append(Refused(row.row, order_id, (flaw,)))
            continue
        if run.duplicate:
            repeated.append(row.row)
        else:
            started[run.id] = order_id
    return Intake(started, tuple(repeated), tuple(refused))
