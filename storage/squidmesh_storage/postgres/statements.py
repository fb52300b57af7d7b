"""The statements of `statements.sql`, for the schema and prefix that are configured."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Final

from squidmesh_core.errors import ConfigError
from squidmesh_storage.postgres.scripts import Call

DEFAULT_SCHEMA: Final = "squidmesh"

_BLOCK: Final = re.compile(r"^-- (\w+): [^\n]*\n(.*?);$", re.MULTILINE | re.DOTALL)
_COLUMN: Final = re.compile(r'("?\w+"?) (\w+)')
#: A table as a text, a table, and a name that has no schema.
_NAMES: Final = re.compile(r"'squidmesh\.(\w+)'|\bsquidmesh\.(\w+)|\bsquidmesh_(\w+)")
_CHANGES: Final = re.compile(r"\b(insert into|update|delete from) squidmesh\.")
#: Bytes of a name in PostgreSQL; what is longer would be cut, silently.
_LONGEST: Final = 63
_LONGEST_PREFIX: Final = 30
#: Asked for all the time, and planned alike whatever the values.
_KEPT: Final = re.compile(
    r"part_.*|glance|foremost|opening|due|expired|next_due|standing|lock.*|load|notify|idle|busy"
)
#: Asked for again and again, by idle processes and by those that have no slot free: with
#: settings around them they would be three times as many.
_BARE: Final = frozenset({"foremost", "glance", "put_record"})


def read_sql(*path: str) -> str:
    """The text of a `.sql` file that lies beside this module."""
    return files("squidmesh_storage.postgres").joinpath(*path).read_text(encoding="utf-8")


class Names:
    """
    Where the tables are: a schema, and what their names begin with.

    Raises:
        ConfigError: One of the two cannot be part of a name.
    """

    def __init__(self, schema: str = DEFAULT_SCHEMA, prefix: str = "") -> None:
        _check("schema", schema, _LONGEST)
        _check("prefix", prefix, _LONGEST_PREFIX)
        if not schema:
            raise _wrong("schema", "it is empty")
        self.schema = schema
        self.prefix = prefix

    def placed(self, sql: str) -> str:
        """A text with our names in the place of those that stand for them."""
        return _NAMES.sub(self._name, sql)

    def placed_with_values(self, sql: str) -> str:
        """The same of a text with placeholders: a `%` in a name is none."""
        return _NAMES.sub(lambda match: self._name(match).replace("%", "%%"), sql)

    def table(self, name: str) -> str:
        """A table's name, quoted."""
        return f"{_quoted(self.schema)}.{_quoted(self.prefix + name)}"

    @property
    def quoted_schema(self) -> str:
        """The schema's name, quoted."""
        return _quoted(self.schema)

    @property
    def channel(self) -> str:
        """The channel of NOTIFY; each set of tables has its own."""
        return f"squidmesh:{self.schema}.{self.prefix}".encode()[:_LONGEST].decode(errors="ignore")

    @property
    def quoted_channel(self) -> str:
        """The channel, quoted."""
        return _quoted(self.channel)

    def _name(self, match: re.Match[str]) -> str:
        text, table, bare = match.groups()
        if text is not None:
            return "'" + self.table(text).replace("'", "''") + "'"
        return self.table(table) if table is not None else _quoted(f"{self.prefix}{bare}")


class Statements:
    """The statements by name, and calls of them."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._calls: Mapping[str, Call] = {
            name: Call(
                names.placed_with_values(text),
                writes=_CHANGES.search(text) is not None,
                keeps=_KEPT.fullmatch(name) is not None,
                bare=name in _BARE,
            )
            for name, text in _blocks().items()
        }
        self.composed = lru_cache(maxsize=256)(self._composed)
        self.limited = lru_cache(maxsize=256)(self._limited)

    def __getitem__(self, name: str) -> str:
        """The text of a statement."""
        return self._calls[name].text

    def call(self, name: str, **values: object) -> Call:
        """A statement with its values."""
        return self._calls[name]._replace(values=values)

    def _limited(self, name: str, limit: int) -> Call:
        """
        A statement that stops after so many rows.

        The number is part of the text: for a limit that comes as a value, a plan that
        is kept would be one for a tenth of the table.
        """
        call = self._calls[name]
        return call._replace(text=call.text.replace("{limit}", str(int(limit))))

    def _composed(
        self,
        parts: tuple[str, ...],
        outcomes: tuple[tuple[str, str], ...],
        locks: str,
        clash: str,
    ) -> str:
        """
        One statement of several parts, each of which sees what the others lock or write.

        Args:
            parts: Their names.
            outcomes: What it returns, and of which of them.
            locks: What must be true of the rows that are locked.
            clash: What becomes of an append that was overtaken.
        """
        body = ",\n".join(self[part] for part in parts)
        outcome = "\nunion all\n".join(
            self[name].replace("{written}", written) for name, written in outcomes
        )
        text = f"with {body}\n{outcome}"
        return text.replace("%(locks)s", locks).replace("%(clash)s", clash)


@lru_cache(maxsize=1)
def _blocks() -> dict[str, str]:
    blocks = dict(_BLOCK.findall(read_sql("statements.sql")))
    readable = blocks.pop("readable")
    for name, text in list(blocks.items()):
        blocks[name] = text.replace("{readable}", readable)
        if name.startswith("columns_"):
            source, columns = name.removeprefix("columns_"), _COLUMN.findall(text)
            for form in ("one", "many"):
                blocks[f"{form}_{source}"] = _source(blocks[form], source, columns)
    return blocks


def _source(form: str, name: str, columns: Sequence[tuple[str, str]]) -> str:
    """Where parts take their values from, by columns with their types."""
    keys = [(column.strip('"'), column, type_) for column, type_ in columns]
    values = (f"%({key})s::{type_} as {column}" for key, column, type_ in keys)
    elements = (
        f"(%({name}_{key})s::{type_}[])[place::integer] as {column}" for key, column, type_ in keys
    )
    return form.format(name=name, values=", ".join(values), elements=", ".join(elements))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _check(option: str, name: str, longest: int) -> None:
    if "\0" in name or len(name.encode(errors="replace")) > longest:
        raise _wrong(option, f"expected at most {longest} bytes without NUL")


def _wrong(option: str, why: str) -> ConfigError:
    return ConfigError(
        f"{option} of the PostgreSQL journal: {why}",
        "invalid_option",
        {"option": option, "reason": why},
    )
