"""
Journals as files: all of them as they are, or one run without its secrets.

    export, restore   JSON lines of everything; whatever is restored goes on as it was
    bundle, load      one run for somebody else's eyes; loaded, it is held

A file is written whole or not at all, and read whole before anything of it is
stored.  Whoever is interrupted while storing does the same again: what is there
already stays, and the rest follows.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from squidmesh.door.door import Door
from squidmesh.door.reindex import every_run
from squidmesh.door.storing import PAGE, Kept, store
from squidmesh.files.lines import FilePath, opened, write_file
from squidmesh.files.masking import Mask
from squidmesh.files.redacting import redacted
from squidmesh_core.checker import bundle as bundles
from squidmesh_core.checker import export as exports
from squidmesh_core.definition.form import spec_to_text
from squidmesh_core.errors import ConfigError, StorageError
from squidmesh_core.ids import BEGINNING, Fingerprint, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.entries import RunPruned, RunStarted
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.inspection import Run, run_of


def export(door: Door, path: FilePath) -> int:
    """
    Write every journal and definition, as they are stored, secrets and damage included.

    Returns how many runs there were.

    Raises:
        ConfigError: The file cannot be written.
        StorageError: The storage failed.
    """
    runs, defined = 0, set[Fingerprint]()

    def lines() -> Iterator[str]:
        nonlocal runs
        for run_id in every_run(door.journal):
            first = door.journal.stored(run_id, BEGINNING, PAGE)
            runs += bool(first)  # pruned since it was named
            fresh = {named for named in _named(first) if named not in defined}
            texts = [text for one in sorted(fresh) if (text := door.journal.definition(one))]
            defined.update(fresh)
            yield from exports.write(_pages(door, run_id, first), texts)

    write_file(path, lines())
    return runs


def restore(door: Door, path: FilePath) -> int:
    """
    Store what `export` wrote; a run that is there already is left as it is.

    Returns how many runs were stored.

    Raises:
        ConfigError: `invalid_bundle`: the file is not an export, or not as it was written;
            nothing was stored.  Or it cannot be read.
        IdempotencyConflict: A run is here with another journal; nothing was stored.
        StorageError: The storage failed, or a newer squidmesh wrote the file.
    """
    where = Path(path)
    try:
        with opened(where) as file:
            found = exports.read(file)
        kept = [
            Kept.of(run_id, records, found.definitions) for run_id, records in found.runs.items()
        ]
    except (ValueError, RecursionError) as error:
        raise _invalid(where, error) from error
    return store(door, kept)


def bundle(door: Door, run_id: RunId, path: FilePath) -> Path:
    """
    Write one run and its definition, without what is sensitive.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: The file cannot be written.
        StorageError: The run's journal is unreadable.
    """
    known = door.fresh(run_id)
    loaded = door.journal.load(run_id, whole=True)
    state = fold_run(run_id, (one for record in loaded.records for one in entries_of(record)))
    mask = Mask(known.spec, state.context)
    records = redacted(run_id, loaded.records, state, mask)
    write_file(
        path, bundles.write(records, spec_to_text(known.spec), source=loaded.records[-1].hash)
    )
    return Path(path)


def load(door: Door, path: FilePath) -> Run:
    """
    Store the run of a bundle; unless it is over, it is held, so that nobody performs it.

    A run that is there already is left as it is.

    Raises:
        ConfigError: `invalid_bundle`: the file is not a bundle, or not as it was written.
            Or it cannot be read.
        IdempotencyConflict: The run is here with another journal.
        Refused: `compensating`: the run cannot be held, so it is not stored.
        StorageError: The storage failed, or a newer squidmesh wrote the file.
    """
    where = Path(path)
    try:
        with opened(where) as file:
            found = bundles.read(file)
        definitions = {bundles.followed_by(found.run_id, found.records): found.definition}
        kept = Kept.of(found.run_id, found.records, definitions)
    except (ValueError, RecursionError) as error:
        raise _invalid(where, error) from error
    stored = store(door, [kept.held(door)])
    return evolve(run_of(door.fresh(found.run_id).state), duplicate=not stored)


def _pages(door: Door, run_id: RunId, page: tuple[AppendRecord, ...]) -> Iterator[AppendRecord]:
    """All appends of a run, from its first page on."""
    while page:
        yield from page
        page = door.journal.stored(run_id, page[-1].last, PAGE)


def _named(first: tuple[AppendRecord, ...]) -> Iterator[Fingerprint]:
    """The definition that a journal names in its first append, if that can be read."""
    with suppress(StorageError):
        for entry in entries_of(first[0]) if first else ():
            if isinstance(entry, RunStarted | RunPruned):
                yield entry.definition


def _invalid(path: Path, error: Exception) -> ConfigError:
    reason = "it is no text" if isinstance(error, UnicodeError) else str(error)
    return ConfigError(
        f"{path} cannot be taken in: {reason}; nothing was stored",
        "invalid_bundle",
        {"path": str(path), "reason": reason},
    )
