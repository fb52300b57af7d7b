"""
Damage: what happens to stored rows behind everybody's back, and where it shows.

Every case says how a journal of at least four appends is harmed, and at which
revision whoever reads it must notice.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from squidmesh_core import canonical
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, link, origin
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite.rows import record_values
from support.postgres import execute, rewrite_rows, rewrite_text
from support.stage import Stage

Records = Sequence[AppendRecord]
DOOMSDAY: Final = datetime.max.replace(tzinfo=UTC)


@frozen(kw_only=True)
class Damage:
    """One way to harm a journal."""

    harm: Callable[[Records], Records]
    #: The revision that whoever reads the harmed journal has to name.
    shows_at: Callable[[Records], Revision]


def forged(records: Records, place: int, *, body: str) -> Records:
    """The rows with the body of one changed, and all hashes made to fit."""
    told = list(records)
    told[place] = evolve(told[place], body=body)
    previous = origin(told[0].run_id)
    for index, record in enumerate(told):
        told[index] = evolve(record, hash=link(previous, record.body))
        previous = told[index].hash
    return told


def _changed(place: int, change: Callable[[AppendRecord], AppendRecord]) -> Damage:
    def harm(records: Records) -> Records:
        told = list(records)
        told[place] = change(told[place])
        assert told != list(records)
        return told

    return Damage(harm=harm, shows_at=lambda records: records[place].first)


def _forged(place: int, body: Callable[[str], str]) -> Damage:
    return Damage(
        harm=lambda records: forged(records, place, body=body(records[place].body)),
        shows_at=lambda records: records[place].first,
    )


def _flipped(record: AppendRecord) -> AppendRecord:
    body = record.body
    middle = len(body) // 2
    return evolve(record, body=f"{body[:middle]}{chr(ord(body[middle]) ^ 1)}{body[middle + 1 :]}")


def _swapped(records: Records) -> Records:
    one, other = records[1], records[2]
    return [
        records[0],
        evolve(other, first=one.first, last=Revision(one.first + other.last - other.first)),
        evolve(one, first=Revision(one.first + other.last - other.first + 1), last=other.last),
        *records[3:],
    ]


def _without(place: int) -> Damage:
    return Damage(
        harm=lambda records: [*records[:place], *records[place + 1 :]],
        shows_at=lambda records: records[place].first,
    )


def _second_entry(body: str) -> str:
    entries = canonical.decode(body)
    assert isinstance(entries, list)
    return canonical.encode([entries[0], {"type": "run_started"}, *entries[2:]])


def _of_another_step(body: str) -> str:
    told = body.replace('"step":"a"', '"step":"b"')
    assert told != body
    return told


DAMAGES: Final[dict[str, Damage]] = {
    "a byte of the first body flipped": _changed(0, _flipped),
    "a byte of a body flipped": _changed(1, _flipped),
    "a byte of the last body flipped": _changed(-1, _flipped),
    "a body cut short": _changed(1, lambda one: evolve(one, body=one.body[:-7])),
    "a body emptied": _changed(2, lambda one: evolve(one, body="")),
    "a hash changed": _changed(1, lambda one: evolve(one, hash="00" * 32)),
    "the last hash changed": _changed(-1, lambda one: evolve(one, hash="00" * 32)),
    "an instant moved": _changed(1, lambda one: evolve(one, at=one.at + timedelta(seconds=1))),
    "an instant out of this world": _changed(1, lambda one: evolve(one, at=DOOMSDAY)),
    "a revision raised": _changed(-1, lambda one: evolve(one, last=Revision(one.last + 3))),
    "two rows swapped": Damage(harm=_swapped, shows_at=lambda records: records[1].first),
    "the first row cut": _without(0),
    "a row cut": _without(1),
    "a body that is no JSON": _forged(1, lambda _: "nonsense"),
    "a body that is no list": _forged(1, lambda body: canonical.encode({"entries": body})),
    "a body without entries": _forged(1, lambda _: "[]"),
    "an entry more": _forged(1, lambda body: f"{body[:-1]},{body[1:]}"),
    "an entry without members": Damage(
        harm=lambda records: forged(records, 0, body=_second_entry(records[0].body)),
        shows_at=lambda _: Revision(2),
    ),
    "an entry that contradicts itself": Damage(
        harm=lambda records: forged(records, 0, body=_of_another_step(records[0].body)),
        shows_at=lambda _: Revision(3),
    ),
    "an entry of no version": _forged(1, lambda body: body.replace('"v":1', '"v":0')),
}

#: Entries that this process is too old for, and the name that they are reported by.
NEWER: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "an unknown type": (
        lambda body: body.replace("attempt_heartbeat", "attempt_teleported"),
        "attempt_teleported v1",
    ),
    "an unknown type of no version": (
        lambda body: body.replace('"attempt_heartbeat","v":1', '"attempt_teleported","v":0'),
        "attempt_teleported v0",
    ),
    "a higher version": (lambda body: body.replace('"v":1', '"v":2'), "attempt_heartbeat v2"),
}


def rewrite(stage: Stage, journal: Journal, run_id: RunId, records: Records) -> None:
    """Put these rows in the place of a run's journal, behind the adapter's back."""
    if isinstance(journal, MemoryJournal):
        journal._tables.journals.pop(run_id, None)
        if records:
            journal._tables.journals[run_id] = list(records)
        return
    if stage.url is not None:
        rewrite_rows(stage.url, run_id, records)
        return
    with _file(stage) as connection:
        connection.execute("delete from squidmesh_journal where run_id = ?", (run_id,))
        for record in records:
            connection.execute(
                "insert into squidmesh_journal values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*record_values(record, 0), CODEC_VERSION),
            )


def change_rows(stage: Stage, statement: str) -> None:
    """Change rows behind the adapter's back; `squidmesh.` stands for how its tables begin."""
    if stage.url is not None:
        execute(stage.url, statement)
        return
    with _file(stage) as connection:
        connection.execute(statement.replace("squidmesh.", "squidmesh_"))


