"""Orders in the shop of the command line's tests, brought to wherever a test wants them."""

from pathlib import Path
from typing import Final, Literal

from attrs import frozen

from support.commands import Typed

#: Where an order may stand.
Where = Literal[
    "fresh",
    "asked",
    "waiting",
    "counting",
    "held",
    "undoing",
    "completed",
    "abandoned",
    "cancelled",
]
FORM: Final = ("--set", "reason=vip")


#: Journals with one order, by where that stands and what was ordered, and its id.
Stands = dict[tuple[Where, str], tuple[str, bytes]]
#: The journal that the command line's tests are told of.
FILE: Final = Path("greetings.db")


@frozen
class Shop:
    """A command line, and the orders that were typed at it."""

    squidmesh: Typed
    #: What was brought somewhere once, and is copied from then on.
    stands: Stands

    def order(self, where: Where = "asked", *, sku: str = "mug") -> str:
        """The id of an order that has come so far; `abandoned` has left something undone."""
        if FILE.exists():
            return self._bring(where, sku)
        if (where, sku) not in self.stands:
            self.stands[where, sku] = self._bring(where, sku), FILE.read_bytes()
        run_id, journal = self.stands[where, sku]
        FILE.write_bytes(journal)
        return run_id

    def _bring(self, where: Where, sku: str) -> str:
        said = self.squidmesh("start", "shop:Order", "--set", f"sku={sku}")
        assert said.code == 0, said.err
        run_id = said.out.strip()
        getattr(self, f"_{where}")(run_id)
        return run_id

    def work(self) -> None:
        """Perform whatever is claimable."""
        while self.squidmesh("step", "--app", "shop").out:
            pass

    def do(self, *arguments: str) -> None:
        """Type a command that must succeed."""
        said = self.squidmesh(*arguments)
        assert said.code == 0, said.err

    def status(self, run_id: str) -> object:
        """How the order is."""
        return self.run(run_id)["status"]

    def run(self, run_id: str) -> dict[str, object]:
        """What the order's document says of the run."""
        run = self.squidmesh("show", run_id, "--json").document["run"]
        assert isinstance(run, dict)
        return run

    def _fresh(self, run_id: str) -> None:
        """Nothing has been done."""

    def _asked(self, run_id: str) -> None:
        self.work()

    def _waiting(self, run_id: str) -> None:
        self._asked(run_id)
        self.do("approve", run_id, "--by", "ana", *FORM, "--yes", "--key", "yes-1")
        self.work()

    def _counting(self, run_id: str) -> None:
        self._waiting(run_id)
        self.do("send", run_id, "settled", "--set", "cents=300", "--key", "message-1")

    def _completed(self, run_id: str) -> None:
        self._counting(run_id)
        self.do("resume", run_id, "--yes", "--by", "bo")
        self.work()

    def _held(self, run_id: str) -> None:
        self._waiting(run_id)
        self.do("pause", run_id, "--by", "op", "--yes", "--key", "hold-1")

    def _undoing(self, run_id: str) -> None:
        self._waiting(run_id)
        self.do("cancel", run_id, "--compensate", "--by", "op", "--yes", "--key", "undo-1")

    def _abandoned(self, run_id: str) -> None:
        self._undoing(run_id)
        self.do("cancel", run_id, "--abandon", "--yes")

    def _cancelled(self, run_id: str) -> None:
        self._asked(run_id)
        self.do("cancel", run_id, "--yes", "--by", "op", "--key", "cancel-1")
