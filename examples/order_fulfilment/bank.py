"""
The bank: tells the shop that the money of each payment has arrived.

It knows orders and payments, and nothing of runs; a message finds its run by the
order's id.  It may come before the shop has recorded the payment, and is kept then.

    python -m order_fulfilment.bank     tell of every payment there is
"""

import sys
from contextlib import suppress
from pathlib import Path

from squidmesh import Mesh, Refused

from .ledger import Ledger  # noqa: TID252 - the example is a copy of this package
from .workflow import OrderFulfilment, Settlement  # noqa: TID252 - the example is a copy


class Bank:
    """
    The bank's post room.

    Args:
        mesh: The shop.
        ledger: The gateway's ledger, where the payments stand.
    """

    def __init__(self, mesh: Mesh, ledger: Ledger) -> None:
        self._mesh = mesh
        self._ledger = ledger
        self._told: set[str] = set()

    def settle(self) -> int:
        """
        Tell of each payment that was not told of; how many those were.

        Repeating it is harmless: the key of a message is its payment.
        """
        charged = [line for line in self._ledger.lines() if line.kind == "charged"]
        fresh = [line for line in charged if line.id not in self._told]
        for line in fresh:
            with suppress(Refused):  # the run was ended before its money came
                self._mesh.deliver(
                    OrderFulfilment.settled,
                    line.order_id,
                    Settlement(line.id, line.amount),
                    by="bank",
                    key=line.id,
                )
            self._told.add(line.id)
        return len(fresh)


def main() -> None:
    """Tell the shop in the working directory of every payment in its ledger."""
    with Mesh.open("sqlite:///orders.db", workflows=[OrderFulfilment]) as shop:
        told = Bank(shop, Ledger(Path("ledger.jsonl"))).settle()
    sys.stdout.write(f"the bank told of {told} payments\n")


if __name__ == "__main__":
    main()
