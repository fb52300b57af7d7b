"""A shop in a folder of its own, with the outside world it is demonstrated with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from squidmesh.demo.folder import Folder, fresh_folder
from squidmesh.demo.gateway import Gateway
from squidmesh.demo.ledger import Ledger
from squidmesh.demo.warehouse import Warehouse
from squidmesh.demo.workflow import connect


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of one demonstration, with a few orders."""
    return fresh_folder(tmp_path / "shop", few=True)


@pytest.fixture
def outside(folder: Folder) -> Iterator[tuple[Ledger, Ledger]]:
    """The ledgers of the gateway and the warehouse that the steps ask."""
    ledger, stock = Ledger(folder.ledger), Ledger(folder.stock)
    connect(Gateway(ledger), Warehouse(stock))
    yield ledger, stock
    connect(Gateway(Ledger(Path("ledger.jsonl"))), Warehouse(Ledger(Path("stock.jsonl"))))
