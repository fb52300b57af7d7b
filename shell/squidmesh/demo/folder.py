"""Where a demonstration keeps its files: a folder of its own, never one in use."""

import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from attrs import frozen

from squidmesh_core.errors import ConfigError

EXPORT: Final = "orders.csv"
#: An export that a person has the patience for.
FEW: Final = "a_few_orders.csv"


@frozen(kw_only=True)
class Folder:
    """The files of one demonstration."""

    path: Path

    @property
    def journal(self) -> Path:
        """The SQLite file."""
        return self.path / "orders.db"

    @property
    def url(self) -> str:
        """The journal's URL."""
        return f"sqlite:///{self.journal}"

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


def fresh_folder(asked: Path | None, *, few: bool = False) -> Folder:
    """
    A folder that holds nothing but the shop's orders.

    Args:
        asked: Where; it must be new or empty.  Null: a new temporary folder.
        few: Take `FEW` instead of the whole export.

    Raises:
        ConfigError: The place is in use, or cannot be written.
    """
    try:
        path = _made(asked)
        with as_file(files("squidmesh.demo") / (FEW if few else EXPORT)) as packaged:
            shutil.copyfile(packaged, path / EXPORT)
    except OSError as exc:
        raise _wrong(f"{exc.filename}: {exc.strerror}") from None
    return Folder(path=path)


def _made(asked: Path | None) -> Path:
    if asked is None:
        return Path(tempfile.mkdtemp(prefix="squidmesh-demo-"))
    asked.mkdir(parents=True, exist_ok=True)
    if any(asked.iterdir()):
        raise _wrong(f"{asked} is not empty; name a new folder. Nothing was written")
    return asked.absolute()


def _wrong(reason: str) -> ConfigError:
    details = {"option": "folder", "reason": reason}
    return ConfigError(f"folder: {reason}", "invalid_option", details)
