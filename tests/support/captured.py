"""
A journal in which everything stands still, for what commands print of it.

    prepare(folder, shop)   orders of `shop.py` in every state, queues, a worker, a hook
    CLOCK                   says the instant that every command is typed at
    mesh()                  the application that commands are told of

Clock and chance are the tests', so every run prints the same.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from itertools import count
from pathlib import Path
from shutil import copyfile
from typing import Final

import pytest

from squidmesh import Mesh, Run, signals
from squidmesh.ports import Ports, Site
from squidmesh.workers.registry import Presence
from squidmesh_core.protocol.notices import Subscription, subscription_to_text
from squidmesh_core.protocol.signals import signal_to_json
from squidmesh_storage.records import HOOK
from squidmesh_storage.sqlite import SqliteJournal
from support.stage import Clock

#: The morning on which the shop opens, and when somebody looks.
OPENING: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)
LOOK: Final = OPENING + timedelta(hours=4)
#: The journal, in the working directory.
FILE: Final = Path("shop.db")
CLOCK: Final = Clock()


class ShopJournal(SqliteJournal):
    """A journal that says the same of where it is on every machine."""

    @property
    def url(self) -> str:
        """Where it would be in production."""
        return "sqlite:////srv/shop/orders.db"


def chance(seed: str = "") -> Callable[[int], bytes]:
    """Bytes that nobody can tell from chance, the same each time."""
    numbers = count()

    def draw(size: int) -> bytes:
        return sha256(f"{seed} {next(numbers)}".encode()).digest()[:size]

    return draw


def mesh() -> Mesh:
    """The shop, as it is opened for one command."""
    return opened(Ports(random_bytes=chance(), draw=lambda: 0.5, host_time=lambda: CLOCK.now))


def opened(ports: Ports) -> Mesh:
    """The shop on its journal."""
    shop = import_module("shop")
    return Mesh(ShopJournal(FILE, clock=CLOCK), workflows=[shop.Order, shop.Twice], ports=ports)


def _takes_a_while(site: Site) -> None:
    if site == "perform.before":
        CLOCK.advance(timedelta(milliseconds=1_250))


def prepare(folder: Path, shop: Path, *, garnish: str = "", filling: str = "") -> dict[str, str]:
    """
    Make the shop's folder, with its journal and what commands read.

    Args:
        folder: Where.
        shop: The module with the shop's workflows.
        garnish: Added to whatever somebody in the shop fills in.
        filling: Added to what is in the cup.

    Returns the orders by name.
    """
    copyfile(shop, folder / "shop.py")
    app = '[tool.squidmesh]\napp = "support.captured:mesh"\n'
    (folder / "pyproject.toml").write_text(app, encoding="utf-8")
    with pytest.MonkeyPatch.context() as made:
        made.chdir(folder)
        made.syspath_prepend(folder)
        made.setattr(CLOCK, "now", OPENING)
        orders = World(garnish, filling).orders
        tray = orders.pop("tray")
        with mesh() as opened_again:
            opened_again.bundle(tray, "tray.sqm")
            opened_again.export("all.jsonl")
            opened_again.prune(run=tray)  # so that it can be taken in again
    sys.modules.pop("shop", None)
    signal = signal_to_json(signals.cancel(orders["cup"].id, by="crm", occurred_at=LOOK))
    (folder / "cancel.json").write_text(json.dumps(signal), encoding="utf-8")
    return {name: str(order.id) for name, order in orders.items()}


class World:
    """The shop's morning; every order by the name of what was ordered."""

    def __init__(self, garnish: str, filling: str) -> None:
        self._garnish = garnish
        self._filling = filling
        # The commands that look at it draw other bytes than those it was made with.
        draws = chance("the morning")
        self._mesh = opened(Ports(random_bytes=draws, draw=lambda: 0.5, site=_takes_a_while))
        self.orders: dict[str, Run] = {}
        with self._mesh:
            self._morning()

    def _order(self, sku: str, queue: str | None = None) -> Run:
        CLOCK.advance(timedelta(minutes=7))
        filled = sku + self._garnish + (self._filling if sku == "cup" else "")
        shop = import_module("shop")
        run: Run = self._mesh.start(shop.Order.placed, shop.Placed(filled), queue=queue)
        self.orders[sku] = run
        return run

    def _work(self) -> None:
        while self._mesh.execute_next(owner="till-1@shop:71") is not None:
            CLOCK.advance(timedelta(milliseconds=250))

    def _asked(self, sku: str) -> Run:
        run = self._order(sku)
        self._work()
        return run

    def _waiting(self, sku: str) -> Run:
        run = self._asked(sku)
        CLOCK.advance(timedelta(minutes=2))
        g = self._garnish
        form = {"reason": f"known customer{g}"}
        self._mesh.approve(run, by=f"ana@finance{g}", form=form, note=f"paid before{g}")
        self._work()
        return run

    def _counting(self, sku: str) -> Run:
        run = self._waiting(sku)
        self._mesh.send(run, "settled", {"cents": 900, "iban": f"iban-1{self._garnish}"})
        self._work()
        return run

    def _morning(self) -> None:
        mesh, g = self._mesh, self._garnish
        alert = Subscription(since=OPENING, seen_at=LOOK - timedelta(minutes=5))
        mesh.door.journal.put_record(HOOK, "run_failed alert", subscription_to_text(alert))
        mesh.cancel(self._asked("tray"))
        completed = self._counting("mug")
        mesh.resume(completed, by=f"bo{g}", note=f"two boxes{g}")
        self._work()
        failed = self._counting("piano")
        mesh.resume(failed, by="bo")
        self._work()
        CLOCK.advance(timedelta(hours=1))
        self._work()
        mesh.cancel(self._asked("vase"), by=f"op{g}", note=f"out of stock{g}")
        self._asked("cup")
        self._waiting("bowl")
        mesh.pause(self._waiting("jar"), by=f"op{g}", note=f"the customer called{g}")
        self._counting("plate")
        CLOCK.advance(timedelta(minutes=1))
        shop = import_module("shop")
        self.orders["pair"] = mesh.start(shop.Twice.asked, shop.Placed(f"pair{g}"))
        self._work()
        self._order("spoon", queue="slow")
        self._order("fork")
        mesh.set_queue("slow", concurrency=2, rate="5/m", by="op")
        mesh.pause_queue("slow", by=f"op{g}", note=f"the van is being repaired{g}")
        self._serve()

    def _serve(self) -> None:
        CLOCK.now = LOOK - timedelta(seconds=20)
        Presence(
            self._mesh.door,
            owner="till-1@shop:71",
            queues=("default",),
            concurrency=8,
            actions=lambda: frozenset(self._mesh.actions.performable()),
        ).begin()
