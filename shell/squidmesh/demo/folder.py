"""Where a demonstration keeps its files and its journal: never a place in use."""

import shlex
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from attrs import field, frozen

from squidmesh.opening import shown
from squidmesh_core.errors import ConfigError

EXPORT: Final = "orders.csv"
#: An export that a person has the patience for.
FEW: Final = "a_few_orders.csv"
_JOURNAL: Final = "orders.db"


@frozen(kw_only=True)
class Folder:
    """The files of one demonstration."""

    path: Path
    #: The journal's URL, which may hold a password; null: a SQLite file in the folder.
    given: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The journal's URL."""
        return self.given or f"sqlite:///{self.path / _JOURNAL}"

    @property
    def journal(self) -> str:
        """Where the journal is, as it may be shown."""
        return shown(self.given) if self.given else str(self.path / _JOURNAL)

    @property
    def option(self) -> str:
        """What makes a command look at this journal; empty for one that was given."""
        return "" if self.given else f" --url {shlex.quote(self.url)}"

    @property
    def ledger(self) -> Path:
        """What the gateway writes down."""
        return self.path / "ledger.jsonl"

    @property
    def stock(self) -> Path:
        """What the warehouse writes down."""
        return self.path / "stock.jsonl"

    @property
    def export(self) -> Path:
        """The shop's orders."""
        return self.path / EXPORT


def fresh_folder(asked: Path | None, *, few: bool = False, url: str | None = None) -> Folder:
    """
    A folder that holds nothing but the shop's orders.

    Args:
        asked: Where; it must be new or empty.  Null: a new temporary folder.
        few: Take `FEW` instead of the whole export.
        url: Where the journal is; null: in the folder.

    Raises:
        ConfigError: The place is in use, or cannot be written.
    """
    try:
        path = _made(asked)
        with as_file(files("squidmesh.demo") / (FEW if few else EXPORT)) as packaged:
            shutil.copyfile(packaged, path / EXPORT)
    except OSError as exc:
        raise wrong("folder", f"{exc.filename}: {exc.strerror}") from None
    return Folder(path=path, given=url)


def _made(asked: Path | None) -> Path:
    if asked is None:
        return Path(tempfile.mkdtemp(prefix="squidmesh-demo-"))
    asked.mkdir(parents=True, exist_ok=True)
    if any(asked.iterdir()):
        raise wrong("folder", f"{asked} is not empty; name a new folder. Nothing was written")
    return asked.absolute()


def wrong(option: str, reason: str) -> ConfigError:
    """The refusal of an option of the demonstration."""
    details = {"option": option, "reason": reason}
    return ConfigError(f"{option}: {reason}", "invalid_option", details)
