"""
Whether every database can keep what a file says of a run.

What the verbs are given is judged before it is written; a file was written by somebody,
somewhere, and the index holds some of its values in columns of their own.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from squidmesh import checks
from squidmesh_core.canonical import MAX_BYTES, MAX_INTEGER, storable
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import is_run_id
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_core.state.run import RunState

#: UTF-8 bytes of a text that every database indexes: those that people choose are of 255
#: characters at most, and an index has several side by side.
_LONGEST: Final = 1024
#: Of names that are shorter than that, and of what no index holds.
_OTHERWISE: Final = {"queue": 64, "node": 128, "error": MAX_BYTES}


def check_fits(state: RunState, records: Iterable[AppendRecord], rows: IndexRows) -> None:
    """
    Judge what columns hold of a run's appends, its index rows, and its newest instant.

    Whatever happens to the run comes after that, so there has to be room in the calendar.

    Raises:
        ValueError: One of them cannot be kept everywhere; it is named.
    """
    if not is_run_id(state.run_id):
        raise ValueError("run_id: no id of a run")
    if state.at is not None and state.at > checks.LAST:
        raise ValueError(f"at: after the year {checks.LAST.year}")
    for record in records:
        for misfit in _misfits(record.append_id, f"append_id of revision {record.first}"):
            raise ValueError(misfit)
    for misfit in _misfits(rows, ""):
        raise ValueError(misfit)


def _misfits(value: object, place: str, longest: int = _LONGEST) -> Iterator[str]:
    """What cannot be kept, of records inside each other, the first first."""
    if isinstance(value, str):
        if len(value.encode("utf-8", "surrogatepass")) > longest:
            yield f"{place}: a text of more than {longest} bytes"
        try:
            storable(value)
        except StorageError as refused:
            yield f"{place}: {refused.details['reason']}"
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            yield f"{place}: a number that not every database keeps"
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _misfits(item, f"{place}[{number}]")
    elif attrs.has(kind := type(value)):
        for field in attrs.fields(kind):
            inner = f"{place}.{field.name}" if place else field.name
            most = _OTHERWISE.get(field.name, _LONGEST)
            yield from _misfits(getattr(value, field.name), inner, most)
