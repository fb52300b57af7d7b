"""
Where the command line finds its application: one frozen record.

    flag    --app, --url, --time and the options of each command
    env     SQUIDMESH_URL
    file    [tool.squidmesh] of the nearest pyproject.toml

The first of these that says something about a setting wins.  An unknown key in
the file is an error that names it.  A URL may hold a password, so it is in no
message and no `repr`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from attrs import field, frozen

from squidmesh_core.errors import ConfigError
from squidmesh_core.ids import is_queue_name

TimeStyle = Literal["relative", "local", "utc", "iso"]

TIME_STYLES: Final[tuple[TimeStyle, ...]] = get_args(TimeStyle)
URL_VARIABLE: Final = "SQUIDMESH_URL"
FILE_NAME: Final = "pyproject.toml"
#: What [tool.squidmesh] may hold.
KEYS: Final = ("app", "url", "queues", "concurrency", "time")


@frozen(kw_only=True)
class Config:
    """The settings of one call of the command line."""

    #: `module:name` of the application, or null.
    app: str | None = None
    #: The journal's URL, or null.
    url: str | None = field(default=None, repr=False)
    #: Whether the URL was typed as a flag, so that it must be obeyed.
    url_is_flag: bool = False
    #: The queues that `work` and `step` serve.
    queues: tuple[str, ...] = ("default",)
    #: Steps that `work` performs at once.
    concurrency: int = 8
    #: How instants are shown; null: relative on a terminal, ISO elsewhere.
    time: TimeStyle | None = None


def read_config(
    *,
    app: str | None = None,
    url: str | None = None,
    time: TimeStyle | None = None,
    environ: Mapping[str, str],
    folder: Path,
) -> Config:
    """
    The settings from flags, environment and file.

    Args:
        app: The flag `--app`, if given.
        url: The flag `--url`, if given.
        time: The flag `--time`, if given.
        environ: The environment.
        folder: Where the search for the file begins; it goes upwards.

    Raises:
        ConfigError: The file is no TOML, has an unknown key, or a wrong value.
    """
    from_file = _read_file(folder)
    return Config(
        app=app or from_file.app,
        url=url or environ.get(URL_VARIABLE) or from_file.url,
        url_is_flag=bool(url),
        queues=from_file.queues,
        concurrency=from_file.concurrency,
        time=time or from_file.time,
    )


def _read_file(folder: Path) -> Config:
    nearest = next(
        (file for place in (folder, *folder.parents) if (file := place / FILE_NAME).is_file()),
        None,
    )
    if nearest is None:
        return Config()
    try:
        data = tomllib.loads(nearest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise _wrong(nearest, "", f"cannot be read: {exc}") from None
    tools = data.get("tool")
    table = tools.get("squidmesh", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise _wrong(nearest, "", "[tool.squidmesh] is no table")
    for key in table:
        if key not in KEYS:
            raise _wrong(nearest, key, f"is unknown; known are {', '.join(KEYS)}")
    return Config(
        app=_text(nearest, table, "app"),
        url=_text(nearest, table, "url"),
        queues=_queues(nearest, table),
        concurrency=_concurrency(nearest, table),
        time=_time(nearest, table),
    )


def _text(file: Path, table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise _wrong(file, key, "expected a text that is not empty")


def _queues(file: Path, table: Mapping[str, object]) -> tuple[str, ...]:
    value = table.get("queues", ["default"])
    names = value if isinstance(value, list) else []
    if not names or not all(isinstance(name, str) and is_queue_name(name) for name in names):
        raise _wrong(file, "queues", 'expected a list of queue names, such as ["default"]')
    return tuple(names)


def _concurrency(file: Path, table: Mapping[str, object]) -> int:
    value = table.get("concurrency", 8)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise _wrong(file, "concurrency", "expected a whole number of at least 1")


def _time(file: Path, table: Mapping[str, object]) -> TimeStyle | None:
    value = table.get("time")
    if value is None:
        return None
    for style in TIME_STYLES:
        if value == style:
            return style
    raise _wrong(file, "time", f"expected one of {', '.join(TIME_STYLES)}")


def _wrong(file: Path, key: str, reason: str) -> ConfigError:
    """An error about the file; the value itself is never shown."""
    where = f"{file}: [tool.squidmesh] {key}" if key else str(file)
    details = {"option": key or FILE_NAME, "reason": reason}
    return ConfigError(f"{where}: {reason}", "invalid_option", details)
