"""The statements of `statements.sql`, by name."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

_BLOCK: Final = re.compile(r"^-- (\w+): [^\n]*\n(.*?);$", re.MULTILINE | re.DOTALL)


def read_sql(*path: str) -> str:
    """The text of a `.sql` file that lies beside this module."""
    return files("squidmesh_storage.sqlite").joinpath(*path).read_text(encoding="utf-8")


#: name → statement.
SQL: Final[Mapping[str, str]] = dict(_BLOCK.findall(read_sql("statements.sql")))
