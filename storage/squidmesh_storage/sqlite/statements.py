"""The statements of `statements.sql`, by name."""

import pkgutil
import re
from collections.abc import Mapping
from typing import Final

_BLOCK: Final = re.compile(r"^-- (\w+): [^\n]*\n(.*?);$", re.MULTILINE | re.DOTALL)


def read_sql(*path: str) -> str:
    """The text of a `.sql` file that lies beside this module."""
    # Not `importlib.resources`: it loads archives and temporary files with it.
    data = pkgutil.get_data("squidmesh_storage.sqlite", "/".join(path))
    if data is None:
        raise FileNotFoundError("/".join(path))
    return data.decode("utf-8")


def _statements() -> dict[str, str]:
    blocks = dict(_BLOCK.findall(read_sql("statements.sql")))
    readable = blocks.pop("readable")
    return {name: text.replace("{readable}", readable) for name, text in blocks.items()}


#: name → statement.
SQL: Final[Mapping[str, str]] = _statements()
