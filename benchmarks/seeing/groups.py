"""The groups of rows about seeing, each on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.rounds import (
    Figures,
    Group,
    Options,
    Row,
    measured_by,
    row,
)

#: Readers who look while a worker works.
READERS: Final = 10
#: Turns with and without them, for each round that was asked for.
PAIRS: Final = 8
#: Runs that are listed.
LISTED: Final = 100_000

#: Gives the URL of a new journal, gone with the block.
Place = Callable[[], AbstractContextManager[str]]


def looking(place: str, fresh: Place, _: Options) -> Iterator[Row]:
    """`inspect`, `explain`, `graph`, the journal, and redacting them."""
    with fresh() as url:
        yield row("looking", _probe(url, "looking"), place=place)


def listing(place: str, fresh: Place, _: Options) -> Iterator[Row]:
    """Pages of many runs, and the command."""
    with fresh() as url:
        yield row("listing", _probe(url, "listing", LISTED), place=place)


def watched(place: str, fresh: Place, options: Options) -> Iterator[Row]:
    """Steps per second alone and while readers look, in turns."""
    with fresh() as url:
        figures = _probe(url, "watched", READERS, PAIRS * options.rounds)
    yield row("watched", figures, place=place)


_MEASURES: Final = {"looking": looking, "listing": listing, "watched": watched}


def _embedded(name: str) -> Group:
    def measure(options: Options, folder: Path) -> Iterator[Row]:
        @contextmanager
        def file() -> Iterator[str]:
            with TemporaryDirectory(dir=folder) as own:
                yield f"sqlite:///{Path(own) / 'seeing.db'}"

        yield from _MEASURES[name]("sqlite", file, options)

    return measure


def _on_postgres(name: str) -> Group:
    def measure(options: Options, _: Path) -> Iterator[Row]:
        from benchmarks.postgres.server import durable_server, fresh_database

        with durable_server(options.dsn) as server:
            yield from _MEASURES[name]("postgres", lambda: fresh_database(server), options)

    return measure


EMBEDDED: Final[dict[str, Group]] = {name: _embedded(name) for name in _MEASURES}
ON_POSTGRES: Final[dict[str, Group]] = {f"pg_{name}": _on_postgres(name) for name in _MEASURES}


def _probe(url: str, *words: object) -> Figures:
    return measured_by("benchmarks.seeing.probe", url, *words)