def say_codec(stage: Stage, journal: Journal, run_id: RunId, codec: int) -> None:
    """Say of a run's last append that another codec wrote it."""
    if isinstance(journal, MemoryJournal):
        journal._tables.codecs[run_id] = codec
        return
    newest = f"select max(first) from squidmesh.journal where run_id = '{run_id}'"
    change_rows(
        stage,
        f"update squidmesh.journal set codec = {codec} "
        f"where run_id = '{run_id}' and first = ({newest})",
    )


def rewrite_definition(stage: Stage, journal: Journal, fingerprint: str, text: str | None) -> None:
    """Put a text, or nothing, in the place of a stored definition."""
    if isinstance(journal, MemoryJournal):
        journal._tables.definitions.pop(Fingerprint(fingerprint), None)
        if text is not None:
            journal._tables.definitions[Fingerprint(fingerprint)] = text
        return
    if stage.url is not None:
        rewrite_text(stage.url, fingerprint, text)
        return
    with _file(stage) as connection:
        connection.execute(
            "delete from squidmesh_definitions where fingerprint = ?", (fingerprint,)
        )
        if text is not None:
            connection.execute(
                "insert into squidmesh_definitions values (?, ?)", (fingerprint, text)
            )


def add_newer_append(records: Records) -> AppendRecord:
    """What a newer squidmesh would append."""
    head = records[-1]
    body = canonical.encode([{"type": "run_teleported", "v": 1, "at": head.at.isoformat()}])
    return AppendRecord(
        run_id=head.run_id,
        first=Revision(head.last + 1),
        last=Revision(head.last + 1),
        append_id=AppendId("newer"),
        at=head.at,
        body=body,
        hash=link(head.hash, body),
    )


@contextmanager
def _file(stage: Stage) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(stage.file)
    try:
        with connection:
            yield connection
    finally:
        connection.close()
