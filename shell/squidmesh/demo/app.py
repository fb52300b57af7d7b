"""
The shop as an application, with its files in the working directory.

    python -m order_fulfilment.app                   take the orders in
    squidmesh work --app order_fulfilment.app:mesh   work them
    python -m order_fulfilment.bank                  have the bank tell of payments
"""

import sys
from pathlib import Path

from squidmesh import Mesh

from .gateway import Gateway  # noqa: TID252 - the example is a copy
from .intake import take_in  # noqa: TID252 - the example is a copy
from .ledger import Ledger  # noqa: TID252 - the example is a copy
from .warehouse import Warehouse  # noqa: TID252 - the example is a copy
from .workflow import OrderFulfilment, connect  # noqa: TID252 - the example is a copy


def mesh() -> Mesh:
    """
    The shop's mesh, with its journal in `orders.db`.

    The gateway writes `ledger.jsonl`, the warehouse `stock.jsonl`.
    """
    connect(Gateway(Ledger(Path("ledger.jsonl"))), Warehouse(Ledger(Path("stock.jsonl"))))
    return Mesh.open("sqlite:///orders.db", workflows=[OrderFulfilment])


def main() -> None:
    """Start a run for each order of the export beside this file."""
    with mesh() as shop:
        intake = take_in(shop, Path(__file__).with_name("orders.csv"))
    for refused in intake.refused:
        for flaw in refused.flaws:
            # ascii: what was refused may hold what a terminal obeys.
            line = f"row {refused.row} ({refused.order_id!a}) {flaw.field}: {flaw.reason}"
            sys.stdout.write(f"{line}\n")
    counts = (len(intake.started), len(intake.repeated), len(intake.refused))
    sys.stdout.write("{} runs started, {} rows repeated, {} refused\n".format(*counts))


if __name__ == "__main__":
    main()
